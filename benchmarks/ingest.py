"""How fast pods are taken in: from the socket of the emulated API server, through our loop, to what consumes them.

    python -m benchmarks.ingest [--pods 10000] [--events 20000] [--bytes 10000] [--rounds 3]

The server is a process of its own, and so is each way of reading: (a) our list + watch into a counter, (b) the same
into the pipeline with the shipped rules, as the writer would ask it, and beside them kubernetes-asyncio's own
`watch.Watch` over fewer events of the same stream. All watch the same history from the same version, so the server
never waits. Wall time depends on what else this machine does; events per second of the reader's own processor time
(`per CPU s`) hardly does. Resident memory is the reader's after the list of all pods. Prints a table; nothing passes
or fails.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import yaml

from watcher.model.observations import EventType, Input, PodSeen, Scope, Synced

BATCH = 500
"""The engine's writer takes at most so many at once."""

SLOWER = 10
"""kubernetes-asyncio reads so many times fewer events: it takes 1.5 ms for each."""

Consume = Callable[[list[Input]], None]


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader is told."""

    way: str
    kubeconfig: str
    url: str
    version: int
    """Where the watch begins."""
    pods: int
    events: int


class Result(msgspec.Struct, frozen=True, kw_only=True):
    way: str
    listed_per_second: float = 0.0
    events_per_second: float = 0.0
    events_per_cpu_second: float = 0.0
    resident_mib: float = 0.0
    """Before the first request, and after the list: the difference is what is kept."""
    resident_before_mib: float = 0.0


# ---- the server ----


async def serve(pods: int, events: int, size: int) -> None:
    """Hold `pods` pods and a history of `events` changes; print URL and version; until stdin closes."""
    from watcher.demo import DemoCluster, DemoOptions
    from watcher.demo.pods import encoded_batch

    async with DemoCluster(DemoOptions(window=events + 1000)) as demo:
        batch = encoded_batch(pods, size)
        for key, encoded in batch:
            demo.cluster.put_encoded("Pod", key, encoded)
        version = demo.cluster.version
        for index in range(events):
            demo.cluster.put_encoded("Pod", *batch[index % pods])
        for change in demo.cluster.store("Pod").changes:
            _ = change.line  # encoded once for all readers, before anybody measures
        print(demo.url, version, flush=True)
        await asyncio.to_thread(sys.stdin.read)


# ---- the readers ----


class Counting:
    """An intake that hands on batches, and knows when the list and the watch were complete."""

    def __init__(self, events: int, consume: Consume) -> None:
        self.left = events
        self.synced, self.done = asyncio.Event(), asyncio.Event()
        self._consume = consume
        self._batch: list[Input] = []

    async def put(self, observation: Input) -> None:
        self.offer(observation)
        if isinstance(observation, Synced):
            await asyncio.sleep(0)  # the list is measured here, before the watch begins

    async def room(self) -> None:
        """At once: it is never full."""

    def offer(self, observation: Input) -> bool:
        self._batch.append(observation)
        if isinstance(observation, PodSeen) and observation.event is not EventType.LISTED:
            self.left -= 1
        over = isinstance(observation, Synced) or self.left == 0
        if over or len(self._batch) >= BATCH:
            self._consume(self._batch)
            self._batch = []
        if isinstance(observation, Synced):
            self.synced.set()
        if self.left == 0:
            self.done.set()
        return True


def nothing(_: list[Input]) -> None:
    """The loop alone."""


def pipeline() -> Consume:
    """The core's answer to each batch, applied to the view, with the shipped rules and no receivers' deliveries."""
    from watcher.model.changes import View
    from watcher.pipeline import handle
    from watcher.settings.core import core_of
    from watcher.settings.load import load

    core, view = core_of(load(None)), View()

    def consume(batch: list[Input]) -> None:
        view.apply(handle(core, view, batch, batch[-1].at))

    return consume


async def read_with_ours(task: Task, consume: Consume) -> Result:
    from watcher.engine.clock import SystemClock
    from watcher.source.client import connect
    from watcher.source.kube import ListWatch

    client = await connect(SystemClock(), task.kubeconfig)
    intake = Counting(task.events, consume)
    before = resident_mib()
    begun = time.perf_counter()
    stream = asyncio.create_task(ListWatch(client, Scope(kind="Pod"), intake, SystemClock()).run())
    await intake.synced.wait()
    listed = task.pods / (time.perf_counter() - begun)
    after = resident_mib()
    rate, cpu_rate = await measured(intake.done.wait, task.events)
    stream.cancel()
    await asyncio.gather(stream, return_exceptions=True)
    await client.close()
    return Result(
        way=task.way,
        listed_per_second=listed,
        events_per_second=rate,
        events_per_cpu_second=cpu_rate,
        resident_mib=after,
        resident_before_mib=before,
    )


async def read_with_theirs(task: Task) -> Result:
    """kubernetes-asyncio as its README shows it: a list of models, kept, and a Watch from its version."""
    from kubernetes_asyncio import client, config, watch

    def ask(**query: Any) -> Any:
        return core.list_pod_for_all_namespaces(**query)

    await config.load_kube_config(task.kubeconfig)
    async with client.ApiClient() as api:
        core = client.CoreV1Api(api)
        before = resident_mib()
        begun = time.perf_counter()
        kept: dict[str, object] = {}
        more, token = True, ""
        while more:
            page = await ask(limit=500, **({"_continue": token} if token else {}))
            kept.update((pod.metadata.uid, pod) for pod in page.items)
            token = page.metadata._continue or ""
            more = bool(token)
        listed = task.pods / (time.perf_counter() - begun)
        after = resident_mib()

        async def follow() -> None:
            left = task.events
            async with watch.Watch() as watching:
                stream = watching.stream(core.list_pod_for_all_namespaces, resource_version=task.version)
                async for event in stream:
                    kept[event["object"].metadata.uid] = event["object"]
                    left -= 1
                    if left == 0:
                        return

        rate, cpu_rate = await measured(follow, task.events)
    return Result(
        way=task.way,
        listed_per_second=listed,
        events_per_second=rate,
        events_per_cpu_second=cpu_rate,
        resident_mib=after,
        resident_before_mib=before,
    )


async def measured(work: Callable[[], Awaitable[object]], count: int) -> tuple[float, float]:
    """(a second, a second of our own processor time)."""
    begun, used = time.perf_counter(), time.process_time()
    await work()
    return count / (time.perf_counter() - begun), count / max(1e-9, time.process_time() - used)


def resident_mib() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def read(task: Task) -> Result:
    if task.way == "kubernetes-asyncio":
        return await read_with_theirs(task)
    return await read_with_ours(task, pipeline() if task.way == "our loop + pipeline" else nothing)


# ---- the run ----


async def run(options: argparse.Namespace) -> list[Result]:
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.ingest", "--serve", *_numbers(options)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    if server.stdin is None or server.stdout is None:
        raise RuntimeError("the server has no pipes")
    try:
        url, version = (await asyncio.to_thread(server.stdout.readline)).split()
        with tempfile.TemporaryDirectory() as directory:
            kubeconfig = Path(directory) / "kubeconfig"
            kubeconfig.write_text(yaml.safe_dump(_kubeconfig(url)))
            ways = {"our loop": 1, "our loop + pipeline": 1, "kubernetes-asyncio": SLOWER}
            results = []
            for way, slower in ways.items():
                task = Task(
                    way=way,
                    kubeconfig=str(kubeconfig),
                    url=url,
                    version=int(version),
                    pods=options.pods,
                    events=max(1, options.events // slower),
                )
                rounds = [await _read_elsewhere(task, options.events) for _ in range(options.rounds)]
                results.append(max(rounds, key=lambda result: result.events_per_cpu_second))
            return results
    finally:
        server.stdin.close()
        server.wait(timeout=10)


async def _read_elsewhere(task: Task, rewind: int) -> Result:
    """In a process of its own; lists are answered as of the version where the watch begins."""
    async with aiohttp.ClientSession() as session:
        for fault in ({"fault": "clear"}, {"fault": "rewind", "by": rewind, "verb": "list"}):
            async with session.post(f"{task.url}/demo/faults", json=fault) as answer:
                answer.raise_for_status()
    reader = [sys.executable, "-m", "benchmarks.ingest", "--read", msgspec.json.encode(task).decode()]
    done = await asyncio.to_thread(subprocess.run, reader, check=True, stdout=subprocess.PIPE)
    return msgspec.json.decode(done.stdout, type=Result)


def _kubeconfig(url: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "bench",
        "clusters": [{"name": "bench", "cluster": {"server": url}}],
        "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
        "users": [{"name": "bench", "user": {}}],
    }


def _numbers(options: argparse.Namespace) -> list[str]:
    return ["--pods", str(options.pods), "--events", str(options.events), "--bytes", str(options.bytes)]


def table(results: list[Result], options: argparse.Namespace) -> str:
    """The last column: how many times more events than kubernetes-asyncio, by processor time."""
    base = results[-1].events_per_cpu_second
    head = f"{options.pods} pods of {options.bytes} bytes, {options.events} events, best of {options.rounds}, " + (
        f"{datetime.now(UTC):%Y-%m-%d}, Python {sys.version.split()[0]}"
    )
    rows = [f"{'':22} {'listed/s':>10} {'events/s':>10} {'per CPU s':>10} {'RSS MiB':>8} {'before':>8} {'ratio':>7}"]
    for result in results:
        rows.append(
            f"{result.way:22} {result.listed_per_second:>10,.0f} {result.events_per_second:>10,.0f} "
            f"{result.events_per_cpu_second:>10,.0f} {result.resident_mib:>8.0f} {result.resident_before_mib:>8.0f} "
            f"{result.events_per_cpu_second / base:>7.1f}"
        )
    return "\n".join([head, *rows])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--pods", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--bytes", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--read", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(options.pods, options.events, options.bytes))
    elif options.read:
        result = asyncio.run(read(msgspec.json.decode(options.read, type=Task)))
        print(msgspec.json.encode(result).decode())
    else:
        print(table(asyncio.run(run(options)), options))


if __name__ == "__main__":
    main()
