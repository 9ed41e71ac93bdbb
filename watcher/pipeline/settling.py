"""Alerts at the end of an instant: what explains and inhibits them, which groups they join, when those are due.

Every alert that changed asks for this by `settle_at`, a timer like any other; so it survives a crash between the
change and what follows from it, and what begins in the same instant inhibits.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from watcher.lib.redact import redact
from watcher.model.config import FirstStart
from watcher.model.evidence import Evidence, EvidenceRequest
from watcher.model.identity import AlertKey
from watcher.model.message import HoldReason
from watcher.model.signals import (
    ClaimPending,
    ContainerNotStarting,
    DeliveryFailing,
    LastExit,
    NodeSignal,
    PodFailed,
    WorkloadDown,
)
from watcher.model.state import Alert, AlertState, Decision, EndReason, Group, Member, MemberState
from watcher.notify.growth import concerns_all, grew
from watcher.pipeline import posting, sending, silencing, workloads
from watcher.pipeline.alerting import end_alert
from watcher.pipeline.core import Core, Step, subjects
from watcher.pipeline.explaining import explain
from watcher.routing.inhibition import rule_at, sides
from watcher.routing.route import Route, group_labels
from watcher.routing.timing import group_id, next_tick


def settle(step: Step, key: AlertKey) -> None:
    alert = step.draft.alerts.get(key)
    assert alert is not None
    if alert.settle_at is None or alert.settle_at > step.at:
        _timed(step, alert)
        return
    if isinstance(alert.lead, WorkloadDown) and alert.state is AlertState.FIRING:
        workloads.judge(step, alert.workload)
        alert = step.draft.alerts.get(key) or alert
    news, unseen, lingered = alert.news, alert.unseen_since is not None, alert.lingers
    alert = msgspec.structs.replace(alert, settle_at=None, news=False)
    before = alert.silenced_by
    alert = msgspec.structs.replace(alert, silenced_by=silencing.silenced_by(step, alert.labels))
    if alert.posted is not None and alert.state is not AlertState.ENDED:
        alert = msgspec.structs.replace(alert, held_by=_inhibited(step, alert))
    elif alert.state is not AlertState.ENDED:
        alert = _measure(step, alert)
        alert = msgspec.structs.replace(alert, held_by=_inhibited(step, alert))
        alert = _ask(step, alert)
    step.draft.alerts.put(key, alert)
    for name in {*before, *alert.silenced_by}:
        silencing.rest_or_stir(step, name)
    if before and not alert.silenced_by:
        _speak_again(step, alert)
    if news or alert.lingers != lingered:
        _touch_dependents(step, alert)
    if alert.posted is None and not isinstance(alert.lead, WorkloadDown):
        workloads.judge(step, alert.workload)
    _route(step, alert, news, again=unseen and alert.unseen_since is None)


def _speak_again(step: Step, alert: Alert) -> None:
    """Its last silence is over: what still fires, or has ended meanwhile, is told at once."""
    for row in step.draft.told.by("alert", alert.key):
        if alert.ends_at is None:
            step.draft.told.put(row.key, msgspec.structs.replace(row, lost=True))
    for name in alert.groups:
        group = step.draft.groups.get(name)
        if group is not None:
            step.draft.groups.put(name, msgspec.structs.replace(group, due=step.at))


def _timed(step: Step, alert: Alert) -> None:
    """A hint that muted it is over, or the patience with a replacement."""
    if alert.muted_until is not None and alert.muted_until <= step.at:
        step.touch(msgspec.structs.replace(alert, muted_until=None))
    elif alert.posted is not None:
        posting.expire(step, alert)
    else:
        _not_replaced(step, alert)


def _not_replaced(step: Step, alert: Alert) -> None:
    """Nothing took the place of its last member: recovered if its workload has a ready pod, else deleted.

    A workload that is down again is so for as long as the patience lasts: one that is pending is waited for.
    """
    if isinstance(alert.lead, WorkloadDown):
        dues = [member.due for member in step.draft.members.by("alert", alert.key) if member.due is not None]
        if dues:
            until = max(dues) + timedelta(microseconds=1)
            step.draft.alerts.put(alert.key, msgspec.structs.replace(alert, vacant_until=until))
            return
    ready = step.tally(alert.workload).ready
    step.transition(alert.key, "", alert.state, AlertState.ENDED, "no replacement failed in time")
    ended = msgspec.structs.replace(alert, state=AlertState.ENDED)
    end_alert(step, ended, EndReason.RECOVERED if ready else EndReason.DELETED)


def _measure(step: Step, alert: Alert) -> Alert:
    """Its size, its leading member, and whether every member is the effect of something else."""
    members = step.members(alert.key)
    causes = [explain(step, member) for member in members]
    size = len(subjects(members))
    explained = causes[0] if causes and all(cause is not None for cause in causes) else None
    if not members:
        explained = alert.explained_by
    changed = msgspec.structs.replace(
        alert,
        explained_by=explained,
        peak=max(alert.peak, size),
        lead=members[0].signal if members else alert.lead,
        since=min(alert.since, members[0].since) if members else alert.since,
        unseen_since=_unseen_since(members) if members else alert.unseen_since,
        lingers=_lingers(step, alert, members),
    )
    if alert.baseline and alert.settle_at is None and (alert.summary or alert.starts_at == step.at):
        return msgspec.structs.replace(changed, base_members=max(1, size))
    told = step.draft.told.by("alert", alert.key)
    pods = step.tally(alert.workload).pods
    all_before = concerns_all(alert.base_members, pods)
    if alert.baseline and not told and grew(alert.base_members, all_before, size, pods):
        return msgspec.structs.replace(changed, baseline=False)
    return changed


def _lingers(step: Step, alert: Alert, members: list[Member]) -> bool:
    """That a workload was down is no news once a pod is ready again, unless somebody was told of it."""
    if not isinstance(alert.lead, WorkloadDown) or step.draft.told.by("alert", alert.key):
        return False
    return bool(members) and all(member.state is MemberState.HOLDING for member in members)


def _unseen_since(members: list[Member]) -> datetime | None:
    """Since when none of them is seen; None while one is."""
    times = [member.unseen_since for member in members]
    seen = [time for time in times if time is not None]
    return max(seen) if seen and len(seen) == len(times) else None


def _inhibited(step: Step, alert: Alert) -> AlertKey | None:
    """The first alert that inhibits it, by the rules in their order."""
    for place in alert.targets:
        rule = rule_at(step.core.inhibit_rules, place)
        for other in step.draft.alerts.by("source", place):
            if rule is None:
                break
            if other.key != alert.key and not other.lingers and rule.inhibits(other.labels, alert.labels):
                return other.key
    return None


def _touch_dependents(step: Step, alert: Alert) -> None:
    """What it explains or inhibits, or did until now, is looked at again in this instant."""
    others = {other.key: other for other in step.draft.alerts.by("workload", alert.workload)}
    for place in alert.sources:
        others |= {other.key: other for other in step.draft.alerts.by("target", place)}
    for _, other in sorted(others.items()):
        if other.key != alert.key and other.ends_at is None and other.settle_at is None:
            step.touch(other)


def take_sides(step: Step) -> None:
    """At a start: where each alert stands under the rules of the configuration as it is now."""
    for alert in sorted(step.draft.alerts.all(), key=lambda alert: alert.key):
        now = sides(step.core.inhibit_rules, alert.labels, posted=alert.posted is not None)
        if (now.sources, now.targets) != (alert.sources, alert.targets):
            step.touch(msgspec.structs.replace(alert, sources=now.sources, targets=now.targets))


def hold_reason(step: Step, alert: Alert) -> HoldReason | None:
    """Why an alert may not be told of now. Only a silence holds an end (and a time interval, `flushing`)."""
    if alert.silenced_by:
        return HoldReason.SILENCED
    if alert.ends_at is not None:
        return None
    if alert.explained_by is not None:
        return HoldReason.EXPLAINED
    if alert.held_by is not None:
        return HoldReason.INHIBITED
    if alert.muted_until is not None and alert.muted_until > step.at:
        return HoldReason.MUTED_BY_HINT
    if alert.lingers:
        return HoldReason.LINGERS
    if (alert.baseline or alert.state is AlertState.VACANT) and not step.draft.told.by("alert", alert.key):
        return HoldReason.BASELINE if alert.baseline else HoldReason.VACANT
    return None


def _ask(step: Step, alert: Alert) -> Alert:
    """Ask for what explains it (log tail, events, rollout), once, when it may be told."""
    wanted = step.core.evidence and alert.evidence_asked is None and alert.explained_by is None
    request = _request(step, alert) if wanted and alert.held_by is None else None
    if request is None:
        return alert
    step.draft.fetch.append(request)
    return msgspec.structs.replace(alert, evidence_asked=step.at)


def _request(step: Step, alert: Alert) -> EvidenceRequest | None:
    signal = alert.lead
    if isinstance(signal, ClaimPending):
        return EvidenceRequest(
            alert=alert.key,
            namespace=signal.namespace,
            kind="PersistentVolumeClaim",
            name=signal.claim,
            asked_at=step.at,
        )
    if isinstance(signal, NodeSignal):
        return EvidenceRequest(alert=alert.key, namespace="", kind="Node", name=signal.node, asked_at=step.at)
    if not signal.pod:
        return None
    died = isinstance(signal, LastExit | PodFailed) or (
        isinstance(signal, ContainerNotStarting) and signal.container_id
    )
    return EvidenceRequest(
        alert=alert.key,
        namespace=signal.namespace,
        pod=signal.pod,
        uid=signal.uid,
        container=getattr(signal, "container", "") if died else "",
        container_id=getattr(signal, "container_id", "") if died else "",
        workload_kind=signal.workload_kind,
        workload=signal.workload,
        since=alert.since,
        asked_at=step.at,
    )


def evidence(step: Step, found: Evidence) -> None:
    """What was asked for has come. It causes no message of its own; where a channel can edit, the message gains it."""
    alert = step.draft.alerts.get(found.alert)
    if alert is None or alert.evidence_asked is None:
        return
    clean = msgspec.structs.replace(
        found, log=tuple(redact(line) for line in found.log), events=tuple(redact(line) for line in found.events)
    )
    step.draft.alerts.put(alert.key, msgspec.structs.replace(alert, evidence=clean))
    groups = [group for name in alert.groups if (group := step.draft.groups.get(name)) is not None]
    for group in groups:
        for sent in group.sent:
            sending.bring_up_to_date(step, group, sent.integration)


def _route(step: Step, alert: Alert, news: bool, *, again: bool) -> None:
    """Put a firing alert into its groups and make those due in which there is something new to tell.

    `again`: it is seen again, and may be repeated again.
    """
    if alert.ends_at is None and (news or not alert.groups):
        alert = join(step, alert, news=news)
    if alert.ends_at is not None and not alert.groups:
        forget(step, alert.key)
        return
    for name in alert.groups:
        group = step.draft.groups.get(name)
        if group is not None and (again or _has_news(step, alert, group)):
            make_due(step, group)


def forget(step: Step, key: AlertKey) -> None:
    """Drop an alert that has ended for everybody, with what was told of it to integrations that are gone."""
    step.draft.alerts.drop(key)
    for row in step.draft.told.by("alert", key):
        step.draft.told.drop(row.key)


def integrations(step: Step, receiver: str) -> tuple[str, ...]:
    """Names of those that a receiver has now."""
    found = step.core.receivers.get(receiver)
    return tuple(name for name, _ in found.integrations) if found is not None else ()


def digest_id(receiver: str, integration: str) -> str:
    return f"digest/{receiver}/{integration}"


def summary_id(receiver: str) -> str:
    return f"baseline/{receiver}"


def join(step: Step, alert: Alert, *, news: bool) -> Alert:
    """Put it into its groups; what fires anew is still in those that have not told of its end."""
    names = list(alert.groups)
    # A rush of posts is judged a while after it came, and must not wait twice.
    begun = alert.posted.updated_at if news and alert.posted is not None else step.at
    for route, receiver in targets(step.core, alert):
        name = _group_for(step, alert, route, receiver, begun)
        if name not in names:
            names.append(name)
    if not names and news:
        step.decided(
            Decision(
                at=step.at, group="", receiver="", integration="", alert=alert.key, verdict="hold",
                reason=HoldReason.NO_RECEIVER.value,
            )
        )  # fmt: skip
    alert = msgspec.structs.replace(alert, groups=tuple(names), summary=alert.summary and not names)
    step.draft.alerts.put(alert.key, alert)
    return alert


def targets(core: Core, alert: Alert) -> list[tuple[Route, str]]:
    """By which routes an alert goes to which receivers. Trouble with a channel goes to everybody else's."""
    if isinstance(alert.lead, DeliveryFailing):
        return [(core.route, name) for name in sorted(core.receivers)]
    own = alert.receiver if alert.receiver in core.receivers else ""
    return [(route, own or route.receiver) for route in core.route.match(alert.labels) if route.receiver]


