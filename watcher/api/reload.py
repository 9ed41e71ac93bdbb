"""`/-/reload`: Alertmanager's way to have the configuration read again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Depends
from fastapi.responses import PlainTextResponse, Response

from watcher.api.access import Access
from watcher.api.described import SECURITY, refused, text


def routes(reload: Callable[[], Awaitable[str]], access: Access) -> APIRouter:
    router = APIRouter()

    @router.post(
        "/-/reload",
        dependencies=[Depends(access.writing)],
        response_class=PlainTextResponse,
        responses=text("text/plain")
        | text("text/plain", 500, "It is refused, and why; the one before it stays in force")
        | refused(401, 403),
        openapi_extra=SECURITY,
    )
    async def read_again() -> Response:
        """Read the configuration again; a wrong one is refused (500), and the one in force stays."""
        refused = await reload()
        return PlainTextResponse(f"failed to reload config: {refused}\n" if refused else "", 500 if refused else 200)

    return router
