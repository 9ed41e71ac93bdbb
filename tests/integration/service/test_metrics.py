"""What a running service says of itself: every metric is on its page, and every line of its log is ECS."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import sys
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from prometheus_client.parser import text_string_to_metric_families as parse

from tests.integration.service.conftest import Serving, until
from tests.support.receivers import Answering, HttpReceiver
from tests.support.serving import free_port
from watcher.app import RunOptions, run
from watcher.app.metrics.document import samples, specs
from watcher.demo import DemoCluster, DemoOptions
from watcher.engine.clock import FastClock
from watcher.settings.live import LiveConfig
from watcher.settings.load import load

ROOT = Path(__file__).parents[3]
SPEED = 20

CONFIG = """\
cluster: demo
volumes: {{source: apiserver, interval: 1s}}
route: {{receiver: team, group_wait: 1s}}
receivers:
  - name: team
    webhook_configs: [{{url: "{good}"}}, {{url: "{bad}"}}]
"""

TYPES = {"@timestamp": str, "log.level": str, "message": str, "ecs.version": str, "log.logger": str}
"""Of the ECS logging spec (github.com/elastic/ecs-logging, spec/spec.json); the first four are required, at first."""
LEVELS = {"debug", "info", "warning", "error", "critical"}


@pytest.fixture
async def bad() -> AsyncIterator[HttpReceiver]:
    """Is there, and takes nothing."""
    started = HttpReceiver()
    started.answering = Answering(status=404)
    await started.start()
    yield started
    await started.stop()


@contextlib.asynccontextmanager
async def touring(folder: Path, config: str) -> AsyncIterator[str]:
    """A service in the middle of the demo's tour; gives its URL."""
    (folder / "config.yaml").write_text(config, encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    settings = load(folder / "config.yaml").with_overrides(data=folder, listen=address)
    stop = asyncio.Event()
    async with DemoCluster(DemoOptions(speed=SPEED)) as demo:
        await demo.play("tour")
        clock = FastClock(demo.timeline.now(), SPEED)
        options = RunOptions(kubeconfig=str(demo.kubeconfig(folder / "kubeconfig")), clock=clock, stop=stop)
        service = asyncio.create_task(run(settings, options))
        try:
            yield f"http://{address}"
        finally:
            stop.set()
            assert await service == 0


async def scraped(url: str) -> str:
    async with ClientSession() as http, http.get(f"{url}/metrics") as answer:
        return await answer.text()


def total(text: str, name: str) -> float:
    """All samples of one name together."""
    return sum(sample.value for family in parse(text) for sample in family.samples if sample.name == name)


async def test_everything_that_is_shown_is_on_the_page_and_the_other_way_round(
    tmp_path: Path, receiver: HttpReceiver, bad: HttpReceiver
) -> None:
    async with touring(tmp_path, CONFIG.format(good=receiver.url, bad=bad.url)) as url:
        await until(lambda: receiver.received and bad.received)
        await asyncio.sleep(0.5)
        text = await scraped(url)
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    described = dict(re.findall(r"^\| `(\w+)` \| (counter|gauge|histogram) \|", page, re.MULTILINE))
    assert dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE)) == described
    known = {name for spec in specs() for name in samples(spec)}
    assert {sample.name for family in parse(text) for sample in family.samples} <= known


async def test_each_stage_counts_what_it_does(tmp_path: Path, receiver: HttpReceiver, bad: HttpReceiver) -> None:
    async with touring(tmp_path, CONFIG.format(good=receiver.url, bad=bad.url)) as url:
        await until(lambda: receiver.received and bad.received)
        async with asyncio.timeout(20):
            while not total(text := await scraped(url), "watcher_dead_letters_total"):
                await asyncio.sleep(0.05)
    counted = (
        *("watcher_stream_events_total", "watcher_observations_total", "watcher_batches_total", "watcher_pods"),
        *("watcher_core_seconds_count", "watcher_core_seconds_sum", "watcher_store_seconds_count"),
        *("watcher_decisions_total", "watcher_alerts", "watcher_members", "watcher_evidence_seconds_count"),
        *("watcher_delivery_seconds_count", "watcher_delivery_send_seconds_sum", "watcher_delivery_failures_total"),
        *("watcher_ready", "watcher_store_up", "watcher_config_last_reload_successful", "watcher_is_leader"),
        *("alertmanager_notifications_total", "alertmanager_notifications_failed_total", "alertmanager_receivers"),
        *("alertmanager_notification_latency_seconds_count", "alertmanager_dispatcher_aggregation_groups"),
        *("process_resident_memory_bytes", "process_cpu_seconds_total", "python_gc_collections_total"),
    )
    assert [name for name in counted if total(text, name) <= 0] == []
    assert 'watcher_delivery_failures_total{integration="webhook_configs[1]",reason="client_error"' in text
    assert 'watcher_store_seconds_count{operation="load"} 1.0' in text
    assert total(text, "watcher_observations_set_aside_total") == 0
    assert not re.search(r"(checkout|worker)-[0-9a-f]+-", text), "no metric names a pod"


