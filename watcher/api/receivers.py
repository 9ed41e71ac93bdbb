"""Receivers: how their integrations do, and a test message to each of them."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Query
from fastapi.responses import Response

from watcher.api.access import Access
from watcher.api.answers import Time, as_json, plain
from watcher.api.described import SECURITY, answered
from watcher.api.inside import Inside
from watcher.api.queries import Waiting
from watcher.model.config import Receiver
from watcher.model.observations import SendTestAsked
from watcher.model.state import Channel, MessageState, OutboxRow


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """One integration of one receiver."""

    receiver: str
    integration: str
    waiting: int
    """Messages that are not delivered yet."""
    failures: int
    """In a row."""
    not_before: Time | None
    """Nothing is sent earlier."""
    dead_at: Time | None
    """The last dead letter since something was delivered."""
    error: str


class TestedReceiver(msgspec.Struct, frozen=True, kw_only=True):
    receiver: str
    integrations: tuple[Tested, ...]


class Mistake(msgspec.Struct, frozen=True, kw_only=True):
    """An annotation that does not do what its author meant."""

    namespace: str
    object: str
    annotation: str
    problem: str
    last_seen: Time


class Tested(msgspec.Struct, frozen=True, kw_only=True):
    integration: str
    id: str
    outcome: str
    """delivered, failed or waiting."""
    attempts: int
    reason: str
    """Why it failed, or has not arrived yet."""


def routes(inside: Inside, access: Access) -> APIRouter:
    router = APIRouter()
    numbers = itertools.count(1)

    @router.get("/channels", responses=answered(list[Health]))
    async def channels() -> Response:
        """How each integration of each receiver does."""
        return as_json(
            [
                _health(inside, (receiver.name, name))
                for receiver in inside.receivers().values()
                for name, _ in receiver.integrations
            ]
        )

    @router.post(
        "/receivers/{name:path}/test",
        status_code=202,
        dependencies=[Depends(access.writing)],
        responses=answered(TestedReceiver, 400, 401, 403, 404, 409, 503, status=202, words="It was tried"),
        openapi_extra=SECURITY,
    )
    async def test(name: str, query: Annotated[Waiting, Query()]) -> Response:
        """Send one marked message to each integration of a receiver."""
        receiver = _receiver(inside, name)
        now = inside.clock.now()
        asked = SendTestAsked(at=now, receiver=name, id=f"{now:%Y%m%dT%H%M%S.%f}-{next(numbers)}")
        integrations = await _tested(inside, receiver, asked, query.wait)
        return as_json(TestedReceiver(receiver=name, integrations=tuple(integrations)), 202)

    @router.get("/mistakes", responses=answered(list[Mistake]))
    async def mistakes() -> Response:
        """Annotations that do not do what was meant, the newest first."""
        seen = inside.mistakes()
        newest = sorted(seen.items(), key=lambda item: (item[1], item[0]), reverse=True)
        return as_json([Mistake(**msgspec.structs.asdict(mistake), last_seen=at) for mistake, at in newest])

    return router


def _health(inside: Inside, key: tuple[str, str]) -> Health:
    channel = inside.view.channels.rows.get(key) or Channel(receiver=key[0], integration=key[1])
    return Health(
        receiver=channel.receiver,
        integration=channel.integration,
        waiting=len(list(inside.view.outbox.keys_by("channel", key))),
        failures=channel.failures,
        not_before=channel.not_before,
        dead_at=channel.dead_at,
        error=plain(channel.error),
    )


def _receiver(inside: Inside, name: str) -> Receiver:
    receivers = inside.receivers()
    receiver = receivers.get(name)
    if receiver is None:
        known = ", ".join(sorted(receivers)[:50])
        raise HTTPException(404, f"the configuration has no receiver of this name; it has {known}")
    if not receiver.integrations:
        raise HTTPException(409, "this receiver has no integrations: nothing is ever sent to it")
    return receiver


async def _tested(inside: Inside, receiver: Receiver, asked: SendTestAsked, wait: timedelta) -> list[Tested]:
    """What became of the test at each integration by the time that one waits."""
    names = {name for name, _ in receiver.integrations}
    with inside.outcomes.follow(lambda row: row.group == asked.group) as followed:
        rows = followed.rows

        def over() -> bool:
            return len(rows) == len(names) and all(row.state is not MessageState.QUEUED for row in rows.values())

        await inside.intake.put(asked)
        await followed.until(over, wait)
    if not rows:
        raise HTTPException(503, "the test is not stored yet, and is sent when the database answers: /-/ready says why")
    by_name = {row.integration: row for row in rows.values()}
    return [_outcome(by_name[name]) for name, _ in receiver.integrations if name in by_name]


def _outcome(row: OutboxRow) -> Tested:
    outcome = {MessageState.DELIVERED: "delivered", MessageState.QUEUED: "waiting"}.get(row.state, "failed")
    return Tested(
        integration=row.integration, id=row.id, outcome=outcome, attempts=row.attempts, reason=plain(row.error)
    )
