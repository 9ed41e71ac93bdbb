"""Random stories of receivers that fail and of a Watcher that is killed: in the end everybody knows what is true.

A small dispatcher stands in for the real one: it respects `next_at`, `Channel.not_before` and the order of each
conversation, sends several at once, and forgets what was in flight when it is killed. What a receiver has heard is
held against what is so.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from tests.support.pods import pod, status
from tests.support.timeline import GROUP_BY, Timeline, done, time
from watcher.lib.matchers import parse_matchers
from watcher.model.config import FirstStart, Receiver, Secret, SlackConfig, StormConfig, WebhookConfig
from watcher.model.delivery import Delivered, GiveUp, Outcome, TryLater
from watcher.model.evidence import Evidence
from watcher.model.kube import Pod
from watcher.model.message import Notification, SendReason
from watcher.model.observations import DeliveryDone, EvidenceArrived, Input, SendTestAsked
from watcher.model.signals import DeliveryFailing
from watcher.model.state import OutboxRow
from watcher.routing.inhibition import InhibitRule
from watcher.routing.route import Route

Name = tuple[str, str]
HOUR = 3600.0
WORKLOADS = 9
UP, DOWN, REFUSING = "up", "down", "refusing"


class Flight(msgspec.Struct):
    row: OutboxRow
    lands: float


class Ear:
    """What one integration has heard."""

    def __init__(self, name: Name) -> None:
        self.name = name
        self.mode = UP
        self.firing: dict[str, datetime] = {}
        """Fingerprint -> since when it fires, of what it believes to fire."""
        self.ended: dict[tuple[str, datetime], datetime] = {}
        """(fingerprint, since when it fired) -> when its end was decided."""
        self.turns: dict[str, int] = {}
        self.repeats = 0
        self.wrong: list[str] = []
        self.log: list[str] = []

    def hear(self, at: float, one: Notification, turns: list[int]) -> None:
        """`turns`: how often each workload has broken or healed: what came and went in between is news too."""
        if one.reason is SendReason.TEST:
            return
        said = [(a.labels["alertname"], a.labels.get("workload"), a.status) for a in one.alerts]
        self.log.append(f"{at:.1f} {one.at} {one.reason.name} {said}")
        news = one.reason.name in ("REPEAT", "UPDATED")
        for alert in one.alerts:
            workload = alert.labels.get("workload", "")
            if workload.startswith("w"):
                news |= self.turns.get(workload) != turns[int(workload[1:])]
                self.turns[workload] = turns[int(workload[1:])]
            instance = (alert.fingerprint, alert.starts_at)
            if alert.status == "firing":
                if self.ended.get(instance, one.at) > one.at:
                    self.wrong.append(f"{at}: {alert.labels} fires after its end")
                news |= self.firing.get(alert.fingerprint) != alert.starts_at
                self.firing[alert.fingerprint] = alert.starts_at
                self.ended.pop(instance, None)
            else:
                news |= instance not in self.ended
                self.ended[instance] = one.at
                if self.firing.get(alert.fingerprint, alert.starts_at) <= alert.starts_at:
                    self.firing.pop(alert.fingerprint, None)
        self.repeats += not news


class World(Timeline):
    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.flights: dict[str, Flight] = {}
        self.kills = 0
        self.killed_in_flight = 0
        self.broken: set[int] = set()
        self.turns = [0] * WORKLOADS
        pick = self.chance.choice
        slack = SlackConfig(api_url=Secret("http://slack"), send_resolved=True)
        hook = WebhookConfig(url=Secret("http://hook"))
        receivers = (
            Receiver(name="ops", integrations=(("i0", hook), ("i1", slack))),
            Receiver(name="boss", integrations=(("i0", slack),)),
        )
        super().__init__(
            delivers=False,
            receivers=receivers,
            route=_route(pick((GROUP_BY, ("cluster", "namespace"))), pick((timedelta(minutes=7), timedelta(hours=12)))),
            storm=StormConfig(groups=pick((2, 4, 10)), within=timedelta(seconds=60)),
            inhibit_rules=_inhibitions() if self.chance.random() < 0.4 else (),
            first_start=pick((FirstStart.ALERT, FirstStart.SUMMARY)),
            without=("WorkloadDown",) if self.chance.random() < 0.5 else ("WorkloadDown", "WatcherCannotDeliver"),
        )
        names = [(one.name, name) for one in receivers for name, _ in one.integrations]
        self.ears = {name: Ear(name) for name in names}
        self.now = 0.0

    def _play(self, inputs: list[Input], now: datetime) -> None:
        """As the writer does it: what is in flight is known, the rest may be replaced."""
        self.player.view.in_flight = frozenset(self.flights)
        changes = self.player.changes(inputs, now)
        if changes.durable:
            done(self.store.commit(changes, now))

    # ---- the dispatcher ----

    def dispatch(self) -> None:
        for name in self.ears:
            channel = self.player.view.channels.rows.get(name)
            if channel is not None and channel.not_before is not None and channel.not_before > time(self.now):
                continue
            rows = [row for row in self.player.view.outbox.rows.values() if (row.receiver, row.integration) == name]
            heads: dict[str, OutboxRow] = {}
            for row in sorted(rows, key=lambda row: (row.created_at, row.id)):
                heads.setdefault(row.group, row)
            flying = sum(row.id in self.flights for row in rows)
            for row in sorted(heads.values(), key=lambda row: (row.next_at, row.id)):
                width = 1 if (channel is not None and channel.failures) or name[1] == "i1" else 4
                if row.id not in self.flights and row.next_at <= time(self.now) and flying < width:
                    flying += 1
                    self.flights[row.id] = Flight(row, self.now + self.chance.choice((0.1, 1, 15)))

    def land(self) -> None:
        for flight in [one for one in self.flights.values() if one.lands <= self.now]:
            row = flight.row
            outcome = self.answer(self.ears[(row.receiver, row.integration)], row)
            self.at(self.now).takes(DeliveryDone(at=time(self.now), message_id=row.id, outcome=outcome))
            del self.flights[row.id]

    def answer(self, ear: Ear, row: OutboxRow) -> Outcome:
        if ear.mode == UP:
            ear.hear(self.now, row.notification, self.turns)
            return Delivered()
        if ear.mode == REFUSING:
            return GiveUp(reason="401")
        return TryLater(reason="503", after=self.chance.choice((None, None, timedelta(seconds=20))))

    def kill(self) -> None:
        """Of what is in flight some has arrived, and nobody has noted it."""
        self.kills += 1
        for flight in self.flights.values():
            ear = self.ears[(flight.row.receiver, flight.row.integration)]
            if ear.mode == UP and self.chance.random() < 0.5:
                ear.hear(self.now, flight.row.notification, self.turns)
                self.killed_in_flight += 1
        self.flights.clear()
        self.at(self.now).restarts().lists(*(self.pod(n) for n in range(WORKLOADS)))

    # ---- the cluster ----

    def pod(self, n: int) -> Pod:
        owner, space = f"Deployment/w{n}", f"ns{n % 3}"
        if n in self.broken:
            failing = status(waiting="ErrImagePull", message="x:9: not found")
            return pod(f"w{n}-1", failing, owner=owner, namespace=space, phase="Pending")
        return pod(f"w{n}-1", owner=owner, namespace=space)

    def turn(self) -> None:
        n = self.chance.randrange(WORKLOADS)
        self.broken ^= {n}
        self.turns[n] += 1
        self.at(self.now).sees(self.pod(n))

    def evidence(self) -> None:
        alerts = sorted(self.player.view.alerts.rows)
        if alerts:
            found = Evidence(alert=self.chance.choice(alerts), log=("a line",))
            self.at(self.now).takes(EvidenceArrived(at=time(self.now), evidence=found))

    def passes(self, seconds: float) -> None:
        """Let time pass in the steps in which the dispatcher looks."""
        end = self.now + seconds
        while self.now < end:
            lands = [one.lands for one in self.flights.values()]
            dues = [row.next_at for row in self.player.view.outbox.rows.values() if row.id not in self.flights]
            soon = min([*lands, *((due - time(0)).total_seconds() for due in dues)], default=self.now + 10)
            self.now = min(end, max(soon, self.now + 0.5), self.now + 10)
            self.at(self.now).until(self.now)
            self.land()
            self.dispatch()

    def storm(self) -> None:
        for n in range(WORKLOADS):
            if n not in self.broken:
                self.broken.add(n)
                self.turns[n] += 1
                self.at(self.now).sees(self.pod(n))

    def live(self) -> None:
        """Two hours of trouble."""
        chance = self.chance
        self.broken = {n for n in range(WORKLOADS) if chance.random() < 0.3}
        self.at(0).lists(*(self.pod(n) for n in range(WORKLOADS)))
        for _ in range(45):
            roll = chance.random()
            if roll < 0.4:
                self.turn()
            elif roll < 0.7:
                ear = chance.choice(list(self.ears.values()))
                ear.mode = chance.choice((UP, DOWN, REFUSING))
            elif roll < 0.78:
                self.kill()
            elif roll < 0.83:
                self.storm()
            elif roll < 0.9:
                self.evidence()
            self.passes(chance.choice((0.5, 3, 11, 40, 130, 310, 700)))
        for ear in self.ears.values():
            ear.mode = UP

    def real(self, name: Name) -> dict[str, datetime]:
        """What fires, and is to be told to this integration."""
        return {
            alert.fingerprint: alert.starts_at
            for alert in self.player.view.alerts.rows.values()
            if alert.ends_at is None and alert.held_by is None
            and not (isinstance(alert.lead, DeliveryFailing) and (alert.lead.receiver, alert.lead.integration) == name)
        }  # fmt: skip


def _route(group_by: tuple[str, ...], repeat: timedelta) -> Route:
    fields: dict[str, Any] = {
        "group_by": group_by,
        "group_wait": timedelta(seconds=10),
        "group_interval": timedelta(minutes=5),
        "repeat_interval": repeat,
    }
    children = (
        Route(id="0", receiver="", matchers=parse_matchers('severity="info"'), **fields),
        Route(id="1", receiver="boss", matchers=parse_matchers('namespace="ns1"'), continue_=True, **fields),
        Route(id="2", receiver="ops", **fields),
    )
    return Route(id="", receiver="ops", routes=children, **fields)


def _inhibitions() -> tuple[InhibitRule, ...]:
    """What w0 has inhibits what its namespace has."""
    source, target = parse_matchers('workload="w0"'), parse_matchers('workload=~"w[1-9]"')
    return (InhibitRule(source=source, target=target, equal=("namespace",)),)


def receivers_hear(world: World) -> None:
    for name, ear in world.ears.items():
        named = f"{name}: {ear.log[-6:]}"
        assert ear.wrong == [], named
        real = world.real(name)
        if name[0] == "boss":
            taken = {
                a.fingerprint
                for a in world.player.view.alerts.rows.values()
                if a.labels.get("namespace") == "ns1" or isinstance(a.lead, DeliveryFailing)
            }
            real = {key: since for key, since in real.items() if key in taken}
        held = {a.fingerprint for a in world.player.view.alerts.rows.values() if a.held_by is not None}
        assert {key for key in ear.firing if key not in held} == set(real), named


@pytest.mark.parametrize("seed", [13, 21, 26, 31, 42, 46, 49, 51, 53, 57, 63])
def test_in_the_end_every_receiver_knows_what_is_true(seed: int) -> None:
    world = World(seed)
    world.live()
    world.passes(2 * HOUR)
    assert [row for row in world.player.view.outbox.rows.values() if row.created_at < time(world.now - 60)] == []
    receivers_hear(world)
    assert sum(ear.repeats for ear in world.ears.values()) <= world.killed_in_flight
    for receiver in ("ops", "boss"):
        # WatcherCannotDeliver goes on until something arrives, and perhaps nothing is left to be told.
        world.at(world.now).takes(SendTestAsked(at=time(world.now), receiver=receiver, id="after the repair"))
    world.broken.clear()
    for n in range(WORKLOADS):
        world.at(world.now).sees(world.pod(n))
    world.passes(2 * HOUR)
    receivers_hear(world)
    left = {name: list(table.rows) for name, table in world.player.view.tables() if table.rows}
    assert set(left) <= {"pods", "scopes", "channels"}, left
