"""What `GET /mistakes` says of annotations that do not do what was meant, asked of a real server."""

from __future__ import annotations

from datetime import timedelta

import msgspec
from aiohttp import ClientSession

from tests.support.asked import asked, inside
from tests.support.clocks import BEGIN
from watcher.model.hints import Mistake
from watcher.settings.core import core_of
from watcher.settings.load import load

OLD = Mistake(
    namespace="shop", object="Deployment api", annotation="watcher.io/ignore", problem="no signal is called x"
)
NEW = Mistake(namespace="", object="Node n1", annotation="watcher.io/runbook", problem="must be a URL")


async def test_mistakes_are_listed_the_newest_first_with_when_they_were_seen() -> None:
    seen = {OLD: BEGIN, NEW: BEGIN + timedelta(seconds=1)}
    found = msgspec.structs.replace(inside(core_of(load(None))), mistakes=lambda: seen)
    async with asked(found) as url, ClientSession() as http, http.get(f"{url}/api/watcher/v1/mistakes") as answer:
        body = await answer.json()
    assert body == [
        {
            "namespace": "",
            "object": "Node n1",
            "annotation": "watcher.io/runbook",
            "problem": "must be a URL",
            "last_seen": "2026-11-20T10:00:01Z",
        },
        {
            "namespace": "shop",
            "object": "Deployment api",
            "annotation": "watcher.io/ignore",
            "problem": "no signal is called x",
            "last_seen": "2026-11-20T10:00:00Z",
        },
    ]
