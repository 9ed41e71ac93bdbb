"""Two replicas of the service on one Postgres and one API server, each with a network of its own, and their troubles.

For `failover.py`. A trigger in the database notes the epoch and the writer of every commit.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import msgspec
import yaml

from benchmarks.kills import IN_A_GROUP, RECEIVERS, RULES, Truth
from benchmarks.moody import PATIENCE, Receiver
from benchmarks.relay import Relay
from tests.support.postgres import PostgresServer
from tests.support.serving import free_port
from watcher.demo import DemoCluster
from watcher.demo.pods import Container, make, waiting


class Trouble(enum.StrEnum):
    KILLED = "kill -9"
    STOPPED = "SIGSTOP"
    API_HANGS = "API server hangs"
    DATABASE_CUT = "database cut"
    ENDED = "SIGTERM"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    troubles: int
    workloads: int
    cycles: int
    lease: tuple[float, float, float]
    """lease_duration, renew_deadline, retry_period in seconds."""
    stopped_for: float
    drain_within: float = 180.0
    seed: int = 0


WITNESS = """
CREATE TABLE witness (epoch int, writer text, at timestamptz);
CREATE FUNCTION note() RETURNS trigger AS $$ BEGIN
  INSERT INTO witness SELECT epoch, current_setting('application_name'), clock_timestamp() FROM leadership;
  RETURN NULL;
