"""What happened and why: how alerts and their members moved, and what was decided about telling of them.

The newest first, page by page. Posted alerts have no namespace of their own in the history: of those that are still
known, labels count.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query
from fastapi.responses import Response

from watcher.api import queries
from watcher.api.access import Access
from watcher.api.answers import Time, as_json, plain
from watcher.api.described import answered
from watcher.api.inside import Inside
from watcher.api.names import AlertName, keys_of, name_of
from watcher.model.history import Asked, DecisionLine, TransitionLine
from watcher.model.state import Transition


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """An alert, or one member of it, changed its state."""

    at: Time
    alert: AlertName
    subject: str
    """The member as namespace/pod/container, namespace/claim or namespace/workload; empty where the alert itself
    changed."""
    before: str
    after: str
    why: str


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """Why one integration was, or was not, told of an alert."""

    at: Time
    alert: AlertName | None
    """null: the decision is about the whole group."""
    group: str
    receiver: str
    integration: str
    verdict: str
    """send, hold or close."""
    reason: str
    message: str
    """The id of the delivery; empty where nothing was sent."""
    count: int
    """How often the same was decided in a row."""
    last_at: Time


class History(msgspec.Struct, frozen=True, kw_only=True):
    history: tuple[Moved, ...]
    next: str | None
    """The cursor of the next page; null: this is the last."""


class Decisions(msgspec.Struct, frozen=True, kw_only=True):
    decisions: tuple[Decided, ...]
    next: str | None


def routes(inside: Inside, access: Access) -> APIRouter:
    router = APIRouter()

    @router.get("/history", responses=answered(History, 400, 503))
    async def history(query: Annotated[queries.History, Query()]) -> Response:
        """How alerts and their members moved."""
        asked = await _asked(inside, query)
        found = await inside.store.transitions_of(asked, query.limit + 1)
        shown = found[: query.limit]
        cursor = str(shown[-1].number) if len(found) > query.limit else None
        return as_json(History(history=tuple(moved(inside, line) for line in shown), next=cursor))

    @router.get("/decisions", responses=answered(Decisions, 400, 503))
    async def decisions(query: Annotated[queries.Decisions, Query()]) -> Response:
        """Why something was sent, held back or closed."""
        asked = msgspec.structs.replace(
            await _asked(inside, query), receiver=query.receiver, verdict=query.verdict or ""
        )
        found = await inside.store.decisions_of(asked, query.limit + 1)
        shown = found[: query.limit]
        cursor = str(shown[-1].number) if len(found) > query.limit else None
        return as_json(Decisions(decisions=tuple(decided(inside, line) for line in shown), next=cursor))

    return router


async def _asked(inside: Inside, query: queries.History) -> Asked:
    return Asked(
        alerts=await keys_of(inside, query.fingerprint) if query.fingerprint else None,
        alertname=query.alertname,
        namespace=query.namespace,
        workload=query.workload,
        begin=query.since,
        end=query.until,
        before=int(query.cursor) if query.cursor is not None else None,
    )


def moved(inside: Inside, line: TransitionLine) -> Moved:
    one = line.transition
    return Moved(
        at=one.at,
        alert=name_of(inside, one.alert),
        subject=_subject(one),
        before=one.before,
        after=one.after,
        why=plain(one.why),
    )


def _subject(one: Transition) -> str:
    """What is no pod is in the history by its namespace alone; the alert's key says what it is."""
    key = one.alert
    is_namespace = bool(key.namespace) and one.subject == key.namespace
    return "/".join(name for name in (one.subject, key.claim or key.workload) if name) if is_namespace else one.subject


def decided(inside: Inside, line: DecisionLine) -> Decided:
    one = line.decision
    return Decided(
        at=one.at,
        alert=name_of(inside, one.alert) if one.alert is not None else None,
        group=one.group,
        receiver=one.receiver,
        integration=one.integration,
        verdict=one.verdict,
        reason=one.reason,
        message=one.message,
        count=line.count,
        last_at=line.last_at,
    )
