"""The links below an alert: its runbook, what posted it, and those of the configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from watcher.lib.links import encoded
from watcher.lib.templates import TemplateProblem
from watcher.lib.text import clean
from watcher.model.config import LinkConfig
from watcher.model.message import Link, Links
from watcher.model.state import Alert
from watcher.notify.render_case import Case
from watcher.notify.render_text import safe, said

_URL: Final = re.compile(r"https?://[^\s<>\"'`|]+")
_LONGEST: Final = 2000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def links(case: Case) -> Iterator[Links]:
    """One block with all of them; none where there are none."""
    runbook = said(case.alert.annotations.get("runbook_url", ""), _LONGEST)
    source = source_url(case.alert)
    found = [Link(label, url) for label, url in (("Runbook", runbook), ("Source", source)) if _URL.fullmatch(url)]
    if case.links:
        values = _values(case)
        found.extend(link for config in case.links if (link := _link(config, values)) is not None)
    if found:
        yield Links(tuple(found))


def source_url(alert: Alert) -> str:
    """Where the alert comes from, as who posted it says; empty: it does not say, or nobody posted it."""
    return safe(alert.posted.generator_url) if alert.posted is not None else ""


def _link(config: LinkConfig, values: dict[str, Any]) -> Link | None:
    """None where the alert lacks a value that the address needs, or where no address comes of it."""
    try:
        url = config.template.render(values).strip()
    except TemplateProblem:
        return None
    return Link(config.label, url) if len(url) <= _LONGEST and _URL.fullmatch(url) and clean(url) == url else None


def _values(case: Case) -> dict[str, Any]:
    key, worst, labels = case.alert.key, case.worst, case.alert.labels
    named = {
        "alertname": key.alertname,
        "severity": labels.get("severity", ""),
        "cluster": key.cluster or labels.get("cluster", ""),
        "namespace": key.namespace or labels.get("namespace", ""),
        "workload_kind": key.workload_kind,
        "workload": key.workload,
        "pod": key.pod or worst.pod,
        "container": key.container or getattr(worst, "container", ""),
        "claim": key.claim,
        "node": key.node or worst.node,
    }
    since = (case.alert.since - _EPOCH) // _MILLISECOND
    return {**_encoded(named), "labels": _encoded(labels), "since_ms": since}


def _encoded(values: Mapping[str, str]) -> dict[str, str]:
    """Redacted first: what is percent-encoded no longer looks like a secret."""
    return encoded({key: safe(value) for key, value in values.items()})
