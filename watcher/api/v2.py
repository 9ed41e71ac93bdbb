"""Alertmanager's API v2: paths, verbs, and what its framework answers to a request that it cannot use.

Clients read these answers, so they are its own to the byte where that is possible: an application of its own, beside
ours, which words its errors otherwise. What the paths do is in `v2status`, `v2alerts`, `v2post` and `v2silences`; they
are described in `v2described`, which is handed out as `/openapi.json`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from watcher.api import v2described, v2shapes
from watcher.api.access import Access
from watcher.api.inside import Inside
from watcher.api.v2alerts import Alerts
from watcher.api.v2post import Posts
from watcher.api.v2requests import Refused, V2Error, check_accept, check_content
from watcher.api.v2silences import Silences
from watcher.api.v2status import Status

PREFIX: Final = "/api/v2"
_SILENCE: Final = "/silence/"

Handler = Callable[[Request], Awaitable[Response]]
Verbs = Mapping[str, Handler]


def posts_alerts(method: str, path: str) -> bool:
    """Whether a request is a post of alerts, which is acknowledged before it is judged (`inbox`)."""
    return method == "POST" and path.rstrip("/") == f"{PREFIX}/alerts"


async def _described(request: Request) -> Response:
    return v2shapes.body(v2described.document())


class V2:
    """An ASGI application, to be mounted at PREFIX."""

    def __init__(self, inside: Inside, access: Access) -> None:
        status, alerts, silences = Status(inside), Alerts(inside), Silences(inside, access)
        self._paths: dict[str, Verbs] = {
            "/status": {"GET": status.status},
            "/receivers": {"GET": status.receivers},
            "/alerts": {"GET": alerts.listed, "POST": Posts(inside, access).put},
            "/alerts/groups": {"GET": alerts.groups},
            "/silences": {"GET": silences.listed, "POST": silences.put},
            "/openapi.json": {"GET": _described},
        }
        self._silence: Verbs = {"GET": silences.one, "DELETE": silences.expire}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        await (await self._answer(request))(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        try:
            handler = self._handler(request)
            check_content(request)
            check_accept(request)
            return await handler(request)
        except V2Error as error:
            return error.response
        except HTTPException as error:
            return v2shapes.error(error.status_code, error.detail, headers=error.headers)

    def _handler(self, request: Request) -> Handler:
        path = request.url.path
        verbs = self._verbs(request, path.removeprefix(PREFIX))
        if verbs is None:
            raise Refused(404, f"path {path[:500]} was not found")
        handler = verbs.get(request.method)
        if handler is None:
            known = ",".join(sorted(verbs))
            raise Refused(
                405, f"method {request.method[:20]} is not allowed, but [{known}] are", headers={"Allow": known}
            )
        return handler

    def _verbs(self, request: Request, path: str) -> Verbs | None:
        path = path.removesuffix("/")
        if path.startswith(_SILENCE) and "/" not in path[len(_SILENCE) :]:
            request.scope["path_params"] = {"silenceID": path[len(_SILENCE) :]}
            return self._silence
        return self._paths.get(path)
