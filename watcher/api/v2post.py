"""Alertmanager's `POST /alerts`: what Prometheus and others send. Answered once it is stored (`inbox`).

A structure that is not what it should be refuses the whole batch; an alert that cannot be taken is named, and the
others are taken. What Alertmanager's own server has no limit for has one here.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from watcher.api import v2shapes
from watcher.api.access import Access
from watcher.api.inside import Inside
from watcher.api.v2requests import Refused, Said, read_body
from watcher.api.v2times import read_time
from watcher.model.posted import POSTED_NAMES, PostedAlert
from watcher.pipeline.posting import refusal
from watcher.ports import Fenced

LARGEST_BODY: Final = 32 * 1024 * 1024
"""Prometheus sends 64 alerts at once, a few KB each."""
MOST_ALERTS: Final = 20_000
LARGEST_SET: Final = 64 * 1024
"""Bytes of one alert's labels, and of its annotations."""
PATIENCE: Final = timedelta(seconds=30)
_SHARED: Final = 256
"""Characters: of what is longer few are the same, and 4096 of the longest would be 256 MiB."""
_NOT_STORED: Final = "these alerts are not stored; post them again when the database answers: /-/ready says why"


class _Alert(msgspec.Struct, frozen=True, gc=False, rename=POSTED_NAMES):
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    starts_at: str | None = None
    ends_at: str | None = None
    generator_url: str | None = None


_decoder = msgspec.json.Decoder(list[_Alert | None] | None)


class Posts:
    def __init__(self, inside: Inside, access: Access) -> None:
        self._inside = inside
        self._access = access

    async def put(self, request: Request) -> Response:
        await self._access.posting(request)
        inside = self._inside
        found, core, now = _parsed(await read_body(request, LARGEST_BODY)), inside.core(), inside.clock.now()
        alerts, refused = [], []
        for number, one in enumerate(found):
            alert = _alert(number, one)
            problem = _problem(alert) or refusal(core, inside.view, alert, now)
            self._count(alert, problem, now)
            if problem:
                refused.append(problem)
            else:
                alerts.append(alert)
        if alerts:
            await self._stored(alerts)
        if refused:
            raise Said(400, "\n".join(dict.fromkeys(refused)))
        return v2shapes.empty()

    async def _stored(self, alerts: list[PostedAlert]) -> None:
        try:
            if await self._inside.inbox.put(alerts, PATIENCE):
                return
        except Fenced:
            pass  # another replica leads by now: it takes them
        raise Said(503, _NOT_STORED)

    def _count(self, alert: PostedAlert, problem: str, now: datetime) -> None:
        stats = self._inside.posts
        if alert.ends_at is not None and alert.ends_at <= now:
            stats.resolved += 1
        else:
            stats.firing += 1
        stats.invalid += bool(problem)


def _parsed(body: bytes) -> list[_Alert | None]:
    if not body.strip():
        raise Refused(602, "alerts in body is required", status=422)
    try:
        found = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        why = "unexpected EOF" if "truncated" in str(error) else str(error)
        raise _unread(why) from None
    if found is not None and len(found) > MOST_ALERTS:
        raise Refused(413, f"{len(found)} alerts at once are more than {MOST_ALERTS}: send them in smaller batches")
    return found or []


def _alert(number: int, one: _Alert | None) -> PostedAlert:
    """Refused for what makes the whole batch wrong."""
    if one is None:
        raise Refused(602, f"{number} in body is required", status=422)
    if one.labels is None:
        raise Refused(602, f"{number}.labels in body is required", status=422)
    if one.generator_url and not _is_uri(one.generator_url):
        said = f'{number}.generatorURL in body must be of type uri: "{one.generator_url[:200]}"'
        raise Refused(601, said, status=422)
    return PostedAlert(
        labels={_one(name): _one(value) for name, value in one.labels.items() if value},
        annotations={_one(name): _one(text) for name, text in (one.annotations or {}).items()},
        starts_at=_time(one.starts_at),
        ends_at=_time(one.ends_at),
        generator_url=one.generator_url or "",
    )


def _one(text: str) -> str:
    """The same object for the same text: thousands of alerts share their labels' names and most of the values."""
    return _kept(text) if len(text) <= _SHARED else text


@lru_cache(maxsize=4096)
def _kept(text: str) -> str:
    return text


def _problem(alert: PostedAlert) -> str:
    """Why this one cannot be taken; empty: it can."""
    if not alert.labels:
        return "at least one label pair required"
    for what, values in (("label set", alert.labels), ("annotations", alert.annotations)):
        if "" in values:
            return f'invalid {what}: invalid name ""'
        if sum(len(name) + len(value) for name, value in values.items()) > LARGEST_SET:
            return f"invalid {what}: larger than {LARGEST_SET} bytes"
    return ""


def _time(text: str | None) -> datetime | None:
    try:
        return read_time(text or "")
    except ValueError as error:
        raise _unread(str(error)) from None


def _unread(why: str) -> Refused:
    return Refused(400, f'parsing alerts body from "" failed, because {why}')


def _is_uri(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme or text.startswith("/"))
