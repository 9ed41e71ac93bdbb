"""`kill -9` of a real process in Alertmanager's place: silences, posted alerts and groups in flight are all there after
it, what waited for its group is told, and nothing is told twice.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.service.conftest import until
from tests.support.process import Process
from tests.support.receivers import HttpReceiver

CONFIG = """\
volumes: {{source: none}}
route:
  receiver: team
  group_by: [alertname]
  group_wait: 0s
  group_interval: 2s
  routes: [{{matchers: [wait="yes"], group_wait: 5s}}]
receivers: [{{name: team, webhook_configs: [{{url: "{url}"}}]}}]
"""
OWN = "/api/watcher/v1"
KEPT = ("fingerprint", "labels", "startsAt")


@pytest.fixture
async def team() -> AsyncIterator[HttpReceiver]:
    started = HttpReceiver()
    await started.start()
    yield started
    await started.stop()


def told(team: HttpReceiver) -> Counter[tuple[str, str]]:
    """How often each alert was told to fire or to have ended."""
    alerts = (alert for one in team.received for alert in one.body["alerts"])
    return Counter((alert["labels"]["alertname"], alert["status"]) for alert in alerts)


def alert(name: str, ends: float | None = None, **labels: str) -> dict[str, Any]:
    found: dict[str, Any] = {"labels": {"alertname": name, **labels}}
    if ends is not None:
        found["startsAt"] = at(ends - 60)
        found["endsAt"] = at(ends)
    return found


def at(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def silence(name: str, **changes: Any) -> dict[str, Any]:
    matchers = [{"name": "alertname", "value": name, "isRegex": False}]
    times = {"startsAt": at(0), "endsAt": at(3600)}
    return {"matchers": matchers, **times, "createdBy": "ann", "comment": "moved", **changes}


class Asked:
    """The process, asked without holding up the receiver."""

    def __init__(self, process: Process) -> None:
        self.process = process

    async def start(self) -> None:
        await asyncio.to_thread(self.process.start)

    async def get(self, path: str) -> Any:
        return await asyncio.to_thread(self.process.get, path)

    async def post(self, path: str, body: Any) -> Any:
        return await asyncio.to_thread(self.process.post, path, body)

    async def alerts(self) -> dict[str, Any]:
        return {each["labels"]["alertname"]: each for each in await self.get("/api/v2/alerts")}

    async def killed(self) -> None:
        """While nothing is in flight: that alone may be repeated after a kill."""
        while any(each["state"] == "queued" for each in await self.get(f"{OWN}/deliveries")):
            await asyncio.sleep(0.05)
        self.process.kill()


@pytest.fixture
async def asked(tmp_path: Path, team: HttpReceiver) -> AsyncIterator[Asked]:
    found = Asked(Process(tmp_path, CONFIG.format(url=team.url)))
    await found.start()
    yield found
    found.process.kill()


async def test_silences_posted_alerts_and_groups_in_flight_survive(asked: Asked, team: HttpReceiver) -> None:
    await asked.post("/api/v2/alerts", [alert("Told")])
    await until(lambda: told(team)["Told", "firing"])
    quiet = (await asked.post("/api/v2/silences", silence("Quiet")))["silenceID"]
    later = (await asked.post("/api/v2/silences", silence("Later", startsAt=at(1800), endsAt=at(7200))))["silenceID"]
    await asked.post("/api/v2/alerts", [alert("Quiet")])
    await asked.post("/api/v2/alerts", [alert("Waits", wait="yes"), alert("Ends", ends=3600, wait="yes")])
    before = await asked.alerts()
    assert len(before) == 4
    await asked.killed()
    assert told(team)["Waits", "firing"] == 0

    await asked.start()
    silences = {each["id"]: each["status"]["state"] for each in await asked.get("/api/v2/silences")}
    assert silences == {quiet: "active", later: "pending"}
    after = await asked.alerts()
    for name in before:
        assert [after[name][each] for each in KEPT] == [before[name][each] for each in KEPT]
    assert {name for name, each in after.items() if each["status"]["state"] != "active"} == {"Quiet"}
    await until(lambda: told(team)["Waits", "firing"] and told(team)["Ends", "firing"])

    await asyncio.to_thread(asked.process.ask, "DELETE", f"/api/v2/silence/{quiet}")
    await until(lambda: told(team)["Quiet", "firing"])
    await asked.post("/api/v2/alerts", [alert("Told", ends=-1)])
    await until(lambda: told(team)["Told", "resolved"])
    await asked.killed()
    await asked.start()
    await asyncio.sleep(3)
    assert {name: told(team)[name, "firing"] for name in before} == dict.fromkeys(before, 1)
    assert told(team)["Told", "resolved"] == 1
    asked.process.stop()
