"""Random configurations, one after another, while alerts begin and end, deliveries fail and Watcher is killed.

The world is that of test_delivery_model.py with its dispatcher; what a receiver has heard is held against what is so.
Somebody whose integration was away for a moment, or did not want to hear of ends, has been promised no end.
"""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.acceptance.test_delivery_model import DOWN, HOUR, REFUSING, UP, Ear, Name, World
from tests.support.pods import pod, status
from tests.support.timeline import GROUP_BY, PODS, Timeline, core, time
from watcher.lib.matchers import parse_matchers
from watcher.model.config import FirstStart, Receiver, Secret, SlackConfig, StormConfig, WebhookConfig
from watcher.model.delivery import GiveUp
from watcher.model.kube import Pod
from watcher.model.message import Notification
from watcher.model.observations import (
    ConfigLoaded,
    DeliveryDone,
    Input,
    SendTestAsked,
    SilenceAsked,
    SilenceExpireAsked,
)
from watcher.model.signals import DeliveryFailing
from watcher.model.silence import Silence, SilenceMatcher
from watcher.model.state import Alert, OutboxRow
from watcher.pipeline import Core
from watcher.pipeline.handle import next_wake
from watcher.pipeline.settling import targets
from watcher.routing.inhibition import InhibitRule
from watcher.routing.route import Route

WORKLOADS = 6
RECEIVERS = ("ops", "boss")
HOOK, SLACK = WebhookConfig(url=Secret("http://hook")), SlackConfig(api_url=Secret("http://slack"), send_resolved=True)
QUIET = msgspec.structs.replace(HOOK, send_resolved=False)
INTEGRATIONS: dict[str, tuple[tuple[str, Any], ...]] = {
    "hook": (("i0", HOOK),),
    "hook, slack": (("i0", HOOK), ("i1", SLACK)),
    "no ends": (("i0", QUIET), ("i1", SLACK)),
    "slack": (("i1", SLACK),),
}
TREES: dict[str, tuple[tuple[str, str, bool], ...]] = {
    "root": (),
    "ns1 boss": (('namespace="ns1"', "boss", False),),
    "ns1 ops": (('namespace="ns1"', "ops", False),),
    "both": (('namespace=~"ns[01]"', "boss", True), ('namespace=~".*"', "ops", False)),
    "ns0 nobody": (('namespace="ns0"', "", False), ('namespace="ns1"', "ops", False)),
}
GROUPINGS = (GROUP_BY, ("cluster", "namespace"), ("alertname",))


class Config(msgspec.Struct, frozen=True):
    """A configuration, short enough to be read in a failure."""

    tree: str = "root"
    root: str = "ops"
    ops: str = "hook"
    boss: str = "hook"
    grouping: int = 0
    interval: int = 5
    repeat: int = 720
    storm: int = 10
    without: tuple[str, ...] = ("WatcherCannotDeliver",)
    excluded: tuple[str, ...] = ()
    inhibits: bool = False
    spare: bool = True
    """Receivers to which no route leads are there still."""

    def receivers(self) -> tuple[Receiver, ...]:
        used = {self.root, *(name for _, name, _ in TREES[self.tree])}
        names = [name for name in RECEIVERS if self.spare or name in used]
        return tuple(Receiver(name=name, integrations=INTEGRATIONS[getattr(self, name)]) for name in names)

    def route(self) -> Route:
        fields: dict[str, Any] = {
            "group_by": GROUPINGS[self.grouping],
            "group_wait": timedelta(seconds=10),
            "group_interval": timedelta(minutes=self.interval),
            "repeat_interval": timedelta(minutes=self.repeat),
        }
        nodes = tuple(
            Route(id=str(number), receiver=name, matchers=parse_matchers(text), continue_=more, **fields)
            for number, (text, name, more) in enumerate(TREES[self.tree])
        )
        return Route(id="", receiver=self.root, routes=nodes, **fields)

    def core(self, first_start: FirstStart) -> Core:
        source, target = parse_matchers('workload="w0"'), parse_matchers('workload=~"w[1-9]"')
        return core(
            receivers=self.receivers(),
            route=self.route(),
            storm=StormConfig(groups=self.storm, within=timedelta(seconds=60)),
            without=("WorkloadDown", *self.without),
            inhibit_rules=(InhibitRule(source=source, target=target, equal=("cluster",)),) if self.inhibits else (),
            first_start=first_start,
        )

    def wants_ends(self) -> dict[Name, bool]:
        return {(one.name, name): config.send_resolved for one in self.receivers() for name, config in one.integrations}


