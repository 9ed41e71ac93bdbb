"""What is true now, and what each rule says of it: for those who ask. Nothing is judged, and nothing changes.

Problem: the view keeps what rules hold of (members); why a rule does *not* hold is asked of everything else too.
Choice: the detectors look anew at what the view keeps of each object, as the core itself does at each change. Of a
healthy pod nothing is kept, and nothing is true of it. What happened (an OOM kill) is known as long as a rule holds
it; a state of an object that is not heard of is what it was when it was seen last.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import msgspec

from watcher.detect import nodes
from watcher.model.changes import Draft, View
from watcher.model.identity import AlertKey, MemberKey, Subject
from watcher.model.rule import CompiledRule
from watcher.model.signals import AnySignal, Signal
from watcher.model.state import Member, MemberState
from watcher.pipeline import objects, pods, volumes
from watcher.pipeline.core import Core, Step
from watcher.rules.judge import judge, why_not


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Whose signals are wanted; empty: all."""

    namespace: str = ""
    workload: str = ""
    """Its name."""
    name: str = ""
    """Of a pod, a claim or a workload."""
    node: str = ""
    """Of a node itself, not of what runs there."""
    signal: str = ""

    def holds(self, signal: Signal) -> bool:
        own = (signal.pod, signal.workload, getattr(signal, "claim", ""))
        return (
            self.namespace in ("", signal.namespace)
            and self.workload in ("", signal.workload)
            and (not self.name or self.name in own)
            and (not self.node or signal.subject.node == self.node)
            and self.signal in ("", type(signal).__name__)
        )

    def may_hold(self, namespace: str, *names: str) -> bool:
        """Whether an object is worth a look."""
        return not self.node and self.namespace in ("", namespace) and (not self.name or self.name in names)


class RuleVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule says of one signal, and what came of it."""

    rule: CompiledRule
    where: bool | None
    until: bool | None
    why_not: str
    """In words; empty where it holds."""
    member: Member | None


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A signal that is true."""

    signal: AnySignal
    verdicts: tuple[RuleVerdict, ...]
    unseen_since: datetime | None = None


def signals(core: Core, view: View, at: datetime, place: Place = Place()) -> Iterator[AnySignal | None]:  # noqa: B008
    """Those that are true now, in no order; None now and then, so that others get their turn.

    The view may change between two of them: each object is looked at as it is then.
    """
    step = Step(core, Draft(view), at)
    known: set[tuple[str, Subject]] = set()
    for found in (_of_pods(step, view, place), _of_objects(step, view, place), _of_members(view, place, known)):
        for signal in found:
            if signal is not None and place.holds(signal):
                known.add((type(signal).__name__, signal.subject))
                yield signal
            else:
                yield None


def seen(core: Core, view: View, signal: AnySignal) -> Seen:
    """A signal with what each rule says of it."""
    verdicts = []
    for rule in core.by_signal.get(type(signal), ()):
        verdict = judge(rule, signal)
        member = view.members.rows.get(MemberKey(rule=rule.id, subject=signal.subject))
        verdicts.append(
            RuleVerdict(
                rule=rule,
                where=verdict.where,
                until=verdict.until,
                why_not="" if verdict.where else why_not(rule, signal),
                member=member,
            )
        )
    members = [each.member for each in verdicts if each.member is not None]
    unseen = next((member.unseen_since for member in members if member.unseen_since is not None), None)
    return Seen(signal=signal, verdicts=tuple(verdicts), unseen_since=unseen)


def members_of(view: View, key: AlertKey) -> list[Member]:
    """Those behind an alert, also the pending ones; longest active first."""
    found = (view.members.rows[one] for one in view.members.keys_by("alert", key))
    return sorted(found, key=lambda member: (member.state is MemberState.PENDING, member.since, member.key))


def _of_pods(step: Step, view: View, place: Place) -> Iterator[AnySignal | None]:
    for state in list(view.pods.rows.values()):
        if state.pod is None or not place.may_hold(state.namespace, state.name, state.workload.name):
            yield None
        elif place.workload in ("", state.workload.name):
            yield from pods.true_of(step, state)


def _of_objects(step: Step, view: View, place: Place) -> Iterator[AnySignal | None]:
    for claim in list(view.claims.rows.values()):
        if place.may_hold(claim.key[0], claim.key[1]):
            yield from objects.true_of_claim(step, claim)
    for volume in list(view.volumes.rows.values()):
        own = bool(place.node) and place.node == volume.node
        if (own or place.may_hold(volume.namespace, volume.claim)) and place.signal in ("", "VolumeUsage"):
            yield volumes.true_of(step, volume)
        else:
            yield None
    for node in list(view.nodes.rows.values()):
        if not node.gone and not place.namespace and place.node in ("", node.node.metadata.name):
            yield from nodes.signals(node.node, step.core.cluster, step.at)


def _of_members(view: View, place: Place, known: set[tuple[str, Subject]]) -> Iterator[AnySignal | None]:
    """What the core alone derives (a workload is down), what happened, and what is not heard of any more."""
    for member in sorted(view.members.rows.values(), key=lambda member: member.key):
        is_known = (type(member.signal).__name__, member.signal.subject) in known
        yield None if is_known or (member.absent and member.unseen_since is None) else member.signal
