"""A configuration that changes while the service runs: a real process, and a directory as the kubelet mounts a
ConfigMap. Rows 52, 53 and 86 of behaviours.md."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from tests.support.receivers import HttpReceiver
from tests.support.serving import free_port
from watcher.demo import DemoCluster
from watcher.demo.pods import Container, make, waiting

RULES = """\
groups:
  - name: images
    rules:
      - {alert: Pulling, signal: ImagePullFailing, labels: {severity: warning, team: LABEL}}
      - {alert: WatcherConfigRefused, signal: ConfigRefused, labels: {severity: critical}}
EXTRA
"""
STUCK = "      - {alert: Stuck, signal: ImagePullFailing, labels: {severity: critical}}"
CONFIG = """\
watch: {exclude_namespaces: EXCLUDED}
volumes: {source: none}
rules: ["rules-*.yaml"]
first_start: alert
route:
  receiver: RECEIVER
  group_by: [namespace, alertname]
  group_wait: 100ms
  group_interval: 300ms
receivers:
  - name: one
    webhook_configs: [{url: "ONE"}]
  - name: two
    webhook_configs: [{url: "TWO"}]
"""


class Mounted:
    """A ConfigMap's directory: files are links to `..data/FILE`, and `..data` is a link that is swapped."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._number = itertools.count()
        folder.mkdir()

    def put(self, **files: str) -> None:
        """As the kubelet's atomic writer does it (pkg/volume/util/atomic_writer.go)."""
        fresh = self.folder / f"..2026_11_21_{next(self._number)}"
        fresh.mkdir()
        for name, text in files.items():
            (fresh / f"{name}.yaml").write_text(text)
        data = self.folder / "..data"
        before = data.resolve() if data.exists() else None
        (self.folder / "..data_tmp").symlink_to(fresh.name)
        (self.folder / "..data_tmp").rename(data)
        for name in files:
            link = self.folder / f"{name}.yaml"
            if not link.is_symlink():
                link.symlink_to(f"..data/{name}.yaml")
        if before is not None:
            shutil.rmtree(before)


class World:
    def __init__(self, folder: Path, demo: DemoCluster) -> None:
        self.mounted = Mounted(folder / "config")
        self.one, self.two = HttpReceiver(), HttpReceiver()
        self.demo = demo
        self.url = f"http://127.0.0.1:{free_port()}"
        self._folder = folder
        self.process: asyncio.subprocess.Process

    def configure(self, receiver: str = "one", label: str = "a", extra: str = "", excluded: str = "[]") -> None:
        config = CONFIG.replace("ONE", self.one.url).replace("TWO", self.two.url)
        config = config.replace("RECEIVER", receiver).replace("EXCLUDED", excluded)
        rules = RULES.replace("LABEL", label).replace("EXTRA", extra)
        self.mounted.put(config=config, **{"rules-images": rules})

    def breaks(self, namespace: str, *, broken: bool = True) -> None:
        state = waiting("ErrImagePull", 'failed to resolve reference "web:9": not found') if broken else {}
        pod = make(namespace, "web-0", owner="StatefulSet/web", containers=(Container(name="app", state=state),))
        self.demo.cluster.put(pod)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        kubeconfig = self.demo.kubeconfig(self._folder / "kubeconfig")
        with (self._folder / "log").open("wb") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "watcher", "run", "--config", str(self.mounted.folder / "config.yaml"),
                "--data", str(self._folder), "--listen", self.url.removeprefix("http://"), stdout=log, stderr=log,
                env={**os.environ, "KUBECONFIG": str(kubeconfig)},
            )  # fmt: skip
        try:
            await self.ready()
            yield
        finally:
            self.process.terminate()
            code = await self.process.wait()
        assert code == 0, self.log()

    async def ready(self) -> None:
        async with asyncio.timeout(30), ClientSession(self.url) as http:
            while True:
                assert self.process.returncode is None, self.log()
                with contextlib.suppress(OSError):
                    async with http.get("/-/ready") as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(0.05)

    async def metric(self, name: str) -> float:
        async with ClientSession(self.url) as http, http.get("/metrics") as answer:
            lines = (await answer.text()).splitlines()
        return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])

    async def asks(self) -> tuple[int, str]:
        async with ClientSession(self.url) as http, http.post("/-/reload") as answer:
            return answer.status, await answer.text()

    def log(self) -> str:
        return (self._folder / "log").read_text()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with DemoCluster() as demo:
        demo.world.add_node("node-1")
        found = World(tmp_path, demo)
        await found.one.start()
        await found.two.start()
        yield found
        await found.one.stop()
        await found.two.stop()


def heard(receiver: HttpReceiver) -> list[tuple[str, str, str]]:
    """(alert, namespace, status or the reason of the end) of all that it was told."""
    said = [alert for one in receiver.received for alert in one.body["alerts"]]
    return [(alert["labels"]["alertname"], alert["labels"].get("namespace", ""), _state(alert)) for alert in said]


def _state(alert: dict[str, Any]) -> str:
    return alert.get("endReason", "resolved") if alert["status"] == "resolved" else "firing"


async def until(world: World, receiver: HttpReceiver, *wanted: tuple[str, str, str]) -> None:
    try:
        async with asyncio.timeout(15):
            while not all(one in heard(receiver) for one in wanted):
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"{heard(receiver)}\n{world.log()[-4000:]}") from None


async def test_52_53_86_a_configmap_is_swapped_twice_in_a_row(world: World) -> None:
    world.configure(extra=STUCK)
    world.breaks("shop")
    world.breaks("bank")
    async with world.running():
        await until(
            world, world.one, *((name, space, "firing") for name in ("Pulling", "Stuck") for space in ("shop", "bank"))
        )
        # Both at once, as when somebody mends what was applied a moment ago.
        world.configure(receiver="two", extra=STUCK)
        world.configure(receiver="two", label="b", excluded="[bank]")
        await until(world, world.two, ("Pulling", "shop", "firing"))
        await until(
            world,
            world.one,
            ("Pulling", "shop", "moved"),
            ("Stuck", "shop", "rule_removed"),
            ("Pulling", "bank", "out_of_scope"),
        )
        assert ("Pulling", "bank", "firing") not in heard(world.two)
        (told,) = [alert for one in world.two.received for alert in one.body["alerts"]]
        assert told["labels"]["team"] == "a"
        world.breaks("shop", broken=False)
        await until(world, world.two, ("Pulling", "shop", "recovered"))
        assert await world.metric("watcher_config_last_reload_successful") == 1


async def test_a_wrong_configuration_is_refused_and_the_one_in_force_stays(world: World) -> None:
    world.configure()
    async with world.running():
        world.configure(receiver="nobody")
        await until(world, world.one, ("WatcherConfigRefused", "", "firing"))
        assert await world.metric("watcher_config_last_reload_successful") == 0
        assert await world.metric("alertmanager_config_last_reload_successful") == 0
        status, text = await world.asks()
        assert status == 500
        assert "config.yaml:6:" in text
        assert "nobody" in text
        world.breaks("shop")
        await until(world, world.one, ("Pulling", "shop", "firing"))
        world.configure(receiver="one", label="c")
        await until(world, world.one, ("WatcherConfigRefused", "", "recovered"))
        assert await world.metric("watcher_config_last_reload_successful") == 1
        assert await world.asks() == (200, "")
    assert '"config.refused"' in world.log()


async def test_sighup_reads_it_again(world: World) -> None:
    world.configure()
    async with world.running():
        world.process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(10):
            while '"config.loaded"' not in world.log():
                await asyncio.sleep(0.02)
