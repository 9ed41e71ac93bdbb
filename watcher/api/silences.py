"""Our own words about silences: who made, changed and ended one."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import Response
from pydantic import Field

from watcher.api import queries, v2shapes
from watcher.api.access import Access
from watcher.api.answers import as_json
from watcher.api.inside import Inside
from watcher.model.silence import SilenceChange


class Newest(queries.Query):
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


def routes(inside: Inside, access: Access) -> APIRouter:
    router = APIRouter(prefix="/silences")

    @router.get("/{id}/history")
    async def history(id: str, query: Annotated[Newest, Query()]) -> Response:
        found = await inside.store.silence_changes(id, query.limit)
        if not found:
            raise HTTPException(404, "nothing is known of a silence with this id; history is kept for store.retention")
        return as_json([_change(each) for each in found])

    return router


def _change(change: SilenceChange) -> dict[str, Any]:
    """`silence` is how it was after that, as API v2 shows it."""
    return {
        "at": change.at,
        "by": change.by,
        "action": change.action,
        "silence": v2shapes.silence(change.body, change.at),
    }
