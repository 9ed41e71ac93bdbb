"""Outcomes of deliveries: a message is delivered, tried again later, or dead, and *told* follows.

A dead letter un-tells what it told of: the group is due again at its next `group_interval` while the alert goes on.
"""

from __future__ import annotations

import msgspec

from watcher.model.delivery import Delivered, GiveUp, TryLater
from watcher.model.observations import DeliveryDone
from watcher.model.state import Attempt, MessageState, OutboxRow
from watcher.notify.retry import DeadLetter, after_failure
from watcher.pipeline.core import Step
from watcher.pipeline.settling import due_again


def done(step: Step, one: DeliveryDone) -> None:
    row = step.draft.outbox.get(one.message_id)
    if row is None:
        return
    row = msgspec.structs.replace(row, attempts=row.attempts + 1)
    step.draft.attempts.append(Attempt(at=step.at, message=row.id, outcome=one.outcome))
    match one.outcome:
        case Delivered():
            _finish(step, row, MessageState.DELIVERED, "")
            for told in step.draft.told.by("message", row.id):
                step.draft.told.put(told.key, msgspec.structs.replace(told, delivered=True))
        case TryLater() as failure:
            _later(step, row, failure)
        case GiveUp(reason=reason):
            _dead(step, row, reason)


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
    for told in step.draft.told.by("message", row.id):
        step.draft.told.drop(told.key)
    group = step.draft.groups.get(row.group)
    if group is not None:
        due = due_again(step, group, step.at)
        if group.due is None or due < group.due:
            step.draft.groups.put(group.id, msgspec.structs.replace(group, due=due))
