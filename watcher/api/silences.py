"""Our own words about silences: who made, changed and ended one."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, HTTPException, Path, Query
from fastapi.responses import Response

from watcher.api import queries, v2shapes
from watcher.api.access import Access
from watcher.api.answers import Time, as_json
from watcher.api.described import answered
from watcher.api.inside import Inside
from watcher.model.silence import SilenceChange


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """Who did what to a silence."""

    at: Time
    by: str
    action: str
    """created, updated, expired (somebody ended it) or ended (by itself)."""
    silence: v2shapes.GettableSilence
    """How it was after that, as API v2 shows it."""


def routes(inside: Inside, access: Access) -> APIRouter:
    router = APIRouter(prefix="/silences")

    @router.get("/{id}/history", responses=answered(list[Changed], 400, 404, 503))
    async def history(id: Annotated[queries.Id, Path()], query: Annotated[queries.Newest, Query()]) -> Response:
        """Who made, changed and ended a silence, the newest first."""
        found = await inside.store.silence_changes(id, query.limit)
        if not found:
            raise HTTPException(404, "nothing is known of a silence with this id; history is kept for store.retention")
        return as_json([_changed(each) for each in found])

    return router


def _changed(change: SilenceChange) -> Changed:
    silence = v2shapes.silence(change.body, change.at)
    return Changed(at=change.at, by=change.by, action=change.action, silence=silence)
