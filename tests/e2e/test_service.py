"""The running service: what it tells of the tour, each thing once, over a restart; and its own recording replayed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import ClientSession

from watcher.app import RunOptions, run
from watcher.demo import DemoCluster, DemoOptions
from watcher.engine.clock import FastClock
from watcher.engine.worker import LEASE
from watcher.ports import StoreError
from watcher.replay import play
from watcher.settings.core import core_of
from watcher.settings.load import load
from watcher.settings.records import Settings
from watcher.settings.shipped import directory
from watcher.source.reading import read
from watcher.store.sql import SqlStore

SPEED = 60
"""Twenty minutes of the tour pass in as many seconds; `group_wait: 40s` leaves the log tail most of one to come."""

CONFIG = """\
cluster: demo
record: {folder}/recording.jsonl
volumes: {{source: apiserver, interval: 1s}}
route:
  receiver: console
  group_by: [cluster, namespace, workload_kind, workload]
  group_wait: 40s
  routes:
    - {{receiver: nobody, matchers: ['severity="info"']}}
    - {{matchers: ['namespace=""', 'node!=""'], group_by: [cluster, alertname]}}
    - {{matchers: ['claim!=""'], group_by: [cluster, namespace, claim]}}
receivers:
  - name: console
    console_configs: [{{}}]
  - name: nobody
"""


async def serve(settings: Settings, demo: DemoCluster, folder: Path, until: float) -> int:
    """Run the service until the cluster's clock shows `until` seconds since its start."""
    stop = asyncio.Event()
    clock = FastClock(demo.timeline.now(), SPEED)
    asyncio.get_running_loop().call_later(until / SPEED, stop.set)
    kubeconfig = str(demo.kubeconfig(folder / "kubeconfig"))
    return await run(settings, RunOptions(kubeconfig=kubeconfig, clock=clock, stop=stop))


async def stored(settings: Settings) -> list[tuple[str, str, str]]:
    """(id, reason, title) of every message, oldest first."""
    store = SqlStore(settings.store.url.value, directory("alembic"), owner="test", lease_for=LEASE)
    await store.open()
    try:
        rows = await store.messages(1000)
    finally:
        await store.close()
    return [(row.id, row.notification.reason.name, row.notification.title) for row in reversed(rows)]


async def test_the_tour_is_told_once_and_replays_to_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG.format(folder=tmp_path))
    settings = load(tmp_path / "config.yaml").with_overrides(data=tmp_path, listen="127.0.0.1:0")
    async with DemoCluster(DemoOptions(speed=SPEED)) as demo:
        await demo.play("tour")
        assert await serve(settings, demo, tmp_path, until=15 * 60) == 0
        told = await stored(settings)
        assert [(reason, title.split(" — ")[0]) for _, reason, title in told] == [
            ("FIRST", "🟠 worker cannot start: image tag not found"),
            ("FIRST", "🟠 api is OOM-killed"),
            ("FIRST", "🟠 checkout crash-loops"),
            ("FIRST", "🟠 data-db-0 is 93 % full"),
        ]
        printed = capsys.readouterr().out
        assert "FATAL: could not connect to server: Connection refused" in printed
        assert "loading price table into memory (3 of 4)" in printed
        replayed = play(core_of(settings), read([tmp_path / "recording.jsonl"]))
        assert [(n.id, n.reason.name, n.title) for n in replayed] == told

        assert await serve(settings, demo, tmp_path, until=4 * 60) == 0
    later = (await stored(settings))[len(told) :]
    assert (await stored(settings))[: len(told)] == told
    assert [(reason, title) for _, reason, title in later] == [("ALL_ENDED", "🟢 checkout has recovered — shop, demo")]
    assert capsys.readouterr().out.count("— shop, demo") == 1


async def test_health_readiness_and_metrics_answer(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG.format(folder=tmp_path))
    settings = load(tmp_path / "config.yaml").with_overrides(data=tmp_path, listen="127.0.0.1:18093")
    async with DemoCluster() as demo, ClientSession("http://127.0.0.1:18093") as http:
        await demo.play("healthy")
        stop = asyncio.Event()
        options = RunOptions(kubeconfig=str(demo.kubeconfig(tmp_path / "kubeconfig")), stop=stop)
        service = asyncio.create_task(run(settings, options))
        for _ in range(100):
            await asyncio.sleep(0.05)
            try:
                async with http.get("/-/ready") as answer:
                    ready = await answer.json()
            except OSError:
                continue
            if ready["ready"]:
                break
        assert ready == {"ready": True, "waiting": [], "detail": []}
        async with http.get("/-/healthy") as answer:
            assert (answer.status, await answer.text()) == (200, "OK")
        async with http.get("/metrics") as answer:
            metrics = await answer.text()
        stop.set()
        assert await service == 0
    assert 'watcher_stream_synced{kind="Pod",namespace=""} 1.0' in metrics
    assert "watcher_pods " in metrics


async def test_a_second_service_on_the_same_data_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG.format(folder=tmp_path))
    settings = load(tmp_path / "config.yaml").with_overrides(data=tmp_path, listen="127.0.0.1:0")
    store = SqlStore(settings.store.url.value, directory("alembic"), owner="first", lease_for=LEASE)
    await store.open()
    try:
        with pytest.raises(StoreError):
            await run(settings, RunOptions(watch=False))
    finally:
        await store.close()
