"""Routes that were changed while alerts are open: each alert goes where it belongs now.

A receiver that is still meant hears nothing of it: what it was told goes on in another group. One that was told and is
not meant any more hears once that the alert has moved. A new one is told as of any alert that fires.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from watcher.model.state import Alert, AlertState, EndReason, Group, Owed, Told, ToldKey
from watcher.pipeline import sending, settling
from watcher.pipeline.core import Step
from watcher.pipeline.sending import Conversation
from watcher.routing.route import group_labels
from watcher.routing.timing import group_id


def reroute(step: Step) -> None:
    """Look at every alert's groups, and at every group's times."""
    _leave_lost_groups(step)
    _take_back(step)
    for alert in sorted(step.draft.alerts.all(), key=lambda alert: alert.key):
        if alert.ends_at is None:
            _reroute(step, alert)
    for group in sorted(step.draft.groups.all(), key=lambda group: group.id):
        # Intervals may be others, or an integration may be new: it looks again at its next time.
        settling.make_due(step, group)


def _leave_lost_groups(step: Step) -> None:
    """Groups whose receiver the configuration no longer has tell nobody."""
    lost = [group for group in step.draft.groups.all() if group.receiver not in step.core.receivers]
    for group in sorted(lost, key=lambda group: group.id):
        step.draft.groups.drop(group.id)
        for key in group.alerts:
            alert = step.draft.alerts.get(key)
            if alert is not None:
                groups = tuple(name for name in alert.groups if name != group.id)
                step.touch(msgspec.structs.replace(alert, groups=groups))
        for row in step.draft.told.by("group", group.id):
            step.draft.told.drop(row.key)


def _take_back(step: Step) -> None:
    """What was not yet told to have moved, and belongs where it was again, never moved."""
    for group in sorted(step.draft.groups.all(), key=lambda group: group.id):
        owed = []
        for one in group.owed:
            alert = step.draft.alerts.get(one.alert.key)
            places = _places(step, alert) if alert is not None and _moved(one, alert) else {}
            names = places.get(group.receiver, ())
            if alert is None or not names:
                owed.append(one)
                continue
            key = ToldKey(receiver=group.receiver, integration=one.integration, alert=alert.key)
            home = group.id if group.id in names else names[0]
            told = Told(key=key, group=home, at=step.at, message="", delivered=not one.unheard)
            step.draft.told.put(key, msgspec.structs.replace(told, members=step.size(alert.key)))
        if len(owed) != len(group.owed):
            step.draft.groups.put(group.id, msgspec.structs.replace(group, owed=tuple(owed)))


def _moved(owed: Owed, alert: Alert) -> bool:
    over = owed.alert
    return over.end_reason is EndReason.MOVED and (over.starts_at, None) == (alert.starts_at, alert.ends_at)


def _reroute(step: Step, alert: Alert) -> None:
    if not alert.groups:
        # Nobody was to hear of it, or it is to be grouped in this instant.
        step.touch(alert)
        return
    places = _places(step, alert)
    own = [group for name in alert.groups if (group := step.draft.groups.get(name)) is not None]
    left = [group for group in own if not _stays(group, places)]
    waits = any(group.baseline for group in own if group not in left)
    names = {name for found in places.values() for name in found}
    if not left and (waits or names <= set(alert.groups)):
        return
    moved = _move_told(step, alert, left, places)
    for group in left:
        _leave(step, group, alert)
    alert = msgspec.structs.replace(
        alert,
        groups=tuple(group.id for group in own if group not in left),
        baseline=alert.baseline and not moved,
        summary=any(group.baseline for group in left) and not moved,
    )
    if not waits:
        alert = settling.join(step, alert, news=False)
    step.touch(alert)
    for group in left:
        for name in places.get(group.receiver, ()):
            _continue(step, group, name)


def _places(step: Step, alert: Alert) -> dict[str, list[str]]:
    """Receiver -> the groups in which it is to hear of an alert."""
    places: dict[str, list[str]] = {}
    for route, receiver in settling.targets(step.core, alert):
        places.setdefault(receiver, []).append(group_id(receiver, route.id, group_labels(route, alert.labels)))
    return places


def _stays(group: Group, places: Mapping[str, list[str]]) -> bool:
    """Summaries and digests are of a receiver, not of a route."""
    names = places.get(group.receiver)
    return names is not None and (group.baseline or bool(group.digest) or group.id in names)


def _move_told(step: Step, alert: Alert, left: Sequence[Group], places: Mapping[str, list[str]]) -> bool:
    """What was told goes on in another group, or is to be told to have moved; whether there is any of the latter."""
    moved = False
    ids = {group.id for group in left}
    for row in step.draft.told.by("alert", alert.key):
        names = places.get(row.key.receiver)
        if names is None:
            _owe(step, alert, row, left)
            moved = True
        elif row.group in ids:
            step.draft.told.put(row.key, msgspec.structs.replace(row, group=names[0]))
    return moved


def _owe(step: Step, alert: Alert, row: Told, left: Sequence[Group]) -> None:
    """The receiver is to hear that nothing more will be told to it of this alert."""
    step.draft.told.drop(row.key)
    receiver, integration = row.key.receiver, row.key.integration
    group = step.draft.groups.get(row.group) or next((one for one in left if one.receiver == receiver), None)
    if group is None or integration not in settling.integrations(step, receiver):
        return
    over = msgspec.structs.replace(
        alert, state=AlertState.ENDED, ends_at=step.at, end_reason=EndReason.MOVED, groups=(), settle_at=None
    )
    owed = Owed(integration=integration, alert=over, unheard=not row.delivered)
    group = step.draft.groups.get(group.id) or group
    step.draft.groups.put(group.id, msgspec.structs.replace(group, owed=(*group.owed, owed)))
    sending.note(
        step, Conversation(group=group, integration=integration), alert.key, ("close", EndReason.MOVED.value, "")
    )


def _leave(step: Step, group: Group, alert: Alert) -> None:
    group = step.draft.groups.get(group.id) or group
    alerts = tuple(key for key in group.alerts if key != alert.key)
    if alerts or group.owed:
        step.draft.groups.put(group.id, msgspec.structs.replace(group, alerts=alerts))
    else:
        step.draft.groups.drop(group.id)


def _continue(step: Step, old: Group, name: str) -> None:
    """Repeats of what a receiver was told in another group go on. A message there may be of more than this alert: it
    is not edited any more."""
    group = step.draft.groups.get(name)
    if group is not None and group.origin is None and not group.sent:
        sent = tuple(msgspec.structs.replace(one, reference="") for one in old.sent)
        step.draft.groups.put(name, msgspec.structs.replace(group, origin=old.origin, sent=sent))
