"""What `kill -9` loses: the service is killed at random instants while 50 alerts begin and end.

    python -m benchmarks.kills [KILLS]

A real service (its own process, SQLite, real HTTP) against the emulated cluster and a local webhook server. After the
last kill everything that was due must have arrived; a message may be repeated, at most once per kill. Exit code 1
where one was lost. `tests/e2e/test_kills.py` runs the short form.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path

import msgspec
from aiohttp import web

from watcher.demo import DemoCluster
from watcher.demo.pods import Container, make, waiting

ALERTS = 50
ANSWERS_AFTER = 0.2
"""Seconds between taking a message and answering: a kill in between must repeat it, and nothing else."""
RULES = """\
groups:
  - name: images
    rules:
      - {alert: Pulling, signal: ImagePullFailing, labels: {severity: warning}}
"""


class Outcome(msgspec.Struct):
    kills: int
    due: int
    lost: int
    repeated: int
    out_of_order: int
    """Workloads whose last message was not their end."""


class Hook:
    """A webhook receiver that remembers what it was told, per workload."""

    def __init__(self) -> None:
        self.told: dict[str, list[str]] = {}
        self.ids: Counter[str] = Counter()

    async def take(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.ids[request.headers["Idempotency-Key"]] += 1
        self.told.setdefault(body["groupLabels"]["workload"], []).append(body["status"])
        await asyncio.sleep(ANSWERS_AFTER)
        return web.Response()

    def heard(self, status: str) -> int:
        return sum(status in said for said in self.told.values())


async def run(kills: int, seed: int = 0) -> Outcome:
    hook, rng = Hook(), random.Random(seed)
    application = web.Application()
    application.router.add_post("/", hook.take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            async with DemoCluster() as demo:
                config = _configure(Path(folder), f"http://127.0.0.1:{runner.addresses[0][1]}/")
                await _kill_often(demo, config, hook, rng, kills)
    finally:
        await runner.cleanup()
    return Outcome(
        kills=kills,
        due=2 * ALERTS,
        lost=2 * ALERTS - hook.heard("firing") - hook.heard("resolved"),
        repeated=sum(count - 1 for count in hook.ids.values()),
        out_of_order=sum(said[-1] != "resolved" for said in hook.told.values()),
    )


def _configure(folder: Path, url: str) -> Path:
    (folder / "rules.yaml").write_text(RULES)
    config = folder / "config.yaml"
    config.write_text(
        f"""\
rules: [{folder}/rules.yaml]
first_start: alert
route: {{receiver: hook, group_by: [workload], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers:
  - name: hook
    webhook_configs: [{{url: "{url}"}}]
"""
    )
    return config


async def _kill_often(demo: DemoCluster, config: Path, hook: Hook, rng: random.Random, kills: int) -> None:
    """One half of the kills while the alerts begin, the other while they end; then the service may finish."""
    kubeconfig = demo.kubeconfig(config.parent / "kubeconfig")
    halves = (("pulling", kills - kills // 2), ("running", kills // 2))
    for state, times in halves:
        changing = asyncio.create_task(_change(demo, state, seconds=max(1.0, times * 1.2)))
        for _ in range(times):
            service = await _start(config, kubeconfig)
            await asyncio.sleep(rng.uniform(0.0, 1.6))
            if service.returncode is not None:
                raise RuntimeError((config.parent / "service.log").read_text()[-2000:])
            os.kill(service.pid, signal.SIGKILL)
            await service.wait()
        await changing
        service = await _start(config, kubeconfig)
        await _until(hook, "firing" if state == "pulling" else "resolved")
        service.send_signal(signal.SIGTERM)
        await service.wait()


async def _start(config: Path, kubeconfig: Path) -> asyncio.subprocess.Process:
    """A service that answers on its port, or at least has had two seconds to."""
    with (config.parent / "service.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "watcher", "run", "--config", str(config), "--data", str(config.parent),
            "--listen", "127.0.0.1:0", stdout=log, stderr=log, env={**os.environ, "KUBECONFIG": str(kubeconfig)},
        )  # fmt: skip
    started = (config.parent / "watcher.db").exists()
    await asyncio.sleep(0.9 if started else 1.5)
    return process


async def _change(demo: DemoCluster, state: str, seconds: float) -> None:
    """Break, or heal, one workload after the other."""
    for number in range(ALERTS):
        broken = waiting("ErrImagePull", f'failed to resolve reference "w{number}:9": not found')
        container = Container(name="app", state=broken if state == "pulling" else {})
        demo.cluster.put(make("shop", f"w{number}-0", owner=f"StatefulSet/w{number}", containers=(container,)))
        await asyncio.sleep(seconds / ALERTS)


async def _until(hook: Hook, status: str, within: float = 60.0) -> None:
    for _ in range(int(within / 0.1)):
        if hook.heard(status) == ALERTS:
            return
        await asyncio.sleep(0.1)


def main() -> int:
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    outcome = asyncio.run(run(kills))
    print(f"{outcome.kills} kills, {outcome.due} notifications due: {outcome.lost} lost,", end=" ")
    print(f"{outcome.repeated} repeated, {outcome.out_of_order} out of order")
    return 1 if outcome.lost or outcome.out_of_order or outcome.repeated > outcome.kills else 0


if __name__ == "__main__":
    sys.exit(main())
