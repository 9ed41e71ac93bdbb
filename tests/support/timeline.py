"""A time line: what is seen when, and who hears what, through the whole pipeline with the shipped rules.

`at(30).sees(pod)` adds an observation at second 30; `hears()` plays everything and gives what was sent.
"""

from __future__ import annotations

from collections.abc import Collection, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from watcher.lib.matchers import parse_matchers
from watcher.lib.yamlpos import load
from watcher.model.config import FirstStart, Receiver, Secret, WebhookConfig
from watcher.model.hints import Mistake
from watcher.model.kube import KubeObject
from watcher.model.kubelet import Summary
from watcher.model.message import AlertView, Notification
from watcher.model.observations import (
    ConfigLoaded,
    Ended,
    EventType,
    Input,
    Listing,
    Scope,
    Started,
    StatsSampled,
    Synced,
    seen_as,
)
from watcher.model.silence import Answer
from watcher.pipeline import Core
from watcher.replay.player import Player
from watcher.routing.route import Route
from watcher.rules.compile import compile_rules
from watcher.settings.shippedroutes import shipped_inhibitions
from watcher.store.memory import MemoryStore

T = TypeVar("T")

START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
PODS = Scope(kind="Pod")
RULES = Path(__file__).parents[2] / "rules"


def shipped_rules() -> tuple[Any, ...]:
    documents = [load(path.read_text(), path.name) for path in sorted(RULES.glob("*.yaml"))]
    rules, problems = compile_rules(documents)
    assert not problems, problems
    return rules


_RULES: list[Any] = []
GROUP_BY = ("cluster", "namespace", "workload_kind", "workload")


def core(*, without: Collection[str] = ("WorkloadDown", "WatcherCannotDeliver"), **changes: Any) -> Core:
    """`without`: alerts whose rules are left out. The stories are about one pod, whose workload is down with it, so
    WorkloadDown is left out unless a story is about it (tests/acceptance/test_workloads.py); so is
    WatcherCannotDeliver (test_channels.py)."""
    if not _RULES:
        _RULES.append(shipped_rules())
    ops = Receiver(name="ops", integrations=(("webhook_configs[0]", WebhookConfig(url=Secret("http://x"))),))
    route = Route(
        id="",
        receiver="ops",
        group_by=GROUP_BY,
        group_wait=timedelta(seconds=10),
        group_interval=timedelta(minutes=5),
        repeat_interval=timedelta(hours=12),
        routes=(Route(id="0", receiver="", matchers=parse_matchers('severity="info"')),),
    )
    fields: dict[str, Any] = {
        "cluster": "prod-eu",
        "rules": tuple(rule for rule in _RULES[0] if rule.alert not in without),
        "inhibit_rules": shipped_inhibitions(),
        "route": route,
        "receivers": (ops,),
        "first_start": FirstStart.ALERT,
        **changes,
    }
    return Core.build(**fields)


