"""Claims, nodes, namespaces and the Warning events about them: what is kept of each, and when it is judged.

Nodes and what they say stand alone. A claim is judged with the pods that declare it and the events about it, so it
waits until all of these have been listed in this process, and is judged again when one of them changes. A list is
judged as a whole, at its end. Another object under the same name means that the earlier one is gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from watcher.detect import claims, nodes
from watcher.detect.claims import claim_uid
from watcher.detect.fields import told_text
from watcher.detect.nodes import node_uid
from watcher.detect.pods import moment
from watcher.detect.signals import Findings
from watcher.model.identity import Workload
from watcher.model.kube import Node, ObjectMeta, PersistentVolumeClaim
from watcher.model.observations import ClaimSeen, EventSeen, EventType, NamespaceSeen, NodeSeen, Scope
from watcher.model.remembered import ClaimState, NamespaceState, NodeState, PodState, ScopeState, Warned
from watcher.model.signals import (
    ClaimLost,
    ClaimPending,
    ClaimSignal,
    ClaimUnmounted,
    NodeNotReady,
    NodePressure,
    NodeSignal,
)
from watcher.model.state import EndReason
from watcher.pipeline import hinting, judging, sight, unmet, volumes
from watcher.pipeline.core import Step
from watcher.pipeline.judging import NO_BASELINE, Baseline, Judged

CLAIM_KINDS = (ClaimPending, ClaimLost, ClaimUnmounted)
NODE_KINDS = (NodeNotReady, NodePressure)
TELLING = frozenset({"Pod", "PersistentVolumeClaim", "Event"})
"""The kinds of scopes that say something of a claim's state."""
REMEMBERED = timedelta(days=2)
"""How long a deleted node is kept: longer than anything on it is waited for."""
SYSTEM_OOM = "SystemOOM"
"""The kubelet's event about an OOM kill outside of any container's limit. Source: kubernetes pkg/kubelet/oom."""


def listed(step: Step, scope: ScopeState, *, complete: bool) -> None:
    """A list of whatever kind is over (`scope`: as it was before that): close what it does not hold, judge the rest."""
    match scope.scope.kind:
        case "PersistentVolumeClaim":
            _claims_listed(step, scope, complete)
        case "Node":
            _nodes_listed(step, scope, complete)
        case "Namespace":
            _namespaces_listed(step, scope, complete)
        case "Event":
            _events_listed(step, scope, complete)
    claims_listed(step, scope.scope)


# --- Claims


def claim_seen(step: Step, one: ClaimSeen) -> None:
    meta, draft = one.claim.metadata, step.draft
    before = draft.claims.get((meta.namespace, meta.name))
    other = before is not None and before.claim.metadata.uid != meta.uid
    if one.event is EventType.DELETED:
        if before is not None and not other:
            _claim_gone(step, meta.namespace, meta.name)
        return
    if other:
        _claim_gone(step, meta.namespace, meta.name)
        before = None
    scope = step.seen_in(one)
    is_listed = one.event is EventType.LISTED
    state = ClaimState(
        claim=one.claim,
        scope=one.scope,
        generation=scope.generation,
        since=_phase_since(one.claim, before, step.at),
        baseline=(before is not None and before.baseline) or (is_listed and step.is_first_sight(scope, meta.namespace)),
    )
    draft.claims.put(state.key, state)
    if not is_listed and _is_told(step):
        _judge_claim(step, state)


def _phase_since(claim: PersistentVolumeClaim, before: ClaimState | None, at: datetime) -> datetime:
    if before is not None and before.claim.status.phase == claim.status.phase:
        return before.since
    made = moment(claim.metadata.creation_timestamp)
    return min(made, at) if made is not None and claim.status.phase == "Pending" else at


def claims_changed(step: Step, namespace: str, names: Iterable[str]) -> None:
    """Pods that declare these claims have come, gone or changed."""
    if not _is_told(step):
        return
    for name in names:
        state = step.draft.claims.get((namespace, name))
        if state is not None:
            _judge_claim(step, state)


def claims_listed(step: Step, scope: Scope) -> None:
    """A list that tells of claims is over, or will not be had: judge them, unless another is still to come."""
    if scope.kind not in TELLING or not _is_told(step, besides=scope):
        return
    for state in sorted(step.draft.claims.all(), key=lambda state: state.key):
        _judge_claim(step, state, Baseline(everything=state.baseline))


def users(step: Step, namespace: str, claim: str) -> list[PodState]:
    """The pods that declare a claim."""
    return step.draft.pods.by("claim", (namespace, claim))


def _is_told(step: Step, besides: Scope | None = None) -> bool:
    """Whether all that tells of claims has been listed in this process, or may not be read."""
    return not any(
        state.awaited and state.scope.kind in TELLING and state.scope != besides for state in step.draft.scopes.all()
    )


