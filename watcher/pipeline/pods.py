"""Pods: what a list or a watch says of one becomes what is remembered of it, and is judged.

Of a healthy pod only a digest is kept. Two objects of one name mean that the earlier one is gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from watcher.detect import claims, failures, pods
from watcher.detect.fields import common
from watcher.detect.signals import Findings, late_ooms, observe, present
from watcher.model.identity import Workload
from watcher.model.kube import ContainerStatus, Pod
from watcher.model.observations import EventType, PodSeen, Scope
from watcher.model.remembered import ContainerHistory, PodState, ScopeState
from watcher.model.signals import AnySignal, PodFailed, WorkloadDown
from watcher.pipeline import hinting, judging, objects, sight, workloads
from watcher.pipeline.core import Step
from watcher.pipeline.judging import Judged

FEW = 20
RECOUNT = timedelta(seconds=1)
"""When more pods than a few of a workload have failed, they are judged again once in this time, not at every change."""

CLOCK_SKEW = timedelta(minutes=2)
"""Where only times of different machines can be compared (design.md section 2)."""


def listed(step: Step, scope: ScopeState, *, complete: bool) -> None:
    """A list of pods is over: judge it as a whole, and close what it does not hold."""
    of_scope = [state for state in step.draft.pods.all() if state.scope == scope.scope]
    of_scope.sort(key=lambda state: (state.namespace, state.name, state.uid))
    if complete:
        for state in of_scope:
            if state.generation < scope.generation:
                gone(step, state.uid)
        if not scope.synced:
            _close_unknown(step, scope.scope)
    for state in of_scope:
        if state.generation == scope.generation and state.pod is not None:
            new = step.is_first_sight(scope, state.namespace)
            judge(step, state, first_sight=new, baseline=judging.Baseline(everything=new))
    for member in sorted(step.draft.members.all(), key=lambda member: member.key):
        if isinstance(member.signal, WorkloadDown):
            workloads.judge(step, member.workload)
    _look_at_alerts(step, {state.workload for state in of_scope})


def _look_at_alerts(step: Step, of: set[Workload]) -> None:
    """What a list tells of these workloads (how many of their pods are ready) was not looked at pod by pod."""
    for alert in step.draft.alerts.by("firing", True):
        if alert.workload in of:
            step.touch(alert)


def _close_unknown(step: Step, scope: Scope) -> None:
    """What is stored of pods that the first list of this process does not hold is of pods that are gone."""
    draft = step.draft
    rows = [(row.namespace, row.uid) for row in draft.histories.all()]
    rows += [(row.key.subject.namespace, row.key.subject.uid) for row in draft.members.all() if row.key.subject.pod]
    for namespace, uid in sorted(set(rows)):
        if (not scope.namespace or namespace == scope.namespace) and draft.pods.get(uid) is None:
            gone(step, uid)


def pod_seen(step: Step, one: PodSeen) -> None:
    pod, draft = one.pod, step.draft
    meta = pod.metadata
    uid = meta.uid or f"{meta.namespace}/{meta.name}"
    if one.event is EventType.DELETED:
        gone(step, uid)
        return
    for other in draft.pods.by("name", (meta.namespace, meta.name)):
        if other.uid != uid:
            gone(step, other.uid)
    scope = step.seen_in(one)
    before = draft.pods.get(uid)
    first_sight = one.event is EventType.LISTED and step.is_first_sight(scope, meta.namespace)
    state = _state(step, pod, before, one.scope, scope.generation)
    state = _failed(step, pod, before, state, news=not first_sight, listed=one.event is EventType.LISTED)
    if state.pod is not None and before is not None and before.pod == state.pod and before.due is not None:
        state = msgspec.structs.replace(state, due=before.due)
    if state != before:
        step.keep(state)
    hinting.check(step, state.workload, meta.annotations)
    if one.event is not EventType.LISTED:
        if state.pod is not None:
            judge(step, state)
        _changed(step, before, state)


def _state(step: Step, pod: Pod, before: PodState | None, scope: Scope, generation: int) -> PodState:
    meta = pod.metadata
    uid = meta.uid or f"{meta.namespace}/{meta.name}"
    if before is not None:
        workload, owner = before.workload, before.owner
    else:
        workload, owner = pods.workload_of(pod)
    unmounted = claims.unmounted(pod) if pod.spec.volumes else ()
    plain = _is_plain(pod) and not step.draft.histories.by("uid", uid) and not step.draft.members.by("uid", uid)
    return PodState(
        uid=uid,
        namespace=meta.namespace,
        name=meta.name,
        workload=workload,
        owner=owner,
        scope=scope,
        generation=generation,
        created=meta.creation_timestamp,
        phase=pod.status.phase,
        ready=pods.is_ready(pod),
        leaving=meta.deletion_timestamp is not None,
        failed_at=before.failed_at if before is not None else None,
        ready_before=before.ready_before if before is not None else 1,
        node=pod.spec.node_name,
        claims=claims.declared(pod) if pod.spec.volumes else (),
        unmounted=unmounted,
        pod=None if plain else pod,
    )


def _is_plain(pod: Pod) -> bool:
    """Nothing about it can be a signal: it runs and every container is ready and never died, or it succeeded."""
    if pod.metadata.deletion_timestamp is not None or pod.status.phase not in ("Running", "Succeeded"):
        return False
    if pod.status.phase == "Succeeded":
        return True
    statuses = pod.status.container_statuses or ()
    if pods.condition(pod, "Ready") not in ("True", ""):
        return False
    if not statuses or any(not s.ready or s.restart_count for s in statuses):
        return False
    return all(_is_settled(s) for s in pod.status.init_container_statuses or ())


def _is_settled(status: ContainerStatus) -> bool:
    return status.restart_count == 0 and status.ready


def _failed(step: Step, pod: Pod, before: PodState | None, state: PodState, *, news: bool, listed: bool) -> PodState:
    """Note when a pod failed, if that is news: not what had failed before first sight or before we stopped."""
    if state.phase != "Failed" or (before is not None and before.phase == "Failed"):
        return state
    for member in step.draft.members.by("uid", state.uid):
        if isinstance(member.signal, PodFailed):
            return msgspec.structs.replace(
                state, failed_at=member.signal.since, ready_before=member.signal.ready_pods_before
            )
    at = pods.failed_at(pod, step.at, before is None)
    since = step.draft.meta.down_since
    patience = failures.JOB_PATIENCE if failures.is_of_job(state) else timedelta()
    if listed and before is None and since is not None and at < since - CLOCK_SKEW - patience:
        news = False
    if not news or pods.is_quiet(pod):
        return state
    # A list may show a failed pod's replacement before it.
    ready = [one for one in step.siblings(state.workload) if one.ready]
    before_it = sum(1 for one in ready if one.created is None or one.created <= at)
    return msgspec.structs.replace(state, failed_at=at, ready_before=max(1, before_it))


def judge(
    step: Step, state: PodState, *, first_sight: bool = False, baseline: judging.Baseline = judging.NO_BASELINE
) -> None:
    """Look at a pod anew: its histories, its signals, its members."""
    pod = state.pod
    assert pod is not None
    histories = _histories(step, state)
    findings = observe(pod, _about(step, state, pod), histories, step.at, first_sight, _ooms(step, state))
    _remember(step, state, findings, histories)
    if state.leaving:
        judging.leave(step, state.uid)
        return
    if state.phase == "Failed":
        judging.states_gone(step, state.uid)
    judging.judge(step, _judged(state), findings, baseline)
    _judge_failure(step, state, baseline)
    sight.pod_changed(step, state.uid)
    _keep(step, state, findings.states != () or state.phase not in ("Running", "Succeeded"), findings.due)


def true_of(step: Step, state: PodState) -> tuple[AnySignal, ...]:
    """What is true of a pod now, without judging it: for those who ask."""
    if state.pod is None or state.leaving:
        return ()
    states, _ = present(state.pod, _about(step, state, state.pod), _histories(step, state), step.at)
    failed = _failure(step, state)
    return states if failed is None else (*states, failed)


def _remember(step: Step, state: PodState, findings: Findings, histories: Mapping[str, ContainerHistory]) -> None:
    for container, history in findings.histories.items():
        if history is None:
            step.draft.histories.drop((state.uid, container))
        elif history != histories.get(container):
            step.draft.histories.put((state.uid, container), msgspec.structs.replace(history, uid=state.uid))


def _ooms(step: Step, state: PodState) -> tuple[datetime, ...]:
    return tuple(objects.system_ooms(step, state.node)) if state.node else ()


def _about(step: Step, state: PodState, pod: Pod) -> dict[str, Any]:
    """The fields that all signals of the pod share."""
    return common(pod, state.workload, step.core.cluster) | {"uid": state.uid}


def _histories(step: Step, state: PodState) -> dict[str, ContainerHistory]:
    return {row.container: row for row in step.draft.histories.by("uid", state.uid)}


def _judged(state: PodState) -> Judged:
    """What the pod tells of: a container that is not shown (`containerStatuses: null`) is unknown, not healthy."""
    shown: frozenset[str] | None = None
    if state.pod is not None and state.phase != "Succeeded":
        status = state.pod.status
        statuses = (*(status.init_container_statuses or ()), *(status.container_statuses or ()))
        shown = frozenset(one.name for one in statuses)
    return Judged(state.uid, state.workload, shown)


def _judge_failure(step: Step, state: PodState, baseline: judging.Baseline = judging.NO_BASELINE) -> None:
    signal = _failure(step, state)
    if signal is None or state.failed_at is None or state.pod is None:
        return
    oom = failures.eviction_for_memory(state.pod, _about(step, state, state.pod), state.failed_at)
    happened = (signal,) if oom is None else (signal, oom)
    judging.judge(step, _judged(state), Findings(occurrences=happened), baseline)
    if signal.ready_pods >= signal.ready_pods_before:
        _made_good(step, state.uid)


def _failure(step: Step, state: PodState) -> PodFailed | None:
    """Its failure as it stands now; None: it has not failed, or nobody is interested any more."""
    if state.failed_at is None or state.pod is None or step.at >= state.failed_at + failures.FORGOTTEN_AFTER:
        return None
    runs = step.siblings(state.workload) if failures.is_of_job(state) else ()
    left = failures.Left(step.tally(state.workload).ready, runs)
    return failures.failure(state.pod, state, _about(step, state, state.pod), left, step.at)


def _made_good(step: Step, uid: str) -> None:
    """Its workload has its ready pods back: when one of them is missing later, this failure is not why."""
    state = step.draft.pods.get(uid)
    if state is not None:
        step.keep(msgspec.structs.replace(state, failed_at=None))


def _keep(step: Step, state: PodState, interesting: bool, due: datetime | None) -> None:
    """Keep the object while something about it is to be judged again; of the rest a digest.

    What it is has been changed by the judging, where its failure was made good.
    """
    state = step.draft.pods.get(state.uid) or state
    again = failures.look_again_at(state, step.at)
    dues = [time for time in (due, again) if time is not None]
    kept = msgspec.structs.replace(state, pod=state.pod if interesting or dues else None, due=min(dues, default=None))
    if kept != step.draft.pods.get(state.uid):
        step.keep(kept)


def wake(step: Step, uid: str) -> None:
    """A windowed field of one of its signals changes now."""
    state = step.draft.pods.get(uid)
    if state is None or state.pod is None:
        return
    about, histories = _about(step, state, state.pod), _histories(step, state)
    late = late_ooms(state.pod, about, histories, _ooms(step, state), step.at)
    if late.occurrences:
        _remember(step, state, late, histories)
        histories = _histories(step, state)
    states, due = present(state.pod, about, histories, step.at)
    if not state.leaving:
        found = Findings(states=states, occurrences=late.occurrences)
        judging.judge(step, _judged(state), found, judging.NO_BASELINE)
        _judge_failure(step, state)
        sight.pod_changed(step, uid)
    _keep(step, state, states != () or state.phase not in ("Running", "Succeeded"), due)


def gone(step: Step, uid: str) -> None:
    """A pod was seen gone: its histories with it, its members, and what it meant to its workload."""
    draft = step.draft
    state = draft.pods.get(uid)
    step.lose(uid)
    for history in draft.histories.by("uid", uid):
        draft.histories.drop((history.uid, history.container))
    judging.pod_gone(step, uid)
    if state is not None:
        _changed(step, state, None)


def _changed(step: Step, before: PodState | None, after: PodState | None) -> None:
    """What a pod means to its workload and to its claims."""
    _workload_changed(step, before, after)
    old = (before.claims, before.unmounted, before.phase, before.leaving) if before is not None else None
    new = (after.claims, after.unmounted, after.phase, after.leaving) if after is not None else None
    names = {*(before.claims if before is not None else ()), *(after.claims if after is not None else ())}
    one = after or before
    if one is not None and names and old != new:
        objects.claims_changed(step, one.namespace, tuple(sorted(names)))


def _workload_changed(step: Step, before: PodState | None, after: PodState | None) -> None:
    """Failed pods of a workload are judged again when its ready or finished pods change."""
    old = (before.ready, before.phase, before.counts) if before is not None else None
    new = (after.ready, after.phase, after.counts) if after is not None else None
    present_state = after or before
    if old == new or present_state is None:
        return
    for alert in step.draft.alerts.by("workload", present_state.workload):
        if alert.ends_at is None:
            step.touch(alert)
    failed = [state for state in step.draft.pods.by("failed", present_state.workload) if state is not after]
    for state in failed:
        if len(failed) <= FEW:
            _judge_failure(step, state)
        elif state.due is None or state.due > step.at + RECOUNT:
            step.keep(msgspec.structs.replace(state, due=step.at + RECOUNT))
