"""What `kill -9` loses: the service is killed at random instants while five receivers fail at random.

    python -m benchmarks.kills [KILLS]

A real service (its own process, SQLite, real HTTP) against the emulated cluster and five local receivers
(`benchmarks/moody.py`). Workloads break and heal steadily, one step at a time: each waits until Watcher's store shows
that the step before was noticed and decided. So what is due is known: every receiver is to hear of every alert that it
fires and that it ended. A later alert of the same workload may take the place of one that still waited for its
receiver; those are counted apart. `tests/e2e/test_kills.py` runs the short form.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.moody import PATIENCE, Receiver
from benchmarks.verdict import Book, Outcome
from watcher.demo import DemoCluster
from watcher.demo.pods import Container, make, waiting

RECEIVERS = 5
IN_A_GROUP = 3
"""Workloads of a namespace: they are told together."""
RULES = """\
groups:
  - name: images
    rules:
      - {alert: Pulling, signal: ImagePullFailing, labels: {severity: warning}}
      - {alert: WatcherCannotDeliver, signal: DeliveryFailing, labels: {severity: critical}}
"""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    kills: int
    workloads: int
    cycles: int
    """How often each workload breaks and heals."""
    longest_life: float
    """Seconds from a start to its kill, at most."""
    longest_down: float
    """Of a receiver, in seconds."""
    drain_within: float = 240.0
    seed: int = 0


LONG = Plan(kills=100, workloads=50, cycles=2, longest_life=4.0, longest_down=25.0)
SHORT = Plan(kills=20, workloads=10, cycles=2, longest_life=2.4, longest_down=5.0, drain_within=60.0)


class Truth:
    """What Watcher has decided, as its store shows it: when each alert of a workload began, and whether it is over."""

    def __init__(self, ask: Callable[..., Awaitable[list[Any]]]) -> None:
        """`ask`: rows of a query with at most one `?`; none where there is no store or no table yet."""
        self._ask = ask
        self.began: dict[str, list[datetime]] = {}
        self.fires: dict[str, bool] = {}
        self._sent: dict[str, dict[str, datetime]] = {}
        self._last = 0

    def is_at(self, workload: str, *, broken: bool) -> bool:
        """Whether Watcher has taken notice, and has decided to tell every receiver that it fires."""
        if not broken or not self.fires.get(workload):
            return self.fires.get(workload, False) is broken
        sent = self._sent.get(workload, {}).values()
        return sum(at >= self.began[workload][-1] for at in sent) == RECEIVERS

    async def look(self) -> None:
        found = await self._ask(
            'SELECT id, alert, "before", "after", at FROM transitions WHERE subject = \'\' AND id > ? ORDER BY id',
            self._last,
        )
        for number, alert, before, after, at in found:
            self._last = number
            if '"Pulling"' not in alert:
                continue
            workload = _workload(alert)
            self.fires[workload] = after == "firing"
            if after == "firing" and before != "ended":
                self.began.setdefault(workload, []).append(_time(at))
        sent = "SELECT receiver, alert, max(last_at) FROM decisions WHERE verdict = 'send' GROUP BY receiver, alert"
        for receiver, alert, at in await self._ask(sent):
            if '"Pulling"' in alert:
                self._sent.setdefault(_workload(alert), {})[receiver] = _time(at)

    async def owed(self) -> int:
        (row,) = await self._ask(
            "SELECT (SELECT count(*) FROM outbox WHERE state = 'queued') + (SELECT count(*) FROM told)"
            " + (SELECT count(*) FROM groups)"
        )
        return int(row[0])


class Asker:
    """Reads the store of a service on SQLite."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def __call__(self, query: str, *values: int) -> list[Any]:
        try:
            with contextlib.closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=5)) as connection:
                return connection.execute(query, values).fetchall()
        except sqlite3.OperationalError:
            return []


def _workload(alert: str) -> str:
    """Of a key as the store writes it."""
    return next(text for text in msgspec.json.decode(alert, type=list[str]) if text.startswith("w"))


def _time(found: str | datetime) -> datetime:
    at = datetime.fromisoformat(found) if isinstance(found, str) else found
    return at.replace(tzinfo=UTC)