def _judge_claim(step: Step, state: ClaimState, baseline: Baseline = NO_BASELINE) -> None:
    draft, (namespace, name) = step.draft, state.key
    uid = claim_uid(namespace, name)
    if state.baseline:
        baseline = Baseline(everything=True)
        draft.claims.put(state.key, msgspec.structs.replace(state, baseline=False))
    if state.claim.metadata.deletion_timestamp is not None:
        # It may stay for long while a pod uses it (kubernetes.io/pvc-protection), and fill up: that is told still.
        _close(step, uid, CLAIM_KINDS)
        return
    found = true_of_claim(step, state)
    judged = Judged(uid, Workload(namespace, "PersistentVolumeClaim", name), kinds=_decided(step, state))
    judging.judge(step, judged, Findings(states=found), baseline)
    sight.pod_changed(step, judged.uid)


def true_of_claim(step: Step, state: ClaimState) -> tuple[claims.ClaimTrouble, ...]:
    """What is true of a claim now."""
    namespace, name = state.key
    before = (member.signal for member in step.draft.members.by("uid", claim_uid(namespace, name)))
    return claims.signals(
        state,
        users(step, namespace, name),
        _events_about(step, state.claim),
        next((signal for signal in before if isinstance(signal, ClaimPending)), None),
        step.core.cluster,
        step.at,
    )


def _decided(step: Step, state: ClaimState) -> tuple[type[ClaimSignal], ...]:
    """The signals that are over when they are not found: not those that hang on pods or events never listed yet."""
    if not any(sight.was_never_listed(step, kind, state.claim.metadata.namespace) for kind in ("Pod", "Event")):
        return CLAIM_KINDS
    undecided = ClaimPending if state.claim.status.phase == "Pending" else ClaimUnmounted
    return tuple(kind for kind in CLAIM_KINDS if kind is not undecided)


def _events_about(step: Step, claim: PersistentVolumeClaim) -> list[Warned]:
    """Those about this very claim, not about an earlier one of its name."""
    meta = claim.metadata
    found = step.draft.warned.by("about", ("PersistentVolumeClaim", meta.namespace, meta.name))
    return [one for one in found if not (one.uid and meta.uid) or one.uid == meta.uid]


def _close(step: Step, uid: str, kinds: tuple[type, ...] = (object,)) -> None:
    for member in step.draft.members.by("uid", uid):
        if isinstance(member.signal, kinds):
            judging.close(step, member, EndReason.DELETED)


def _claim_gone(step: Step, namespace: str, name: str) -> None:
    step.draft.claims.drop((namespace, name))
    _close(step, claim_uid(namespace, name))
    unmet.drop(step, claim_uid(namespace, name))
    volumes.claim_gone(step, namespace, name)


def _claims_listed(step: Step, scope: ScopeState, complete: bool) -> None:
    draft = step.draft
    if not complete:
        return
    gone = {state.key for state in draft.claims.all() if _is_old(state, scope)}
    if not scope.synced:
        stored = {(m.key.subject.namespace, m.key.subject.claim) for m in draft.members.all() if m.key.subject.claim}
        namespace = scope.scope.namespace
        gone |= {key for key in stored if namespace in ("", key[0]) and draft.claims.get(key) is None}
    for key in sorted(gone):
        _claim_gone(step, *key)
    if not scope.synced:
        volumes.claims_listed(step, scope.scope.namespace)


def _is_old(state: ClaimState | NodeState | NamespaceState | Warned, scope: ScopeState) -> bool:
    """It is of this scope, and the list that has just ended did not hold it."""
    return state.scope == scope.scope and state.generation < scope.generation


# --- Nodes


def node_seen(step: Step, one: NodeSeen) -> None:
    meta = one.node.metadata
    before = step.draft.nodes.get(meta.name)
    other = before is not None and before.node.metadata.uid != meta.uid
    if one.event is EventType.DELETED:
        if before is not None and not other:
            _node_gone(step, before)
        return
    if before is not None and other:
        _close(step, node_uid(meta.name), NODE_KINDS)
    scope = step.seen_in(one)
    silent = nodes.silent_since(one.node, step.at)
    if silent is not None and before is not None and not other and not before.gone:
        silent = before.silent_since or silent
    state = NodeState(node=one.node, scope=one.scope, generation=scope.generation, silent_since=silent)
    step.draft.nodes.put(meta.name, state)
    if one.event is not EventType.LISTED:
        _judge_node(step, state, NO_BASELINE)
        if before is None or _shown(before) != _shown(state):
            sight.node_changed(step, meta.name)


def _shown(state: NodeState) -> tuple[object, ...]:
    """What the pods on it depend on."""
    return (state.silent_since, state.gone, nodes.readiness(state.node), state.node.spec.unschedulable)


def _judge_node(step: Step, state: NodeState, baseline: Baseline) -> None:
    name = state.node.metadata.name
    found = nodes.signals(state.node, step.core.cluster, step.at)
    judged = Judged(node_uid(name), Workload("", "Node", name), kinds=NODE_KINDS)
    judging.judge(step, judged, Findings(states=found), baseline)
    sight.pod_changed(step, judged.uid)


def silent_since(step: Step, name: str) -> datetime | None:
    """Since when a node is not heard of, and with it all of its pods; None while it is, or where nobody can tell."""
    state = step.draft.nodes.get(name)
    return state.silent_since if state is not None else None