class Listener(Ear):
    """What one integration has heard, and of what it was promised an end."""

    def __init__(self, name: Name) -> None:
        super().__init__(name)
        self.excused: set[str] = set()
        self.there = True
        self.stale: set[str] = set()
        """Messages that were made before it was away some time."""
        self.wants_ends = True
        self.doubtful = 0
        """Messages that were heard though nobody has noted it."""
        self.unsure: set[str] = set()
        """What only such a message has told: it may be refused the second time, and then counts as not told."""

    def hear(self, at: float, one: Notification, turns: list[int]) -> None:
        if not self.there or one.id in self.stale:
            return
        repeats = self.repeats
        ended_unheard = any(alert.fingerprint in self.excused for alert in one.alerts)
        for alert in one.alerts:
            instance = (alert.fingerprint, alert.starts_at)
            if alert.status == "firing":
                self.excused.discard(alert.fingerprint)
                self.unsure.discard(alert.fingerprint)
                if not self.wants_ends:
                    self.excused.add(alert.fingerprint)
            elif instance in self.ended and self.firing.get(alert.fingerprint) != alert.starts_at and not self.doubtful:
                self.wrong.append(f"{at}: {alert.labels} ends twice")
        super().hear(at, one, turns)
        if ended_unheard:
            self.repeats = repeats

    def doubt(self, one: Notification) -> None:
        """It was heard, and nobody has noted it."""
        self.doubtful += 1
        self.unsure |= {alert.fingerprint for alert in one.alerts if alert.status == "firing"}

    def configured(self, wants: bool | None, queued: set[str]) -> None:
        """`wants`: ends; None: it is not there any more."""
        if not self.there:
            self.stale |= queued
        self.there, self.wants_ends = wants is not None, bool(wants)
        if not self.there:
            self.firing.clear()
            self.turns.clear()
            self.ended.clear()
        elif not wants:
            self.excused.update(self.firing)