def time(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


Heard = tuple[float, str, str]
"""(second, reason, alerts: `Name` firing, `-Name:reason` ended)"""


class Timeline:
    """Observations at seconds, played as they are added; `heard` grows by what is sent to `ops`."""

    def __init__(self, *, delivers: bool = True, **fields: Any) -> None:
        """`delivers`: each message arrives at once; otherwise the story tells the outcomes (DeliveryDone)."""
        self.delivers = delivers
        self.core = core(delivered_at_once=delivers, **fields)
        self.store = MemoryStore(owner="test", lease_for=timedelta(seconds=60))
        self.player = Player(self.core)
        self.sent: list[Notification] = []
        self.mistakes: set[Mistake] = set()
        self.answers: dict[str, Answer] = {}
        self.inputs: list[Input] = []
        self._at = 0.0
        self._known: set[str] = set()

    def at(self, seconds: float) -> Timeline:
        self._at = seconds
        return self

    def lists(self, *objects: KubeObject, complete: bool = True, namespace: str = "", kind: str = "Pod") -> Timeline:
        """A complete list of the cluster, or of one namespace. `kind`: of a list without objects."""
        scope = Scope(kind=type(objects[0]).__name__ if objects else kind, namespace=namespace)
        seen: list[Input] = [Listing(at=time(self._at), scope=scope)]
        seen += [self._seen(EventType.LISTED, one, scope) for one in objects]
        return self.takes(*seen, Synced(at=time(self._at), scope=scope, complete=complete))

    def sees(self, *objects: KubeObject, namespace: str = "") -> Timeline:
        for one in objects:
            event = EventType.MODIFIED if one.metadata.uid in self._known else EventType.ADDED
            self.takes(self._seen(event, one, Scope(kind=type(one).__name__, namespace=namespace)))
        return self

    def deletes(self, *objects: KubeObject) -> Timeline:
        return self.takes(*(self._seen(EventType.DELETED, one, Scope(kind=type(one).__name__)) for one in objects))

    def sample(self, node: str, summary: Summary) -> Timeline:
        """What the kubelet of a node has measured."""
        return self.takes(StatsSampled(at=time(self._at), node=node, summary=summary))

    def takes(self, *inputs: Input) -> Timeline:
        self.inputs.extend(inputs)
        self._play(list(inputs), inputs[-1].at)
        return self

    def restarts(self, *scopes: Scope, known: bool = True, excluded: Sequence[str] = ()) -> Timeline:
        """Watcher is killed and begins again now, with what it had stored."""
        view, since = done(self.store.load())
        self.player = Player(msgspec.structs.replace(self.core, delivered_at_once=self.delivers))
        self.player.view = view
        return self.takes(
            Started(
                at=time(self._at), since=since if known else None, scopes=scopes or (PODS,), excluded=tuple(excluded)
            )
        )

    def reloads(
        self,
        *,
        scopes: Sequence[Scope] = (PODS,),
        excluded: Sequence[str] = (),
        again: Sequence[Scope] = (),
        **fields: Any,
    ) -> Timeline:
        """The configuration is another one from now on; what was due before runs by the old one."""
        self._play([], time(self._at))
        self.core = self.player.core = core(delivered_at_once=self.delivers, **fields)
        loaded = ConfigLoaded(at=time(self._at), scopes=tuple(scopes), excluded=tuple(excluded), again=tuple(again))
        return self.takes(loaded)

    def until(self, seconds: float) -> list[Heard]:
        """Let time pass, and give all that was heard so far."""
        self._at = seconds
        self._play([Ended(at=time(seconds))], time(seconds))
        return self.heard

    @property
    def heard(self) -> list[Heard]:
        return [
            ((n.at - START).total_seconds(), n.reason.name, ", ".join(_said(alert) for alert in n.alerts))
            for n in self.sent
        ]

    def firing(self) -> list[str]:
        """Alerts that fire and that nothing else explains."""
        alerts = self.player.view.alerts.rows.values()
        return sorted(a.key.alertname for a in alerts if a.ends_at is None and a.explained_by is None)

    def held(self, alertname: str) -> list[str]:
        """Why nothing was said of an alert."""
        return [
            decision.reason
            for decision, _ in done(self.store.decisions(1000))
            if decision.alert is not None and decision.alert.alertname == alertname and decision.verdict == "hold"
        ]

    def _seen(self, event: EventType, one: KubeObject, scope: Scope) -> Input:
        self._known.add(one.metadata.uid)
        return seen_as(time(self._at), event, scope, one)

    def _play(self, inputs: list[Input], now: datetime) -> None:
        queued = self.player.view.outbox.rows
        known = set(queued)
        # What was not answered yet is still on its way.
        self.player.view.in_flight = frozenset(row.id for row in queued.values() if not row.attempts)
        changes = self.player.changes(inputs, now)
        if changes.durable:
            done(self.store.commit(changes, now))
        self.mistakes.update(changes.mistakes)
        self.answers.update(changes.answers)
        rows = [row for row in changes.outbox.values() if row is not None] + changes.finished
        new = [row.notification for row in rows if row.id not in known]
        self.sent.extend(sorted(new, key=lambda n: (n.at, n.id)))


def _said(alert: AlertView) -> str:
    name = alert.labels["alertname"]
    return name if alert.end_reason is None else f"-{name}:{alert.end_reason}"


def done(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits (the store in memory)."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise AssertionError("it waited")
