"""Volumes: what kubelets measured becomes a trend, and is judged; what is not measured any more is unseen, or idle.

A row is stored when its trend gains a bucket (once in five minutes), and with every sample only while a rule holds of
the volume or several nodes mount it: kubelets of a big cluster send thousands of readings a second, nearly all of them
of volumes that are well. Claims that are folders of their node's own disk are one volume, that disk.

A volume of which no reading comes is *unseen* (nothing ends) unless no running pod mounts it: then it is *idle*, and
closed after an hour. Its kubelet says so by listing none of its pods any more, or the pods themselves do, where they
are watched and one of them was seen to declare it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from watcher.detect.claims import storage_class
from watcher.detect.signals import Findings
from watcher.detect.volumes import (
    MOST_PODS,
    STALE_AFTER,
    Claim,
    Mount,
    Sample,
    measured,
    newest,
    on_disk,
    sample_of,
    usage,
    volume_uid,
)
from watcher.model.config import FirstStart
from watcher.model.identity import Workload
from watcher.model.observations import Scope, StatsSampled
from watcher.model.remembered import ClaimState, Reading, VolumeHistory
from watcher.model.rule import CompiledRule
from watcher.model.signals import VolumeUsage
from watcher.model.state import EndReason, Member
from watcher.pipeline import judging
from watcher.pipeline.core import Step

Key = tuple[str, str, str]

UNSEEN_AFTER = timedelta(minutes=10)
"""From the newest reading: five minutes until a reading counts no more, and time for a kubelet that was missed to be
asked again."""

IDLE_AFTER = timedelta(hours=1)
"""The next run of a CronJob often mounts the claim again within the hour."""

FORGOTTEN_AFTER = timedelta(hours=6)
"""A trend looks back so far: what was not measured for longer begins anew."""

FIRST_LOOK = timedelta(minutes=10)
"""For so long after the very first sample under a rule, what is measured for the first time belongs to the baseline:
every kubelet is asked once per interval, and once more if it did not answer."""

OVERSLEPT = timedelta(minutes=1)
"""A timer that is later was held up by a downtime or by streams that had to be listed: nobody looked meanwhile."""


class FirstLook(judging.Baseline, frozen=True, gc=False):
    """Samples have no list that would tell what was there before: see FIRST_LOOK."""

    rules: frozenset[str] = frozenset()

    def covers(self, step: Step, rule: CompiledRule) -> bool:
        return rule.id in self.rules and step.core.first_start is not FirstStart.ALERT


def sampled(step: Step, one: StatsSampled) -> None:
    """Take in what the kubelet of one node measured. Before the streams are listed nothing is judged."""
    if any(state.awaited for state in step.draft.scopes.all()):
        return
    sample = sample_of(one, step.at)
    for reason, count in sample.refused.items():
        step.draft.refused[reason] = step.draft.refused.get(reason, 0) + count
    _note_rules(step)
    shared = _shared(step, sample)
    for claim in sorted(sample.mounts):
        if claim not in shared:
            _claim(step, sample.node, claim, sample.mounts[claim])
    if shared:
        _node_disk(step, sample, shared)
    _missed(step, sample, shared)


def _note_rules(step: Step) -> None:
    rules = step.core.by_signal.get(VolumeUsage, ())
    known = step.draft.meta.sampled_rules
    if len(known) != len(rules) or any(rule.id not in known for rule in rules):
        noted = {rule.id: known.get(rule.id, step.at) for rule in rules}
        step.draft.meta = msgspec.structs.replace(step.draft.meta, sampled_rules=noted)


def _shared(step: Step, sample: Sample) -> dict[Claim, Reading]:
    """Claims that are folders of the node's own disk, with their readings."""
    if sample.disk is None:
        return {}
    row = step.draft.volumes.get(("", "", sample.node))
    known = row.claims if row is not None else ()
    return {
        claim: mount.reading
        for claim, mount in sample.mounts.items()
        if mount.reading is not None and on_disk(mount.reading, sample.disk, "/".join(claim) in known)
    }


def _claim(step: Step, node: str, claim: Claim, mount: Mount) -> None:
    namespace, name = claim
    row = step.draft.volumes.get((namespace, name, ""))
    state = step.draft.claims.get(claim)
    uid = state.claim.metadata.uid if state is not None else ""
    if row is not None and uid and row.uid and uid != row.uid:
        claim_gone(step, namespace, name)
        row = None
    if mount.reading is None:
        _mounted(step, row)
        return
    about: dict[str, Any] = {"pods": mount.pods[:MOST_PODS], **_about_claim(state)}
    begun = row or VolumeHistory(namespace=namespace, claim=name, since=step.at)
    if uid and begun.uid != uid:
        begun = msgspec.structs.replace(begun, uid=uid)
    _measured(step, row, begun, mount.reading, about)


