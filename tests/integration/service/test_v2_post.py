"""Posted alerts in a running service: what Prometheus sends reaches a receiver, and what is wrong is said.

Bodies of refusals are Alertmanager's (`alertmanager-facts`, section 2).
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.integration.service.conftest import until
from tests.integration.service.test_v2_silences import CONFIG, V2, ask, framework, said
from tests.support.receivers import HttpReceiver
from tests.support.serving import served
from watcher.model.observations import AlertsPosted
from watcher.source.reading import read

QUICK = """\
cluster: demo
volumes: {{source: none}}
record: {record}
route: {{receiver: team, group_by: [alertname], group_wait: 0s, group_interval: 1s}}
receivers: [{{name: team, webhook_configs: [{{url: "{url}"}}]}}]
"""
ALERTS = f"{V2}/alerts"


def later(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def alert(**changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "labels": {"alertname": "HighCPU", "instance": "a:9100"},
        "annotations": {"summary": "The CPU is busy"},
        "generatorURL": "http://prometheus.example/graph?g0.expr=up",
    }
    return fields | changes


async def post(url: str, *alerts: Any) -> tuple[int, str]:
    got = await ask(url, "POST", ALERTS, json.dumps(alerts))
    return got.status, got.body


async def listed(url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await ask(url, "GET", ALERTS)).data
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    async with served(tmp_path_factory.mktemp("shared"), CONFIG) as url:
        yield url


async def test_what_is_posted_reaches_the_receiver_and_ends_as_it_was_posted(
    tmp_path: Path, receiver: HttpReceiver
) -> None:
    record = tmp_path / "night.jsonl"
    async with served(tmp_path, QUICK.format(url=receiver.url, record=record)) as url:
        assert await post(url, alert(startsAt=later(-5), endsAt=later(600))) == (200, "")
        await until(lambda: receiver.received)
        (one,) = receiver.received[0].body["alerts"]
        assert (one["status"], one["labels"], one["annotations"]) == (
            "firing",
            {"alertname": "HighCPU", "instance": "a:9100"},
            {"summary": "The CPU is busy"},
        )
        assert one["generatorURL"] == "http://prometheus.example/graph?g0.expr=up"
        (shown,) = await listed(url)
        assert shown["fingerprint"] == one["fingerprint"]
        assert shown["status"]["state"] == "active"
        assert shown["receivers"] == [{"name": "team"}]
        assert await post(url, alert(startsAt=later(-6), endsAt=later(-1))) == (200, "")
        await until(lambda: len(receiver.received) == 2)
        assert receiver.received[1].body["status"] == "resolved"
    lines = [each for each in read([record]) if isinstance(each, AlertsPosted)]
    assert [line.alerts[0].generator_url for line in lines] == ["http://prometheus.example/graph?g0.expr=up"] * 2


async def test_a_restart_neither_ends_nor_repeats_it(tmp_path: Path, receiver: HttpReceiver) -> None:
    config = QUICK.format(url=receiver.url, record='""')
    async with served(tmp_path, config) as url:
        await post(url, alert())
        await until(lambda: receiver.received)
        before = await listed(url)
    async with served(tmp_path, config) as url:
        (after,) = await listed(url)
        assert (after["fingerprint"], after["startsAt"]) == (before[0]["fingerprint"], before[0]["startsAt"])
        await post(url, alert())
    assert len(receiver.received) == 1


REFUSED = [
    pytest.param("", 422, framework(602, "alerts in body is required"), id="no body"),
    pytest.param("[null]", 422, framework(602, "0 in body is required"), id="a null alert"),
    pytest.param("[{}]", 422, framework(602, "0.labels in body is required"), id="no labels"),
    pytest.param('[{"labels":null}]', 422, framework(602, "0.labels in body is required"), id="null labels"),
    pytest.param(
        '[{"labels":{"a":"b"},"generatorURL":"::"}]',
        422,
        framework(601, '0.generatorURL in body must be of type uri: "::"'),
        id="a wrong link",
    ),
    pytest.param('[{"labels":{}}]', 400, said("at least one label pair required"), id="empty labels"),
    pytest.param('[{"labels":{"a":""}}]', 400, said("at least one label pair required"), id="an empty value"),
    pytest.param('[{"labels":{"":"a"}}]', 400, said('invalid label set: invalid name ""'), id="an empty name"),
    pytest.param(
        '[{"labels":{"a":"b"},"startsAt":"2099-01-02T00:00:00Z","endsAt":"2099-01-01T00:00:00Z"}]',
        400,
        said("start time must be before end time"),
        id="ends before it begins",
    ),
]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("body", "status", "answer"), REFUSED)
async def test_what_is_wrong_is_said_in_alertmanagers_words(service: str, body: str, status: int, answer: str) -> None:
    got = await ask(service, "POST", ALERTS, body)
    assert (got.status, got.body) == (status, answer)
    assert await listed(service) == []


UNREADABLE = [
    pytest.param("[", id="half a body"),
    pytest.param("{}", id="no list"),
    pytest.param('[{"labels":{"a":1}}]', id="a number as a value"),
    pytest.param('[{"labels":{"a":"b"},"startsAt":"yesterday"}]', id="no time"),
    pytest.param('[{"labels":{"a":"b"},"startsAt":7}]', id="an epoch"),
    pytest.param('[{"labels":{"a":"\\ud800"}}]', id="half a character"),
    pytest.param("[" * 100_000, id="nested too deep"),
]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("body", UNREADABLE)
async def test_what_cannot_be_read_is_refused_whole(service: str, body: str) -> None:
    got = await ask(service, "POST", ALERTS, body)
    assert (got.status, got.data["code"]) == (400, 400)
    assert got.data["message"].startswith('parsing alerts body from "" failed, because ')


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("body", ["[]", "null"])
async def test_nothing_is_taken_as_nothing(service: str, body: str) -> None:
    got = await ask(service, "POST", ALERTS, body)
    assert (got.status, got.body) == (200, "")


@pytest.mark.asyncio(loop_scope="module")
async def test_what_can_be_taken_of_a_batch_is_taken(tmp_path: Path) -> None:
    async with served(tmp_path, CONFIG) as url:
        status, answer = await post(url, alert(labels={"a": "b"}), alert(labels={}), alert(labels={"a": "c"}))
        assert (status, answer) == (400, said("at least one label pair required"))
        assert sorted(one["labels"]["a"] for one in await listed(url)) == ["b", "c"]


@pytest.mark.asyncio(loop_scope="module")
async def test_too_many_at_once_and_too_large_a_body_are_refused(service: str) -> None:
    got = await ask(service, "POST", ALERTS, json.dumps([{"labels": {"a": "b"}}] * 20_001))
    assert got.status == 413
    got = await ask(service, "POST", ALERTS, " " * (33 * 1024 * 1024))
    assert got.status == 413
    assert await listed(service) == []


async def test_posting_needs_the_token_where_one_is_set(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret-s3cret-s3cret")
    async with served(tmp_path, CONFIG + f"http: {{token_file: {tmp_path / 'token'}}}\n") as url:
        body = json.dumps([alert()])
        assert (await ask(url, "POST", ALERTS, body)).status == 401
        assert (await ask(url, "POST", ALERTS, body, Authorization="Bearer s3cret-s3cret-s3cret")).status == 200