class Reloaded(World):
    def __init__(self, seed: int, config: Config, first_start: FirstStart) -> None:
        self.chance = random.Random(seed)
        self.config = config
        self.first_start = first_start
        self.flights = {}
        self.kills = self.killed_in_flight = self.silences = 0
        self.broken = set()
        self.turns = [0] * WORKLOADS
        self.ears = {(receiver, name): Listener((receiver, name)) for receiver in RECEIVERS for name in ("i0", "i1")}
        self.now = 0.0
        self.ever_told: set[tuple[str, Any]] = set()
        Timeline.__init__(self, delivers=False)
        self.core = self.player.core = config.core(first_start)
        self._listen()

    # ---- what must hold at any time ----

    def _play(self, inputs: list[Input], now: Any) -> None:
        known = set(self.player.view.outbox.rows)
        super()._play(inputs, now)
        for row in self.player.view.outbox.rows.values():
            if row.id not in known:
                self._decided(row)
        self._agree()

    def _decided(self, row: OutboxRow) -> None:
        assert (row.receiver, row.integration) in self.config.wants_ends(), f"to one that is gone: {row.notification}"
        by_print = {alert.fingerprint: alert for alert in self.player.view.alerts.rows.values()}
        for one in row.notification.alerts:
            if one.status == "firing":
                self.ever_told.add((one.fingerprint, one.starts_at))
            alert = by_print.get(one.fingerprint)
            if one.end_reason == "moved" and alert is not None and alert.ends_at is None:
                meant = alert.starts_at == one.starts_at and row.receiver in self.meant(alert)
                assert not meant, f"{one.labels} has not moved from {row.receiver}"

    def meant(self, alert: Alert) -> set[str]:
        return {receiver for _, receiver in targets(self.core, alert)}

    def _agree(self) -> None:
        view = self.player.view
        for group in view.groups.rows.values():
            assert group.receiver in self.core.receivers, f"nobody hears {group}"
            for key in group.alerts:
                alert = view.alerts.rows.get(key)
                assert alert is not None, f"{key} is gone, and in {group.id}"
                assert group.id in alert.groups, f"{key} is not in {group.id}"
        for alert in view.alerts.rows.values():
            for name in alert.groups:
                found = view.groups.rows.get(name)
                assert found is not None, f"{name} is gone, and has {alert.key}"
                assert alert.key in found.alerts, f"{name} has not {alert.key}: {found}"
        for told in view.told.rows.values():
            assert told.key.alert in view.alerts.rows, f"of nothing: {told}"
            assert (told.key.receiver, told.key.integration) in self.config.wants_ends(), f"to nobody: {told}"

    # ---- what happens ----

    def reload(self, config: Config) -> None:
        moved = config.excluded != self.config.excluded
        self._play([], time(self.now))
        self._adopt(config)
        again = (PODS,) if moved else ()
        self.at(self.now).takes(
            ConfigLoaded(at=time(self.now), scopes=(PODS,), excluded=tuple(config.excluded), again=again)
        )
        self._orphans()
        if moved:
            self.at(self.now).lists(*self.pods())

    def _adopt(self, config: Config) -> None:
        if (config.excluded, config.without) != (self.config.excluded, self.config.without):
            # Alerts begin or end by it.
            self.turns = [one + 1 for one in self.turns]
        self.config = config
        self.core = self.player.core = config.core(self.first_start)
        self._listen()

    def _listen(self) -> None:
        wanted = self.config.wants_ends()
        for name, ear in self.ears.items():
            assert isinstance(ear, Listener)
            ear.configured(wanted.get(name), set(self.player.view.outbox.rows))

    def _orphans(self) -> None:
        """The dispatcher gives up what waits for an integration that is gone; what is in flight ends as it began."""
        there = self.config.wants_ends()
        for row in list(self.player.view.outbox.rows.values()):
            if (row.receiver, row.integration) not in there and row.id not in self.flights:
                gone = GiveUp(reason="it is gone")
                self.at(self.now).takes(DeliveryDone(at=time(self.now), message_id=row.id, outcome=gone))

    def kill(self, config: Config | None = None) -> None:
        """`config`: the one that is found at the restart."""
        self.kills += 1
        for flight in self.flights.values():
            ear = self.ears[(flight.row.receiver, flight.row.integration)]
            assert isinstance(ear, Listener)
            if ear.mode == UP and self.chance.random() < 0.5:
                ear.hear(self.now, flight.row.notification, self.turns)
                ear.doubt(flight.row.notification)
                self.killed_in_flight += 1
        self.flights.clear()
        if config is not None:
            self._adopt(config)
        self.at(self.now).restarts(excluded=self.config.excluded).lists(*self.pods())
        self._orphans()

    def dispatch(self) -> None:
        self._orphans()
        names = set(self.config.wants_ends())
        everybody, self.ears = self.ears, {name: ear for name, ear in self.ears.items() if name in names}
        super().dispatch()
        self.ears = everybody

    def passes(self, seconds: float) -> None:
        end = self.now + seconds
        self.dispatch()
        while self.now < end:
            view = self.player.view
            times = [row.next_at for row in view.outbox.rows.values() if row.id not in self.flights]
            times += [one.not_before for one in view.channels.rows.values() if one.not_before is not None]
            later = [at for at in ((one - time(0)).total_seconds() for one in times) if at > self.now]
            wake = next_wake(view)
            soon = [max(self.now, (wake - time(0)).total_seconds())] if wake is not None else []
            lands = [max(self.now, one.lands) for one in self.flights.values()]
            self.now = min(end, min([*later, *soon, *lands], default=end) + 0.001)
            self.at(self.now).until(self.now)
            self.land()
            self.dispatch()

    def pods(self) -> list[Pod]:
        return [self.pod(n) for n in range(WORKLOADS) if f"ns{n % 3}" not in self.config.excluded]

    def pod(self, n: int) -> Pod:
        owner, space = f"Deployment/w{n}", f"ns{n % 3}"
        if n not in self.broken:
            return pod(f"w{n}-1", owner=owner, namespace=space)
        image = status(waiting="ErrImagePull", message="x:9: not found")
        config = status(waiting="CreateContainerConfigError", message="configmap x not found")
        return pod(f"w{n}-1", config if n % 2 else image, owner=owner, namespace=space, phase="Pending")

    def turns_over(self, n: int) -> None:
        self.broken ^= {n}
        self.turns[n] += 1
        if f"ns{n % 3}" not in self.config.excluded:
            self.at(self.now).sees(self.pod(n))

    def silence(self, name: str, value: str, minutes: int) -> None:
        self.silences += 1
        end = time(self.now + minutes * 60)
        matchers = (SilenceMatcher(name=name, value=value),)
        wanted = Silence(id="", matchers=matchers, starts_at=time(self.now), ends_at=end, updated_at=time(self.now))
        one = SilenceAsked(at=time(self.now), request="", silence=wanted, new_id=f"s{self.silences}")
        self.at(self.now).takes(one)

    def unsilence(self) -> None:
        for name in list(self.player.view.silences.rows):
            self.at(self.now).takes(SilenceExpireAsked(at=time(self.now), request="", id=name))

    def does(self, action: tuple[Any, ...]) -> None:
        match action:
            case ("turn", n):
                self.turns_over(n)
            case ("mode", name, mode):
                self.ears[name].mode = mode
            case ("reload", config):
                self.reload(config)
            case ("kill", config):
                self.kill(config)
            case ("silence", name, value, minutes):
                self.silence(name, value, minutes)
            case ("unsilence",):
                self.unsilence()
            case ("pass", seconds):
                self.passes(seconds)

    # ---- what is so in the end ----

    def real(self, name: Name) -> dict[str, Any]:
        found = {}
        for alert in self.player.view.alerts.rows.values():
            lead = alert.lead
            own = isinstance(lead, DeliveryFailing) and (lead.receiver, lead.integration) == name
            base = alert.baseline and (alert.fingerprint, alert.starts_at) not in self.ever_told
            if alert.ends_at is None and alert.held_by is None and name[0] in self.meant(alert) and not (own or base):
                found[alert.fingerprint] = alert.starts_at
        return found


