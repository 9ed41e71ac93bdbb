"""The message that is sent when the one that should be could not be made: a mistake of ours must not cost the news.

It says which alerts fire or ended, and what went wrong, with as little code as possible: labels and times only.
"""

from __future__ import annotations

from collections.abc import Sequence

from watcher.lib.redact import redact
from watcher.lib.text import clean, cut
from watcher.model.message import AlertView, Heading, Mark, Message, Notification, Span, Text
from watcher.notify import plain
from watcher.notify.facts import AlertFacts, Envelope

_LONGEST_TITLE = 150


def bare(envelope: Envelope, alerts: Sequence[AlertFacts], error: Exception) -> Notification:
    """Tells `alerts` by their labels, and that `error` kept Watcher from saying more."""
    views = tuple(_view(facts) for facts in alerts)
    firing = any(view.status == "firing" for view in views)
    names = ", ".join(sorted({facts.alert.key.alertname for facts in alerts}))
    title = cut(f"{names}: {'firing' if firing else 'ended'}", _LONGEST_TITLE)
    lines = [
        f"{facts.alert.key.alertname} of {_place(facts)}: {view.status}"
        for facts, view in zip(alerts, views, strict=True)
    ]
    lines.append(f"Watcher could not make the whole message: {clean(redact(f'{type(error).__name__}: {error}'))}")
    message = Message(
        heading=Heading(mark=Mark.WARNING if firing else Mark.CLOSED, title=title),
        blocks=tuple(Text((Span(clean(redact(line))),)) for line in lines),
    )
    first, rest = plain.render(message)
    return Notification(
        id=envelope.id,
        at=envelope.at,
        receiver=envelope.receiver,
        integration=envelope.integration,
        status="firing" if firing else "resolved",
        reason=envelope.reason,
        group_key=envelope.group_key,
        group_labels=envelope.group_labels,
        external_url=envelope.external_url,
        alerts=views,
        title=first,
        text=rest,
        message=message,
    )


def _view(facts: AlertFacts) -> AlertView:
    alert = facts.alert
    return AlertView(
        status="firing" if alert.ends_at is None else "resolved",
        labels=alert.labels,
        annotations={},
        starts_at=alert.starts_at,
        ends_at=alert.ends_at,
        end_reason=alert.end_reason.value if alert.end_reason is not None else None,
        fingerprint=alert.fingerprint,
    )


def _place(facts: AlertFacts) -> str:
    key = facts.alert.key
    return "/".join(
        part for part in (key.cluster, key.namespace, key.workload, key.claim, key.node, key.container) if part
    )
