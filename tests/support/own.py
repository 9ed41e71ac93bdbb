"""Our own endpoints asked over a time line that stands still."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import ClientSession

from tests.support.asked import asked, inside
from tests.support.clocks import StandingClock
from tests.support.timeline import Timeline, time
from watcher.model.config import HttpConfig, Secret

API = "/api/watcher/v1"
TOKEN = "the-token-of-the-desk"


async def own(story: Timeline, path: str, status: int = 200, at: float | None = None, **headers: str) -> Any:
    """The answer to a GET when the story has come to second `at`; with headers also the token is wanted."""
    now = story.inputs[-1].at if at is None else time(at)
    found = msgspec.structs.replace(inside(story.core, story.player.view, StandingClock(now)), store=story.store)
    http = HttpConfig(token=Secret(TOKEN)) if headers else HttpConfig()
    async with (
        asked(found, http) as url,
        ClientSession() as session,
        session.get(f"{url}{API}{path}", headers=headers) as answer,
    ):
        body = await answer.json()
        assert answer.status == status, body
        return body
