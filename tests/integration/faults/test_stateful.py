"""Random lives of pods, random faults, random kills, against a model: what is known and counted agrees in the end."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.integration.faults.world import START, World
from tests.integration.source.harness import SystemClock
from watcher.demo import DemoCluster, DemoOptions, pods
from watcher.demo.faults import CutLine, DropWatches, ErrorEvent, Fail, Fault, ForgetHistory, OldEvent, RepeatAdded
from watcher.demo.pods import Container, terminated, waiting
from watcher.source.client import connect

NAMES = st.sampled_from([f"web-{number}" for number in range(4)])


class Life(msgspec.Struct):
    """A pod as the model knows it."""

    uid: str
    restarts: int = 0
    dead: bool = False
    """Its container has ended and was not started again."""
    base: int = 0
    """Deaths before it was first seen by a Watcher without history."""

    @property
    def deaths(self) -> int:
        return self.restarts + self.dead


class Cluster(RuleBasedStateMachine):
    """Nothing is expected of what is known on the way; everything is when there is time to catch up."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = contextlib.AsyncExitStack()
        self.lives: dict[str, Life] = {}
        self.born = 0
        self.down = False
        self.world: World = self.run(self._world())

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(coroutine)

    async def _world(self) -> World:
        folder = self.stack.enter_context(tempfile.TemporaryDirectory())
        demo = await self.stack.enter_async_context(DemoCluster(DemoOptions(manual=True, start=START, window=40)))
        client = await connect(SystemClock(), str(demo.kubeconfig(Path(folder) / "kubeconfig")))
        self.stack.push_async_callback(client.close)
        return World(demo, client)

    @initialize(found=st.dictionaries(NAMES, st.integers(0, 4), max_size=4))
    def first_start(self, found: dict[str, int]) -> None:
        """A store without history: deaths before it are history."""
        for name, restarts in found.items():
            self._create(name)
            self.lives[name].restarts = self.lives[name].base = restarts
            self._put(name)
        self.run(self.world.start())
        self.settle()

    # ---- lives ----

    def _create(self, name: str) -> None:
        self.born += 1
        self.lives[name] = Life(uid=f"uid-{self.born}")

    def _put(self, name: str) -> None:
        life, now = self.lives[name], self.world.hand.now()
        died = terminated(1, started=now - timedelta(seconds=2), ended=now)
        died["terminated"]["containerID"] = f"containerd://{life.uid}-{life.deaths}"
        last = died if life.deaths else {}
        container = Container(restarts=life.restarts, last=last, **self._state(life))
        self.world.demo.cluster.put(
            pods.make("shop", name, owner="Deployment/web", containers=[container], uid=life.uid, created=START)
        )

    def _state(self, life: Life) -> dict[str, Any]:
        return {"state": waiting("CrashLoopBackOff", "back-off 10s restarting failed")} if life.dead else {}

    @rule(name=NAMES)
    def comes_or_is_replaced(self, name: str) -> None:
        self._create(name)
        self._put(name)

    @rule(name=NAMES, times=st.integers(1, 3))
    def crashes_and_runs_again(self, name: str, times: int) -> None:
        if name in self.lives and not self.lives[name].dead:
            self.lives[name].restarts += times
            self._put(name)

    @rule(name=NAMES)
    def dies(self, name: str) -> None:
        if name in self.lives and not self.lives[name].dead:
            self.lives[name].dead = True
            self._put(name)

    @rule(name=NAMES)
    def is_started_again(self, name: str) -> None:
        if name in self.lives and self.lives[name].dead:
            self.lives[name].dead = False
            self.lives[name].restarts += 1
            self._put(name)

    @rule(name=NAMES)
    def goes(self, name: str) -> None:
        if self.lives.pop(name, None) is not None:
            self.world.delete(name)

    @rule(name=NAMES, stays=st.booleans())
    def comes_and_dies_and_goes_at_once(self, name: str, stays: bool) -> None:
        """So quickly that all of it waits in the queue together."""
        self.comes_or_is_replaced(name)
        self.dies(name)
        self.goes(name)
        if stays:
            self.comes_or_is_replaced(name)

    # ---- faults ----

    def _happens(self, *faults: Fault) -> None:
        async def apply() -> None:
            for fault in faults:
                self.world.demo.faults.apply(fault)

        self.run(apply())

    @rule(fault=st.sampled_from([DropWatches(abrupt=True), DropWatches(), CutLine(), ErrorEvent(), OldEvent()]))
    def the_watch_ends(self, fault: Fault) -> None:
        self._happens(fault)

    @rule()
    def an_object_is_added_twice(self) -> None:
        self._happens(RepeatAdded())

    @rule()
    def the_history_is_compacted_while_nobody_watches(self) -> None:
        self._happens(DropWatches(abrupt=True), ForgetHistory())

    @rule(status=st.sampled_from([410, 429, 500, 503]), verb=st.sampled_from(["list", "watch"]))
    def requests_fail(self, status: int, verb: str) -> None:
        self._happens(Fail(verb=verb, status=status, times=2))

    @rule()
    def watcher_is_killed(self) -> None:
        if not self.down:
            self.down = True
            self.run(self.world.watcher.kill())

    @rule()
    def watcher_begins_again(self) -> None:
        if self.down:
            self.down = False
            self.run(self._restart())

    async def _restart(self) -> None:
        await self.world.store.release_all()
        await self.world.start()

    @rule(answers=st.booleans())
    def the_database_stops_or_answers(self, answers: bool) -> None:
        (self.world.store.gate.set if answers else self.world.store.gate.clear)()

    # ---- time ----

    @rule(milliseconds=st.sampled_from([0, 2, 10]))
    def a_moment_passes(self, milliseconds: int) -> None:
        self.run(asyncio.sleep(milliseconds / 1000))

    @rule(seconds=st.integers(1, 120))
    def time_passes(self, seconds: int) -> None:
        self.world.hand.move(seconds)
        self.run(asyncio.sleep(0))

    @rule()
    def settle(self) -> None:
        """There is time to catch up."""
        self.the_database_stops_or_answers(answers=True)
        self.watcher_begins_again()
        self.run(self._settle())

    async def _settle(self) -> None:
        await self.world.until(self._agrees)
        view = self.world.watcher.writer.view
        counted = {row.uid: (row.deaths, len(row.recent)) for row in view.histories.rows.values()}
        expected = {life.uid: (life.deaths, life.deaths - life.base) for life in self.lives.values() if life.deaths}
        assert counted == expected
        assert self.world.watcher.writer.stats.set_aside == 0

    def _agrees(self) -> bool:
        """Everything is known, and judged in its last version."""
        watcher = self.world.watcher
        listing = any(state.listing or not state.synced for state in watcher.writer.view.scopes.rows.values())
        last = str(self.world.demo.cluster.version)
        caught_up = watcher.stream._version == last or self._nothing_newer(int(watcher.stream._version or 0))
        return not listing and caught_up and watcher.idle() and watcher.pods() == self.world.server()

    def _nothing_newer(self, version: int) -> bool:
        store = self.world.demo.cluster.store("Pod")
        return bool(version) and all(change.version <= version for change in store.changes)

    def teardown(self) -> None:
        try:
            if hasattr(self.world, "watcher"):
                self.settle()
        finally:
            self.run(self._stop())
            self.runner.close()

    async def _stop(self) -> None:
        if hasattr(self.world, "watcher"):
            await self.world.watcher.kill()
        await self.stack.aclose()


TestCluster = Cluster.TestCase
TestCluster.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)
