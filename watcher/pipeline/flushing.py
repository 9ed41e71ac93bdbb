"""Groups that are due: each integration of their receiver is told what is new to it, or not, with the reason.

What one integration heard of a group is a conversation. A message of it that still waits is replaced by one that says
all that it would have said; an end that was refused is owed until it is heard. Of a storm a chat channel gets a digest
(`notify.storm`): a group of its own, to which the alerts then belong for this channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from watcher.model.config import Integration
from watcher.model.identity import AlertKey
from watcher.model.message import HoldReason, SendReason
from watcher.model.signals import DeliveryFailing
from watcher.model.state import Alert, Decision, Group, OutboxRow, Owed, Told, ToldKey
from watcher.notify.channels import traits
from watcher.notify.decide import Candidate, Plan, decide
from watcher.notify.storm import is_storm, late
from watcher.pipeline import owing, sending
from watcher.pipeline.core import Step
from watcher.pipeline.sending import Conversation
from watcher.pipeline.settling import (
    digest_id,
    due_again,
    forget,
    hold_reason,
    integrations,
    make_due,
    summary_id,
)
from watcher.routing.intervals import muted_by, unmuted_at
from watcher.routing.route import Route
from watcher.routing.timing import next_tick

WAITS_LONG = timedelta(seconds=10)
"""A message that has waited for so long may be replaced, if it is not being sent right now."""


def flush(step: Step, name: str) -> None:
    group = step.draft.groups.get(name)
    assert group is not None
    group = owing.reclaim(step, group)
    route = step.route_of(group)
    alerts = [alert for key in group.alerts if (alert := step.draft.alerts.get(key)) is not None]
    if muted_by(route, step.core.intervals, step.at):
        _mute(step, group, route, alerts)
        return
    receiver = step.core.receivers.get(group.receiver)
    for integration, config in receiver.integrations if receiver is not None else ():
        if group.digest in ("", integration):
            group = _speak(step, group, (integration, config), alerts)
    _close(step, group, route, alerts, muted=False)


def _speak(step: Step, group: Group, target: tuple[str, Integration], alerts: list[Alert]) -> Group:
    """Tell one integration what is new to it."""
    integration, config = target
    mine = [alert for alert in alerts if _is_told_here(step, group, integration, alert)]
    mine = [alert for alert in mine if not _is_ahead(step, group, integration, alert)]
    talk = _conversation(step, group, integration, mine)
    owed = {alert.key for alert in talk.owed}
    candidates = [_candidate(step, group, alert) for alert in mine if alert.key not in owed]
    candidates += _owed_candidates(step, talk)
    last = None if _is_stuck(step, group, integration) else _last_sent(group, integration)
    wants_ends = config.send_resolved or any(c.alert.ends_at and c.alert.key in talk.unheard for c in candidates)
    repeat = step.route_of(group).repeat_interval
    plan = decide(candidates, talk.said, last, repeat, wants_ends, step.at)
    if plan.reason is not None and talk.waiting:
        # There is news: what waits gives way to a message that says all of it.
        plan = decide(candidates, talk.told, last, repeat, wants_ends, step.at)
    if plan.reason is SendReason.FIRST and not talk.said and _is_stormy(step, group, target, plan):
        return _divert(step, group, integration, plan)
    for key, reason in plan.held:
        sending.note(step, talk, key, ("hold", reason.value, ""))
    talk = sending.let_go(step, talk, plan.forget)
    return talk.group if plan.reason is None else sending.send(step, talk, plan)


def _conversation(step: Step, group: Group, integration: str, alerts: list[Alert]) -> Conversation:
    # A summary gives way to nothing: its alerts have left its group.
    waiting = [] if group.baseline else _replaceable(step, group, integration)
    ids = {row.id for row in waiting}
    said: dict[AlertKey, Told] = {}
    told: dict[AlertKey, Told] = {}
    unheard: set[AlertKey] = set()
    debts = _debts(step, group, integration, waiting)
    for alert in alerts:
        row = _row(step, group, integration, alert, debts.get(alert.key))
        if row is None and group.digest and alert.ends_at is not None:
            # It waited for this digest, and was over before it came.
            row = Told(key=_told_key(group, integration, alert), group=group.id, at=step.at, message="")
            unheard.add(alert.key)
        if row is not None:
            said[alert.key] = row
        if row is not None and row.message in ids:
            if not row.delivered:
                unheard.add(alert.key)
            if alert.ends_at is None:
                row = msgspec.structs.replace(row, lost=True) if row.delivered else None
        if row is not None:
            told[alert.key] = row
    told_anyway = {alert.key for alert in alerts if debts and _is_news(step, group, alert, told)}
    owed = tuple(one.alert for key, one in sorted(debts.items()) if key not in told_anyway)
    unheard.update(alert.key for alert in owed if debts[alert.key].unheard)
    for alert in owed:
        key = _told_key(group, integration, alert)
        told[alert.key] = said[alert.key] = Told(key=key, group=group.id, at=step.at, message="")
    return Conversation(
        group=group,
        integration=integration,
        waiting=tuple(waiting),
        said=said,
        told=told,
        owed=owed,
        unheard=frozenset(unheard),
        heard=frozenset(key for key, one in debts.items() if not one.unheard),
    )


def _row(step: Step, group: Group, integration: str, alert: Alert, debt: Owed | None) -> Told | None:
    """What it was told; where it fires, and that it is over only waits, what it was told before that."""
    key = _told_key(group, integration, alert)
    row = step.draft.told.get(key)
    if row is None and debt is not None and not debt.unheard and owing.goes_on(debt.alert, alert):
        return Told(key=key, group=group.id, at=step.at, message="", lost=True)
    return row


def _told_key(group: Group, integration: str, alert: Alert) -> ToldKey:
    return ToldKey(receiver=group.receiver, integration=integration, alert=alert.key)


def _is_news(step: Step, group: Group, alert: Alert, told: Mapping[AlertKey, Told]) -> bool:
    """Whether the integration hears of it, so that an earlier end under its key needs no word any more."""
    return alert.key in told or (alert.ends_at is None and _candidate(step, group, alert).held is None)


def _debts(step: Step, group: Group, integration: str, waiting: list[OutboxRow]) -> dict[AlertKey, Owed]:
    """Alerts that were over, whose end this integration has not heard."""
    found = {one.alert.key: one for one in group.owed if one.integration == integration}
    for row in waiting:
        for alert in row.ended:
            if not _goes_on_elsewhere(step, group, integration, alert):
                found[alert.key] = Owed(integration=integration, alert=alert, unheard=alert.key in row.unheard)
    return found


def _goes_on_elsewhere(step: Step, group: Group, integration: str, over: Alert) -> bool:
    """What it was told of it waits in another group for this message, and goes on there without it."""
    told = step.draft.told.get(_told_key(group, integration, over))
    return told is not None and told.group != group.id and owing.goes_on(over, step.draft.alerts.get(over.key))


def _replaceable(step: Step, group: Group, integration: str) -> list[OutboxRow]:
    """What the next message may take the place of, in order: one that waits, and all behind it, be they ever so young.

    Never one without those behind it: what it says would come after what has happened since.
    """
    rows = [row for row in step.draft.outbox.by("group", group.id) if row.integration == integration]
    rows.sort(key=lambda row: (row.created_at, row.id))
    first = next((number for number, row in enumerate(rows) if _may_be_replaced(step, row)), len(rows))
    return rows[first:]


def _may_be_replaced(step: Step, row: OutboxRow) -> bool:
    waits = bool(row.attempts) or row.created_at + WAITS_LONG <= step.at
    return waits and row.id not in step.draft.in_flight and row.notification.reason is not SendReason.TEST


def _is_told_here(step: Step, group: Group, integration: str, alert: Alert) -> bool:
    """Whether this group is where the integration hears of an alert; trouble with a channel is not told through it."""
    signal = alert.lead
    if isinstance(signal, DeliveryFailing) and (signal.receiver, signal.integration) == (group.receiver, integration):
        return False
    row = step.draft.told.get(ToldKey(receiver=group.receiver, integration=integration, alert=alert.key))
    if row is not None:
        home = step.draft.groups.get(row.group)
        return row.group == group.id or home is None or home.id not in alert.groups
    if group.baseline or group.digest:
        return True
    others = {summary_id(group.receiver), digest_id(group.receiver, integration)}
    return others.isdisjoint(alert.groups)


def _is_ahead(step: Step, group: Group, integration: str, alert: Alert) -> bool:
    """Whether a message of another conversation (a summary) that tells of it is still on its way: what becomes of the
    alert is told after that (`delivering` sees to it)."""
    row = step.draft.told.get(ToldKey(receiver=group.receiver, integration=integration, alert=alert.key))
    message = step.draft.outbox.get(row.message) if row is not None else None
    return message is not None and message.group != group.id


def _last_sent(group: Group, integration: str) -> datetime | None:
    return next((sent.at for sent in group.sent if sent.integration == integration), None)


def _is_stuck(step: Step, group: Group, integration: str) -> bool:
    """Whether an earlier message was tried in vain: nobody is to be reminded of what has not arrived."""
    return any(row.integration == integration and row.attempts for row in step.draft.outbox.by("group", group.id))


def _candidate(step: Step, group: Group, alert: Alert) -> Candidate:
    held = hold_reason(step, alert)
    if group.baseline and held is HoldReason.BASELINE:
        held = None
    return Candidate(alert=alert, members=step.size(alert.key), pods=step.tally(alert.workload).pods, held=held)


def _owed_candidates(step: Step, talk: Conversation) -> list[Candidate]:
    """A silence holds them too, unless a message that gives way has told them."""
    decided = {one.key for row in talk.waiting for one in row.ended}
    found = []
    for alert in talk.owed:
        held = HoldReason.SILENCED if alert.key not in decided and owing.is_silenced(step, alert) else None
        found.append(Candidate(alert=alert, members=0, pods=0, held=held))
    return found


# ---- storms ----


def _is_stormy(step: Step, group: Group, target: tuple[str, Integration], plan: Plan) -> bool:
    """Whether this first message is one too many; one that is not is counted."""
    integration, config = target
    if group.baseline or group.digest or not traits(config).chat:
        return False
    channel = step.channel((group.receiver, integration))
    alerts = (step.draft.alerts.get(key) for key in plan.firing)
    critical = any(alert is not None and alert.labels.get("severity") == "critical" for alert in alerts)
    storm = step.core.storm
    firsts, criticals = late(channel.firsts, storm, step.at), late(channel.criticals, storm, step.at)
    if is_storm(firsts, storm) and (not critical or is_storm(criticals, storm)):
        return True
    if critical:
        criticals = (*criticals, step.at)
    changed = msgspec.structs.replace(channel, firsts=(*firsts, step.at), criticals=criticals)
    step.draft.channels.put(changed.key, changed)
    return False


def _divert(step: Step, group: Group, integration: str, plan: Plan) -> Group:
    """Put the alerts into the digest of this channel, which is told soon, and then once in a `group_interval`."""
    name = digest_id(group.receiver, integration)
    digest = step.draft.groups.get(name) or Group(
        id=name, route=group.route, receiver=group.receiver, labels={}, digest=integration
    )
    found = [alert for key in plan.firing if (alert := step.draft.alerts.get(key)) is not None]
    found = [alert for alert in found if name not in alert.groups]
    new = [alert.key for alert in found]
    for key, alert in zip(new, found, strict=True):
        step.draft.alerts.put(key, msgspec.structs.replace(alert, groups=(*alert.groups, name)))
        decision = Decision(
            at=step.at, group=group.id, receiver=group.receiver, integration=integration, alert=key,
            verdict="hold", reason=HoldReason.DIGEST.value,
        )  # fmt: skip
        step.decided(decision)
    digest = msgspec.structs.replace(digest, alerts=(*digest.alerts, *new))
    step.draft.groups.put(name, digest)
    make_due(step, digest)
    return group


# ---- after it has spoken ----


def _mute(step: Step, group: Group, route: Route, alerts: list[Alert]) -> None:
    """A time interval mutes the route: nothing is said, and ends are kept until it is over."""
    for integration in integrations(step, group.receiver):
        for alert in alerts:
            talk = Conversation(group=group, integration=integration)
            sending.note(step, talk, alert.key, ("hold", HoldReason.MUTED.value, ""))
    _close(step, group, route, alerts, muted=True)


def _close(step: Step, group: Group, route: Route, alerts: list[Alert], *, muted: bool) -> None:
    """Let go of what has ended, and set the next time: what is owed, the repeat, the end of a mute, or never."""
    draft = step.draft
    left: list[AlertKey] = []
    for alert in alerts:
        present = draft.alerts.get(alert.key) or alert
        waits = _waits_for_summary(step, group, present) or _waits_for_its_end(step, group, present, muted)
        if (present.ends_at is None and (muted or not group.baseline)) or waits:
            left.append(alert.key)
            continue
        remaining = tuple(name for name in present.groups if name != group.id)
        changed = msgspec.structs.replace(present, groups=remaining)
        if group.baseline and hold_reason(step, present) not in (None, HoldReason.BASELINE):
            # The summary did not tell of it: when what holds it is over, it is told by itself.
            changed = msgspec.structs.replace(
                changed, baseline=changed.baseline and bool(step.draft.told.by("alert", present.key))
            )
        if changed.ends_at is not None and not remaining:
            forget(step, alert.key)
        elif changed.ends_at is None and not remaining:
            step.touch(changed)
        else:
            draft.alerts.put(alert.key, changed)
    owed = tuple(one for one in group.owed if owing.is_kept(step, one, group))
    if not left and not owed:
        draft.groups.drop(group.id)
        return
    # What was held back has told nobody anything: it does not make the next alert of the group wait.
    origin = group.origin or (step.at if group.sent else None)
    group = msgspec.structs.replace(group, alerts=tuple(left), owed=owed, origin=origin, due=None)
    # An end that was passed over, because its alert fires anew, waits for that one's.
    debts = any(one.alert.key not in left for one in owed)
    dues = [_repeat_due(step, group, route), due_again(step, group, step.at) if debts else None]
    due = min((due for due in dues if due is not None), default=None)
    if muted:
        due = unmuted_at(route, step.core.intervals, step.at)
    draft.groups.put(group.id, msgspec.structs.replace(group, due=due))


def _waits_for_its_end(step: Step, group: Group, alert: Alert, muted: bool) -> bool:
    """Somebody here was told of it, and is to hear of its end when the silence or the interval is over."""
    rows = (row for row in step.draft.told.by("alert", alert.key) if row.key.receiver == group.receiver)
    told = (_is_told_here(step, group, row.key.integration, alert) for row in rows)
    return alert.ends_at is not None and (muted or bool(alert.silenced_by)) and any(told)


def _waits_for_summary(step: Step, group: Group, alert: Alert) -> bool:
    """Whether its end cannot be told yet, and no other group will."""
    return alert.ends_at is not None and any(
        _is_told_here(step, group, name, alert) and _is_ahead(step, group, name, alert)
        for name in integrations(step, group.receiver)
    )


def _repeat_due(step: Step, group: Group, route: Route) -> datetime | None:
    """When the earliest of its integrations is to be reminded, on the group's grid; None while nothing is repeated."""
    present = integrations(step, group.receiver)
    dues = []
    for sent in group.sent:
        if sent.integration in present and any(
            _is_repeated(step, group, sent.integration, key) for key in group.alerts
        ):
            wanted = sent.at + route.repeat_interval - timedelta(microseconds=1)
            dues.append(next_tick(group.origin or step.at, route.group_interval, max(wanted, step.at)))
    return min(dues, default=None)


def _is_repeated(step: Step, group: Group, integration: str, key: AlertKey) -> bool:
    row = step.draft.told.get(ToldKey(receiver=group.receiver, integration=integration, alert=key))
    alert = step.draft.alerts.get(key)
    seen = alert is not None and alert.unseen_since is None and alert.ends_at is None
    return row is not None and not row.baseline and row.group == group.id and seen
