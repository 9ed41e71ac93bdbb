"""Outcomes of deliveries: a message is delivered, tried again later, or dead, and *told* follows.

A dead letter un-tells what it told of: the group is due again at its next `group_interval` while the alert goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from watcher.model.delivery import Delivered, GiveUp, TryLater
from watcher.model.identity import AlertKey
from watcher.model.observations import DeliveryDone, ResendAsked
from watcher.model.state import Attempt, Group, MessageState, OutboxRow, Owed, ToldKey
from watcher.notify.retry import DeadLetter, after_failure
from watcher.pipeline import channels, owing, sending
from watcher.pipeline.core import Step
from watcher.pipeline.settling import integrations, make_due


def done(step: Step, one: DeliveryDone) -> None:
    row = step.draft.outbox.get(one.message_id)
    if row is None:
        return
    row = msgspec.structs.replace(row, attempts=row.attempts + 1)
    step.draft.attempts.append(Attempt(at=step.at, message=row.id, outcome=one.outcome))
    match one.outcome:
        case Delivered(reference=reference):
            _finish(step, row, MessageState.DELIVERED, "")
            _arrived(step, row)
            _let_go_on(step, row)
            _refer(step, row, reference)
            group = step.draft.groups.get(row.group)
            if group is not None:
                sending.bring_up_to_date(step, group, row.integration)
        case TryLater() as failure:
            _later(step, row, failure)
        case GiveUp(reason=reason):
            _dead(step, row, reason)
    channels.attempted(step, (row.receiver, row.integration), one.outcome)


def _refer(step: Step, row: OutboxRow, reference: str) -> None:
    """What later messages of the conversation may edit, or answer to."""
    group = step.draft.groups.get(row.group)
    if not reference or group is None:
        return
    sent = tuple(
        msgspec.structs.replace(one, reference=reference) if one.integration == row.integration else one
        for one in group.sent
    )
    step.draft.groups.put(group.id, msgspec.structs.replace(group, sent=sent))
    for other in step.draft.outbox.by("group", row.group):
        if other.integration == row.integration:
            step.draft.outbox.put(other.id, msgspec.structs.replace(other, reference=reference))


def _arrived(step: Step, row: OutboxRow) -> None:
    """What the message told has been heard, also where a later one has told it again since."""
    named = {alert.fingerprint for alert in row.notification.alerts if alert.status == "firing"}
    rows = [*step.draft.told.by("group", row.group), *step.draft.told.by("message", row.id)]
    for told in {one.key: one for one in rows}.values():
        alert = step.draft.alerts.get(told.key.alert)
        mine = (told.key.receiver, told.key.integration) == (row.receiver, row.integration)
        if mine and alert is not None and alert.fingerprint in named:
            step.draft.told.put(told.key, msgspec.structs.replace(told, delivered=True))
        elif mine and alert is not None and told.message == row.id:
            # It has heard the end of what fires again (`owing`): that is told anew.
            step.draft.told.drop(told.key)
            step.touch(alert)
    group = step.draft.groups.get(row.group)
    if group is not None and group.owed:
        over = {(one.fingerprint, one.starts_at) for one in row.notification.alerts if one.status != "firing"}
        owed = tuple(_heard(one, row, named) for one in group.owed if not _is_paid(one, row, over))
        step.draft.groups.put(group.id, msgspec.structs.replace(group, owed=owed))


def _heard(one: Owed, row: OutboxRow, named: set[str]) -> Owed:
    told = one.integration == row.integration and one.alert.fingerprint in named
    return msgspec.structs.replace(one, unheard=False) if told else one


def _is_paid(one: Owed, row: OutboxRow, over: set[tuple[str, datetime]]) -> bool:
    """Whether this message has told it: somebody had the dead letter sent again."""
    return one.integration == row.integration and (one.alert.fingerprint, one.alert.starts_at) in over


def _finish(step: Step, row: OutboxRow, state: MessageState, error: str) -> None:
    step.draft.outbox.drop(row.id)
    step.draft.finished.append(msgspec.structs.replace(row, state=state, error=error))


def _later(step: Step, row: OutboxRow, failure: TryLater) -> None:
    answer = after_failure(row.id, row.created_at, row.attempts, failure, step.at)
    if isinstance(answer, DeadLetter):
        _dead(step, row, answer.reason)
        return
    step.draft.outbox.put(row.id, msgspec.structs.replace(row, next_at=answer.at, error=failure.reason))


def _dead(step: Step, row: OutboxRow, reason: str) -> None:
    _finish(step, row, MessageState.DEAD, reason)
    _let_go_on(step, row)
    untold = step.draft.told.by("message", row.id)
    for told in untold:
        sending.untell(step, told)
    if any(told.baseline for told in untold):
        _summary_again(step, row, [told.key.alert for told in untold])
    if row.integration in integrations(step, row.receiver):
        _owe(step, row)
    for name in dict.fromkeys((row.group, *(told.group for told in untold))):
        group = step.draft.groups.get(name)
        if group is not None:
            make_due(step, group)


def _let_go_on(step: Step, row: OutboxRow) -> None:
    """What became of the alerts of a summary while it was on its way is told now (`flushing`)."""
    for told in step.draft.told.by("message", row.id):
        alert = step.draft.alerts.get(told.key.alert)
        # What still fires and was not heard is told by the summary again.
        if alert is None or row.group in alert.groups:
            continue
        if told.delivered or alert.ends_at is not None:
            step.touch(alert)


def again(step: Step, one: ResendAsked) -> None:
    """A dead letter is put into the outbox anew, if its integration is still there and it is not on its way already."""
    receiver = step.core.receivers.get(one.receiver)
    known = {name for name, _ in receiver.integrations} if receiver is not None else set()
    if one.integration not in known or step.draft.outbox.get(one.message_id) is not None:
        return
    row = OutboxRow(
        id=one.message_id,
        receiver=one.receiver,
        integration=one.integration,
        group=one.group,
        created_at=step.at,
        next_at=step.at,
        notification=one.notification,
    )
    step.draft.outbox.put(row.id, row)
    channels.enqueued(step, (row.receiver, row.integration))


def _owe(step: Step, row: OutboxRow) -> None:
    """Whoever was told that something fires is told once that it ended: what this message told is told again."""
    owed = []
    for alert in row.ended:
        told = step.draft.told.get(ToldKey(receiver=row.receiver, integration=row.integration, alert=alert.key))
        unheard = alert.key in row.unheard
        if told is None or told.group != row.group:
            owed.append(Owed(integration=row.integration, alert=alert, unheard=unheard))
        elif not unheard:
            # It fires anew, and a later message says so: the end that is to come is of both.
            step.draft.told.put(told.key, msgspec.structs.replace(told, delivered=True))
    if owed:
        owing.owe(step, reopened(step, row), owed)


def _summary_again(step: Step, row: OutboxRow, keys: Sequence[AlertKey]) -> None:
    """What the summary of a first start named is told by nothing else: bring its group back."""
    found = (alert for key in keys if (alert := step.draft.alerts.get(key)) is not None)
    firing = [alert for alert in found if alert.ends_at is None]
    group = reopened(step, row)
    for alert in firing:
        if group.id not in alert.groups:
            step.draft.alerts.put(alert.key, msgspec.structs.replace(alert, groups=(*alert.groups, group.id)))
        if alert.key not in group.alerts:
            group = msgspec.structs.replace(group, alerts=(*group.alerts, alert.key))
    if firing:
        step.draft.groups.put(group.id, group)


def reopened(step: Step, row: OutboxRow) -> Group:
    """The group of a message, also when it has been dropped since."""
    group = owing.reopened(step, row.group, (row.receiver, row.integration))
    if step.draft.groups.get(row.group) is not None:
        return group
    return msgspec.structs.replace(group, labels=row.notification.group_labels, origin=row.created_at)
