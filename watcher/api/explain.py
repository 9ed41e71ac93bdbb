"""Why somebody was, or was not, told: all that is known of one pod, workload, claim, node or alert, joined.

What is true and what each rule says of it; the alerts with what holds them back, their groups and to whom they were
told; how they moved; what was decided; what became of each message. With `at`, only what was known and decided until
then: of what was true then only the history tells, so signals, groups and what holds an alert now are left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Query
from fastapi.responses import Response

from watcher.api import queries
from watcher.api.access import Access
from watcher.api.answers import Time, as_json, plain
from watcher.api.deliveries import Delivery, Try, shown_delivery, tries
from watcher.api.described import SECURITY, answered
from watcher.api.history import Decided, Moved, decided, moved
from watcher.api.holding import Hold, holds
from watcher.api.inside import Inside
from watcher.api.names import AlertName, name_of
from watcher.api.signals import Signal, looked, shown_signal
from watcher.api.wanted import Wanted, scope, wanted
from watcher.model.history import Asked
from watcher.model.identity import AlertKey
from watcher.model.state import Alert, Group, Member
from watcher.pipeline.seeing import Place, members_of

MOST_LINES: Final = 500
MOST_MESSAGES: Final = 50
MOST_SIGNALS: Final = 100
MOST_MEMBERS: Final = 100


class MemberState(msgspec.Struct, frozen=True, kw_only=True):
    """One subject behind an alert."""

    subject: str
    rule: str
    state: str
    since: Time
    due: Time | None
    explained_by: AlertName | None
    unseen_since: Time | None
    baseline: bool
    """Already broken when Watcher saw it first."""


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """A group that the alert is told in."""

    id: str
    receiver: str
    route: str
    labels: dict[str, str]
    due: Time | None
    """When it looks again whether there is something to tell."""
    last_sent: dict[str, Time]
    """By integration."""


class ToldState(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody was told, or is being told, that it fires; gone once its end has been told."""

    receiver: str
    integration: str
    at: Time
    message: str
    delivered: bool


class AlertState(msgspec.Struct, frozen=True, kw_only=True):
    """An open alert as it is now."""

    alert: AlertName
    labels: dict[str, str]
    state: str
    since: Time
    starts_at: Time
    ends_at: Time | None
    end_reason: str | None
    members: tuple[MemberState, ...]
    member_count: int
    holds: tuple[Hold, ...]
    groups: tuple[Sending, ...]
    told: tuple[ToldState, ...]


class Message(Delivery, frozen=True, kw_only=True):
    history: tuple[Try, ...]
    """Each attempt, oldest first."""


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    of: str
    at: Time | None
    """null: now."""
    known: tuple[str, ...]
    """What it is, in words."""
    signals: tuple[Signal, ...]
    alerts: tuple[AlertState, ...]
    history: tuple[Moved, ...]
    decisions: tuple[Decided, ...]
    deliveries: tuple[Message, ...]


def routes(inside: Inside, access: Access) -> APIRouter:
    router = APIRouter()

    @router.get(
        "/explain",
        dependencies=[Depends(access.texts)],
        responses=answered(Explanation, 400, 401, 403, 404, 503),
        openapi_extra=SECURITY,
    )
    async def explain(query: Annotated[queries.Explained, Query()]) -> Response:
        """Why a notification was, or was not, sent."""
        asked = wanted(query.of)
        found = await _explained(inside, asked, query.at)
        if not (found.known or found.alerts or found.history or found.decisions):
            when = "" if query.at is None else f" until {query.at:%Y-%m-%d %H:%M:%S}Z"
            sentence = f"nothing is known of {asked.sought}{when}; history is kept for store.retention"
            raise HTTPException(404, sentence)
        return as_json(found)

    return router


async def _explained(inside: Inside, of: Wanted, at: datetime | None) -> Explanation:
    keys, asked = await scope(inside, of)
    asked = msgspec.structs.replace(asked, end=at)
    lines = await inside.store.transitions_of(asked, MOST_LINES)
    keys |= {line.transition.alert for line in lines}
    of_alerts = Asked(alerts=frozenset(keys), end=at)
    if of.name:
        whole = [one for one in await inside.store.transitions_of(of_alerts, MOST_LINES) if not one.transition.subject]
        lines = sorted({line.number: line for line in (*lines, *whole)}.values(), key=lambda line: -line.number)
    decisions = await inside.store.decisions_of(of_alerts, MOST_LINES)
    told = [row.message for row in _told(inside, keys)] if at is None else []
    messages = dict.fromkeys((*(line.decision.message for line in decisions), *told))
    return Explanation(
        of=of.words,
        at=at,
        known=tuple(_known(inside, of)) if at is None else (),
        signals=await _signals(inside, of, keys) if at is None else (),
        alerts=tuple(_alert(inside, alert) for alert in _open(inside, keys)) if at is None else (),
        history=tuple(moved(inside, line) for line in lines[:MOST_LINES]),
        decisions=tuple(decided(inside, line) for line in decisions),
        deliveries=await _messages(inside, messages, at),
    )


