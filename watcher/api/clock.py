"""What time it is here: what others reckon from now on (a silence of an hour) they reckon by this clock, not theirs."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter
from fastapi.responses import Response

from watcher.api.access import Access
from watcher.api.answers import Time, as_json
from watcher.api.described import answered
from watcher.api.inside import Inside


class Now(msgspec.Struct, frozen=True, kw_only=True):
    now: Time


def routes(inside: Inside, access: Access) -> APIRouter:
    router = APIRouter()

    @router.get("/time", responses=answered(Now))
    async def time() -> Response:
        """What time it is by the service's clock."""
        return as_json(Now(now=inside.clock.now()))

    return router
