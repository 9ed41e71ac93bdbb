"""What an outage of the database loses: Postgres is stopped for a while, while alerts are posted and workloads break.

    python -m benchmarks.outage [SECONDS] [REPLICAS]

Real processes of the service, a real Postgres server, the emulated API server and a local receiver. Nothing may be
acknowledged while there is no database; what was acknowledged is there afterwards and told once, and so is what broke
meanwhile. `tests/e2e/test_outages.py` runs the short form.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from aiohttp import web

from tests.support.pair import ELECTION, Pair, Replica
from tests.support.postgres import PostgresServer, started
from tests.support.receivers import HttpReceiver
from watcher.demo import DemoCluster
from watcher.demo.pods import Container, make, waiting

LEASE = {"lease_duration": "3s", "renew_deadline": "2s"}
"""Shorter than the outage: who led gives up."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    away: float
    """Seconds without the database."""
    replicas: int = 1
    before: float = 1.5
    after: float = 1.5
    every: float = 0.05
    """Seconds between two posts."""
    drain_within: float = 60.0


LONG = Plan(away=60.0, before=5.0, after=5.0)
SHORT = Plan(away=4.5, before=1.0, after=1.0)


class Outcome(msgspec.Struct, kw_only=True):
    plan: Plan
    posted: int
    acknowledged: int
    refused: int
    others: dict[str, int]
    """Answers to posts beside 200 and 503."""
    during: int
    """Acknowledged while there was no database."""
    lost: list[str]
    """Acknowledged, and not there afterwards."""
    unheard: list[str]
    """Acknowledged or broken, and the receiver never heard of it."""
    repeated: list[str]
    """Told twice, and not in flight when the database went away."""
    in_flight: int
    """Told again by another leader: nobody could record that they were sent."""
    red: list[str]
    """What readiness said meanwhile; empty: it never was red."""
    green_after: float
    """Seconds from the database's return."""
    failing: list[int]
    """Lines about the failing store, of each replica."""
    lines: list[int]
    """Warnings and errors of each replica."""

    @property
    def good(self) -> bool:
        wrong = self.others or self.during or self.lost or self.unheard or self.repeated
        few = 2 * self.plan.replicas
        told = "the store does not answer" in self.red and all(1 <= count <= few for count in self.failing)
        flying = self.in_flight == 0 if self.plan.replicas == 1 else self.in_flight <= 40
        return bool(self.acknowledged) and not wrong and told and flying and max(self.lines) < 30

    def __str__(self) -> str:
        return (
            f"{self.plan.away:g} s without Postgres, {self.plan.replicas} replicas: {self.posted} alerts posted, "
            f"{self.acknowledged} acknowledged, {self.during} of them meanwhile, {self.refused} answered 503, "
            f"{self.others} otherwise; lost {self.lost}, unheard {self.unheard}, repeated {self.repeated}, "
            f"{self.in_flight} told again by another leader; red: {self.red}; ready again after "
            f"{self.green_after:.1f} s; {self.failing} lines about the store, {self.lines} warnings and errors"
        )


class Receiver(HttpReceiver):
    def __init__(self) -> None:
        super().__init__()
        self.told: dict[str, list[float]] = {}
        """When each alert was told as firing: its namespace, or its name where it has none."""

    def thanks(self, request: web.Request, body: Any) -> web.Response:
        for alert in body["alerts"]:
            if alert["status"] == "firing":
                name = alert["labels"].get("namespace") or alert["labels"]["alertname"]
                self.told.setdefault(name, []).append(asyncio.get_running_loop().time())
        return super().thanks(request, body)


