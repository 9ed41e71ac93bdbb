"""Routes that were changed while alerts are open: each alert goes where it belongs now.

A receiver that is still meant hears nothing of it: what it was told goes on in another group. One that was told and is
not meant any more hears once that the alert has moved. A new one is told as of any alert that fires.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from watcher.model.state import Alert, AlertState, EndReason, Group, Owed, Told
from watcher.pipeline import delivering, owing, sending, settling
from watcher.pipeline.core import Step
from watcher.pipeline.sending import Conversation


def reroute(step: Step) -> None:
    """Look at every alert's groups, and at every group's times."""
    _forget_told(step)
    for alert in sorted(step.draft.alerts.all(), key=lambda alert: alert.key):
        if alert.ends_at is None:
            _reroute(step, alert)
        else:
            _reroute_ended(step, alert)
    _drop_lost_groups(step)
    for group in sorted(step.draft.groups.all(), key=lambda group: group.id):
        # Intervals may be others, or an integration may be new: it looks again at its next time.
        settling.make_due(step, group)


def _forget_told(step: Step) -> None:
    """What was told and is owed to integrations that the configuration no longer has; what only they heard was told,
    and is no base line for anybody else."""
    for group in sorted(step.draft.groups.all(), key=lambda group: group.id):
        owed = tuple(one for one in group.owed if one.integration in settling.integrations(step, group.receiver))
        if owed != group.owed:
            step.draft.groups.put(group.id, msgspec.structs.replace(group, owed=owed))
    for row in sorted(step.draft.told.all(), key=lambda row: row.key):
        if row.key.integration in settling.integrations(step, row.key.receiver):
            continue
        step.draft.told.drop(row.key)
        alert = step.draft.alerts.get(row.key.alert)
        if alert is not None and alert.baseline:
            step.touch(msgspec.structs.replace(alert, baseline=False))


def _drop_lost_groups(step: Step) -> None:
    """Groups whose receiver the configuration no longer has tell nobody, also not of what has ended."""
    lost = [group for group in step.draft.groups.all() if group.receiver not in step.core.receivers]
    for group in sorted(lost, key=lambda group: group.id):
        step.draft.groups.drop(group.id)
        for key in group.alerts:
            alert = step.draft.alerts.get(key)
            if alert is not None:
                groups = tuple(name for name in alert.groups if name != group.id)
                step.touch(msgspec.structs.replace(alert, groups=groups))


def _reroute(step: Step, alert: Alert) -> None:
    if not alert.groups and not step.draft.told.by("alert", alert.key):
        # Nobody was to hear of it, or it is to be grouped in this instant.
        step.touch(alert)
        return
    places = owing.places(step, alert)
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
        summary=alert.baseline and not moved and any(group.baseline for group in left),
    )
    # Also where a summary that was refused is to name it again: others have been told of it already.
    alert = settling.join(step, alert, news=False)
    step.touch(alert)
    for group in left:
        for name in places.get(group.receiver, ()):
            _continue(step, group, name)


def _reroute_ended(step: Step, alert: Alert) -> None:
    """Its end is owed where it does not belong any more: should it begin anew, it does so elsewhere, and the summary
    that was to name it does not."""
    places = owing.places(step, alert)
    own = [group for name in alert.groups if (group := step.draft.groups.get(name)) is not None]
    left = [group for group in own if group.receiver not in places]
    if not left:
        return
    for row in step.draft.told.by("alert", alert.key):
        if row.key.receiver not in places:
            _owe(step, alert, row, left)
    for group in left:
        _leave(step, group, alert)
    groups = tuple(group.id for group in own if group not in left)
    step.touch(msgspec.structs.replace(alert, groups=groups, baseline=False))


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
    message = step.draft.outbox.get(row.message)
    if integration not in settling.integrations(step, receiver) or (message is not None and owing.ends(message, alert)):
        return
    # What is on its way is heard first.
    group = delivering.reopened(step, message) if message is not None else step.draft.groups.get(row.group)
    group = group or next((step.draft.groups.get(one.id) for one in left if one.receiver == receiver), None)
    group = group or owing.reopened(step, row.group, (receiver, integration))
    over = msgspec.structs.replace(alert, groups=(), settle_at=None)
    if over.ends_at is None:
        over = msgspec.structs.replace(over, state=AlertState.ENDED, ends_at=step.at, end_reason=EndReason.MOVED)
    owing.owe(step, group, [Owed(integration=integration, alert=over, unheard=not row.delivered)])
    if alert.ends_at is None:
        talk = Conversation(group=group, integration=integration)
        sending.note(step, talk, alert.key, ("close", EndReason.MOVED.value, ""))


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
