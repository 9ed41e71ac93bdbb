"""The outbox over HTTP, in a running service: test messages, dead letters that are sent again, and its replay."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from tests.integration.service.conftest import blocked
from tests.support.receivers import Answering, HttpReceiver
from tests.support.serving import served
from watcher.engine.worker import LEASE
from watcher.model.observations import Ended
from watcher.model.state import Decision
from watcher.replay import play
from watcher.replay.player import Player
from watcher.settings.core import core_of
from watcher.settings.load import load
from watcher.settings.shipped import directory
from watcher.source.reading import read
from watcher.store.sql import SqlStore

API = "/api/watcher/v1"
CONFIG = """\
cluster: demo
record: {folder}/recording.jsonl
volumes: {{source: none}}
route: {{receiver: team}}
receivers:
  - name: team
    webhook_configs: [{{url: "{good}"}}, {{url: "{bad}"}}]
  - {{name: nobody}}
"""
REFUSING = Answering(status=401, body="who are you? \x1b[2J token=hunter2secret")


@pytest.fixture
async def bad() -> AsyncIterator[HttpReceiver]:
    started = HttpReceiver()
    started.answering = REFUSING
    await started.start()
    yield started
    await started.stop()


def config(folder: Path, good: HttpReceiver, bad: HttpReceiver) -> str:
    return CONFIG.format(folder=folder, good=good.url, bad=bad.url)


async def get(http: ClientSession, path: str, expected: int = 200) -> Any:
    async with http.get(API + path) as answer:
        assert answer.status == expected, await answer.text()
        return await answer.json()


async def post(http: ClientSession, path: str, expected: int = 202) -> Any:
    async with http.post(path if "://" in path else API + path) as answer:
        assert answer.status == expected, await answer.text()
        return await answer.json()


async def over(http: ClientSession, id: str) -> Any:
    """The delivery, once it does not wait any more."""
    async with asyncio.timeout(20):
        while (one := await get(http, f"/deliveries/{id}"))["state"] == "queued":
            await asyncio.sleep(0.02)
    return one


async def stored(folder: Path) -> tuple[list[tuple[str, str]], list[tuple[Decision, int]]]:
    """(id, title) of every message and every decision, oldest first."""
    settings = load(folder / "config.yaml").with_overrides(data=folder)
    store = SqlStore(settings.store.url.value, directory("alembic"), owner="test", lease_for=LEASE)
    await store.open()
    try:
        messages, decisions = await store.messages(1000), await store.decisions(1000)
    finally:
        await store.close()
    return [(row.id, row.notification.title) for row in reversed(messages)], list(reversed(decisions))


async def test_a_dead_letter_is_listed_and_sent_again_when_its_receiver_is_repaired(
    tmp_path: Path, receiver: HttpReceiver, bad: HttpReceiver
) -> None:
    async with served(tmp_path, config(tmp_path, receiver, bad)) as url, ClientSession(url) as http:
        answer = await post(http, "/receivers/team/test")
        good, dead = answer["integrations"]
        assert (good["integration"], good["outcome"]) == ("webhook_configs[0]", "delivered")
        assert (dead["integration"], dead["outcome"], dead["attempts"]) == ("webhook_configs[1]", "failed", 1)
        assert "401" in dead["reason"]

        (listed,) = await get(http, "/deliveries?state=dead")
        assert listed["id"] == dead["id"]
        assert (listed["receiver"], listed["integration"], listed["reason"]) == ("team", "webhook_configs[1]", "TEST")
        assert (listed["attempts"], listed["next_at"]) == (1, None)
        assert listed["finished_at"] > listed["created_at"]
        assert "text" not in listed

        bad.answering = None
        again = await post(http, f"/deliveries/{dead['id']}/resend")
        assert again == {"id": dead["id"], "receiver": "team", "integration": "webhook_configs[1]", "state": "queued"}
        one = await over(http, dead["id"])
        assert (one["state"], one["error"]) == ("delivered", "")
        assert [step["outcome"] for step in one["history"]] == ["give_up", "delivered"]
        assert one["text"].startswith("Nothing is wrong: somebody asked Watcher to try this receiver.")
        sent = [(got.headers["Idempotency-Key"], got.body["alerts"]) for got in bad.received]
        assert sent[0] == sent[1]

        refused = await post(http, f"/deliveries/{dead['id']}/resend", expected=409)
        assert refused == {"error": "only a dead letter can be sent again: it was delivered"}
        metrics = await (await http.get("/metrics")).text()
        assert 'watcher_dead_letters_total{integration="webhook_configs[1]",receiver="team"} 1.0' in metrics
    messages, decisions = await stored(tmp_path)
    inputs = list(read([tmp_path / "recording.jsonl"]))
    inputs.append(Ended(at=inputs[-1].at))
    core = core_of(load(tmp_path / "config.yaml"))
    assert [(n.id, n.title) for n in play(core, inputs)] == messages
    player = Player(core)
    replayed = [made for one in inputs for made in player.changes([one], one.at).decisions]
    assert [made for made, _ in decisions] == list(dict.fromkeys(replayed))
    assert sum(count for _, count in decisions) == len(replayed)


async def test_a_test_that_has_not_arrived_in_time_is_said_to_wait_with_the_reason(
    tmp_path: Path, receiver: HttpReceiver, bad: HttpReceiver
) -> None:
    bad.answering = Answering(status=503)
    async with served(tmp_path, config(tmp_path, receiver, bad)) as url, ClientSession(url) as http:
        good, waiting = (await post(http, "/receivers/team/test?wait=500ms"))["integrations"]
        assert (good["outcome"], waiting["outcome"]) == ("delivered", "waiting")
        assert "503" in waiting["reason"]
        healthy, troubled = await get(http, "/channels")
        assert (healthy["receiver"], healthy["failures"], healthy["waiting"]) == ("team", 0, 0)
        assert (troubled["integration"], troubled["waiting"]) == ("webhook_configs[1]", 1)
        assert troubled["failures"] >= 1
        assert "503" in troubled["error"]
        metrics = await (await http.get("/metrics")).text()
        assert re.search(
            r'watcher_channel_failures\{integration="webhook_configs\[1\]",receiver="team"\} [1-9]', metrics
        )
        queued = await post(http, f"/deliveries/{waiting['id']}/resend", expected=409)
        assert queued == {"error": "only a dead letter can be sent again: it is on its way"}


async def test_a_dead_letter_whose_integration_is_gone_is_not_sent_again(
    tmp_path: Path, receiver: HttpReceiver, bad: HttpReceiver
) -> None:
    both = config(tmp_path, receiver, bad)
    async with served(tmp_path, both) as url, ClientSession(url) as http:
        _, dead = (await post(http, "/receivers/team/test"))["integrations"]
    alone = both.replace(f', {{url: "{bad.url}"}}', "")
    assert alone != both
    async with served(tmp_path, alone) as url, ClientSession(url) as http:
        refused = await post(http, f"/deliveries/{dead['id']}/resend", expected=409)
        assert refused["error"].startswith("the configuration has no webhook_configs[1] in receiver 'team' any more")


async def test_what_a_receiver_answered_is_shown_without_its_secrets_and_escapes(
    tmp_path: Path, receiver: HttpReceiver, bad: HttpReceiver
) -> None:
    async with served(tmp_path, config(tmp_path, receiver, bad)) as url, ClientSession(url) as http:
        _, dead = (await post(http, "/receivers/team/test"))["integrations"]
        for path in ("/deliveries", f"/deliveries/{dead['id']}", "/channels"):
            text = await (await http.get(API + path)).text()
            assert "401 Unauthorized: who are you?" in text
            assert not [word for word in ("hunter2", "T0KEN", "\\u001b") if word in text]


async def test_the_newest_deliveries_come_first_and_no_more_than_asked_for(
    tmp_path: Path, receiver: HttpReceiver, bad: HttpReceiver
) -> None:
    bad.answering = None
    async with served(tmp_path, config(tmp_path, receiver, bad)) as url, ClientSession(url) as http:
        first = [one["id"] for one in (await post(http, "/receivers/team/test"))["integrations"]]
        second = [one["id"] for one in (await post(http, "/receivers/team/test"))["integrations"]]
        everything = [one["id"] for one in await get(http, "/deliveries?state=&receiver=team&limit=")]
        assert [sorted(everything[:2]), sorted(everything[2:])] == [sorted(second), sorted(first)]
        assert [one["id"] for one in await get(http, "/deliveries?limit=3")] == everything[:3]
        assert await get(http, "/deliveries?receiver=other") == []
        assert await get(http, "/deliveries?state=dead") == []


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        pytest.param("GET", "/deliveries?state=lost", 400, "state", id="state"),
        pytest.param("GET", "/deliveries?limit=0", 400, "limit", id="limit of none"),
        pytest.param("GET", "/deliveries?limit=1001", 400, "limit", id="limit too large"),
        pytest.param("GET", "/deliveries?limit=many", 400, "limit", id="limit no number"),
        pytest.param("GET", f"/deliveries?receiver={'x' * 201}", 400, "receiver", id="receiver too long"),
        pytest.param("GET", "/deliveries?dead=1", 400, "dead is no parameter of this", id="unknown"),
        pytest.param("POST", "/receivers/team/test?wait=31s", 400, "wait: must be 30s or less", id="wait too long"),
        pytest.param("POST", "/receivers/team/test?wait=5", 400, "wait: duration '5' has no unit", id="no unit"),
        pytest.param("GET", "/deliveries/0123456789abcdef", 404, "there is no delivery", id="no such delivery"),
        pytest.param("POST", "/deliveries/0123456789abcdef/resend", 404, "there is no delivery", id="none to resend"),
        pytest.param(
            "POST", "/receivers/tam/test", 404, "no receiver of this name; it has nobody, team", id="receiver"
        ),
        pytest.param("POST", "/receivers/nobody/test", 409, "this receiver has no integrations", id="nothing in it"),
        pytest.param("GET", "/delivery", 404, "there is no /api/watcher/v1/delivery here", id="path"),
        pytest.param("GET", "/deliveries/x/resend", 405, "GET is not possible here", id="method"),
    ],
)
async def test_what_cannot_be_done_is_said_in_one_sentence(
    tmp_path: Path, receiver: HttpReceiver, bad: HttpReceiver, method: str, path: str, status: int, error: str
) -> None:
    async with (
        served(tmp_path, config(tmp_path, receiver, bad)) as url,
        ClientSession(url) as http,
        http.request(method, API + path) as answer,
    ):
        body = await answer.json()
        assert (answer.status, list(body)) == (status, ["error"])
        assert error in body["error"]


async def test_where_a_token_is_set_writing_and_texts_need_it(
    tmp_path: Path, receiver: HttpReceiver, bad: HttpReceiver
) -> None:
    (tmp_path / "token").write_text("s3cret-t0ken\n")
    text = config(tmp_path, receiver, bad) + "http: {token_file: token}\n"
    async with served(tmp_path, text) as url, ClientSession(url) as http:
        async with http.post(f"{API}/receivers/team/test") as refused:
            assert (refused.status, list(await refused.json())) == (401, ["error"])
            assert refused.headers["WWW-Authenticate"].startswith("Bearer ")
        bearer = {"Authorization": "Bearer s3cret-t0ken"}
        async with http.post(f"{API}/receivers/team/test", headers=bearer) as allowed:
            one = (await allowed.json())["integrations"][0]["id"]
        assert await get(http, "/deliveries")
        await get(http, f"/deliveries/{one}", expected=401)
        async with http.get(f"{API}/deliveries/{one}", headers=bearer) as shown:
            assert (shown.status, (await shown.json())["state"]) == (200, "delivered")
        await post(http, f"/deliveries/{one}/resend", expected=401)


async def test_without_a_token_nothing_is_changed_through_a_proxy(
    tmp_path: Path, receiver: HttpReceiver, bad: HttpReceiver
) -> None:
    # uvicorn would take 127.0.0.1 from this header for the one that asks.
    proxied = {"X-Forwarded-For": "127.0.0.1"}
    async with (
        served(tmp_path, config(tmp_path, receiver, bad)) as url,
        ClientSession(url) as http,
        http.post(f"{API}/receivers/team/test", headers=proxied) as refused,
    ):
        assert (refused.status, list(await refused.json())) == (403, ["error"])
    assert receiver.received == []


async def test_what_is_asked_while_the_database_is_away_is_done_once_when_it_is_back(
    tmp_path: Path, receiver: HttpReceiver, bad: HttpReceiver
) -> None:
    async with served(tmp_path, config(tmp_path, receiver, bad)) as url, ClientSession(url) as http:
        _, dead = (await post(http, "/receivers/team/test"))["integrations"]
        bad.answering = None
        bad.received.clear()
        async with blocked(tmp_path / "watcher.db"):
            away = await post(http, f"/deliveries/{dead['id']}/resend?wait=300ms", expected=503)
            assert away["error"].startswith("this is not stored yet, and is done when the database answers")
            twice = await post(http, f"/deliveries/{dead['id']}/resend", expected=409)
            assert twice["error"].endswith("it is on its way already")
            away = await post(http, "/receivers/team/test?wait=300ms", expected=503)
            assert away["error"].startswith("the test is not stored yet")
        async with asyncio.timeout(30):
            while [one["state"] for one in await get(http, "/deliveries")] != ["delivered"] * 4:
                await asyncio.sleep(0.05)
        assert [got.headers["Idempotency-Key"] for got in bad.received].count(dead["id"]) == 1


async def delivered(http: ClientSession, url: str) -> bool:
    """Whether some message is recorded as delivered."""
    async with http.get(f"{url}{API}/deliveries?state=delivered") as answer:
        return bool(await answer.json())


async def test_a_stop_answers_whoever_waits_with_what_there_is(
    tmp_path: Path, receiver: HttpReceiver, bad: HttpReceiver
) -> None:
    bad.answering = Answering(status=503)
    async with ClientSession() as http:
        async with served(tmp_path, config(tmp_path, receiver, bad)) as url:
            asked = asyncio.create_task(post(http, f"{url}{API}/receivers/team/test?wait=30s"))
            async with asyncio.timeout(20):
                while not bad.received or not await delivered(http, url):
                    await asyncio.sleep(0.02)
        async with asyncio.timeout(5):
            answer = await asked
    assert [one["outcome"] for one in answer["integrations"]] == ["delivered", "waiting"]
