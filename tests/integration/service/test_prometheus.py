"""A real Prometheus that posts its alerts to a running service. It comes with Debian's prometheus."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.service.conftest import until
from tests.support.receivers import HttpReceiver
from tests.support.serving import free_port, served

PROMETHEUS = shutil.which("prometheus")
pytestmark = pytest.mark.skipif(PROMETHEUS is None, reason="there is no prometheus: install it")

WATCHER = """\
cluster: demo
volumes: {{source: none}}
route: {{receiver: team, group_by: [alertname], group_wait: 0s, group_interval: 1s}}
receivers: [{{name: team, webhook_configs: [{{url: "{url}"}}]}}]
"""
CONFIG = """\
global: {{evaluation_interval: 200ms, external_labels: {{cluster: there}}}}
rule_files: [rules.yml]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["{target}"]}}]}}]}}
"""
RULES = """\
groups:
  - name: g
    rules:
      - alert: TooMany
        expr: vector({value}) > 0
        labels: {{severity: critical}}
        annotations: {{summary: "There are {{{{ $value }}}}"}}
"""


@contextlib.asynccontextmanager
async def prometheus(folder: Path, target: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Posts to `target`; a SIGHUP has it read `rules.yml` again."""
    assert PROMETHEUS is not None
    (folder / "prometheus.yml").write_text(CONFIG.format(target=target))
    rules(folder, 3)
    process = await asyncio.create_subprocess_exec(
        PROMETHEUS, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{free_port()}", "--rules.alert.resend-delay=200ms",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        await process.wait()


def rules(folder: Path, value: int) -> None:
    (folder / "rules.yml").write_text(RULES.format(value=value))


async def test_what_it_fires_is_told_once_and_its_end_is_told(tmp_path: Path, receiver: HttpReceiver) -> None:
    config = WATCHER.format(url=receiver.url)
    async with served(tmp_path, config) as url, prometheus(tmp_path, url.removeprefix("http://")) as process:
        await until(lambda: receiver.received)
        (alert,) = receiver.received[0].body["alerts"]
        assert alert["labels"] == {"alertname": "TooMany", "severity": "critical", "cluster": "there"}
        assert alert["annotations"] == {"summary": "There are 3"}
        assert "g0.expr=vector%283%29+%3E+0" in alert["generatorURL"]
        await asyncio.sleep(2)
        assert len(receiver.received) == 1
        rules(tmp_path, 0)
        process.send_signal(1)
        await until(lambda: len(receiver.received) == 2)
        over = receiver.received[1].body
        assert (over["status"], over["alerts"][0]["fingerprint"]) == ("resolved", alert["fingerprint"])