async def test_a_replica_that_stands_by_does_not_show_what_the_leader_shows(tmp_path: Path, serving: Serving) -> None:
    async with (
        DemoCluster() as demo,
        serving(demo, "receivers: [{name: nobody}]\nroute: {receiver: nobody}\n") as leads,
    ):
        assert {"watcher_pods", "watcher_is_leader"} <= {family.name for family in leads.metrics()}
        leads.leader.is_leader = False
        shown = {family.name for family in leads.metrics()}
        assert {"watcher_is_leader", "watcher_ready", "process_cpu_seconds"} <= shown
        assert not {"watcher_pods", "watcher_outbox_length", "alertmanager_alerts"} & shown


async def test_a_reload_that_is_refused_shows_and_so_does_the_one_that_mends_it(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    text = "receivers: [{name: nobody}]\nroute: {receiver: nobody, group_interval: 1m}\n"
    config.write_text(text, encoding="utf-8")
    live = LiveConfig(config, data=tmp_path, listen=f"127.0.0.1:{free_port()}")
    settings = live.load()
    url, stop = f"http://{settings.http.host}:{settings.http.port}", asyncio.Event()
    service = asyncio.create_task(run(settings, RunOptions(watch=False, stop=stop, config=live)))
    try:
        began = await _answered(url)
        config.write_text(text.replace("nobody,", "somebody,"), encoding="utf-8")
        refused = await _reloaded(url, 500)
        config.write_text(text.replace("1m", "2m"), encoding="utf-8")
        mended = await _reloaded(url, 200)
    finally:
        stop.set()
        assert await service == 0
    names = ("watcher_config_last_reload_successful", "alertmanager_config_last_reload_successful")
    assert [total(shown, name) for shown in (began, refused, mended) for name in names] == [1, 1, 0, 0, 1, 1]
    assert total(began, "watcher_config_hash") == total(refused, "watcher_config_hash") > 0
    assert total(mended, "watcher_config_hash") not in (0, total(began, "watcher_config_hash"))
    assert 'watcher_config_reloads_total{outcome="refused"} 0' not in refused
    last = "watcher_config_last_reload_success_timestamp_seconds"
    assert total(mended, last) > total(began, last) == total(refused, last) > 0


async def _answered(url: str) -> str:
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(OSError):
                return await scraped(url)
            await asyncio.sleep(0.02)


async def _reloaded(url: str, expected: int) -> str:
    """The files may have been noticed already: asking once more changes nothing but the count."""
    async with ClientSession() as http, http.post(f"{url}/-/reload") as answer:
        assert answer.status == expected, await answer.text()
    return await scraped(url)


def lines(text: str) -> list[dict[str, Any]]:
    """Every line as JSON; a line that is none fails."""
    return [json.loads(line) for line in text.splitlines()]


async def test_every_line_of_the_log_is_json_with_ecs_names(tmp_path: Path, receiver: HttpReceiver) -> None:
    receiver.answering = Answering(status=404, body="no such hook: token=hunter2secret\nand a second line")
    (tmp_path / "config.yaml").write_text(
        f'receivers: [{{name: team, webhook_configs: [{{url: "{receiver.url}"}}]}}, {{name: unused}}]\n'
        "route: {receiver: team, group_wait: 0s}\n",
        encoding="utf-8",
    )
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "watcher", "run", "--no-watch", "--config", str(tmp_path / "config.yaml"),
        "--data", str(tmp_path), "--listen", f"127.0.0.1:{port}", stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(60):
        await _provoke(port)
        await until(lambda: receiver.received)
        process.send_signal(signal.SIGTERM)
        _, said = await process.communicate()
    entries = lines(said.decode())
    assert process.returncode == 0
    for entry in entries:
        assert list(entry)[:4] == list(TYPES)[:4]
        assert all(isinstance(entry[name], kind) for name, kind in TYPES.items())
        assert datetime.fromisoformat(entry["@timestamp"]).utcoffset() is not None
        assert entry["log.level"] in LEVELS
        assert all(isinstance(value, str | int | float) for value in entry.values()), "nothing is nested"
    events = {entry.get("event.action") for entry in entries}
    assert {"config.warning", "service.started", "decision.send", "delivery.dead", "service.stopped"} <= events
    assert {"uvicorn.error"} <= {entry["log.logger"] for entry in entries}
    assert "hunter2secret" not in said.decode()
    assert receiver.url not in said.decode()


async def _provoke(port: int) -> None:
    """A line of the HTTP server's own, and a message that is refused."""
    async with ClientSession() as http:
        while True:
            with contextlib.suppress(OSError):
                async with http.get(f"http://127.0.0.1:{port}/-/ready") as answer:
                    if answer.status == 200:
                        break
            await asyncio.sleep(0.05)
        async with http.post(
            f"http://127.0.0.1:{port}/api/v2/alerts", json=[{"labels": {"alertname": "A", "team": "x"}}]
        ) as answer:
            assert answer.status == 200
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"this is no HTTP\r\n\r\n")
    await reader.read()
    writer.close()
    await writer.wait_closed()
