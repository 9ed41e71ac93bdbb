"""What is seen and what is not: a kubelet that is silent, a stream that is stale.

Unknown is not resolved (design.md section 2): a member whose subject is not heard of neither goes on nor ends, its
alert is not repeated, and after a day it is closed as unknown. Silence alone tells nothing of a pod: one that waits for
its ConfigMap does not change for days. Where nodes may not be seen, a kubelet that is gone is not noticed.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from watcher.model.identity import Workload
from watcher.model.observations import Scope
from watcher.model.remembered import ScopeState
from watcher.model.signals import (
    AnySignal,
    ClaimSignal,
    ConfigRefused,
    DeliveryFailing,
    NodeSignal,
    StreamStale,
    VolumeUsage,
    WorkloadDown,
)
from watcher.model.state import Member, MemberState
from watcher.pipeline import judging
from watcher.pipeline.core import Step


def node_changed(step: Step, name: str) -> None:
    """A node is heard of, or no longer: its pods are seen or not seen with it."""
    members = step.draft.members.by("node", name)
    _look(step, members, anew=True)
    for workload in sorted({member.workload for member in members}):
        _look(
            step, [one for one in step.draft.members.by("workload", workload) if isinstance(one.signal, WorkloadDown)]
        )


def scope_changed(step: Step) -> None:
    """A stream is stale, or is heard of again."""
    _look(step, sorted(step.draft.members.all(), key=lambda member: member.key))


def pod_changed(step: Step, uid: str) -> None:
    _look(step, step.draft.members.by("uid", uid))


def node_oom(step: Step, node: str) -> None:
    """A node ran out of memory: the deaths of its pods are looked at again in this instant."""
    touched = [pod for pod in step.draft.pods.all() if pod.node == node and pod.pod is not None]
    for pod in sorted(touched, key=lambda pod: pod.uid):
        step.keep(msgspec.structs.replace(pod, due=step.at))


def silent_nodes(step: Step, members: Iterable[Member]) -> tuple[str, ...]:
    """Nodes of these members that are not heard of."""
    names = {member.signal.node for member in members if member.signal.node}
    states = (step.draft.nodes.get(name) for name in names)
    return tuple(sorted(s.node.metadata.name for s in states if s is not None and s.silent_since is not None))


def stale_kinds(step: Step, members: Iterable[Member]) -> tuple[str, ...]:
    """Kinds of which nothing is heard where these members are."""
    scopes = (state for member in members for state in _scopes(step, member.signal))
    return tuple(sorted({state.scope.kind for state in scopes if state.stale_since is not None}))


def _look(step: Step, members: Iterable[Member], *, anew: bool = False) -> None:
    for member in members:
        since = _unseen_since(step, member)
        if since is None:
            judging.seen(step, member, anew=anew)
        else:
            judging.unseen(step, member, since)


def _unseen_since(step: Step, member: Member) -> datetime | None:
    """Since when nothing was heard of a member's subject; None: it is seen."""
    signal = member.signal
    if isinstance(signal, VolumeUsage | StreamStale):
        return member.unseen_since
    found = [state.stale_since for state in _scopes(step, signal) if state.stale_since is not None]
    if isinstance(signal, WorkloadDown):
        found += _pods_unseen(step, member)
    if signal.pod:
        found += _kubelet_silent(step, member)
    return min(found, default=None)


def _kubelet_silent(step: Step, member: Member) -> list[datetime]:
    """Since when the node of its pod is not heard of. Before both have been listed it stays as it was stored."""
    pod = step.draft.pods.get(member.key.subject.uid)
    node = step.draft.nodes.get(pod.node) if pod is not None else None
    if node is not None:
        return [] if node.silent_since is None else [node.silent_since]
    kinds = {state.scope.kind for state in step.draft.scopes.all() if state.awaited}
    return [member.unseen_since] if member.unseen_since is not None and kinds & {"Pod", "Node"} else []


def kind_of(signal: AnySignal) -> str:
    """Which kind of objects shows what a signal is about; empty: none, it is about ourselves."""
    if isinstance(signal, DeliveryFailing | ConfigRefused):
        return ""
    if isinstance(signal, NodeSignal):
        return "Node"
    return "PersistentVolumeClaim" if isinstance(signal, ClaimSignal) else "Pod"


def shows(scope: Scope, member: Member) -> bool:
    """Whether a scope shows the subject of a member. Of volumes the kubelets tell: only the namespace counts."""
    signal = member.signal
    if isinstance(signal, StreamStale):
        return scope == Scope(kind=signal.kind, namespace=signal.namespace)
    fits = isinstance(signal, VolumeUsage) or scope.kind == kind_of(signal)
    return fits and (scope.namespace in ("", signal.namespace) or not signal.namespace)


def _scopes(step: Step, signal: AnySignal) -> list[ScopeState]:
    """Those that show the subject of a signal."""
    kind = kind_of(signal)
    wanted = {Scope(kind=kind), Scope(kind=kind, namespace=signal.namespace)}
    states = (step.draft.scopes.get(scope) for scope in sorted(wanted))
    return [state for state in states if state is not None]


def _pods_unseen(step: Step, down: Member) -> list[datetime]:
    """A workload is not seen when none of its failing pods is."""
    failing = [m for m in step.draft.members.by("workload", down.workload) if m.key != down.key]
    times = [m.unseen_since for m in failing if m.state is not MemberState.PENDING]
    unseen = [time for time in times if time is not None]
    if not unseen or len(unseen) != len(times) or _shows_ready(step, down.workload):
        return []
    return [max(unseen)]


def _shows_ready(step: Step, workload: Workload) -> bool:
    """Whether one of its pods is ready on a node that is heard of."""
    if not step.tally(workload).ready:
        return False
    nodes = (step.draft.nodes.get(pod.node) for pod in step.siblings(workload) if pod.ready)
    return any(node is None or node.silent_since is None for node in nodes)


def was_never_listed(step: Step, kind: str, namespace: str) -> bool:
    """Whether a list that was given up for stale is still to come in this process: what is not known is not gone."""
    states = (step.draft.scopes.get(scope) for scope in (Scope(kind=kind), Scope(kind=kind, namespace=namespace)))
    return any(state is not None and state.stale_since is not None and not state.synced for state in states)
