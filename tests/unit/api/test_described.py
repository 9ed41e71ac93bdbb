"""What clients find without having read the documents: the description, probes, and where things are."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import ClientSession

from tests.support.asked import asked, inside
from tests.support.timeline import core


async def document() -> dict[str, Any]:
    path = "/api/watcher/v1/openapi.json"
    async with asked(inside(core())) as url, ClientSession(url) as http, http.get(path) as answer:
        found: dict[str, Any] = await answer.json()
    return found


async def test_every_operation_is_named_in_words() -> None:
    paths = (await document())["paths"]
    named = {(path, verb): one["summary"] for path, verbs in paths.items() for verb, one in verbs.items()}
    assert named["/api/watcher/v1/signals", "get"] == "What is true now"
    assert (
        named["/-/reload", "post"]
        == "Read the configuration again; a wrong one is refused (500), and the one in force stays"
    )
    assert [where for where, words in named.items() if " " not in words or "_" in words] == []


async def test_what_a_reload_answers_is_all_described() -> None:
    reload = (await document())["paths"]["/-/reload"]["post"]
    assert set(reload["responses"]) == {"200", "401", "403", "500"}
    assert set(reload["responses"]["500"]["content"]) == {"text/plain"}
    assert set(reload["responses"]["403"]["content"]) == {"application/json"}


@pytest.mark.parametrize("path", ["/-/healthy", "/-/ready"])
async def test_a_probe_by_head_gets_the_answer_without_its_body(path: str) -> None:
    async with (
        asked(inside(core())) as url,
        ClientSession(url) as http,
        http.get(path) as whole,
        http.head(path) as answer,
    ):
        assert (answer.status, await answer.read()) == (200, b"")
        assert answer.headers["Content-Type"] == whole.headers["Content-Type"]
        assert answer.headers["Content-Length"] == whole.headers["Content-Length"]


async def test_what_is_not_there_says_where_things_are() -> None:
    async with asked(inside(core())) as url, ClientSession(url) as http, http.get("/api/v1/alerts") as answer:
        assert answer.status == 404
        assert (await answer.json())["error"] == (
            "there is no /api/v1/alerts here: Watcher's own API is below /api/watcher/v1 (all of it: "
            "/api/watcher/v1/openapi.json), Alertmanager's below /api/v2"
        )
