"""What requests of Alertmanager's API v2 may hold, read as its own server reads it, and refused in its words.

There are two shapes of errors: what its framework refuses is an object (`Refused`), what its handlers refuse is a
JSON string (`Said`). Sources: a running 0.25.0; go-openapi/runtime (negotiation), go-openapi/swag (booleans).
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from watcher.api import v2shapes
from watcher.lib.gotext import go_quote
from watcher.lib.matchers import Matcher, MatcherError, parse_matcher
from watcher.lib.regexes import Regex, RegexError, compile_regex

LARGEST_FILTERS = 100
_JSON = "application/json"
_TRUE = frozenset(("true", "1", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled"))


class V2Error(Exception):
    """An answer that is an error."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


class Refused(V2Error):
    def __init__(self, code: int, message: str, *, status: int = 0, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(v2shapes.error(code, message, status=status, headers=headers))


class Said(V2Error):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(v2shapes.body(text, status))


def check_accept(request: Request) -> None:
    """406 for who wants anything but JSON."""
    wanted = request.headers.get("accept", "").strip()
    kinds = (each.partition(";")[0].strip().lower() for each in wanted.split(","))
    if wanted and not any(kind in (_JSON, "application/*", "*/*") for kind in kinds):
        raise Refused(406, f"unsupported media type requested, only [{_JSON}] are available")


def has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers


def check_content(request: Request) -> None:
    """415 for a body that is no JSON."""
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower() or "application/octet-stream"
    if has_body(request) and given != _JSON:
        raise Refused(415, f"unsupported media type {go_quote(given[:100])}, only [{_JSON}] are allowed")


async def read_body(request: Request, limit: int) -> bytes:
    """413 for one that is larger; no more than that is ever held."""
    found = bytearray()
    async for piece in request.stream():
        found += piece
        if len(found) > limit:
            raise Refused(413, f"the body is larger than {limit} bytes", headers={"Connection": "close"})
    return bytes(found)


def flag(query: QueryParams, name: str) -> bool:
    """True where it is not given; a word that is unknown means false."""
    given = query.getlist(name)
    return not given or not given[-1] or given[-1].lower() in _TRUE


def filters(query: QueryParams) -> tuple[Matcher, ...]:
    """All of `filter`; 400 names the first that is wrong."""
    given = query.getlist("filter")
    if len(given) > LARGEST_FILTERS:
        raise Said(400, f"there are {len(given)} filters (limit: {LARGEST_FILTERS})")
    try:
        return tuple(parse_matcher(text) for text in given)
    except (MatcherError, RegexError) as error:
        raise Said(400, str(error)) from None


def receiver_filter(query: QueryParams) -> Regex | None:
    """`receiver`, which must match a whole name."""
    given = query.getlist("receiver")
    if not given or not given[-1]:
        return None
    try:
        return compile_regex(f"^(?:{given[-1]})$")
    except RegexError as error:
        raise Said(400, f"failed to parse receiver param: {error}") from None
