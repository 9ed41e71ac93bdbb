"""Alertmanager's `/silences` and `/silence/{id}`: reading them from the view, changing them through the intake.

Whoever changes one is answered once that is stored. What Alertmanager's own server has no limit for has one here.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from watcher.api import v2body, v2shapes
from watcher.api.access import Access
from watcher.api.inside import Inside
from watcher.api.v2requests import Refused, Said, filters, flag, read_body
from watcher.lib.matchers import Matcher
from watcher.lib.text import clean, cut
from watcher.model.observations import SilenceAsked, SilenceExpireAsked
from watcher.model.silence import Answer, Silence
from watcher.routing.silences import may_change

LARGEST_BODY: Final = 1024 * 1024
MOST_SILENCES: Final = 10_000
"""Those that are over count until they are forgotten."""
PATIENCE: Final = timedelta(seconds=10)
"""Proxies and clients give up on what takes much longer."""

_STATES: Final = ("active", "pending", "expired")
_UUID: Final = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.IGNORECASE)
_NOT_STORED: Final = "this is not stored yet, and is done when the database answers: /-/ready says why"
_EMPTY: Final = "at least one matcher must not match the empty string"
_TIMES: Final = ("start time must be before end time", "end time can't be in the past")


class Silences:
    def __init__(self, inside: Inside, access: Access) -> None:
        self._inside = inside
        self._access = access
        self._numbers = itertools.count(1)
        self._coming = 0
        """New ones that are not in the view yet."""

    async def listed(self, request: Request) -> Response:
        wanted = filters(request.query_params)
        states = [state for state in _STATES if flag(request.query_params, state)]
        now = self._inside.clock.now()
        found = [
            one
            for one in self._inside.view.silences.rows.values()
            if one.state(now) in states and _has_all(one, wanted)
        ]
        return v2shapes.body([v2shapes.silence(one, now) for one in in_order(found, now)])

    async def one(self, request: Request) -> Response:
        found = self._inside.view.silences.rows.get(_id(request))
        return (
            v2shapes.empty(404) if found is None else v2shapes.body(v2shapes.silence(found, self._inside.clock.now()))
        )

    async def put(self, request: Request) -> Response:
        await self._access.writing(request)
        data = v2body.parse(await read_body(request, LARGEST_BODY))
        silences = self._inside.view.silences.rows
        old = silences.get(data.get("id") or "")
        now = self._inside.clock.now()
        silence = v2body.silence_of(data, now, old)
        if silence.id and old is None:
            raise Said(404, "silence not found")
        is_new = old is None or not may_change(old, silence, now)
        if is_new and len(silences) + self._coming >= MOST_SILENCES:
            said = f"exceeded maximum number of silences: {len(silences)} (limit: {MOST_SILENCES})"
            raise Said(400, said)
        answer = await self._asked(request, silence)
        if answer.code != 200:
            raise Said(answer.code, _worded(answer))
        return v2shapes.body({"silenceID": answer.id})

    async def expire(self, request: Request) -> Response:
        await self._access.writing(request)
        asked = SilenceExpireAsked(
            at=self._inside.clock.now(), request=self._name(), id=_id(request), by=asker(self._access, request)
        )
        answer = await self._inside.outcomes.ask(self._inside.intake, asked, PATIENCE)
        if answer is None:
            raise Said(503, _NOT_STORED)
        return v2shapes.empty(answer.code)

    async def _asked(self, request: Request, silence: Silence) -> Answer:
        asked = SilenceAsked(
            at=self._inside.clock.now(),
            request=self._name(),
            silence=silence,
            new_id=self._inside.new_id(),
            by=asker(self._access, request, silence.created_by),
        )
        self._coming += 1
        try:
            answer = await self._inside.outcomes.ask(self._inside.intake, asked, PATIENCE)
        finally:
            self._coming -= 1
        if answer is None:
            raise Said(503, _NOT_STORED)
        return answer

    def _name(self) -> str:
        return f"v2/{next(self._numbers)}"


def in_order(silences: Iterable[Silence], now: datetime) -> list[Silence]:
    """Those that mute first, the one that ends soonest before the others; what is over last."""

    def place(one: Silence) -> tuple[int, float, str]:
        match one.state(now):
            case "active":
                return 0, one.ends_at.timestamp(), one.id
            case "pending":
                return 1, one.starts_at.timestamp(), one.id
        return 2, -one.ends_at.timestamp(), one.id

    return sorted(silences, key=place)


def asker(access: Access, request: Request, name: str = "") -> str:
    """Who asks, for the history: the name that they give, and what makes us believe them."""
    login, means = access.who(request)
    said = cut(" ".join(clean(name or login).split()), 200)
    return f"{said} ({means})" if said else means


def _id(request: Request) -> str:
    id: str = request.path_params["silenceID"]
    if not _UUID.fullmatch(id):
        raise Refused(601, f'silenceID in path must be of type uuid: "{id[:200]}"', status=422)
    return id


def _has_all(silence: Silence, wanted: Iterable[Matcher]) -> bool:
    """A filter is no question about labels: it finds silences that hold this very matcher."""
    return all(
        any(
            (one.name, one.value, one.is_regex, one.is_equal) == (want.name, want.value, want.is_regex, want.is_equal)
            for one in silence.matchers
        )
        for want in wanted
    )


def _worded(answer: Answer) -> str:
    """The core's reason as Alertmanager words it."""
    if answer.code == 404:
        return answer.text
    if answer.text in _TIMES:
        return f"Failed to create silence: {answer.text}"
    return (
        f"invalid silence: matcher set 0: {answer.text}" if answer.text == _EMPTY else f"invalid silence: {answer.text}"
    )
