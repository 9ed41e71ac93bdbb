"""One alert as a message sees it: what is asked of its facts again and again, and the words a signal must supply.

`Words` are what differs from signal to signal; each has a module of its own (`render_container`, `render_image`, …)
and `render_signals` is the table. A signal that is not in the table is told with the words given here.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

import msgspec

from watcher.lib.durations import in_words
from watcher.model.config import LinkConfig
from watcher.model.message import Mark, Text
from watcher.model.signals import Signal
from watcher.model.state import Alert, EndReason, Member
from watcher.notify.facts import AlertFacts
from watcher.notify.render_text import Part, clock, many, name

S = TypeVar("S", bound=Signal)

_MARKS: Final = {"critical": Mark.CRITICAL, "warning": Mark.WARNING, "info": Mark.INFO, "none": Mark.INFO}
_NOTHING: Final = timedelta()
_SECOND: Final = timedelta(seconds=1)


class Case(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An alert at the time of its message, in the zone of its readers. `grouped`: others stand in the same message."""

    facts: AlertFacts
    at: datetime
    grouped: bool = False
    log_lines: int = 12
    links: tuple[LinkConfig, ...] = ()
    external_url: str = ""
    """Where people reach Watcher; empty: there are no links to it."""

    @property
    def alert(self) -> Alert:
        return self.facts.alert

    @property
    def firing(self) -> bool:
        return self.alert.ends_at is None

    @property
    def members(self) -> tuple[Member, ...]:
        return self.facts.members

    @property
    def name(self) -> str:
        """What broke, as people call it."""
        key = self.alert.key
        return name(key.claim or key.node or key.pod or key.workload or key.alertname)

    @property
    def kind(self) -> str:
        """Kubernetes' word for what broke; empty where the alert is about none of its objects."""
        key = self.alert.key
        if key.claim:
            return "PersistentVolumeClaim"
        if key.node:
            return "Node"
        return "Pod" if key.pod else name(key.workload_kind)

    @property
    def mark(self) -> Mark:
        if self.alert.end_reason is EndReason.RECOVERED:
            return Mark.RECOVERED
        if not self.firing:
            return Mark.CLOSED
        # A severity of the user's own invention (page, high) is shown as a warning rather than hidden as information.
        return _MARKS.get(self.alert.labels.get("severity", ""), Mark.WARNING)

    @property
    def pods(self) -> list[str]:
        """The pods of its members, worst first, each once."""
        return list(dict.fromkeys(member.signal.pod for member in self.members if member.signal.pod))

    @property
    def worst(self) -> Signal:
        """Of the member shown first; of the last one where none is left."""
        return self.members[0].signal if self.members else self.alert.lead

    @property
    def last(self) -> datetime:
        """Of occurrences: when the newest happened."""
        return max([self.alert.lead.since, *(member.signal.since for member in self.members)])

    @property
    def lasted(self) -> timedelta:
        """From its beginning to its end, or to now."""
        return max((self.alert.ends_at or self.at) - self.alert.since, _NOTHING)

    @property
    def between(self) -> timedelta:
        """Of occurrences: from the first to the newest."""
        return max(self.last - self.alert.since, _NOTHING)

    @property
    def grew(self) -> bool:
        """More pods than were told; what has no pods (streams of Watcher) lists its members anyway."""
        told = self.facts.told_members
        return self.firing and told is not None and len(self.members) > told and bool(self.pods)


class Words(Generic[S]):
    """How one kind of signal is told. `kind` is what a list counts, `effect` and `over` continue a name."""

    kind = "other trouble"
    effect = "is in trouble"
    over = "is no longer in trouble"
    counted = False
    """Members have a number of deaths or occurrences that is worth telling."""

    speaks_for_pods = False
    """Its effects are counted instead of told one by one: a node takes many with it."""
    first = "it began"
    """What a rollout shortly before it is held against."""

    def called(self, case: Case, signal: S) -> str:
        """What is in trouble, where no line beside it says what kind of thing it is."""
        return case.name

    def what(self, case: Case, signal: S) -> list[str]:
        """What it is, at the head of the line that says where: `Deployment api`."""
        node = f"node {name(case.worst.node)}" if case.kind == "Pod" and case.worst.node else ""
        return [f"{case.kind} {case.name}" if case.kind else "", node]

    def title(self, case: Case, signal: S) -> str:
        return f"{case.name}: {name(case.alert.key.alertname)}"

    def sentence(self, case: Case, signal: S) -> list[Part]:
        """What happened and how often, with its full stop; the pods follow."""
        return []

    def pods(self, case: Case) -> str:
        """How many of the workload's pods; empty where that says nothing."""
        return pods_of(case)

    def evidence(self, case: Case, signal: S) -> list[Text]:
        return []

    def named(self, case: Case, signal: S) -> str:
        """What else is concerned, by name, in the place of its members."""
        return ""

    def next_step(self, case: Case, signal: S) -> list[Part]:
        return []

    def was(self, case: Case, signal: S) -> str:
        """After the end, what it had been: a sentence without its full stop."""
        return ""


def pods_of(case: Case) -> str:
    """`3 of 12 pods`, `2 of 2 pods, none is ready`, `its only pod`; the title has the number where it grew."""
    count, total = len(case.pods), case.facts.pods_total
    if not count or case.kind == "Pod":
        return ""
    if total < count:
        return many(count, "pod")
    if total == 1:
        return "its only pod"
    none = f"none of the {total:,} is ready" if total > count else "none is ready"
    none = none if case.facts.pods_ready == 0 else ""
    if case.grew:
        return none
    return f"{count:,} of {total:,} pods" + (f", {none}" if none else "")


def pods_and_ready(case: Case) -> str:
    """`2 of 6 pods; 4 are ready`: the pods that still run say how bad it is."""
    words, ready = pods_of(case), case.facts.pods_ready
    if not words or not ready:
        return words
    return f"{words}; {ready:,} {'is' if ready == 1 else 'are'} ready"


def tried_for(case: Case) -> str:
    """`; tried for 6 min`; empty below a second."""
    return f"; tried for {in_words(case.lasted)}" if case.lasted >= _SECOND else ""


def lasting(case: Case) -> str:
    """` since 13:50 (12 min)`; empty below a second."""
    if case.lasted < _SECOND:
        return ""
    return f" since {clock(case.alert.since, case.at)} ({in_words(case.lasted)})"


def within(span: timedelta) -> str:
    """`in 20 min`; `at once` where no whole second lies between."""
    return f"in {in_words(span)}" if span >= _SECOND else "at once"
