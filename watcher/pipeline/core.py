"""The compiled configuration as the core uses it, and the step that every stage works in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo

import msgspec

from watcher.detect.hints import Known, known
from watcher.model.changes import Draft
from watcher.model.config import FirstStart, HintRule, LinkConfig, Receiver, StormConfig
from watcher.model.identity import AlertKey, Subject, Workload
from watcher.model.observations import EventType, Scope, Seen
from watcher.model.remembered import PodState, ScopeState
from watcher.model.rule import CompiledRule
from watcher.model.signals import Signal
from watcher.model.state import Alert, Channel, Decision, Group, Member, MemberState, Transition
from watcher.routing.inhibition import InhibitRule
from watcher.routing.intervals import Intervals
from watcher.routing.route import Route

REPLACEMENT_PATIENCE = timedelta(minutes=2)
"""How long an alert waits for a replacement of its last member's pod to fail the same way."""

MANY = 100
TOGETHER = timedelta(seconds=1)
"""An alert of a workload with so many pods is looked at once in this time: each look is at all of its members."""


class Core(msgspec.Struct, frozen=True, kw_only=True):
    """What does not change while the configuration stays the same."""

    cluster: str = ""
    rules: tuple[CompiledRule, ...]
    route: Route
    receivers: Mapping[str, Receiver]
    inhibit_rules: tuple[InhibitRule, ...] = ()
    intervals: Intervals = {}
    resolve_timeout: timedelta = timedelta(minutes=5)
    """How long a posted alert without an end is taken to last."""
    first_start: FirstStart = FirstStart.SUMMARY
    external_url: str = ""
    storm: StormConfig = StormConfig()
    links: tuple[LinkConfig, ...] = ()
    zone: tzinfo = UTC
    """In which people read the times of messages."""
    known_hints: Known = Known()
    evidence: bool = True
    """Whether somebody fetches what alerts ask for. A replay of what people have cannot: its messages say nothing
    of log lines."""
    delivered_at_once: bool = False
    """Whether each message counts as delivered when it is decided: in a replay that holds no outcomes of its own."""
    by_signal: Mapping[type[Signal], tuple[CompiledRule, ...]] = {}
    by_rule: Mapping[str, CompiledRule] = {}
    alertnames: frozenset[str] = frozenset()
    """What the rules raise."""
    routes: Mapping[str, Route] = {}

    @classmethod
    def build(
        cls,
        *,
        rules: tuple[CompiledRule, ...],
        route: Route,
        receivers: tuple[Receiver, ...],
        hints: tuple[HintRule, ...] = (),
        **rest: object,
    ) -> Core:
        """A core with its look-ups made."""
        by_signal: dict[type[Signal], tuple[CompiledRule, ...]] = {}
        for rule in rules:
            by_signal[rule.signal] = (*by_signal.get(rule.signal, ()), rule)
        return cls(
            rules=rules,
            route=route,
            known_hints=known(hints, rules, (receiver.name for receiver in receivers)),
            receivers={receiver.name: receiver for receiver in receivers},
            by_signal=by_signal,
            by_rule={rule.id: rule for rule in rules},
            alertnames=frozenset(rule.alert for rule in rules),
            routes={node.id: node for node in route.walk()},
            **rest,  # type: ignore[arg-type]
        )


def subjects(members: Iterable[Member]) -> dict[Subject, Member]:
    """One member per subject (rules that share a name may both have one), in the given order."""
    found: dict[Subject, Member] = {}
    for member in members:
        found.setdefault(member.key.subject, member)
    return found


def begun(state: ScopeState) -> ScopeState:
    """A list of the scope has begun: what is of an older generation at its end is gone."""
    return msgspec.structs.replace(state, listing=True, forbidden=False, generation=state.generation + 1)


