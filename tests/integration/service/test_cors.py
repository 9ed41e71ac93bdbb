"""Pages of other sites: closed, unless `http.cors_origins` names them."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import ClientSession

from tests.support.serving import served

CONFIG = "volumes: {source: none}\n"
KARMA = "https://karma.example.org"
PATHS = ("/api/v2/status", "/api/watcher/v1/deliveries", "/api/v2/nothing", "/metrics")


async def allowed(url: str, path: str, origin: str) -> str | None:
    async with ClientSession() as http, http.get(url + path, headers={"Origin": origin}) as answer:
        return answer.headers.get("Access-Control-Allow-Origin")


async def test_no_page_of_another_site_may_read_unless_it_is_named(tmp_path: Path) -> None:
    async with served(tmp_path, CONFIG) as url:
        assert [await allowed(url, path, KARMA) for path in PATHS] == [None] * len(PATHS)
    async with served(tmp_path, CONFIG + f"http: {{cors_origins: ['{KARMA}']}}\n") as url:
        assert [await allowed(url, path, KARMA) for path in PATHS] == [KARMA] * len(PATHS)
        assert [await allowed(url, path, "https://example.org") for path in PATHS] == [None] * len(PATHS)


@pytest.mark.parametrize(("origin", "status"), [(KARMA, 200), ("https://example.org", 400)], ids=["named", "another"])
async def test_a_browser_may_ask_before_it_changes_something(tmp_path: Path, origin: str, status: int) -> None:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "DELETE",
        "Access-Control-Request-Headers": "authorization",
    }
    config = CONFIG + f"http: {{cors_origins: ['{KARMA}']}}\n"
    async with (
        served(tmp_path, config) as url,
        ClientSession(url) as http,
        http.options("/api/v2/silence/x", headers=headers) as answer,
    ):
        assert answer.status == status
        assert "access-control-allow-credentials" not in answer.headers
