"""The outbox: what waits, what was delivered, what is dead, and sending a dead letter again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Path, Query
from fastapi.responses import Response

from watcher.api.access import Access
from watcher.api.answers import Time, as_json, plain
from watcher.api.described import SECURITY, answered
from watcher.api.inside import Inside
from watcher.api.queries import Id, Listed, Waiting
from watcher.model.delivery import Delivered, GiveUp, TryLater
from watcher.model.observations import ResendAsked
from watcher.model.state import Attempt, MessageState, OutboxRow


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A message, without its text."""

    id: str
    receiver: str
    integration: str
    group: str
    reason: str
    """Why it was sent: FIRST, REPEAT, … as in a replay."""
    status: str
    title: str
    state: MessageState
    created_at: Time
    next_at: Time | None
    """When it may be tried (again); null once it is over."""
    attempts: int
    error: str
    finished_at: Time | None


class Try(msgspec.Struct, frozen=True, kw_only=True):
    at: Time
    outcome: str
    """delivered, try_later or give_up."""
    reason: str = ""
    after_seconds: float | None = None
    """The pause that the receiver asked for."""


class Whole(Delivery, frozen=True, kw_only=True):
    text: str
    history: tuple[Try, ...]
    """Each attempt, oldest first."""


class Resent(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    receiver: str
    integration: str
    state: MessageState


def routes(inside: Inside, access: Access) -> APIRouter:
    router = APIRouter(prefix="/deliveries")

    @router.get("", responses=answered(list[Delivery], 400, 503))
    async def listed(query: Annotated[Listed, Query()]) -> Response:
        """The newest messages, without their texts."""
        found = await inside.store.deliveries(query.limit, state=query.state, receiver=query.receiver)
        return as_json([shown_delivery(row, over) for row, over in found])

    @router.get(
        "/{id}",
        dependencies=[Depends(access.texts)],
        responses=answered(Whole, 400, 401, 403, 404, 503),
        openapi_extra=SECURITY,
    )
    async def one(id: Annotated[Id, Path()]) -> Response:
        """One message with its text and every attempt."""
        row, over = await _found(inside, id)
        history = tuple(tries(await inside.store.attempts(id)))
        fields = msgspec.structs.asdict(shown_delivery(row, over))
        return as_json(Whole(**fields, text=row.notification.text, history=history))

    @router.post(
        "/{id}/resend",
        status_code=202,
        dependencies=[Depends(access.writing)],
        responses=answered(Resent, 400, 401, 403, 404, 409, 503, status=202, words="It waits again"),
        openapi_extra=SECURITY,
    )
    async def resend(id: Annotated[Id, Path()], query: Annotated[Waiting, Query()]) -> Response:
        """Send a dead letter again."""
        row, _ = await _found(inside, id)
        _check_resend(inside, row)
        return as_json(await _sent_again(inside, row, query.wait), 202)

    return router


async def _found(inside: Inside, id: str) -> tuple[OutboxRow, datetime | None]:
    found = await inside.store.delivery(id)
    if found is None:
        raise HTTPException(404, "there is no delivery with this id; finished ones are kept for store.retention")
    return found


def shown_delivery(row: OutboxRow, over: datetime | None) -> Delivery:
    return Delivery(
        id=row.id,
        receiver=row.receiver,
        integration=row.integration,
        group=row.group,
        reason=row.notification.reason.name,
        status=row.notification.status,
        title=row.notification.title,
        state=row.state,
        created_at=row.created_at,
        next_at=row.next_at if row.state is MessageState.QUEUED else None,
        attempts=row.attempts,
        error=plain(row.error),
        finished_at=over,
    )


def tries(attempts: Iterable[Attempt]) -> Iterator[Try]:
    for attempt in attempts:
        match attempt.outcome:
            case Delivered():
                yield Try(at=attempt.at, outcome="delivered")
            case TryLater(reason=reason, after=after):
                pause = after.total_seconds() if after is not None else None
                yield Try(at=attempt.at, outcome="try_later", reason=plain(reason), after_seconds=pause)
            case GiveUp(reason=reason):
                yield Try(at=attempt.at, outcome="give_up", reason=plain(reason))


def _check_resend(inside: Inside, row: OutboxRow) -> None:
    if row.state is not MessageState.DEAD:
        words = {
            MessageState.QUEUED: "it is on its way",
            MessageState.DELIVERED: "it was delivered",
            MessageState.REPLACED: "a later message of its conversation took its place",
        }
        raise HTTPException(409, f"only a dead letter can be sent again: {words[row.state]}")
    receiver = inside.receivers().get(row.receiver)
    if receiver is None or row.integration not in dict(receiver.integrations):
        raise HTTPException(
            409,
            f"the configuration has no {row.integration} in receiver {row.receiver!r} any more: bring it back first",
        )
    if row.id in inside.outcomes.returning or inside.view.outbox.rows.get(row.id) is not None:
        raise HTTPException(409, "only a dead letter can be sent again: it is on its way already")


async def _sent_again(inside: Inside, row: OutboxRow, wait: timedelta) -> Resent:
    """The answer, once it is stored that the message waits again."""
    asked = ResendAsked(
        at=inside.clock.now(),
        message_id=row.id,
        receiver=row.receiver,
        integration=row.integration,
        group=row.group,
        notification=row.notification,
    )
    inside.outcomes.returning.add(row.id)
    with inside.outcomes.follow(lambda other: other.id == row.id) as followed:
        await inside.intake.put(asked)
        if not await followed.until(lambda: bool(followed.rows), wait):
            raise HTTPException(503, "this is not stored yet, and is done when the database answers: /-/ready says why")
    return Resent(id=row.id, receiver=row.receiver, integration=row.integration, state=MessageState.QUEUED)