class Run:
    def __init__(self, plan: Plan, demo: DemoCluster, receiver: Receiver, pair: Pair) -> None:
        self.plan = plan
        self.demo = demo
        self.receiver = receiver
        self.replicas = pair.replicas[: plan.replicas]
        self.statuses: dict[str, str] = {}
        self.acknowledged: dict[str, float] = {}
        """When each was answered."""
        self.red: set[str] = set()
        self.gone = self.back = float("inf")
        self._posts: set[asyncio.Task[None]] = set()

    async def play(self, server: PostgresServer) -> float:
        """Seconds until all were ready again."""
        now = asyncio.get_running_loop().time
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=120)) as http:
            posting = asyncio.create_task(self._post_all(http))
            looking = asyncio.create_task(self._look())
            await asyncio.sleep(self.plan.before)
            await asyncio.to_thread(server.kill)
            self.gone = now()
            for number in range(3):
                await asyncio.sleep(self.plan.away / 3)
                self.breaks(number)
            self.back = now()
            await asyncio.to_thread(server.start)
            await asyncio.gather(*(one.ready() for one in self.replicas))
            green_after = now() - self.back
            await asyncio.sleep(self.plan.after)
            for task in (posting, looking):
                task.cancel()
            await asyncio.gather(posting, looking, return_exceptions=True)
            await asyncio.gather(*self._posts)
        return green_after

    async def _post_all(self, http: aiohttp.ClientSession) -> None:
        for number in itertools.count():
            task = asyncio.create_task(self._post(http, self.replicas[number % len(self.replicas)], f"p{number}"))
            self._posts.add(task)
            await asyncio.sleep(self.plan.every)

    async def _post(self, http: aiohttp.ClientSession, replica: Replica, name: str) -> None:
        body = [{"labels": {"alertname": name, "severity": "warning"}}]
        try:
            async with http.post(f"{replica.url}/api/v2/alerts", json=body) as answer:
                self.statuses[name] = str(answer.status)
                if answer.status == 200:
                    self.acknowledged[name] = asyncio.get_running_loop().time()
        except aiohttp.ClientError as error:
            self.statuses[name] = type(error).__name__

    async def _look(self) -> None:
        while True:
            for replica in self.replicas:
                with contextlib.suppress(OSError):
                    answer = await replica.ask("GET", "/-/ready")
                    if answer.status == 503:
                        self.red.update(answer.json["waiting"])
            await asyncio.sleep(0.2)

    def breaks(self, number: int) -> None:
        state = waiting("ErrImagePull", f'failed to resolve reference "w{number}:9": not found')
        container = Container(name="app", state=state)
        self.demo.cluster.put(make(f"team{number}", "web-0", owner="StatefulSet/web", containers=(container,)))

    def unheard(self) -> list[str]:
        told = self.receiver.told
        return [name for name in (*self.acknowledged, *(f"team{number}" for number in range(3))) if name not in told]

    async def judged(self, green_after: float) -> Outcome:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.plan.drain_within):
                while self.unheard():
                    await asyncio.sleep(0.2)
        await asyncio.sleep(1)
        there = {one["labels"]["alertname"] for one in (await self.replicas[0].ask("GET", "/api/v2/alerts")).json}
        again = {name: times for name, times in self.receiver.told.items() if len(times) > 1}
        flying = [name for name, times in again.items() if len(times) == 2 and self._flew(times[0])]
        statuses = Counter(self.statuses.values())
        return Outcome(
            plan=self.plan,
            posted=len(self.statuses),
            acknowledged=len(self.acknowledged),
            refused=statuses.pop("503", 0),
            during=sum(self.gone <= at < self.back for at in self.acknowledged.values()),
            others={status: count for status, count in statuses.items() if status != "200"},
            lost=[name for name in self.acknowledged if name not in there],
            unheard=self.unheard(),
            repeated=[name for name in again if name not in flying],
            in_flight=len(flying),
            red=sorted(self.red),
            green_after=green_after,
            failing=[one.said("store.failing") for one in self.replicas],
            lines=[len(one.lines("warning", "error", "critical")) for one in self.replicas],
        )

    def _flew(self, at: float) -> bool:
        """Sent just before the database went away, or since: its outcome could not be recorded."""
        return self.gone - 2 < at < self.back + 2


async def run(plan: Plan, server: PostgresServer, folder: Path) -> Outcome:
    receiver = Receiver()
    await receiver.start()
    async with DemoCluster() as demo, contextlib.AsyncExitStack() as stack:
        demo.world.add_node("node-1")
        pair = Pair(folder, demo, server)
        group = {"group_wait": "0s", "group_interval": "1s", "repeat_interval": "1h"}
        pair.configure(
            http={"open_writes": True},
            route={"receiver": "one", "group_by": ["..."], **group},
            receivers=[{"name": "one", "webhook_configs": [{"url": receiver.url}]}],
            storm={"groups": 1_000_000},
            election={**ELECTION, **LEASE} if plan.replicas > 1 else {},
        )
        played = Run(plan, demo, receiver, pair)
        for replica in played.replicas:
            await replica.begin()
            stack.push_async_callback(replica.removed)
            await replica.ready()
        outcome = await played.judged(await played.play(server))
        for replica in played.replicas:
            assert await replica.ended() == 0, replica.log[-3000:]
    await receiver.stop()
    return outcome


def main() -> int:
    plan = LONG
    if len(sys.argv) > 1:
        plan = msgspec.structs.replace(plan, away=float(sys.argv[1]))
    if len(sys.argv) > 2:
        plan = msgspec.structs.replace(plan, replicas=int(sys.argv[2]))
    server = started()
    try:
        with tempfile.TemporaryDirectory() as folder:
            outcome = asyncio.run(run(plan, server, Path(folder)))
    finally:
        server.remove()
    print(outcome)
    return 0 if outcome.good else 1


if __name__ == "__main__":
    sys.exit(main())