END $$ LANGUAGE plpgsql;
CREATE TRIGGER noted AFTER INSERT OR UPDATE ON outbox FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TRIGGER noted AFTER INSERT OR UPDATE ON alerts FOR EACH STATEMENT EXECUTE FUNCTION note();
"""


class Replica:
    """One process, with a network of its own."""

    def __init__(self, name: str, folder: Path, api: Relay, database: Relay) -> None:
        self.name = name
        self.api, self.database = api, database
        self.port = free_port()
        self.log = folder / f"{name}.log"
        self._folder = folder
        self._process: asyncio.subprocess.Process

    async def begin(self, kubeconfig: Path) -> None:
        with self.log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "watcher", "run", "--config", str(self._folder / f"{self.name}.yaml"),
                "--listen", f"127.0.0.1:{self.port}", stdout=output, stderr=output,
                env={**os.environ, "KUBECONFIG": str(kubeconfig)},
            )  # fmt: skip

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.returncode is None

    def send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def ended(self) -> None:
        await self._process.wait()


class World:
    def __init__(self, plan: Plan, folder: Path, demo: DemoCluster, server: PostgresServer) -> None:
        self.plan = plan
        self.demo = demo
        self.server = server
        self.database = server.create()
        self.replicas: list[Replica] = []
        self.receivers: list[Receiver] = []
        self.truth = Truth(self._query)
        self.times: list[tuple[float, float]] = []
        """Of the troubles: from when on, and until the other leads."""
        self.takeovers: dict[str, list[float]] = {}
        self.steps = 0
        self._folder = folder
        self._rng = random.Random(plan.seed)
        self._pool: asyncpg.Pool

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[World]:
        async with contextlib.AsyncExitStack() as stack:
            self._pool = await stack.enter_async_context(
                asyncpg.create_pool(self.server.url(self.database), min_size=1, max_size=2)
            )
            for number in range(RECEIVERS):
                receiver = Receiver(number, random.Random(self.plan.seed * 100 + number), 5.0)
                self.receivers.append(await stack.enter_async_context(receiver.running()))
            (self._folder / "rules.yaml").write_text(RULES)
            for name in ("a", "b"):
                api = await stack.enter_async_context(Relay(_port(self.demo.url)).running())
                database = await stack.enter_async_context(Relay(self.server.port).running())
                replica = Replica(name, self._folder, api, database)
                self.replicas.append(replica)
                self._configure(replica)
                await replica.begin(self._kubeconfig(replica))
            await self.leader(0)
            await self._pool.execute(WITNESS)
            try:
                yield self
            finally:
                for replica in self.replicas:
                    replica.send(signal.SIGCONT)
                    replica.send(signal.SIGKILL)
                    await replica.ended()

    async def _query(self, query: str, *values: int) -> list[asyncpg.Record]:
        numbered = query.replace("?", "$1", 1)
        found: list[asyncpg.Record] = await self._pool.fetch(numbered, *values)
        return found

    # ---- trouble ----

    async def leader(self, after: int, within: float = 60.0) -> tuple[int, Replica]:
        """The first leader of a later epoch."""
        try:
            async with asyncio.timeout(within):
                while True:
                    with contextlib.suppress(asyncpg.UndefinedTableError):
                        row = await self._pool.fetchrow("SELECT epoch, holder FROM leadership")
                        if row is not None and row["epoch"] > after:
                            pid = int(row["holder"].rpartition("/")[2])
                            return row["epoch"], next(one for one in self.replicas if one.pid == pid)
                    await asyncio.sleep(0.02)
        except TimeoutError:
            logs = "\n".join(one.log.read_text()[-3000:] for one in self.replicas)
            raise AssertionError(f"nobody took over after epoch {after}\n{logs}") from None

    async def make_trouble(self, trouble: Trouble) -> None:
        """For whoever leads; ends when the other leads and all is well again."""
        now = asyncio.get_running_loop().time
        epoch, leader = await self.leader(0)
        await asyncio.sleep(self._rng.uniform(0.5, 2.5))
        began = now()
        self._begin(trouble, leader)
        if trouble is Trouble.ENDED:
            await leader.ended()
        await self.leader(epoch)
        self.takeovers.setdefault(trouble, []).append(now() - began)
        self.times.append((began, now()))
        if trouble is Trouble.STOPPED:
            await asyncio.sleep(max(0.0, self.plan.stopped_for - (now() - began)))
        await self._mend(trouble, leader)

    def _begin(self, trouble: Trouble, leader: Replica) -> None:
        match trouble:
            case Trouble.KILLED:
                leader.send(signal.SIGKILL)
            case Trouble.STOPPED:
                leader.send(signal.SIGSTOP)
            case Trouble.API_HANGS:
                leader.api.hang()
            case Trouble.DATABASE_CUT:
                leader.database.cut()
            case Trouble.ENDED:
                leader.send(signal.SIGTERM)

    async def _mend(self, trouble: Trouble, leader: Replica) -> None:
        leader.send(signal.SIGCONT)
        leader.api.mend()
        leader.database.mend()
        if trouble in (Trouble.KILLED, Trouble.ENDED):
            await leader.ended()
            await leader.begin(self._kubeconfig(leader))
        elif not leader.running:
            raise AssertionError(f"it ended by itself\n{leader.log.read_text()[-3000:]}")

    # ---- workloads ----

    def put(self, number: int, *, broken: bool) -> None:
        state = waiting("ErrImagePull", f'failed to resolve reference "w{number}:9": not found') if broken else {}
        container = Container(name="app", state=state)
        pod = make(
            f"team{number // IN_A_GROUP}", f"w{number}-0", owner=f"StatefulSet/w{number}", containers=(container,)
        )
        self.demo.cluster.put(pod)

    async def live(self, number: int, lull: float) -> None:
        """One workload: it breaks and heals, again and again."""
        for _ in range(self.plan.cycles):
            for broken in (True, False):
                await asyncio.sleep(self._rng.uniform(0.2, 1.4) * lull)
                self.put(number, broken=broken)
                while not self.truth.is_at(f"w{number}", broken=broken):
                    await asyncio.sleep(0.1)
                self.steps += 1

    async def look(self) -> None:
        while True:
            await self.truth.look()
            await asyncio.sleep(0.2)

    # ---- files ----

    def _kubeconfig(self, replica: Replica) -> Path:
        path = self.demo.kubeconfig(self._folder / f"{replica.name}.kubeconfig")
        document = yaml.safe_load(path.read_text())
        document["clusters"][0]["cluster"]["server"] = f"http://127.0.0.1:{replica.api.port}"
        path.write_text(yaml.safe_dump(document))
        return path

    def _configure(self, replica: Replica) -> None:
        url = self.server.url(self.database, application_name=replica.name)
        lasts, deadline, pause = (f"{round(seconds * 1000)}ms" for seconds in self.plan.lease)
        config = {
            "rules": [str(self._folder / "rules.yaml")],
            "first_start": "alert",
            "volumes": {"source": "none"},
            "store": {"url": url.replace(f":{self.server.port}/", f":{replica.database.port}/")},
            "leader_election": {
                "enabled": True,
                "address": f"http://127.0.0.1:{replica.port}",
                "lease_duration": lasts,
                "renew_deadline": deadline,
                "retry_period": pause,
            },
            "route": {
                "receiver": self.receivers[0].name,
                "group_by": ["namespace"],
                "group_wait": "1s",
                "group_interval": "1s",
                "repeat_interval": "1h",
                "routes": [{"receiver": one.name, "continue": True} for one in self.receivers],
            },
            "receivers": [
                {
                    "name": one.name,
                    "webhook_configs": [{"url": f"http://127.0.0.1:{one.port}/", "timeout": f"{PATIENCE:g}s"}],
                }
                for one in self.receivers
            ],
        }
        (self._folder / f"{replica.name}.yaml").write_text(yaml.safe_dump(config))

    async def shared_epochs(self) -> tuple[int, int]:
        """(epochs, those in which more than one process wrote)"""
        shared = (
            "SELECT count(*) FROM (SELECT epoch FROM witness GROUP BY epoch HAVING count(DISTINCT writer) > 1) AS s"
        )
        return await self._pool.fetchval("SELECT max(epoch) FROM leadership"), await self._pool.fetchval(shared)


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])
