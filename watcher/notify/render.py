"""A message from its facts: once as a structure, and the same in plain text.

What is said and in which order is fixed by messages.md. The rooms: `render_parts` has the paragraphs, the modules
behind `render_signals` the words of each kind of trouble, `render_ends` how an alert ended, `render_group` and
`render_summary` what stands above several alerts, `render_text` the way every text of the cluster comes in (redacted,
cleaned, cut), `plain` the plain text. Nothing here decides whether a message is sent, and nothing escapes for channels.
Left to later issues: storm digests, links into Watcher's own page, the receiver's time zone.
"""

from __future__ import annotations

from collections.abc import Sequence

from watcher.model.message import Message, Notification
from watcher.notify import plain
from watcher.notify.facts import AlertFacts, Envelope
from watcher.notify.render_case import Case
from watcher.notify.render_group import FULL, by_weight, group_message, log_lines
from watcher.notify.render_parts import body, heading
from watcher.notify.render_summary import summary_message
from watcher.notify.render_views import common, view


def render(envelope: Envelope, alerts: Sequence[AlertFacts]) -> Notification:
    """The message that tells `alerts` (at least one), the worst first; the same facts give the same message."""
    cases = _cases(envelope, alerts)
    message = group_message(cases) if len(cases) > 1 else Message(heading=heading(cases[0]), blocks=body(cases[0]))
    return _notification(envelope, cases, message)


def summary(envelope: Envelope, alerts: Sequence[AlertFacts]) -> Notification:
    """The one message of a first start: what was broken before, counted by kind and namespace."""
    cases = _cases(envelope, alerts)
    return _notification(envelope, cases, summary_message(cases, envelope.cluster))


def _cases(envelope: Envelope, alerts: Sequence[AlertFacts]) -> list[Case]:
    lines = log_lines(min(len(alerts), FULL))
    cases = [Case(facts=facts, at=envelope.at, grouped=len(alerts) > 1, log_lines=lines) for facts in alerts]
    return sorted(cases, key=by_weight)


def _notification(envelope: Envelope, cases: Sequence[Case], message: Message) -> Notification:
    views = tuple(view(case) for case in cases)
    title, text = plain.render(message)
    return Notification(
        id=envelope.id,
        at=envelope.at,
        receiver=envelope.receiver,
        integration=envelope.integration,
        status="firing" if any(case.firing for case in cases) else "resolved",
        reason=envelope.reason,
        group_key=envelope.group_key,
        group_labels=envelope.group_labels,
        common_labels=common(one.labels for one in views),
        common_annotations=common(one.annotations for one in views),
        external_url=envelope.external_url,
        alerts=views,
        title=title,
        text=text,
        message=message,
    )