def _node_disk(step: Step, sample: Sample, shared: Mapping[Claim, Reading]) -> None:
    """The claims of one node that share its disk are one volume."""
    row = step.draft.volumes.get(("", "", sample.node))
    claims = tuple(sorted("/".join(claim) for claim in shared))
    for namespace, name in sorted(shared):
        if step.draft.volumes.get((namespace, name, "")) is not None:
            claim_gone(step, namespace, name, EndReason.OUT_OF_SCOPE)
    about = _about_node(step, sample.node)
    begun = row or VolumeHistory(namespace="", claim="", node=sample.node, since=step.at)
    if begun.claims != claims:
        begun = msgspec.structs.replace(begun, claims=claims)
    reading = newest((*shared.values(), *([sample.disk] if sample.disk is not None else [])))
    assert reading is not None
    _measured(step, row, begun, reading, about)


def _about_claim(state: ClaimState | None) -> dict[str, Any]:
    """What a claim's object says of itself."""
    if state is None:
        return {}
    meta = state.claim.metadata
    labels, annotations = meta.labels or {}, meta.annotations or {}
    return {"storage_class": storage_class(state.claim) or "", "labels": labels, "annotations": annotations}


def _about_node(step: Step, name: str) -> dict[str, Any]:
    state = step.draft.nodes.get(name)
    meta = state.node.metadata if state is not None else None
    return {"labels": meta.labels or {}, "annotations": meta.annotations or {}} if meta is not None else {}


def true_of(step: Step, row: VolumeHistory) -> VolumeUsage | None:
    """How full a volume is by what was measured last, for those who ask; None: it is not measured any more."""
    if not row.readings or step.at - row.readings[0].at > STALE_AFTER:
        return None
    about: dict[str, Any] = {"cluster": step.core.cluster}
    if row.claim:
        pods = step.draft.pods.by("claim", (row.namespace, row.claim))
        about["pods"] = tuple(sorted(pod.name for pod in pods if not pod.finished))[:MOST_PODS]
        about |= _about_claim(step.draft.claims.get((row.namespace, row.claim)))
    else:
        about |= _about_node(step, row.node)
    return usage(row, about, step.at)


def _measured(
    step: Step, before: VolumeHistory | None, begun: VolumeHistory, reading: Reading, about: Mapping[str, Any]
) -> None:
    """Remember a reading and judge the volume. `before`: its row as stored; `begun`: what is known of it by now."""
    row = measured(begun, reading, step.at)
    declared = _declared(step, row, about.get("pods", ()))
    if row.declared != declared:
        row = msgspec.structs.replace(row, declared=declared)
    for member in _members(step, row.key):
        judging.seen(step, member)
    signal = usage(row, {"cluster": step.core.cluster, **about}, step.at)
    judged = judging.Judged(signal.uid, _workload(row))
    judging.judge(step, judged, Findings(states=(signal,)), _first_look(step, before))
    if _members(step, row.key):
        row = msgspec.structs.replace(row, due=row.readings[0].at + UNSEEN_AFTER)
    elif before is not None and not _is_news(before, row):
        return
    elif row.due is None or row.due < step.at + FORGOTTEN_AFTER:
        row = msgspec.structs.replace(row, due=step.at + 2 * FORGOTTEN_AFTER)
    step.draft.volumes.put(row.key, row)


def _is_news(before: VolumeHistory, row: VolumeHistory) -> bool:
    """Whether a row is to be stored of which no rule holds."""
    return (
        row.buckets != before.buckets
        or len(row.readings) > 1
        or [r.node for r in row.readings] != [r.node for r in before.readings]
        or (row.uid, row.claims, row.idle_since) != (before.uid, before.claims, before.idle_since)
        or (before.due is not None and before.due < before.readings[0].at + FORGOTTEN_AFTER)
    )


def _first_look(step: Step, before: VolumeHistory | None) -> FirstLook:
    """The rules that look at this volume for the first time, not long after they looked at the first of all."""
    rules = step.draft.meta.sampled_rules.items()
    recent = ((rule, since) for rule, since in rules if step.at <= since + FIRST_LOOK)
    return FirstLook(rules=frozenset(rule for rule, since in recent if before is None or _is_older(before, since)))


def _is_older(row: VolumeHistory, since: datetime) -> bool:
    return row.since < since and (not row.readings or row.readings[0].at < since)


def _workload(row: VolumeHistory) -> Workload:
    if row.claim:
        return Workload(row.namespace, "PersistentVolumeClaim", row.claim)
    return Workload("", "Node", row.node)


def _members(step: Step, key: Key) -> list[Member]:
    return step.draft.members.by("uid", volume_uid(key))


def _claims(row: VolumeHistory) -> Iterable[Claim]:
    if row.claim:
        return [(row.namespace, row.claim)]
    return [(namespace, name) for namespace, _, name in (claim.partition("/") for claim in row.claims)]


