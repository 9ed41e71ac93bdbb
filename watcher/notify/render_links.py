"""The links below an alert: to silence it, its runbook, what posted it, and those of the configuration.

The link to a silence is Alertmanager's, `#/silences/new?filter={…}` below `http.external_url`, which its pages and
those made for it understand. Its matchers say what the alert is about, not which pod or container, so that it holds
for what comes of the same trouble.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from watcher.lib.links import encoded
from watcher.lib.matchers import Matcher, MatcherOp
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
_OBJECTS: Final = ("workload", "claim", "node")
_ABOUT: Final = ("alertname", "cluster", "namespace", *_OBJECTS)
"""Labels by which it is silenced."""


def links(case: Case) -> Iterator[Links]:
    """One block with all of them; none where there are none."""
    runbook = said(case.alert.annotations.get("runbook_url", ""), _LONGEST)
    source = source_url(case.alert)
    silence = silence_url(case) if case.firing else ""
    named = (("Silence", silence), ("Runbook", runbook), ("Source", source))
    found = [Link(label, url) for label, url in named if _URL.fullmatch(url)]
    if case.links:
        values = _values(case)
        found.extend(link for config in case.links if (link := _link(config, values)) is not None)
    if found:
        yield Links(tuple(found))


def source_url(alert: Alert) -> str:
    """Where the alert comes from, as who posted it says; empty: it does not say, or nobody posted it."""
    return safe(alert.posted.generator_url) if alert.posted is not None else ""


def silence_url(case: Case) -> str:
    """A form that silences it; empty: nobody said where, or its labels cannot stand in an address."""
    labels = case.alert.labels
    given = {name: labels[name] for name in _ABOUT if labels.get(name)}
    if not any(name in given for name in _OBJECTS):
        # Posted, about no object that has a name here: its own labels are all that tells it from others.
        given = dict(labels)
    if not case.external_url or any(safe(value) != value for value in given.values()):
        return ""
    matchers = (Matcher(name=name, op=MatcherOp.EQUAL, value=value) for name, value in given.items())
    text = f"{{{','.join(str(matcher) for matcher in matchers)}}}"
    url = f"{case.external_url}/#/silences/new?filter={quote(text, safe='')}"
    return url if len(url) <= _LONGEST else ""


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