class Service:
    """One process of Watcher."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log

    @classmethod
    async def begun(cls, folder: Path, kubeconfig: Path) -> Service:
        log = folder / "service.log"
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "watcher", "run", "--config", str(folder / "config.yaml"), "--data", str(folder),
                "--listen", "127.0.0.1:0", stdout=output, stderr=output,
                env={**os.environ, "KUBECONFIG": str(kubeconfig)},
            )  # fmt: skip
        return cls(process, log)

    def check(self) -> None:
        """It must not have ended by itself."""
        if self._process.returncode is not None:
            raise RuntimeError(self._log.read_text()[-3000:])

    async def end(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)
        await self._process.wait()


class Run:
    def __init__(self, plan: Plan, folder: Path, demo: DemoCluster, receivers: Sequence[Receiver]) -> None:
        self.plan = plan
        self.receivers = receivers
        self.kills: list[float] = []
        self.steps = 0
        """Of workloads, that Watcher has noticed."""
        self.truth = Truth(Asker(folder / "watcher.db"))
        self._folder = folder
        self._demo = demo
        self._rng = random.Random(plan.seed)
        self._kubeconfig = demo.kubeconfig(folder / "kubeconfig")

    async def play(self) -> None:
        self._demo.world.add_node("node-1")
        for number in range(self.plan.workloads):
            self._put(number, broken=False)
        lives = [asyncio.create_task(self._live(number)) for number in range(self.plan.workloads)]
        looks = asyncio.create_task(self._look())
        try:
            await self._kill_often()
            await self._drain(lives)
        finally:
            for task in (looks, *lives):
                task.cancel()
            await asyncio.gather(looks, *lives, return_exceptions=True)
        await self.truth.look()

    async def _kill_often(self) -> None:
        for _ in range(self.plan.kills):
            service = await Service.begun(self._folder, self._kubeconfig)
            await asyncio.sleep(self._rng.uniform(0.3, self.plan.longest_life))
            service.check()
            self.kills.append(asyncio.get_running_loop().time())
            await service.end(signal.SIGKILL)

    async def _drain(self, lives: Sequence[asyncio.Task[None]]) -> None:
        """The receivers are well from now on: what is owed arrives."""
        for receiver in self.receivers:
            receiver.calm = True
        service = await Service.begun(self._folder, self._kubeconfig)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.plan.drain_within):
                await asyncio.gather(*lives)
                while await self.truth.owed():
                    service.check()
                    await asyncio.sleep(0.3)
        await service.end(signal.SIGTERM)

    async def _live(self, number: int) -> None:
        """One workload: it breaks and heals, again and again."""
        lull = self.plan.kills * self.plan.longest_life / 2 / self.plan.cycles / 2
        for _ in range(self.plan.cycles):
            for broken in (True, False):
                await asyncio.sleep(self._rng.uniform(0.2, 1.4) * lull)
                self._put(number, broken=broken)
                while not self.truth.is_at(f"w{number}", broken=broken):
                    await asyncio.sleep(0.1)
                self.steps += 1

    async def _look(self) -> None:
        while True:
            await self.truth.look()
            await asyncio.sleep(0.2)

    def _put(self, number: int, *, broken: bool) -> None:
        state = waiting("ErrImagePull", f'failed to resolve reference "w{number}:9": not found') if broken else {}
        container = Container(name="app", state=state)
        pod = make(
            f"team{number // IN_A_GROUP}", f"w{number}-0", owner=f"StatefulSet/w{number}", containers=(container,)
        )
        self._demo.cluster.put(pod)


async def judged(run: Run, seconds: float) -> Outcome:
    books = [Book(receiver, [(time, time) for time in run.kills]) for receiver in run.receivers]
    due = [(name, began, ended) for name, all in run.truth.began.items() for began in all for ended in (False, True)]
    fates = Counter(book.fate(*news) for book in books for news in due)
    never = run.plan.workloads * run.plan.cycles * 2 - run.steps
    return Outcome(
        kills=len(run.kills),
        receivers=len(books),
        due=sum(fates.values()) + never * len(books),
        lost=fates["lost"] + never * len(books),
        gave_way=fates["gave way"],
        messages=sum(bool(one.pieces) for receiver in run.receivers for one in receiver.heard),
        troubles=sum(not one.pieces for receiver in run.receivers for one in receiver.heard),
        refused=sum(receiver.refused for receiver in run.receivers),
        repeated=sum(sum(book.by_kill.values()) for book in books),
        most_repeats=max((count for book in books for count in book.by_kill.values()), default=0),
        own_fault=sum(book.own_fault for book in books),
        unexplained=sum(book.unexplained for book in books),
        told_again=sum(book.told_again for book in books),
        out_of_order=sum(book.out_of_order for book in books),
        owed=await run.truth.owed(),
        seconds=seconds,
        missing=[
            f"{book.name} {name} {began:%H:%M:%S.%f} {'end' if ended else 'firing'}"
            for book in books
            for name, began, ended in due
            if book.fate(name, began, ended) == "lost"
        ],
    )


async def run(plan: Plan) -> Outcome:
    now = asyncio.get_running_loop().time
    begun = now()
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        receivers = [
            await stack.enter_async_context(
                Receiver(number, random.Random(plan.seed * 100 + number), plan.longest_down).running()
            )
            for number in range(RECEIVERS)
        ]
        _configure(folder, receivers)
        one = Run(plan, folder, await stack.enter_async_context(DemoCluster()), receivers)
        await one.play()
        return await judged(one, now() - begun)


def _configure(folder: Path, receivers: Sequence[Receiver]) -> None:
    (folder / "rules.yaml").write_text(RULES)
    routes = "".join(f"    - {{receiver: {one.name}, continue: true}}\n" for one in receivers)
    named = "".join(
        f"""\
  - name: {one.name}
    webhook_configs: [{{url: "http://127.0.0.1:{one.port}/", timeout: {PATIENCE:g}s}}]
"""
        for one in receivers
    )
    (folder / "config.yaml").write_text(
        f"""\
rules: [{folder}/rules.yaml]
first_start: alert
route:
  receiver: {receivers[0].name}
  group_by: [namespace]
  group_wait: 1s
  group_interval: 1s
  repeat_interval: 1h
  routes:
{routes}receivers:
{named}"""
    )


def main() -> int:
    plan = LONG
    if len(sys.argv) > 1:
        plan = msgspec.structs.replace(plan, kills=int(sys.argv[1]))
    outcome = asyncio.run(run(plan))
    print(outcome)
    return 0 if outcome.good else 1


if __name__ == "__main__":
    sys.exit(main())