def _node_gone(step: Step, state: NodeState) -> None:
    """Its own troubles are over. Pods that are left on it are told of by nobody any more, until they are deleted."""
    name = state.node.metadata.name
    if state.gone:
        return
    _close(step, node_uid(name), NODE_KINDS)
    unmet.drop(step, node_uid(name))
    since = state.silent_since or step.at
    step.draft.nodes.put(name, msgspec.structs.replace(state, gone=True, silent_since=since))
    for old in list(step.draft.nodes.all()):
        if old.gone and old.silent_since is not None and old.silent_since < step.at - REMEMBERED:
            step.draft.nodes.drop(old.node.metadata.name)
    sight.node_changed(step, name)


def _nodes_listed(step: Step, scope: ScopeState, complete: bool) -> None:
    rows = sorted(step.draft.nodes.all(), key=lambda state: state.node.metadata.name)
    for state in rows:
        if complete and _is_old(state, scope):
            _node_gone(step, state)
    if complete and not scope.synced:
        _bury_unknown(step, scope)
    for state in rows:
        if state.generation == scope.generation and not state.gone:
            _judge_node(step, state, Baseline(everything=not scope.known))
            sight.node_changed(step, state.node.metadata.name)


def _bury_unknown(step: Step, scope: ScopeState) -> None:
    """What is stored tells of nodes that the first list of this process does not hold: they are gone."""
    unknown: dict[str, datetime] = {}
    for member in sorted(step.draft.members.all(), key=lambda member: member.key):
        name = member.signal.node
        if not name or step.draft.nodes.get(name) is not None:
            continue
        if isinstance(member.signal, NodeSignal):
            judging.close(step, member, EndReason.DELETED)
        else:
            unknown[name] = min(unknown.get(name, step.at), member.unseen_since or step.at)
    for name, since in sorted(unknown.items()):
        node = Node(metadata=ObjectMeta(name=name))
        gone = NodeState(node=node, scope=scope.scope, generation=0, silent_since=since, gone=True)
        step.draft.nodes.put(name, gone)
        sight.node_changed(step, name)


# --- Namespaces


def namespace_seen(step: Step, one: NamespaceSeen) -> None:
    name = one.namespace.metadata.name
    if one.event is EventType.DELETED:
        step.draft.namespaces.drop(name)
        return
    generation = step.seen_in(one).generation
    step.draft.namespaces.put(name, NamespaceState(namespace=one.namespace, scope=one.scope, generation=generation))
    hinting.check(step, Workload(name, "", ""), one.namespace.metadata.annotations)


def _namespaces_listed(step: Step, scope: ScopeState, complete: bool) -> None:
    for state in list(step.draft.namespaces.all()):
        if complete and _is_old(state, scope):
            step.draft.namespaces.drop(state.namespace.metadata.name)


# --- Events


def event_seen(step: Step, one: EventSeen) -> None:
    """Only what says why a claim is not bound, or that a node ran out of memory, is kept."""
    event, about, draft = one.about, one.about.involved_object, step.draft
    key = (event.metadata.namespace, event.metadata.name)
    reason = event.reason or ""
    before = draft.warned.get(key)
    if one.event is EventType.DELETED:
        draft.warned.drop(key)
        if before is not None and before.kind == "PersistentVolumeClaim":
            claims_changed(step, before.namespace, (before.name,))
        return
    generation = step.seen_in(one).generation
    kept = reason in claims.CAUSES if about.kind == "PersistentVolumeClaim" else reason == SYSTEM_OOM
    if not kept or about.kind not in ("PersistentVolumeClaim", "Node"):
        return
    warned = Warned(
        key=key,
        kind=about.kind,
        namespace=about.namespace if about.kind != "Node" else "",
        name=about.name,
        uid=about.uid,
        reason=reason,
        message=told_text(event.message or ""),
        at=min(moment(event.newest) or step.at, step.at),
        scope=one.scope,
        generation=generation,
    )
    draft.warned.put(key, warned)
    if one.event is not EventType.LISTED:
        _event_tells(step, before, warned)


def _event_tells(step: Step, before: Warned | None, warned: Warned) -> None:
    if warned.kind != "Node":
        claims_changed(step, warned.namespace, (warned.name,))
    elif before is None or before.at < warned.at:
        sight.node_oom(step, warned.name)


def system_ooms(step: Step, node: str) -> list[datetime]:
    """When the kernel of a node killed for want of memory, as far as its events still tell; oldest first."""
    about = step.draft.warned.by("about", ("Node", "", node))
    return sorted(one.at for one in about if one.reason == SYSTEM_OOM)


def _events_listed(step: Step, scope: ScopeState, complete: bool) -> None:
    for row in sorted(step.draft.warned.all(), key=lambda row: row.key):
        if complete and _is_old(row, scope):
            step.draft.warned.drop(row.key)
        elif scope.known and row.kind == "Node" and row.generation == scope.generation:
            sight.node_oom(step, row.name)
