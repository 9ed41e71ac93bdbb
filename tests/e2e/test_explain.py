"""`watcher explain` as a user meets it, against a running service."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import ClientSession

from tests.e2e.test_deliveries import watcher
from tests.integration.service.conftest import until
from tests.support.receivers import HttpReceiver
from tests.support.serving import free_port, served

CONFIG = """\
volumes: {{source: none}}
http: {{token_file: token}}
route: {{receiver: team, group_by: [alertname], group_wait: 0s}}
receivers: [{{name: team, webhook_configs: [{{url: "{url}"}}]}}]
"""
LABELS = {"alertname": "HighCPU", "namespace": "shop", "pod": "web-1"}


@pytest.fixture
async def team() -> AsyncIterator[HttpReceiver]:
    started = HttpReceiver()
    await started.start()
    yield started
    await started.stop()


async def post(url: str) -> None:
    headers = {"Authorization": "Bearer t0ken-of-the-desk"}
    async with (
        ClientSession(url, headers=headers) as http,
        http.post("/api/v2/alerts", json=[{"labels": LABELS, "annotations": {"summary": "busy"}}]) as answer,
    ):
        assert answer.status == 200


async def test_it_tells_who_was_told_of_a_pod_and_by_which_message(tmp_path: Path, team: HttpReceiver) -> None:
    (tmp_path / "token").write_text("t0ken-of-the-desk")
    async with served(tmp_path, CONFIG.format(url=team.url)) as url:
        service = {"WATCHER_URL": url, "WATCHER_TOKEN_FILE": str(tmp_path / "token")}
        await post(url)
        await until(lambda: team.received)
        told = await watcher("explain", "shop/web-1", **service)
        assert (told.code, told.err) == (0, "")
        lines = told.out.splitlines()
        assert lines[0] == "shop/web-1"
        assert lines[1].startswith("  HighCPU fires: told team/webhook_configs[0] at 20")
        for title in ("ALERTS", "DECISIONS, THE NEWEST FIRST", "MESSAGES, THE NEWEST FIRST"):
            assert title in lines
        body = json.loads((await watcher("explain", "shop/web-1", "--format", "json", **service)).out)
        (alert,) = body["alerts"]
        mark = alert["alert"]["fingerprint"]
        assert [each["id"] for each in body["deliveries"]] == [alert["told"][0]["message"]]
        assert (await watcher("explain", mark, **service)).out.splitlines()[0] == mark
        by_name = await watcher("explain", "HighCPU", "pod=~web-.*", **service)
        assert by_name.out.splitlines()[0] == '{alertname="HighCPU",pod=~"web-.*"}'
        assert by_name.out.splitlines()[1:3] == [lines[1], ""]
        two = await watcher("explain", "shop/web-1", "shop/web-2", **service)
        assert two.code == 2
        assert "matchers of its labels" in " ".join(two.err.replace("│", "").split())
        before = await watcher("explain", "shop/web-1", "--at", "2h", **service)
        assert before.code == 1
        assert "nothing is known of a pod, workload or claim web-1 in the namespace shop until 20" in before.err
        later = (datetime.now(UTC) + timedelta(hours=1)).replace(tzinfo=None).isoformat(timespec="seconds")
        then = await watcher("explain", "shop/web-1", "--at", later, **service)
        assert "1 decisions to send and 0 to hold back by then" in then.out


async def test_what_is_not_known_is_said_with_what_was_looked_for(tmp_path: Path) -> None:
    async with served(tmp_path, "volumes: {source: none}\n") as url:
        found = await watcher("explain", "shop/web-1", "--url", url)
        assert (found.code, found.out) == (1, "")
        assert "nothing is known of a pod, workload or claim web-1 in the namespace shop;" in found.err
        assert len(found.err.splitlines()) == 1
        wrong = await watcher("explain", "shop/web-1", "--at", "yesterday", "--url", url)
        assert wrong.code == 2
        assert "--at" in wrong.err
        malformed = await watcher("explain", "a/b/c", "--url", url)
        assert malformed.code == 1
        assert "write NAMESPACE/NAME" in malformed.err


async def test_it_needs_the_token_where_one_is_set_and_a_service(tmp_path: Path, team: HttpReceiver) -> None:
    (tmp_path / "token").write_text("t0ken-of-the-desk")
    async with served(tmp_path, CONFIG.format(url=team.url)) as url:
        refused = await watcher("explain", "shop/web-1", "--url", url)
        assert refused.code == 1
        assert "a token is needed" in refused.err
    gone = await watcher("explain", "shop/web-1", "--url", f"http://127.0.0.1:{free_port()}")
    assert gone.code == 1
    assert "no Watcher answers at" in gone.err
