"""Answers as JSON; errors are `{"error": "one sentence that says what to do"}`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from watcher.lib.redact import redact
from watcher.lib.text import clean
from watcher.ports import StoreError

OWN: Final = "/api/watcher/v1"
"""Where our own endpoints are."""
_WHERE: Final = f"Watcher's own API is below {OWN} (all of it: {OWN}/openapi.json), Alertmanager's below /api/v2"

_encoder = msgspec.json.Encoder()

Time = Annotated[datetime, msgspec.Meta(tz=True)]
"""In answers."""


class Problem(msgspec.Struct, frozen=True):
    """What is wrong with a request, in one sentence that says what to do."""

    error: str


def as_json(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Records and times as design.md has them: RFC 3339, UTC."""
    return Response(_encoder.encode(body), status, headers, "application/json")


def plain(text: str) -> str:
    """What a receiver answered, or somebody wrote: without terminal escapes and secrets."""
    return redact(clean(text))


def install(app: FastAPI) -> None:
    """Have every error of this application answered in the one shape."""
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _misread)
    app.add_exception_handler(StoreError, _no_store)
    app.add_exception_handler(Exception, _broken)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    sentence = error.detail
    if error.status_code == 404 and sentence == "Not Found":
        sentence = f"there is no {clean(request.url.path[:200])} here: {_WHERE}"
    if error.status_code == 405:
        sentence = f"{request.method} is not possible here"
    return as_json({"error": sentence}, error.status_code, dict(error.headers or {}))


async def _misread(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = "; ".join(_problem(each) for each in error.errors()[:5])
    return as_json({"error": problems}, 400)


def _problem(error: Any) -> str:
    """Names what is wrong and never repeats what was given."""
    name = str(error["loc"][-1]) if error["loc"] else "the request"
    if error["type"] == "extra_forbidden":
        return f"{name[:100]} is no parameter of this"
    if error["type"] == "value_error":
        return f"{name}: {error['ctx']['error']}"
    return f"{name}: {error['msg']}"


async def _no_store(request: Request, error: Exception) -> Response:
    return as_json({"error": f"{error} Ask again when /-/ready answers 200."}, 503)


async def _broken(request: Request, error: Exception) -> Response:
    return as_json({"error": "Watcher could not answer this; its log says why"}, 500)