def _declared(step: Step, row: VolumeHistory, pods: Iterable[str]) -> bool:
    """A pod that runs, or is about to, declares it, or is one of those that the kubelet named."""
    known = step.draft.pods
    if any(not pod.finished for claim in _claims(row) for pod in known.by("claim", claim)):
        return True
    return any(not pod.finished for name in pods for pod in known.by("name", (row.namespace, name)))


def _named(members: Iterable[Member]) -> set[str]:
    """Pods that mounted it when it was measured last."""
    return {pod for member in members if isinstance(member.signal, VolumeUsage) for pod in member.signal.pods}


def _mounted(step: Step, row: VolumeHistory | None) -> None:
    """A pod mounts it and its numbers are not to be had: not idle, and not seen either."""
    if row is not None and row.idle_since is not None:
        step.draft.volumes.put(row.key, msgspec.structs.replace(row, idle_since=None, due=step.at + UNSEEN_AFTER))


def _missed(step: Step, sample: Sample, shared: Mapping[Claim, Reading]) -> None:
    """Volumes of this node of which a rule holds and that it did not measure: does anything mount them still?"""
    keys = {
        (m.signal.namespace, m.signal.claim, "" if m.signal.claim else m.signal.node): m.signal
        for m in step.draft.members.by("node", sample.node)
        if isinstance(m.signal, VolumeUsage)
    }
    for key, signal in sorted(keys.items(), key=lambda item: item[0]):
        row = step.draft.volumes.get(key)
        there = bool(shared) if not signal.claim else (signal.namespace, signal.claim) in sample.mounts
        if row is None or there or row.idle_since is not None:
            continue
        others = tuple(reading for reading in row.readings if reading.node != sample.node)
        if any(step.at - reading.at <= STALE_AFTER for reading in others):
            continue
        listed = any((signal.namespace, pod) in sample.pods for pod in signal.pods)
        if not listed and not _declared(step, row, signal.pods):
            step.draft.volumes.put(key, msgspec.structs.replace(row, idle_since=step.at, due=step.at + IDLE_AFTER))


def wake(step: Step, key: Key) -> None:
    """No reading came for a while, or its hour of being idle is over, or it may be forgotten."""
    row = step.draft.volumes.get(key)
    if row is None or row.due is None:
        return
    members = _members(step, key)
    declared = _declared(step, row, _named(members))
    if not members:
        _forget(step, row)
    elif step.at - row.due > OVERSLEPT:
        step.draft.volumes.put(key, msgspec.structs.replace(row, due=step.at + UNSEEN_AFTER))
    elif row.idle_since is not None and not declared:
        _wait_idle(step, row, members)
    elif row.declared and not declared and _hears_pods(step, row):
        _wait_idle(step, msgspec.structs.replace(row, idle_since=row.readings[0].at), members)
    else:
        for member in members:
            judging.unseen(step, member, row.readings[0].at)
        step.draft.volumes.put(key, msgspec.structs.replace(row, idle_since=None, due=step.at + UNSEEN_AFTER))


def _wait_idle(step: Step, row: VolumeHistory, members: Iterable[Member]) -> None:
    """Nothing mounts it: its members are closed once that has lasted."""
    assert row.idle_since is not None
    due = row.idle_since + IDLE_AFTER
    if due <= step.at:
        for member in members:
            judging.close(step, member, EndReason.IDLE)
        due = step.at + FORGOTTEN_AFTER
    step.draft.volumes.put(row.key, msgspec.structs.replace(row, due=due))


def _forget(step: Step, row: VolumeHistory) -> None:
    if not row.readings or row.readings[0].at <= step.at - FORGOTTEN_AFTER:
        step.draft.volumes.drop(row.key)
    else:
        step.draft.volumes.put(row.key, msgspec.structs.replace(row, due=step.at + 2 * FORGOTTEN_AFTER))


def _hears_pods(step: Step, row: VolumeHistory) -> bool:
    """Pods of its namespaces are watched, and heard of now."""
    scopes = [Scope(kind="Pod"), *(Scope(kind="Pod", namespace=namespace) for namespace, _ in _claims(row))]
    states = [state for scope in scopes if (state := step.draft.scopes.get(scope)) is not None]
    return bool(states) and all(s.synced and not s.forbidden and s.stale_since is None for s in states)


def claim_gone(step: Step, namespace: str, name: str, reason: EndReason = EndReason.DELETED) -> None:
    """A claim was seen gone (or is told of elsewhere): its usage with it."""
    key = (namespace, name, "")
    for member in _members(step, key):
        judging.close(step, member, reason)
    step.draft.volumes.drop(key)


def claims_listed(step: Step, namespace: str) -> None:
    """The first complete list of claims in this process (of one namespace, or of all): what it lacks is gone."""
    rows = [row for row in step.draft.volumes.all() if row.claim and row.namespace == (namespace or row.namespace)]
    for row in sorted(rows, key=lambda row: row.key):
        if step.draft.claims.get((row.namespace, row.claim)) is None:
            claim_gone(step, row.namespace, row.claim)
