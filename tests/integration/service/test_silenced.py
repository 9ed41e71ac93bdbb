"""A silence in a running service: what it mutes is shown as muted at once, is not told, and is told when it ends."""

from __future__ import annotations

from typing import Any

from aiohttp import ClientSession

from tests.integration.service.conftest import Serving, until
from tests.integration.service.test_slow_outside import breaking
from tests.support.asked import asked
from tests.support.receivers import HttpReceiver
from watcher.demo import DemoCluster

CONFIG = """\
cluster: demo
volumes: {{source: none}}
first_start: alert
route: {{receiver: team, group_by: [workload], group_wait: 0s}}
receivers: [{{name: team, webhook_configs: [{{url: "{url}"}}]}}]
"""
SILENCE = {
    "matchers": [{"name": "workload", "value": "quiet", "isRegex": False}],
    "startsAt": "",
    "endsAt": "2099-01-01T00:00:00Z",
    "createdBy": "ann",
    "comment": "",
}


async def shown(http: ClientSession) -> dict[str, Any]:
    async with http.get("/api/v2/alerts") as answer:
        return {each["labels"]["workload"]: each["status"] for each in await answer.json()}


async def test_what_is_silenced_is_told_when_the_silence_ends(serving: Serving, receiver: HttpReceiver) -> None:
    def told() -> list[str]:
        return [one.body["groupLabels"]["workload"] for one in receiver.received]

    async with (
        DemoCluster() as demo,
        serving(demo, CONFIG.format(url=receiver.url)) as service,
        asked(service.inside()) as url,
        ClientSession(url) as http,
    ):
        await until(lambda: service.readiness().waiting == ())
        async with http.post("/api/v2/silences", json=SILENCE) as answer:
            id = (await answer.json())["silenceID"]
        demo.cluster.put(breaking("quiet"))
        demo.cluster.put(breaking("loud"))
        await until(lambda: "loud" in told() and len(service.writer.view.alerts.rows) == 2)
        alerts = await shown(http)
        assert (alerts["quiet"]["silencedBy"], alerts["quiet"]["state"]) == ([id], "suppressed")
        assert (alerts["loud"]["silencedBy"], alerts["loud"]["state"]) == ([], "active")
        assert told() == ["loud"]
        async with http.delete(f"/api/v2/silence/{id}") as answer:
            assert answer.status == 200
        assert (await shown(http))["quiet"]["state"] == "active"
        await until(lambda: told() == ["loud", "quiet"])
