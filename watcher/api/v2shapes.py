"""The records of Alertmanager's API v2 as JSON: its names, in the order in which it writes them.

Times have three digits of a second and are UTC, whatever zone the sender used. `annotations` of a silence and
`untilResolved`, which is ours, stand only where there is something to say.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from starlette.responses import Response, StreamingResponse

from watcher.model.silence import Silence

_encoder = msgspec.json.Encoder()
HEADERS = {"Cache-Control": "no-store"}


When = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
SilenceState = Literal["active", "pending", "expired"]


class Named(msgspec.Struct, frozen=True):
    name: str


class AlertStatus(msgspec.Struct, frozen=True, kw_only=True):
    inhibitedBy: tuple[str, ...]
    mutedBy: tuple[str, ...]
    silencedBy: tuple[str, ...]
    state: Literal["active", "suppressed", "unprocessed"]


class GettableAlert(msgspec.Struct, frozen=True, kw_only=True):
    annotations: dict[str, str]
    endsAt: When
    fingerprint: str
    receivers: tuple[Named, ...]
    startsAt: When
    status: AlertStatus
    updatedAt: When
    generatorURL: str | msgspec.UnsetType = msgspec.UNSET
    labels: dict[str, str]


class AlertGroup(msgspec.Struct, frozen=True, kw_only=True):
    alerts: tuple[GettableAlert, ...]
    labels: dict[str, str]
    receiver: Named


class Matcher(msgspec.Struct, frozen=True, kw_only=True):
    isEqual: bool
    isRegex: bool
    name: str
    value: str


class SilenceStatus(msgspec.Struct, frozen=True, kw_only=True):
    state: SilenceState


class GettableSilence(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    status: SilenceStatus
    updatedAt: When
    annotations: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    comment: str
    createdBy: str
    endsAt: When
    matchers: tuple[Matcher, ...]
    startsAt: When
    untilResolved: bool | msgspec.UnsetType = msgspec.UNSET


CHUNK = 64 * 1024
"""Bytes."""


def many(found: AsyncIterator[msgspec.Struct]) -> Response:
    """A list that is sent while it is made: ten thousand alerts at once would take twenty MiB, for a moment."""

    async def chunks() -> AsyncIterator[bytes]:
        chunk, before = bytearray(), b"["
        async for record in found:
            chunk += before
            chunk += _encoder.encode(record)
            before = b","
            if len(chunk) > CHUNK:
                yield bytes(chunk)
                chunk.clear()
        yield bytes(chunk) + (b"]\n" if before == b"," else b"[]\n")

    return StreamingResponse(chunks(), headers=HEADERS, media_type="application/json")


def body(found: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer with its last newline: a record, or the text of an error."""
    return Response(_encoder.encode(found) + b"\n", status, {**HEADERS, **(headers or {})}, "application/json")


def error(code: int, message: str, *, status: int = 0, headers: Mapping[str, str] | None = None) -> Response:
    """What is wrong with a request before anybody looks at what it wants; `code` has more values than HTTP."""
    found = {"code": code, "message": message}
    return Response(
        _encoder.encode(found), status or code, {**HEADERS, **(headers or {})}, media_type="application/json"
    )


def empty(status: int = 200) -> Response:
    return Response(b"", status, HEADERS)


def time(at: datetime) -> str:
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def sorted_labels(labels: Mapping[str, str]) -> dict[str, str]:
    return dict(sorted(labels.items()))


def silence(one: Silence, at: datetime) -> GettableSilence:
    """A silence with the state that it has at that time."""
    return GettableSilence(
        id=one.id,
        status=SilenceStatus(state=one.state(at)),
        updatedAt=time(one.updated_at),
        annotations=sorted_labels(one.annotations) if one.annotations else msgspec.UNSET,
        comment=one.comment,
        createdBy=one.created_by,
        endsAt=time(one.ends_at),
        matchers=tuple(
            Matcher(isEqual=each.is_equal, isRegex=each.is_regex, name=each.name, value=each.value)
            for each in one.matchers
        ),
        startsAt=time(one.starts_at),
        untilResolved=True if one.until_resolved else msgspec.UNSET,
    )
