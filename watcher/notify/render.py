"""A message from its facts: once as a structure, and the same in plain text.

What is said and in which order is fixed by messages.md. The rooms: `render_parts` has the paragraphs, the modules
behind `render_signals` the words of each kind of trouble, `render_ends` how an alert ended, `render_group` several
alerts, `render_changes` what is new to somebody who was told before, `render_digest`, `render_summary` and
`render_tally` very many of them, `render_text` the way every text of the cluster comes in (redacted, cleaned, cut),
`plain` the plain text. Nothing here decides whether a message is sent, and nothing escapes for channels.
Left to a later issue: links into Watcher's own page (silence it, why this message).
"""

from __future__ import annotations

from collections.abc import Sequence

from watcher.model.message import AlertView, Message, Notification, SendReason
from watcher.notify import plain
from watcher.notify.facts import AlertFacts, Envelope
from watcher.notify.render_case import Case
from watcher.notify.render_changes import REASONS, change_message
from watcher.notify.render_digest import digest_message
from watcher.notify.render_group import FULL, by_weight, group_message, log_lines
from watcher.notify.render_parts import body, heading
from watcher.notify.render_summary import summary_message
from watcher.notify.render_trial import trial_message, trial_view
from watcher.notify.render_views import common, view


def render(envelope: Envelope, alerts: Sequence[AlertFacts]) -> Notification:
    """The message that tells `alerts` (at least one), the worst first; the same facts give the same message.

    To somebody who was told before (`told_members`) it says what changed.
    """
    cases = _cases(envelope, alerts)
    if envelope.reason not in REASONS:
        return _notification(envelope, cases, _whole(cases))
    whole = _whole(cases) if envelope.reason is SendReason.SOME_ENDED else None
    return _notification(envelope, cases, change_message(cases), whole)


def digest(envelope: Envelope, alerts: Sequence[AlertFacts]) -> Notification:
    """One message for very many alerts that began at once, ended, or go on: counted, and every one named."""
    cases = _cases(envelope, alerts)
    return _notification(envelope, cases, digest_message(cases, envelope.cluster))


def test(envelope: Envelope) -> Notification:
    """A message that says that it is a test and that nothing is wrong."""
    return _made(envelope, (trial_view(envelope),), trial_message(envelope))


def summary(envelope: Envelope, alerts: Sequence[AlertFacts]) -> Notification:
    """The one message of a first start: what was broken before, counted by kind and namespace."""
    cases = _cases(envelope, alerts)
    return _notification(envelope, cases, summary_message(cases, envelope.cluster))


def _cases(envelope: Envelope, alerts: Sequence[AlertFacts]) -> list[Case]:
    lines, at = log_lines(min(len(alerts), FULL)), envelope.at.astimezone(envelope.zone)
    cases = [
        Case(
            facts=facts,
            at=at,
            grouped=len(alerts) > 1,
            log_lines=lines,
            links=envelope.links,
            external_url=envelope.external_url,
        )
        for facts in alerts
    ]
    return sorted(cases, key=by_weight)


def _whole(cases: Sequence[Case]) -> Message:
    return group_message(cases) if len(cases) > 1 else Message(heading=heading(cases[0]), blocks=body(cases[0]))


def _notification(
    envelope: Envelope, cases: Sequence[Case], message: Message, whole: Message | None = None
) -> Notification:
    return _made(envelope, tuple(view(case) for case in cases), message, whole)


def _made(
    envelope: Envelope, views: tuple[AlertView, ...], message: Message, whole: Message | None = None
) -> Notification:
    title, text = plain.render(message)
    return Notification(
        id=envelope.id,
        at=envelope.at,
        receiver=envelope.receiver,
        integration=envelope.integration,
        status="firing" if any(one.status == "firing" for one in views) else "resolved",
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
        whole=whole,
    )
