"""An hour of cluster life with every fault at random: the alerts at its end must be those of an undisturbed hour.

    python -m benchmarks.hour [PODS] [SEED]

The emulated cluster lives the same hour twice, with crashes, OOM kills, images that cannot be pulled, rollouts,
scaling, deletions, evictions and lost nodes. In one of the two Watcher is killed and the API server, the database and
the connections fail at random for 45 minutes. Exit code 1 where the alerts at the end differ.
`tests/integration/faults/test_hour.py` runs the short form.
"""

from __future__ import annotations

import asyncio
import logging
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from benchmarks.lockstep import ClusterClock, Lockstep
from watcher.demo import DemoCluster, DemoOptions
from watcher.demo.faults import (
    Clear,
    CutLine,
    DropWatches,
    EmptyWatch,
    ErrorEvent,
    Fail,
    Fault,
    ForgetHistory,
    GarbageLine,
    Hang,
    InitialEnd,
    MalformedEvent,
    MalformedItem,
    OldEvent,
    PaddedItem,
    RepeatAdded,
    Reset,
    Rewind,
    SetBookmarks,
    Slow,
    Stall,
    Unauthorized,
    UnknownEvent,
)
from watcher.demo.scenario import Scenario, parse_scenario
from watcher.settings.core import core_of
from watcher.settings.load import load
from watcher.source.client import connect

START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
HISTORY = timedelta(minutes=30)
REPLICAS = 20
STEP = timedelta(seconds=5)
CONFIG = """\
cluster: bench
first_start: alert
route: {receiver: hook, group_by: [cluster, namespace, workload_kind, workload]}
receivers: [{name: hook, webhook_configs: [{url: "http://localhost:1/"}]}]
"""

AT_ONCE: tuple[Fault, ...] = (
    DropWatches(),
    DropWatches(abrupt=True),
    CutLine(),
    GarbageLine(),
    UnknownEvent(),
    MalformedEvent(),
    ErrorEvent(status=500),
    ErrorEvent(status=410),
    OldEvent(),
    RepeatAdded(),
    InitialEnd(),
    ForgetHistory(),
    MalformedItem(times=2),
    PaddedItem(times=2, bytes=100_000),
    Rewind(times=2, by=20),
    EmptyWatch(times=5),
    Slow(times=3, delay=0.02),
    Fail(status=504, message="Too large resource version: 9, current: 5", times=3),
)
LASTING: tuple[Fault, ...] = (
    Fail(status=503),
    Fail(status=429),
    Fail(status=500, verb="watch"),
    Fail(status=410, verb="watch"),
    Fail(status=403),
    Unauthorized(),
    Reset(),
    Stall(),
    Hang(),
    SetBookmarks(on=False),
)
"""Until they are cleared. Those that stop requests end the open watches too."""