class Tally(msgspec.Struct):
    """What a workload has now."""

    pods: int = 0
    """Neither finished nor being deleted."""
    ready: int = 0

    def add(self, pod: PodState, by: int) -> None:
        self.pods += by * pod.counts
        self.ready += by * pod.ready


class Step(msgspec.Struct):
    """One moment of the fold: the draft it writes to, and what time it is."""

    core: Core
    draft: Draft
    at: datetime
    _tallies: dict[Workload, Tally] = {}

    def transition(self, alert: AlertKey, subject: str, before: str, after: str, why: str) -> None:
        self.draft.transitions.append(
            Transition(at=self.at, alert=alert, subject=subject, before=before, after=after, why=why)
        )

    def decided(self, decision: Decision) -> None:
        self.draft.decisions.append(decision)

    def touch(self, alert: Alert) -> None:
        """Have routing look at the alert once this instant is over; at one of many pods not at each change of each."""
        many = not alert.news and max(alert.peak, self.tally(alert.workload).pods) >= MANY
        at = self.at + TOGETHER if many else self.at
        if alert.settle_at is None or alert.settle_at > at:
            alert = msgspec.structs.replace(alert, settle_at=at)
        self.draft.alerts.put(alert.key, alert)

    def scope(self, scope: Scope) -> ScopeState:
        return self.draft.scopes.get(scope) or ScopeState(scope=scope)

    def seen_in(self, one: Seen) -> ScopeState:
        """The scope of an object that was seen; a list begins with its first object where nothing else says so."""
        state = self.scope(one.scope)
        if one.event is EventType.LISTED and not state.listing:
            state = begun(state)
            self.draft.scopes.put(one.scope, state)
        return state

    def is_first_sight(self, scope: ScopeState, namespace: str) -> bool:
        """Whether a list of the scope, as it was before it, is the first that tells of a namespace."""
        return not scope.known or namespace in self.draft.meta.admitted

    def channel(self, key: tuple[str, str]) -> Channel:
        return self.draft.channels.get(key) or Channel(receiver=key[0], integration=key[1])

    def siblings(self, workload: Workload) -> list[PodState]:
        return self.draft.pods.by("workload", workload)

    def keep(self, pod: PodState) -> None:
        """Put a pod; what its workload has is counted with it."""
        self._count(self.draft.pods.get(pod.uid), -1)
        self._count(pod, 1)
        self.draft.pods.put(pod.uid, pod)

    def lose(self, uid: str) -> None:
        self._count(self.draft.pods.get(uid), -1)
        self.draft.pods.drop(uid)

    def _count(self, pod: PodState | None, by: int) -> None:
        tally = self._tallies.get(pod.workload) if pod is not None else None
        if tally is not None and pod is not None:
            tally.add(pod, by)

    def tally(self, workload: Workload) -> Tally:
        """Counted once in a batch, and kept up from then on: a workload may have hundreds of pods that all change."""
        tally = self._tallies.get(workload)
        if tally is None:
            tally = self._tallies[workload] = Tally()
            for pod in self.siblings(workload):
                tally.add(pod, 1)
        return tally

    def size(self, alert: AlertKey) -> int:
        """How many subjects make the alert fire: those that nothing explains, or all if everything is explained."""
        members = self.members(alert)
        return len(subjects([m for m in members if m.explained_by is None] or members))

    def has_members(self, alert: AlertKey) -> bool:
        """Whether a member makes the alert fire."""
        members = (self.draft.members.get(key) for key in self.draft.members.keys("alert", alert))
        return any(m is not None and m.state is not MemberState.PENDING for m in members)

    def route_of(self, group: Group) -> Route:
        return self.core.routes.get(group.route) or self.core.route

    def members(self, alert: AlertKey) -> list[Member]:
        """The members that make the alert fire, longest active first. One that others posted has none."""
        if alert.posted:
            return []
        active = [m for m in self.draft.members.by("alert", alert) if m.state is not MemberState.PENDING]
        return sorted(active, key=lambda m: (m.since, m.key))
