"""Texts that people write for a channel (Alertmanager's `title`, `text`, …), as Jinja2 templates over a notification.

The sandbox is `lib.templates`. A label that is missing is empty, as in Alertmanager's templates; a name that does not
exist is an error when the configuration is read. What a template writes itself is the channel's markup, what comes
out of its values is the cluster's and is redacted, cleaned and escaped. A template that fails, or that gives nothing,
leaves Watcher's own text in its place, and a failure is told beside it: a message goes out in any case (behaviour 91).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from watcher.lib.templates import Template, TemplateProblem, compile_template
from watcher.lib.text import cut
from watcher.model.message import AlertView, Notification
from watcher.notify.render_text import safe

PROBLEM: Final = 300
"""Characters of an error beside a message."""

Escape = Callable[[str], str]


class Labels(dict[str, str]):
    """Labels or annotations; what is not there is empty."""

    def __missing__(self, key: str) -> str:
        return ""


def values(notification: Notification) -> dict[str, Any]:
    """What a template may name."""
    alerts = [_alert(alert) for alert in notification.alerts]
    return {
        "status": notification.status,
        "reason": notification.reason.value,
        "receiver": notification.receiver,
        "alerts": alerts,
        "firing": [alert for alert in alerts if alert["status"] == "firing"],
        "resolved": [alert for alert in alerts if alert["status"] != "firing"],
        "group_key": notification.group_key,
        "group_labels": Labels(notification.group_labels),
        "common_labels": Labels(notification.common_labels),
        "common_annotations": Labels(notification.common_annotations),
        "external_url": notification.external_url,
        "severity": notification.message.heading.mark.value,
        "title": notification.title,
        "text": notification.text,
    }


NAMES: Final = frozenset(
    (
        *("status", "reason", "receiver", "alerts", "firing", "resolved", "group_key", "group_labels"),
        *("common_labels", "common_annotations", "external_url", "severity", "title", "text"),
    )
)
"""The keys of `values`."""


def _alert(alert: AlertView) -> dict[str, Any]:
    return {
        "status": alert.status,
        "labels": Labels(alert.labels),
        "annotations": Labels(alert.annotations),
        "starts_at": alert.starts_at,
        "ends_at": alert.ends_at,
        "end_reason": alert.end_reason or "",
        "fingerprint": alert.fingerprint,
        "generator_url": alert.generator_url,
        "members": list(alert.members),
    }


class Texts:
    """The templates of one integration by their keys, compiled once."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        """Empty sources are left out: Watcher's own text stands there."""
        self._templates: dict[str, Template | TemplateProblem] = {
            key: _compiled(source) for key, source in sources.items() if source
        }

    def of(self, notification: Notification) -> Writing:
        return Writing(self._templates, values(notification) if self._templates else {})


def _compiled(source: str) -> Template | TemplateProblem:
    """A template that cannot be used is told in each message; `settings` refuses it before."""
    try:
        return compile_template(source, NAMES)
    except TemplateProblem as problem:
        return problem


class Writing:
    """One message's texts. `problems` are sentences about what failed, not escaped."""

    def __init__(self, templates: Mapping[str, Template | TemplateProblem], named: Mapping[str, Any]) -> None:
        self.problems: list[str] = []
        self._templates = templates
        self._values = named

    def text(self, key: str, limit: int, escape: Escape | None = None) -> str:
        """The text of `key`; empty where there is no template, where it failed, and where it gives only space."""
        template = self._templates.get(key)
        try:
            if isinstance(template, TemplateProblem):
                raise template
            escape_value = (lambda text: escape(safe(text))) if escape is not None else safe
            return template.render(self._values, limit, escape_value).strip() if template is not None else ""
        except TemplateProblem as problem:
            self.problems.append(cut(f"The template of {key} could not be used: {safe(problem.message)}", PROBLEM))
            return ""