def _open(inside: Inside, keys: Iterable[AlertKey]) -> list[Alert]:
    rows = inside.view.alerts.rows
    return [rows[key] for key in sorted(keys) if key in rows]


async def _signals(inside: Inside, of: Wanted, keys: Iterable[AlertKey]) -> tuple[Signal, ...]:
    rules = inside.core().rules
    if not of.is_alerts:
        place = Place(namespace=of.namespace, name=of.name, node=of.node)
        return tuple(shown_signal(inside, one, rules) for one in (await looked(inside, place))[:MOST_SIGNALS])
    members = [member for key in sorted(keys) for member in members_of(inside.view, key)]
    signals = {(type(m.signal).__name__, m.key.subject): m.signal for m in members if not m.absent}
    return tuple(shown_signal(inside, one, rules) for one in [*signals.values()][:MOST_SIGNALS])


def _known(inside: Inside, of: Wanted) -> Iterable[str]:
    """What is seen of it now, in words."""
    view, place = inside.view, (of.namespace, of.name)
    if of.node:
        state = view.nodes.rows.get(of.node)
        if state is not None and not state.gone:
            yield f"node {plain(of.node)}"
        return
    for uid in view.pods.keys_by("name", place):
        pod = view.pods.rows[uid]
        ready = "ready" if pod.ready else "not ready"
        yield plain(f"pod {pod.name} of {pod.workload.kind} {pod.workload.name}, {pod.phase}, {ready}, node {pod.node}")
    if place in view.claims.rows:
        yield plain(f"claim {of.name}, {view.claims.rows[place].claim.status.phase}")
    pods = [pod for pod in view.pods.rows.values() if (pod.workload.namespace, pod.workload.name) == place]
    for kind in sorted({pod.workload.kind for pod in pods} - {"Pod"}):
        own = [pod for pod in pods if pod.workload.kind == kind]
        ready_pods = sum(1 for pod in own if pod.ready)
        yield plain(f"{kind} {of.name}, {ready_pods} of {sum(1 for pod in own if pod.counts)} pods ready")


def _alert(inside: Inside, alert: Alert) -> AlertState:
    members = members_of(inside.view, alert.key)
    groups = [group for name in alert.groups if (group := inside.view.groups.rows.get(name)) is not None]
    return AlertState(
        alert=name_of(inside, alert.key),
        labels={plain(name): plain(value) for name, value in alert.labels.items()},
        state=alert.state.value,
        since=alert.since,
        starts_at=alert.starts_at,
        ends_at=alert.ends_at,
        end_reason=alert.end_reason.value if alert.end_reason is not None else None,
        members=tuple(_member(inside, member) for member in members[:MOST_MEMBERS]),
        member_count=len(members),
        holds=holds(inside, alert),
        groups=tuple(_sending(inside, group) for group in groups),
        told=_told(inside, (alert.key,)),
    )


def _member(inside: Inside, member: Member) -> MemberState:
    subject, cause = member.key.subject, member.explained_by
    own = (subject.pod, subject.container, subject.claim, subject.node)
    names = (subject.namespace, *(own if any(own) else (member.signal.workload,)))
    return MemberState(
        subject="/".join(name for name in names if name) or subject.uid,
        rule=member.key.rule,
        state=member.state.value,
        since=member.since,
        due=member.due,
        explained_by=name_of(inside, cause) if cause is not None else None,
        unseen_since=member.unseen_since,
        baseline=member.baseline,
    )


def _sending(inside: Inside, group: Group) -> Sending:
    route = inside.core().routes.get(group.route) or inside.core().route
    return Sending(
        id=group.id,
        receiver=group.receiver,
        route=route.key,
        labels={plain(name): plain(value) for name, value in group.labels.items()},
        due=group.due,
        last_sent={sent.integration: sent.at for sent in group.sent},
    )


def _told(inside: Inside, keys: Iterable[AlertKey]) -> tuple[ToldState, ...]:
    told = inside.view.told
    found = (told.rows[key] for alert in keys for key in sorted(told.keys_by("alert", alert)))
    return tuple(
        ToldState(
            receiver=row.key.receiver,
            integration=row.key.integration,
            at=row.at,
            message=row.message,
            delivered=row.delivered,
        )
        for row in found
    )


async def _messages(inside: Inside, ids: Iterable[str], at: datetime | None) -> tuple[Message, ...]:
    """The newest first; of each what was known of it by then."""
    found = []
    for id in [id for id in ids if id][:MOST_MESSAGES]:
        delivery = await inside.store.delivery(id)
        if delivery is None or (at is not None and delivery[0].created_at > at):
            continue
        attempts = [one for one in await inside.store.attempts(id) if at is None or one.at <= at]
        fields = msgspec.structs.asdict(shown_delivery(*delivery))
        if at is not None and delivery[1] is not None and delivery[1] > at:
            fields |= {"state": "queued", "finished_at": None, "attempts": len(attempts), "error": ""}
        found.append(Message(**fields, history=tuple(tries(attempts))))
    return tuple(sorted(found, key=lambda one: (one.created_at, one.id), reverse=True))
