"""Ends that are owed: somebody was told that an alert fires, and its group tells the end no more, or in vain.

What was not told to have ended has not ended for them. Where the alert fires (still, or again) and is meant for them,
the end is owed no more, whatever had ended it: what was heard goes on, in the group where the alert belongs now
(`reclaim`). Each group asks for this before it speaks, so it does not matter whether a reload, the alert or a dead
letter came first.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from watcher.model.state import Alert, Group, OutboxRow, Owed, Told, ToldKey
from watcher.pipeline import silencing
from watcher.pipeline.core import Step
from watcher.pipeline.settling import digest_id, integrations, summary_id, targets
from watcher.routing.route import group_labels
from watcher.routing.timing import group_id

OWED_FOR = timedelta(hours=24)


def reopened(step: Step, name: str, channel: tuple[str, str]) -> Group:
    """The group that speaks of an end to this receiver and integration, also when it has been dropped since."""
    receiver, integration = channel
    group = step.draft.groups.get(name)
    if group is not None:
        return group
    route = next((one for one in step.core.routes.values() if one.receiver == receiver), step.core.route)
    return Group(
        id=name,
        route=route.id,
        receiver=receiver,
        labels={},
        baseline=name == summary_id(receiver),
        digest=integration if name == digest_id(receiver, integration) else "",
    )


def owe(step: Step, group: Group, new: Sequence[Owed]) -> None:
    known = {(one.integration, one.alert.key) for one in new}
    owed = [one for one in group.owed if (one.integration, one.alert.key) not in known]
    step.draft.groups.put(group.id, msgspec.structs.replace(group, owed=(*owed, *new)))


def is_silenced(step: Step, over: Alert) -> bool:
    """Whether a silence holds this end: it may have been made after the alert was forgotten."""
    return bool(silencing.silenced_by(step, over.labels))


def is_kept(step: Step, one: Owed, group: Group) -> bool:
    """Whether it is tried again: not for ever, unless it was not tried at all."""
    if one.integration not in integrations(step, group.receiver):
        return False
    ended: datetime | None = one.alert.ends_at
    return ended is None or ended > step.at - OWED_FOR or is_silenced(step, one.alert)


def goes_on(over: Alert, alert: Alert | None) -> bool:
    """Whether the instance whose end this is fires."""
    if alert is None or alert.ends_at is not None:
        return False
    return (alert.fingerprint, alert.starts_at) == (over.fingerprint, over.starts_at)


def ends(row: OutboxRow, alert: Alert) -> bool:
    """Whether the message tells the end of this instance."""
    return any((one.fingerprint, one.starts_at) == (alert.fingerprint, alert.starts_at) for one in row.ended)


def places(step: Step, alert: Alert) -> dict[str, list[str]]:
    """Receiver -> the groups in which it is to hear of an alert."""
    found: dict[str, list[str]] = {}
    for route, receiver in targets(step.core, alert):
        found.setdefault(receiver, []).append(group_id(receiver, route.id, group_labels(route, alert.labels)))
    return found


def reclaim(step: Step, group: Group) -> Group:
    """Whatever this group tells of, owes, or is about to say the end of, and that fires; the group as it is then."""
    draft = step.draft
    said = (over.key for row in draft.outbox.by("group", group.id) for over in row.ended)
    debtors: set[str] = set()
    for key in dict.fromkeys((*group.alerts, *(one.alert.key for one in group.owed), *said)):
        alert = draft.alerts.get(key)
        if alert is not None and alert.ends_at is None:
            debtors.update(draft.groups.keys("owes", key))
            for row in draft.outbox.by("ends", key):
                _wait_for(step, alert, row)
    for name in sorted(debtors):
        _forgive(step, name)
    return draft.groups.get(group.id) or group


def _wait_for(step: Step, alert: Alert, row: OutboxRow) -> None:
    """A message of another group is about to say that it is over: what is to be said comes after that."""
    key = ToldKey(receiver=row.receiver, integration=row.integration, alert=alert.key)
    if row.group in alert.groups or step.draft.told.get(key) is not None or not ends(row, alert):
        return
    home = _home(step, alert, row.receiver)
    if home and row.integration in integrations(step, row.receiver):
        heard = alert.key not in row.unheard
        told = Told(key=key, group=home, at=step.at, message=row.id, delivered=heard, lost=True)
        step.draft.told.put(key, msgspec.structs.replace(told, members=step.size(alert.key)))


def _forgive(step: Step, name: str) -> None:
    """Take what is void off what a group owes."""
    group = step.draft.groups.get(name)
    assert group is not None
    on_its_way = _on_its_way(step, group)
    owed = []
    for one in group.owed:
        alert = step.draft.alerts.get(one.alert.key)
        message = on_its_way.get((one.integration, one.alert.fingerprint), "") if one.unheard else ""
        home = _home(step, alert, group.receiver) if alert is not None and alert.ends_at is None else ""
        if alert is None or not home or not _is_void(group, one, alert, message):
            owed.append(one)
            continue
        _go_on(step, alert, one, (group.receiver, group.id if group.id in alert.groups else home, message))
    if len(owed) != len(group.owed):
        step.draft.groups.put(name, msgspec.structs.replace(group, owed=tuple(owed)))


def _on_its_way(step: Step, group: Group) -> dict[tuple[str, str], str]:
    """(integration, fingerprint) -> the last message of the conversation that tells that it fires, and waits."""
    rows = sorted(step.draft.outbox.by("group", group.id), key=lambda row: (row.created_at, row.id))
    return {
        (row.integration, alert.fingerprint): row.id
        for row in rows
        for alert in row.notification.alerts
        if alert.status == "firing"
    }


def _home(step: Step, alert: Alert, receiver: str) -> str:
    """The group in which this receiver hears of an alert, also where it has not joined it yet; empty: it does not."""
    names = places(step, alert).get(receiver)
    if names is None:
        return ""
    own = (group for name in alert.groups if (group := step.draft.groups.get(name)) is not None)
    return next((group.id for group in own if group.receiver == receiver), names[0])


def _is_void(group: Group, one: Owed, alert: Alert, message: str) -> bool:
    """Also the end of an earlier instance that was heard, or will be, and would come after the word that this one
    fires; within one conversation the order is kept (`flushing`)."""
    earlier = one.alert.fingerprint == alert.fingerprint and group.id not in alert.groups
    return goes_on(one.alert, alert) or (earlier and bool(message or not one.unheard))


def _go_on(step: Step, alert: Alert, one: Owed, where: tuple[str, str, str]) -> None:
    """`where`: the receiver, the group in which it hears of the alert, and the message that it is to hear first."""
    receiver, home, message = where
    key = ToldKey(receiver=receiver, integration=one.integration, alert=alert.key)
    told = step.draft.told.get(key)
    again = not goes_on(one.alert, alert)
    if told is not None:
        delivered = told.delivered or not one.unheard
        step.draft.told.put(key, msgspec.structs.replace(told, delivered=delivered, lost=again and told.lost))
    elif message or not one.unheard:
        told = Told(key=key, group=home, at=step.at, message=message, delivered=not one.unheard, lost=again)
        step.draft.told.put(key, msgspec.structs.replace(told, members=step.size(alert.key)))