class Outcome(msgspec.Struct):
    """What one hour came to."""

    firing: dict[str, list[str]]
    pods: set[str]
    server: set[str]
    inputs: int
    seconds: float
    coalesced: int = 0
    faults: Counter[str] = msgspec.field(default_factory=Counter)
    errors: Counter[str] = msgspec.field(default_factory=Counter)
    told: Counter[str] = msgspec.field(default_factory=Counter)

    @property
    def well(self) -> bool:
        """What is known is what is there."""
        return self.pods == self.server


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How long the parts of an hour are."""

    pods: int = 10_000
    seed: int = 1
    incidents: timedelta = timedelta(minutes=35)
    faults: timedelta = timedelta(minutes=45)
    end: timedelta = timedelta(minutes=60)


def life(plan: Plan) -> Scenario:
    """The hour's scenario: the same for the same plan."""
    rng = random.Random(plan.seed)
    count = max(10, plan.pods // REPLICAS)
    names = [f"team-{number % 20}/app-{number}" for number in range(count)]
    nodes = max(3, plan.pods // 100)
    document = {
        "scenario": "an hour",
        "seed": f"hour-{plan.seed}",
        "history": f"{int(HISTORY.total_seconds())}s",
        "nodes": nodes,
        "workloads": [_workload(name, max(1, plan.pods // count)) for name in names],
        "timeline": list(_timeline(plan, rng, names, nodes)),
    }
    return parse_scenario(msgspec.json.encode(document).decode())


def _workload(name: str, replicas: int) -> dict[str, object]:
    app = name.partition("/")[2]
    return {
        "deployment": name,
        "replicas": replicas,
        "image": f"registry.example.com/{app}:1.0.0",
        "limits": {"memory": "256Mi"},
        "ready_after": "4s",
    }


def _timeline(plan: Plan, rng: random.Random, names: list[str], nodes: int) -> Iterator[dict[str, object]]:
    """One incident for each tenth of the workloads, each of its own; half of what breaks is repaired."""
    for name in rng.sample(names, max(8, len(names) // 10)):
        at = rng.uniform(30, plan.incidents.total_seconds())
        kind = rng.choice(["crash", "crash", "oom", "pull", "rollout", "scale", "delete", "evict"])
        yield {"at": f"{at:.0f}s", **_incident(kind, name, rng)}
        if kind in ("crash", "oom", "pull") and rng.random() < 0.5:
            repaired = at + rng.uniform(60, 400)
            yield {"at": f"{repaired:.0f}s", **_repair(kind, name)}
    for number in rng.sample(range(1, nodes + 1), max(1, nodes // 50)):
        at = rng.uniform(60, plan.incidents.total_seconds())
        yield {"at": f"{at:.0f}s", "node_down": f"node-{number}"}
        if rng.random() < 0.5:
            yield {"at": f"{at + 420:.0f}s", "node_up": f"node-{number}"}


def _incident(kind: str, name: str, rng: random.Random) -> dict[str, object]:
    image = f"registry.example.com/{name.partition('/')[2]}:2.0.0"
    some = {"pods": 1} if rng.random() < 0.5 else {}
    incidents: dict[str, dict[str, object]] = {
        "crash": {"crash": name, "exit": rng.choice([1, 2, 139]), "after": "3s", **some},
        "oom": {"oom": name, "after": "8s", **some},
        "pull": {"rollout": name, "image": image, "then": {"cannot_pull": "not_found"}},
        "rollout": {"rollout": name, "image": image},
        "scale": {"scale": name, "replicas": rng.choice([1, 5, 30])},
        "delete": {"delete": name, "pods": rng.randint(1, 3)},
        "evict": {"evict": name, "pods": 1},
    }
    return incidents[kind]


def _repair(kind: str, name: str) -> dict[str, object]:
    if kind == "pull":
        return {"rollout": name, "image": f"registry.example.com/{name.partition('/')[2]}:2.0.1", "then": {"run": {}}}
    return {"recover": name}


async def lives(plan: Plan, *, disturbed: bool, say: Callable[[str], None] = lambda _: None) -> Outcome:
    """One hour."""
    begun = time.monotonic()
    async with DemoCluster(DemoOptions(manual=True, start=START, window=50_000)) as demo:
        await demo.play(life(plan))
        say(f"{len(demo.cluster.store('Pod').objects)} pods run after {time.monotonic() - begun:.0f} s")
        with tempfile.TemporaryDirectory() as folder:
            config = Path(folder) / "config.yaml"
            config.write_text(CONFIG)
            core = msgspec.structs.replace(core_of(load(config)), evidence=False)
            client = await connect(ClusterClock(demo), str(demo.kubeconfig(Path(folder) / "kubeconfig")))
            hour = _Hour(demo, Lockstep(demo, client, core), plan, disturbed=disturbed)
            try:
                outcome = await hour.run()
            finally:
                await client.close()
    outcome.seconds = time.monotonic() - begun
    return outcome


class _Hour:
    def __init__(self, demo: DemoCluster, watcher: Lockstep, plan: Plan, *, disturbed: bool) -> None:
        self._demo = demo
        self._watcher = watcher
        self._plan = plan
        self._rng = random.Random(plan.seed) if disturbed else None
        self._over = 0
        """The step in which the present fault ends."""
        self._faults: Counter[str] = Counter()

    async def run(self) -> Outcome:
        watcher, demo = self._watcher, self._demo
        await watcher.start()
        await self._wait()
        for step in range(round(self._plan.end / STEP)):
            if self._rng is not None:
                await self._disturb(self._rng, step)
            demo.advance(STEP)
            await self._wait(patient=not self._over)
        await watcher.kill()
        return Outcome(
            firing=watcher.firing(),
            pods=watcher.pods(),
            server={item["metadata"]["uid"] for item in demo.cluster.list("Pod")},
            inputs=watcher.inputs,
            coalesced=watcher.coalesced,
            seconds=0,
            faults=self._faults,
            errors=watcher.errors,
            told=watcher.inbox.told,
        )

    async def _wait(self, *, patient: bool = True) -> None:
        if not self._watcher.running:
            return
        caught_up = await self._watcher.caught_up(120 if patient else 0.01)
        if patient and not caught_up:
            raise RuntimeError(f"Watcher did not catch up by {self._demo.timeline.now()}")

    async def _disturb(self, rng: random.Random, step: int) -> None:
        if self._over and step >= self._over:
            await self._heal()
        if self._over or step * STEP >= self._plan.faults or rng.random() > 0.2:
            return
        kind = rng.choice(["at once", "at once", "lasting", "lasting", "killed", "database"])
        if kind == "at once":
            fault = rng.choice(AT_ONCE)
            self._note(fault)
            if not isinstance(fault, DropWatches | CutLine | ErrorEvent) and rng.random() < 0.7:
                self._demo.faults.apply(DropWatches(abrupt=True))
            return
        self._over = step + rng.randint(1, 24)
        if kind == "killed":
            self._faults["killed"] += 1
            await self._watcher.kill()
        elif kind == "database":
            self._faults["database"] += 1
            self._watcher.store.gate.clear()
        else:
            fault = rng.choice(LASTING)
            self._note(fault)
            if not isinstance(fault, Stall | SetBookmarks):
                self._demo.faults.apply(DropWatches(abrupt=True))

    def _note(self, fault: Fault) -> None:
        self._demo.faults.apply(fault)
        self._faults[str(msgspec.to_builtins(fault)["fault"])] += 1

    async def _heal(self) -> None:
        self._over = 0
        self._demo.faults.apply(Clear())
        self._watcher.store.gate.set()
        if not self._watcher.running:
            await self._watcher.start()


def differences(calm: Outcome, disturbed: Outcome) -> list[str]:
    """What differs between the alerts of two hours, in words."""
    found = []
    for name in sorted(calm.firing.keys() | disturbed.firing.keys()):
        one, other = calm.firing.get(name), disturbed.firing.get(name)
        if one is None or other is None:
            found.append(f"{name}: fires only in the {'disturbed' if one is None else 'undisturbed'} hour")
        elif one != other:
            found.append(f"{name}: {one} undisturbed, {other} disturbed")
    return found


def main() -> int:
    logging.getLogger("watcher").setLevel(logging.ERROR)
    plan = Plan(
        pods=int(sys.argv[1]) if len(sys.argv) > 1 else 10_000, seed=int(sys.argv[2]) if len(sys.argv) > 2 else 1
    )
    calm = asyncio.run(lives(plan, disturbed=False, say=print))
    print(f"undisturbed: {_told(calm)}")
    disturbed = asyncio.run(lives(plan, disturbed=True, say=print))
    print(f"disturbed:   {_told(disturbed)}")
    print(f"faults: {dict(sorted(disturbed.faults.items()))}")
    print(f"errors that the streams met: {dict(sorted(disturbed.errors.items()))}")
    found = differences(calm, disturbed)
    print("\n".join(found) or "the alerts at the end are equal")
    return 1 if found or not calm.well or not disturbed.well else 0


def _told(one: Outcome) -> str:
    return (
        f"{len(one.firing)} alerts fire, {len(one.pods)} of {len(one.server)} pods are known, {one.inputs} inputs, "
        f"{one.coalesced} coalesced, told {dict(sorted(one.told.items()))}, {one.seconds:.0f} s"
    )


if __name__ == "__main__":
    sys.exit(main())
