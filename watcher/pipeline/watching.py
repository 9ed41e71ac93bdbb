"""Objects: what a list or a watch says of pods becomes what is remembered of them, and is judged.

Of a healthy pod only a digest is kept. A list is judged as a whole when it is complete; then what it did not hold
is gone. Two objects of one name mean that the earlier one is gone.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from watcher.detect import failures, pods
from watcher.detect.signals import Findings, common, observe, present
from watcher.model.kube import ContainerStatus, Pod
from watcher.model.observations import Forbidden, PodEvent, PodSeen, Scope, Started, Synced
from watcher.model.signals import PodFailed
from watcher.model.state import ContainerHistory, EndReason, PodState, ScopeState
from watcher.pipeline import judging
from watcher.pipeline.core import Step
from watcher.pipeline.settling import leave_lost_groups

CLOCK_SKEW = timedelta(minutes=2)
"""Where only times of different machines can be compared (design.md section 2)."""


def started(step: Step, one: Started) -> None:
    """A new process: every scope has to be listed again, and those no longer watched are forgotten."""
    draft = step.draft
    draft.meta = msgspec.structs.replace(draft.meta, down_since=one.since)
    wanted = set(one.scopes)
    for state in list(draft.scopes.all()):
        if wanted and state.scope not in wanted:
            draft.scopes.drop(state.scope)
        elif not wanted:
            draft.scopes.put(state.scope, ScopeState(scope=state.scope, known=state.known, forbidden=True))
    for scope in one.scopes:
        known = draft.scopes.get(scope)
        draft.scopes.put(scope, ScopeState(scope=scope, known=known is not None and known.known))
    _close_unwatched(step, {scope.namespace for scope in wanted})
    leave_lost_groups(step)
    _ask_again(step)


def _ask_again(step: Step) -> None:
    """A request for evidence is not stored: what an earlier process asked for and never got is asked for anew."""
    waiting = (a for a in step.draft.alerts.all() if a.evidence_asked is not None and a.evidence is None)
    for alert in sorted(waiting, key=lambda alert: alert.key):
        if alert.ends_at is None:
            step.touch(msgspec.structs.replace(alert, evidence_asked=None))


def _close_unwatched(step: Step, namespaces: set[str]) -> None:
    """Close what no rule judges any more, and what lies outside of what is watched now (`""`: everything)."""
    draft = step.draft
    everything = not namespaces or "" in namespaces
    for member in sorted(draft.members.all(), key=lambda member: member.key):
        if member.key.rule not in step.core.by_rule:
            judging.close(step, member, EndReason.RULE_REMOVED)
        elif not everything and member.key.subject.namespace not in namespaces:
            judging.close(step, member, EndReason.OUT_OF_SCOPE)
    for row in [] if everything else list(draft.histories.all()):
        if row.namespace not in namespaces:
            draft.histories.drop((row.uid, row.container))


def forbidden(step: Step, one: Forbidden) -> None:
    state = _scope(step, one.scope)
    step.draft.scopes.put(one.scope, msgspec.structs.replace(state, forbidden=True, listing=False))


def listing(step: Step, scope: Scope) -> None:
    state = _scope(step, scope)
    changed = msgspec.structs.replace(state, listing=True, forbidden=False, generation=state.generation + 1)
    step.draft.scopes.put(scope, changed)


def _scope(step: Step, scope: Scope) -> ScopeState:
    return step.draft.scopes.get(scope) or ScopeState(scope=scope)


def synced(step: Step, one: Synced) -> None:
    """The list is complete: judge it as a whole, and close what it does not hold."""
    if not _scope(step, one.scope).listing:
        listing(step, one.scope)
    draft = step.draft
    scope = _scope(step, one.scope)
    of_scope = [state for state in draft.pods.all() if state.scope == one.scope]
    of_scope.sort(key=lambda state: (state.namespace, state.name, state.uid))
    if one.complete:
        for state in of_scope:
            if state.generation < scope.generation:
                gone(step, state.uid)
        if not scope.synced:
            _close_unknown(step, one.scope)
    for state in of_scope:
        if state.generation == scope.generation and state.pod is not None:
            judge(step, state, first_sight=not scope.known, baseline=judging.Baseline(everything=not scope.known))
    draft.scopes.put(one.scope, msgspec.structs.replace(scope, listing=False, synced=True, known=True))
    rules = tuple(sorted({*draft.meta.rules, *step.core.by_rule}))
    waiting = any(state.awaited for state in draft.scopes.all())
    if rules != draft.meta.rules and not waiting:
        draft.meta = msgspec.structs.replace(draft.meta, rules=rules)


def _close_unknown(step: Step, scope: Scope) -> None:
    """What is stored of pods that the first list of this process does not hold is of pods that are gone."""
    draft = step.draft
    rows = [(row.namespace, row.uid) for row in draft.histories.all()]
    rows += [(row.key.subject.namespace, row.key.subject.uid) for row in draft.members.all()]
    for namespace, uid in sorted(set(rows)):
        if (not scope.namespace or namespace == scope.namespace) and draft.pods.get(uid) is None:
            gone(step, uid)


def pod_seen(step: Step, one: PodSeen) -> None:
    pod, draft = one.pod, step.draft
    meta = pod.metadata
    uid = meta.uid or f"{meta.namespace}/{meta.name}"
    if one.event is PodEvent.DELETED:
        gone(step, uid)
        return
    for other in draft.pods.by("name", (meta.namespace, meta.name)):
        if other.uid != uid:
            gone(step, other.uid)
    if one.event is PodEvent.LISTED and not _scope(step, one.scope).listing:
        listing(step, one.scope)
    scope = _scope(step, one.scope)
    before = draft.pods.get(uid)
    first_sight = one.event is PodEvent.LISTED and not scope.known
    state = _state(step, pod, before, one.scope, scope.generation)
    state = _failed(step, pod, before, state, news=not first_sight, listed=one.event is PodEvent.LISTED)
    if state.pod is not None and before is not None and before.pod == state.pod and before.due is not None:
        state = msgspec.structs.replace(state, due=before.due)
    if state != before:
        draft.pods.put(uid, state)
    if one.event is not PodEvent.LISTED:
        if state.pod is not None:
            judge(step, state)
        _workload_changed(step, before, state)


def _state(step: Step, pod: Pod, before: PodState | None, scope: Scope, generation: int) -> PodState:
    meta = pod.metadata
    uid = meta.uid or f"{meta.namespace}/{meta.name}"
    if before is not None:
        workload, owner = before.workload, before.owner
    else:
        workload, owner = pods.workload_of(pod)
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
        pod=None if plain else pod,
    )


def _is_plain(pod: Pod) -> bool:
    """Nothing about it can be a signal: it runs and every container is ready and never died, or it succeeded."""
    if pod.metadata.deletion_timestamp is not None or pod.status.phase not in ("Running", "Succeeded"):
        return False
    if pod.status.phase == "Succeeded":
        return True
    statuses = pod.status.container_statuses or ()
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
    ready = sum(1 for other in step.siblings(state.workload) if other.ready)
    return msgspec.structs.replace(state, failed_at=at, ready_before=max(1, ready))


def judge(
    step: Step, state: PodState, *, first_sight: bool = False, baseline: judging.Baseline = judging.NO_BASELINE
) -> None:
    """Look at a pod anew: its histories, its signals, its members."""
    pod, draft = state.pod, step.draft
    assert pod is not None
    histories = _histories(step, state)
    findings = observe(pod, _about(step, state, pod), histories, step.at, first_sight)
    for container, history in findings.histories.items():
        if history is None:
            draft.histories.drop((state.uid, container))
        elif history != histories.get(container):
            draft.histories.put((state.uid, container), msgspec.structs.replace(history, uid=state.uid))
    if state.leaving:
        judging.leave(step, state.uid)
        return
    if state.phase == "Failed":
        judging.states_gone(step, state.uid)
    judging.judge(step, state, findings, baseline)
    _judge_failure(step, state, baseline)
    _keep(step, state, findings.states != () or state.phase not in ("Running", "Succeeded"), findings.due)


def _about(step: Step, state: PodState, pod: Pod) -> dict[str, Any]:
    """The fields that all signals of the pod share."""
    return common(pod, state.workload, step.core.cluster) | {"uid": state.uid}


def _histories(step: Step, state: PodState) -> dict[str, ContainerHistory]:
    return {row.container: row for row in step.draft.histories.by("uid", state.uid)}


def _judge_failure(step: Step, state: PodState, baseline: judging.Baseline = judging.NO_BASELINE) -> None:
    if state.failed_at is None or state.pod is None or step.at >= state.failed_at + failures.FORGOTTEN_AFTER:
        return
    about = _about(step, state, state.pod)
    signal = failures.failure(state.pod, state, about, step.siblings(state.workload), step.at)
    judging.judge(step, state, Findings(occurrences=(signal,)), baseline)
    if signal.ready_pods >= signal.ready_pods_before:
        _made_good(step, state.uid)


def _made_good(step: Step, uid: str) -> None:
    """Its workload has its ready pods back: when one of them is missing later, this failure is not why."""
    state = step.draft.pods.get(uid)
    if state is not None:
        step.draft.pods.put(uid, msgspec.structs.replace(state, failed_at=None))


def _keep(step: Step, state: PodState, interesting: bool, due: datetime | None) -> None:
    """Keep the object while something about it is to be judged again; of the rest a digest."""
    again = failures.look_again_at(state, step.at)
    dues = [time for time in (due, again) if time is not None]
    kept = msgspec.structs.replace(state, pod=state.pod if interesting or dues else None, due=min(dues, default=None))
    if kept != step.draft.pods.get(state.uid):
        step.draft.pods.put(state.uid, kept)


def wake(step: Step, uid: str) -> None:
    """A windowed field of one of its signals changes now."""
    state = step.draft.pods.get(uid)
    if state is None or state.pod is None:
        return
    states, due = present(state.pod, _about(step, state, state.pod), _histories(step, state), step.at)
    if not state.leaving:
        judging.judge(step, state, Findings(states=states), judging.NO_BASELINE)
        _judge_failure(step, state)
    _keep(step, state, states != () or state.phase not in ("Running", "Succeeded"), due)


def gone(step: Step, uid: str) -> None:
    """A pod was seen gone: its histories with it, its members, and what it meant to its workload."""
    draft = step.draft
    state = draft.pods.get(uid)
    draft.pods.drop(uid)
    for history in draft.histories.by("uid", uid):
        draft.histories.drop((history.uid, history.container))
    judging.pod_gone(step, uid)
    if state is not None:
        _workload_changed(step, state, None)


def _workload_changed(step: Step, before: PodState | None, after: PodState | None) -> None:
    """Failed pods of a workload are judged again when its ready or finished pods change."""
    old = (before.ready, before.phase) if before is not None else None
    new = (after.ready, after.phase) if after is not None else None
    present_state = after or before
    if old == new or present_state is None:
        return
    for failed in step.draft.pods.by("failed", present_state.workload):
        if failed is not after:
            _judge_failure(step, failed)
