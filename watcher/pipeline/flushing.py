"""Groups that are due: each integration of their receiver is told what is new to it, or not, with the reason."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from watcher.lib.fnv import fnv1a64
from watcher.lib.gotext import go_quote
from watcher.model.identity import AlertKey
from watcher.model.message import HoldReason, Notification, SendReason
from watcher.model.state import Alert, Decision, Group, OutboxRow, Sent, Told, ToldKey
from watcher.notify.bare import bare
from watcher.notify.decide import Candidate, Plan, decide
from watcher.notify.facts import Envelope
from watcher.notify.growth import concerns_all
from watcher.notify.render import render, summary
from watcher.pipeline.core import Step
from watcher.pipeline.gathering import facts
from watcher.pipeline.settling import forget, hold_reason
from watcher.routing.route import Route
from watcher.routing.timing import next_tick


def flush(step: Step, name: str) -> None:
    group = step.draft.groups.get(name)
    assert group is not None
    route = step.route_of(group)
    alerts = [alert for key in group.alerts if (alert := step.draft.alerts.get(key)) is not None]
    candidates = [_candidate(step, group, alert) for alert in alerts]
    receiver = step.core.receivers.get(group.receiver)
    for integration, config in receiver.integrations if receiver is not None else ():
        told = _told(step, group.receiver, integration, alerts)
        last = None if _is_stuck(step, group, integration) else _last_sent(group, integration)
        plan = decide(candidates, told, last, route.repeat_interval, config.send_resolved, step.at)
        group = _carry_out(step, group, integration, plan, told)
    _close(step, group, route, alerts)


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


def _told(step: Step, receiver: str, integration: str, alerts: list[Alert]) -> dict[AlertKey, Told]:
    rows = {}
    for alert in alerts:
        row = step.draft.told.get(ToldKey(receiver=receiver, integration=integration, alert=alert.key))
        if row is not None:
            rows[alert.key] = row
    return rows


def _carry_out(step: Step, group: Group, integration: str, plan: Plan, told: dict[AlertKey, Told]) -> Group:
    for key, reason in plan.held:
        _decide(step, group, integration, key, ("hold", reason.value, ""))
    for key in plan.forget:
        step.draft.told.drop(ToldKey(receiver=group.receiver, integration=integration, alert=key))
    if plan.reason is None:
        return group
    notification = _notification(step, group, integration, plan, told)
    step.draft.outbox.put(
        notification.id,
        OutboxRow(
            id=notification.id,
            receiver=group.receiver,
            integration=integration,
            group=group.id,
            created_at=step.at,
            next_at=step.at,
            notification=notification,
        ),
    )
    for key in plan.firing:
        _tell(step, group, integration, key, notification.id)
    for key in plan.ended:
        step.draft.told.drop(ToldKey(receiver=group.receiver, integration=integration, alert=key))
    for key in (*plan.firing, *plan.ended):
        _decide(step, group, integration, key, ("send", notification.reason.value, notification.id))
    others = tuple(sent for sent in group.sent if sent.integration != integration)
    return msgspec.structs.replace(group, sent=(*others, Sent(integration=integration, at=step.at)))


def _decide(step: Step, group: Group, integration: str, key: AlertKey, said: tuple[str, str, str]) -> None:
    """`said`: verdict, reason, message id."""
    verdict, reason, message = said
    step.decided(
        Decision(
            at=step.at, group=group.id, receiver=group.receiver, integration=integration, alert=key,
            verdict=verdict, reason=reason, message=message,
        )
    )  # fmt: skip


def _tell(step: Step, group: Group, integration: str, key: AlertKey, message: str) -> None:
    alert = step.draft.alerts.get(key)
    assert alert is not None
    row_key = ToldKey(receiver=group.receiver, integration=integration, alert=key)
    before = step.draft.told.get(row_key)
    size, pods = step.size(key), step.tally(alert.workload).pods
    everything = concerns_all(size, pods)
    step.draft.told.put(
        row_key,
        Told(
            key=row_key,
            group=group.id,
            at=step.at,
            message=message,
            delivered=before is not None and before.delivered,
            members=max(size, before.members if before is not None else 0),
            all_members=everything or (before is not None and before.all_members),
            baseline=group.baseline,
        ),
    )


def _notification(step: Step, group: Group, integration: str, plan: Plan, told: dict[AlertKey, Told]) -> Notification:
    assert plan.reason is not None
    reason = SendReason.BASELINE if group.baseline and plan.reason is SendReason.FIRST else plan.reason
    identity = f"{group.id}\n{group.receiver}\n{integration}\n{step.at.isoformat()}"
    envelope = Envelope(
        id=f"{fnv1a64(identity.encode()):016x}",
        at=step.at,
        receiver=group.receiver,
        integration=integration,
        reason=reason,
        group_key=_group_key(step, group),
        group_labels=group.labels,
        cluster=step.core.cluster,
        external_url=step.core.external_url,
    )
    found = [facts(step, key, told.get(key)) for key in (*plan.firing, *plan.ended)]
    try:
        return summary(envelope, found) if reason is SendReason.BASELINE else render(envelope, found)
    # The guard of all messages: what the words trip over must neither cost the news nor end the service at this timer.
    except Exception as error:  # noqa: BLE001
        return bare(envelope, found, error)


def _group_key(step: Step, group: Group) -> str:
    """As Alertmanager prints it: `{}/{severity="critical"}:{alertname="X"}`."""
    labels = ", ".join(f"{name}={go_quote(value)}" for name, value in sorted(group.labels.items()))
    return f"{step.route_of(group).key}:{{{labels}}}"


def _close(step: Step, group: Group, route: Route, alerts: list[Alert]) -> None:
    """Let go of what has ended, and set the next time: the repeat, or never."""
    draft = step.draft
    left: list[AlertKey] = []
    for alert in alerts:
        present = draft.alerts.get(alert.key) or alert
        if present.ends_at is None and not group.baseline:
            left.append(alert.key)
            continue
        remaining = tuple(name for name in present.groups if name != group.id)
        changed = msgspec.structs.replace(present, groups=remaining)
        if changed.ends_at is not None and not remaining:
            forget(step, alert.key)
        elif changed.ends_at is None and not remaining:
            step.touch(changed)
        else:
            draft.alerts.put(alert.key, changed)
    if not left:
        draft.groups.drop(group.id)
        return
    # What was held back has told nobody anything: it does not make the next alert of the group wait.
    origin = group.origin or (step.at if group.sent else None)
    draft.groups.put(
        group.id,
        msgspec.structs.replace(group, alerts=tuple(left), origin=origin, due=_repeat_due(step, group, left, route)),
    )


def _repeat_due(step: Step, group: Group, alerts: list[AlertKey], route: Route) -> datetime | None:
    """When the earliest of its integrations is to be reminded, on the group's grid; None while nothing is repeated."""
    receiver = step.core.receivers.get(group.receiver)
    present = {name for name, _ in receiver.integrations} if receiver is not None else set()
    dues = []
    for sent in group.sent:
        if sent.integration not in present:
            continue
        rows = (
            step.draft.told.get(ToldKey(receiver=group.receiver, integration=sent.integration, alert=key))
            for key in alerts
            if not _is_unseen(step, key)
        )
        if any(row is not None and not row.baseline for row in rows):
            wanted = sent.at + route.repeat_interval - timedelta(microseconds=1)
            dues.append(next_tick(group.origin or step.at, route.group_interval, max(wanted, step.at)))
    return min(dues, default=None)


def _is_unseen(step: Step, key: AlertKey) -> bool:
    alert = step.draft.alerts.get(key)
    return alert is not None and alert.unseen_since is not None
