"""Workloads: one is down when a pod of it fails and none of its pods is ready.

A pod fails when an alert of severity warning or critical fires because of it; what is explained does not count, nor
does a pod that is being deleted (design.md section 6, fine print 1). So the alert comes after that of its cause.
"""

from __future__ import annotations

import msgspec

from watcher.detect.signals import Findings
from watcher.model.identity import Workload
from watcher.model.signals import WorkloadDown
from watcher.model.state import Member, MemberState
from watcher.pipeline import judging, sight
from watcher.pipeline.core import Step
from watcher.pipeline.explaining import TOLD_SEVERITIES
from watcher.pipeline.judging import Baseline, Judged

_NEVER_DOWN = ("", "Pod", "Job", "CronJob", "PersistentVolumeClaim", "Node", "Stream", "Receiver", "Posted")
"""Kinds that are no workloads, or that are not there to be ready. Of a bare pod its own alerts say all of it."""


def uid_of(workload: Workload) -> str:
    return f"workload/{workload.namespace}/{workload.kind}/{workload.name}"


def judge(step: Step, workload: Workload) -> None:
    """Whether the workload is down; asked when one of its alerts or the readiness of its pods has changed."""
    if workload.kind in _NEVER_DOWN or not step.core.by_signal.get(WorkloadDown):
        return
    uid = uid_of(workload)
    known = step.draft.members.by("uid", uid)
    down = any(member.state is not MemberState.PENDING for member in known)
    failing = [m for m in step.draft.members.by("workload", workload) if _fails(step, m, explained=down)]
    if not failing and not known:
        return
    if not step.tally(workload).pods:
        if not sight.was_never_listed(step, "Pod", workload.namespace):
            judging.pod_gone(step, uid)
        return
    baseline = Baseline(everything=bool(failing) and all(member.baseline for member in failing))
    states: tuple[WorkloadDown, ...] = ()
    if failing:
        states = (_signal(step, workload, uid, failing, known),)
    elif down:
        states = _still_down(step, known)
    judging.judge(step, Judged(uid, workload), Findings(states=states), baseline)
    sight.pod_changed(step, uid)


def _still_down(step: Step, known: list[Member]) -> tuple[WorkloadDown, ...]:
    """No alert says any more why; but only a pod that is ready ends it (new pods may not have failed yet)."""
    before = next(member.signal for member in known if isinstance(member.signal, WorkloadDown))
    tally = step.tally(known[0].workload)
    return (msgspec.structs.replace(before, pods=tally.pods, ready_pods=tally.ready, failing_pods=0),)


def _fails(step: Step, member: Member, *, explained: bool) -> bool:
    """`explained`: also what is explained. A workload that is down does not come back by being explained."""
    if member.state is MemberState.PENDING or member.leaving or (member.explained_by is not None and not explained):
        return False
    if isinstance(member.signal, WorkloadDown) or step.draft.alerts.get(member.alert) is None:
        return False
    rule = step.core.by_rule.get(member.key.rule)
    return rule is not None and rule.severity in TOLD_SEVERITIES


def _signal(step: Step, workload: Workload, uid: str, failing: list[Member], known: list[Member]) -> WorkloadDown:
    lead = min(failing, key=lambda member: (member.since, member.key))
    own = [member for member in failing if member.explained_by is None]
    tally = step.tally(workload)
    return WorkloadDown(
        uid=uid,
        cluster=step.core.cluster,
        namespace=workload.namespace,
        workload_kind=workload.kind,
        workload=workload.name,
        labels=lead.signal.labels,
        annotations=lead.signal.annotations,
        since=known[0].signal.since if known else step.at,
        pods=tally.pods,
        ready_pods=tally.ready,
        failing_pods=len({member.key.subject.uid for member in failing}),
        causes=tuple(sorted({member.alert.alertname for member in own or failing})),
    )
