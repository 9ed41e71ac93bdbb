"""What is true now of what Watcher sees, and what each rule says of it.

Only objects with something that is not well are kept, and of volumes the newest measure: a healthy pod has no signals.
Annotations of the object are left out: people write anything into them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from watcher.alerts.identity import alert_key
from watcher.api import queries
from watcher.api.access import Access
from watcher.api.answers import Time, as_json, plain
from watcher.api.described import SECURITY, answered
from watcher.api.inside import Inside
from watcher.api.names import AlertName, name_of
from watcher.model.rule import CompiledRule
from watcher.model.signals import AnySignal
from watcher.pipeline.seeing import Place, RuleVerdict, seen, signals

SLICE: Final = 100
"""Objects that are looked at before others get their turn: some milliseconds."""
_APART: Final = frozenset(
    {
        *("signal", "uid", "cluster", "namespace", "workload_kind", "workload", "pod", "container", "claim", "node"),
        *("annotations", "since", "id"),
    }
)


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule says of a signal."""

    alert: AlertName
    rule: str
    """Its id: the alert's name, with `#2` and so on for further rules of that name."""
    text: str
    """A hash of the rule's text."""
    severity: str
    where: bool | None
    """null: undecided, as a field that it looks at is not known."""
    why_not: str
    """Empty where it holds."""
    state: str
    """inactive, pending (`for` is not over), firing, or holding (`keep_firing_for` is not over)."""
    due: Time | None
    """When `for` or `keep_firing_for` is over."""
    explained_by: AlertName | None
    """The cause of which this is the effect: it does not count."""


class Signal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that is true of one subject (docs/signals.md)."""

    signal: str
    kind: str
    """state: true until it is seen otherwise; occurrence: it happened."""
    cluster: str = ""
    namespace: str = ""
    workload_kind: str = ""
    workload: str = ""
    pod: str = ""
    container: str = ""
    claim: str = ""
    node: str = ""
    since: Time
    unseen_since: Time | None = None
    """Nothing was heard of it since then."""
    fields: dict[str, Any]
    rules: tuple[Verdict, ...]


class Signals(msgspec.Struct, frozen=True, kw_only=True):
    signals: tuple[Signal, ...]
    more: bool
    """There are more than `limit`."""


def routes(inside: Inside, access: Access) -> APIRouter:
    router = APIRouter()

    @router.get(
        "/signals",
        dependencies=[Depends(access.texts)],
        responses=answered(Signals, 400, 401, 403),
        openapi_extra=SECURITY,
    )
    async def listed(query: Annotated[queries.Signals, Query()]) -> Response:
        """What is true now."""
        place = Place(namespace=query.namespace, workload=query.workload, signal=query.signal)
        rules = [rule for rule in inside.core().rules if query.alert in ("", rule.alert)]
        kinds = {rule.signal for rule in rules} if query.alert else None
        found = [one for one in await looked(inside, place) if kinds is None or type(one) in kinds]
        shown = tuple(shown_signal(inside, one, rules) for one in found[: query.limit])
        return as_json(Signals(signals=shown, more=len(found) > query.limit))

    return router


async def looked(inside: Inside, place: Place) -> list[AnySignal]:
    """What is true at a place, by namespace, workload and pod."""
    found = []
    for number, signal in enumerate(signals(inside.core(), inside.view, inside.clock.now(), place)):
        if signal is not None:
            found.append(signal)
        if number % SLICE == SLICE - 1:
            await asyncio.sleep(0)
    return sorted(found, key=_order)


def _order(signal: AnySignal) -> tuple[str, ...]:
    subject = signal.subject
    names = (signal.namespace, signal.workload_kind, signal.workload, subject.pod, subject.container, subject.claim)
    return (*names, subject.node, type(signal).__name__, signal.id)


def shown_signal(inside: Inside, signal: AnySignal, rules: Iterable[CompiledRule]) -> Signal:
    found, wanted = seen(inside.core(), inside.view, signal), {rule.id for rule in rules}
    subject = signal.subject
    return Signal(
        signal=type(signal).__name__,
        kind="occurrence" if signal.OCCURRENCE else "state",
        cluster=signal.cluster,
        namespace=signal.namespace,
        workload_kind=signal.workload_kind,
        workload=signal.workload,
        pod=signal.pod,
        container=subject.container,
        claim=subject.claim,
        node=signal.node,
        since=signal.since,
        unseen_since=found.unseen_since,
        fields=_fields(signal),
        rules=tuple(_verdict(inside, signal, each) for each in found.verdicts if each.rule.id in wanted),
    )


def _fields(signal: AnySignal) -> dict[str, Any]:
    given = {name: value for name, value in msgspec.to_builtins(signal).items() if name not in _APART}
    return {name: _plain(value) for name, value in given.items()}


def _plain(value: Any) -> Any:
    match value:
        case str():
            return plain(value)
        case Mapping():
            return {plain(name): _plain(each) for name, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
    return value


def _verdict(inside: Inside, signal: AnySignal, found: RuleVerdict) -> Verdict:
    member = found.member
    cause = member.explained_by if member is not None else None
    return Verdict(
        alert=name_of(inside, member.alert if member is not None else alert_key(found.rule, signal)),
        rule=found.rule.id,
        text=found.rule.text_hash,
        severity=found.rule.severity,
        where=found.where,
        why_not=plain(found.why_not),
        state=member.state.value if member is not None else "inactive",
        due=member.due if member is not None else None,
        explained_by=name_of(inside, cause) if cause is not None else None,
    )
