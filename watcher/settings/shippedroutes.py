"""The routes and inhibitions that Watcher brings along (design.md sections 4 and 6).

The routes count only where the configuration has no `route`; the inhibitions always, before the configuration's own.
They name labels that only Watcher's alerts have together (`workload_kind` with one of the shipped alert names).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from watcher.lib.matchers import Matcher, MatcherOp, format_matchers, sort_matchers
from watcher.routing.inhibition import InhibitRule
from watcher.routing.route import Route

BY_WORKLOAD: Final = ("cluster", "namespace", "workload_kind", "workload")
BY_CLAIM: Final = ("cluster", "namespace", "claim")
BY_VOLUME: Final = ("cluster", "namespace", "claim", "node")
BY_NODE: Final = ("cluster", "alertname")

GROUP_WAIT: Final = timedelta(seconds=10)
GROUP_INTERVAL: Final = timedelta(minutes=5)
REPEAT_INTERVAL: Final = timedelta(hours=12)
"""Watcher's alerts say when they change; a reminder twice a day is enough."""

NOBODY: Final = ""


def shipped_route(receiver: str) -> Route:
    """Everything to one receiver, in groups that people expect; `severity="info"` to nobody."""
    info = (_is("severity", MatcherOp.EQUAL, "info"),)
    nodes = (_is("namespace", MatcherOp.EQUAL, ""), _is("node", MatcherOp.NOT_EQUAL, ""))
    claims = (_is("claim", MatcherOp.NOT_EQUAL, ""),)
    children = (
        _route("0", NOBODY, info, BY_WORKLOAD),
        _route("1", receiver, nodes, BY_NODE),
        _route("2", receiver, claims, BY_CLAIM),
    )
    return _route("", receiver, (), BY_WORKLOAD, children)


def shipped_inhibitions() -> tuple[InhibitRule, ...]:
    """What is told by a worse alert of the same subject."""
    watchers_own = _is("workload_kind", MatcherOp.NOT_EQUAL, "")
    return (
        InhibitRule(
            own=True,
            name="WorkloadDown over milder ones of the same workload",
            source=(_alert("WorkloadDown"), watchers_own),
            target=(_is("severity", MatcherOp.REGEX, "warning|info"), watchers_own),
            equal=BY_WORKLOAD,
        ),
        InhibitRule(
            own=True,
            name="ContainerCrashLooping over ContainerRestartingOften",
            source=(_alert("ContainerCrashLooping"), watchers_own),
            target=(_alert("ContainerRestartingOften"), watchers_own),
            equal=(*BY_WORKLOAD, "container"),
        ),
        InhibitRule(
            own=True,
            name="VolumeNearlyFull over milder ones of the same volume",
            source=(_alert("VolumeNearlyFull"),),
            target=(_is("alertname", MatcherOp.REGEX, "VolumeFillingUp|VolumeWillFill"),),
            equal=BY_VOLUME,
        ),
        InhibitRule(
            own=True,
            name="VolumeFillingUp over VolumeWillFill",
            source=(_alert("VolumeFillingUp"),),
            target=(_alert("VolumeWillFill"),),
            equal=BY_VOLUME,
        ),
    )


def _route(
    path: str, receiver: str, matchers: tuple[Matcher, ...], group_by: tuple[str, ...], routes: tuple[Route, ...] = ()
) -> Route:
    ordered = sort_matchers(matchers)
    return Route(
        id=path,
        receiver=receiver,
        key="{}" + (f"/{format_matchers(ordered)}" if path else ""),
        matchers=ordered,
        group_by=group_by,
        group_wait=GROUP_WAIT,
        group_interval=GROUP_INTERVAL,
        repeat_interval=REPEAT_INTERVAL,
        routes=routes,
    )


def _alert(name: str) -> Matcher:
    return _is("alertname", MatcherOp.EQUAL, name)


def _is(name: str, op: MatcherOp, value: str) -> Matcher:
    return Matcher(name=name, op=op, value=value)