def everybody_knows(world: Reloaded) -> None:
    held = {a.fingerprint for a in world.player.view.alerts.rows.values() if a.held_by is not None}
    for name, ear in world.ears.items():
        assert isinstance(ear, Listener)
        named = f"{name}: {ear.log[-8:]}"
        assert ear.wrong == [], named
        assert ear.repeats <= ear.doubtful, named
        if ear.there:
            real = set(world.real(name))
            assert real <= set(ear.firing), f"not told {named}"
            assert set(ear.firing) - ear.excused - ear.unsure - held <= real, f"no end told {named}"


def live(seed: int, first_start: FirstStart, config: Config, broken: set[int], story: list[tuple[Any, ...]]) -> None:
    world = Reloaded(seed, config, first_start)
    world.broken = set(broken)
    world.at(0).restarts(known=False, excluded=config.excluded).lists(*world.pods())
    for action in story:
        world.does(action)
    for ear in world.ears.values():
        ear.mode = UP
    world.unsilence()
    world.passes(2 * HOUR)
    assert [row for row in world.player.view.outbox.rows.values() if row.created_at < time(world.now - 60)] == []
    everybody_knows(world)
    for receiver in world.core.receivers:
        # WatcherCannotDeliver goes on until something arrives, and perhaps nothing is left to be told.
        world.at(world.now).takes(SendTestAsked(at=time(world.now), receiver=receiver, id="after the repair"))
    for n in sorted(world.broken):
        world.turns_over(n)
    world.passes(2 * HOUR)
    everybody_knows(world)
    kept = ("pods", "scopes", "channels", "silences")
    left = {name: list(table.rows.values()) for name, table in world.player.view.tables() if name not in kept}
    assert not any(left.values()), left


names = st.sampled_from([(receiver, name) for receiver in RECEIVERS for name in ("i0", "i1")])
configs = st.builds(
    Config,
    tree=st.sampled_from(list(TREES)),
    root=st.sampled_from(RECEIVERS),
    ops=st.sampled_from(list(INTEGRATIONS)),
    boss=st.sampled_from(list(INTEGRATIONS)),
    grouping=st.integers(0, 2),
    interval=st.sampled_from((5, 1)),
    repeat=st.sampled_from((720, 7)),
    storm=st.sampled_from((10, 2)),
    without=st.sampled_from(
        (("WatcherCannotDeliver",), (), ("WatcherCannotDeliver", "ContainerNotStarting"), ("ImagePullFailing",))
    ),
    excluded=st.sampled_from(((), ("ns1",))),
    inhibits=st.booleans(),
    spare=st.booleans(),
)
workloads = st.integers(0, WORKLOADS - 1)
passes = st.tuples(st.just("pass"), st.sampled_from((0.5, 3, 11, 61, 130, 310, 1000)))
actions = st.one_of(
    passes,
    st.tuples(st.just("turn"), workloads),
    st.tuples(st.just("reload"), configs),
    st.tuples(st.just("mode"), names, st.sampled_from((UP, DOWN, REFUSING))),
    passes,
    st.tuples(st.just("turn"), workloads),
    st.tuples(st.just("reload"), configs),
    st.tuples(st.just("kill"), st.none() | configs),
    st.tuples(st.just("silence"), st.just("namespace"), st.sampled_from(("ns0", "ns1")), st.sampled_from((4, 40))),
    st.just(("unsilence",)),
)


@given(
    seed=st.integers(0, 3),
    first_start=st.sampled_from((FirstStart.ALERT, FirstStart.SUMMARY)),
    config=configs,
    broken=st.sets(workloads),
    story=st.lists(actions, max_size=30),
)
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_in_the_end_everybody_knows_what_is_true(
    seed: int, first_start: FirstStart, config: Config, broken: set[int], story: list[tuple[Any, ...]]
) -> None:
    live(seed, first_start, config, broken, story)