def _group_for(step: Step, alert: Alert, route: Route, receiver: str, begun: datetime) -> str:
    """The group of this route that the alert belongs to, made if it is the first; the summary's for the baseline."""
    summary = alert.summary and step.core.first_start is FirstStart.SUMMARY
    labels = {} if summary else group_labels(route, alert.labels)
    name = summary_id(receiver) if summary else group_id(receiver, route.id, labels)
    group = step.draft.groups.get(name)
    if group is None:
        group = Group(
            id=name, route=route.id, receiver=receiver, labels=labels, due=begun + route.group_wait,
            baseline=summary,
        )  # fmt: skip
    # What it says of itself first: a group of ten thousand is not to be looked through for each that joins it.
    if name not in alert.groups or alert.key not in group.alerts:
        step.draft.groups.put(name, msgspec.structs.replace(group, alerts=(*group.alerts, alert.key)))
    return name


def _has_news(step: Step, alert: Alert, group: Group) -> bool:
    told = [row for row in step.draft.told.by("alert", alert.key) if row.key.receiver == group.receiver]
    if alert.ends_at is not None:
        return True
    if hold_reason(step, alert) is not None and not told:
        return False
    integrations = {row.key.integration for row in told if not row.lost}
    receiver = step.core.receivers.get(group.receiver)
    if receiver is not None and any(name not in integrations for name, _ in receiver.integrations):
        return True
    size = step.size(alert.key)
    pods = step.tally(alert.workload).pods
    return any(grew(row.members, row.all_members, size, pods) for row in told)


def make_due(step: Step, group: Group) -> None:
    """Have a group speak at its next time, unless it does so earlier anyway."""
    due = due_again(step, group, step.at)
    if group.due is None or due < group.due:
        step.draft.groups.put(group.id, msgspec.structs.replace(group, due=due))


def due_again(step: Step, group: Group, at: datetime) -> datetime:
    """The next time that a group may speak: its first after `group_wait`, then the grid of `group_interval`."""
    route = step.route_of(group)
    if group.origin is None:
        return at + route.group_wait
    return next_tick(group.origin, route.group_interval, at)
