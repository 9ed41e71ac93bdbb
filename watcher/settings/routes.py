"""Alertmanager's `route` tree: inheritance, checks and warnings, into the record that routing walks.

Inherited: receiver, group_by and the three times; not inherited: matchers, continue and the time intervals
(alertmanager-facts, section 1). A tree with errors still gives a tree, so that everything in it is checked.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import msgspec
from pydantic import Field, ValidationError

from watcher.lib.durations import format_duration
from watcher.lib.matchers import Matcher, MatcherOp, format_matchers, sort_matchers
from watcher.lib.shapes import Duration, Shape, Written, nearest, shape_problems
from watcher.lib.yamlpos import Path
from watcher.routing.route import Route
from watcher.settings.configfile import ConfigFile
from watcher.settings.matchers import read_matcher_keys

ALL: Final = "..."


class RouteShape(Shape):
    receiver: str | None = None
    group_by: list[str] | None = None
    group_wait: Duration | None = None
    group_interval: Duration | None = None
    repeat_interval: Duration | None = None
    matchers: list[str] = Field(default_factory=list)
    match: dict[str, Written] = Field(default_factory=dict)
    match_re: dict[str, Written] = Field(default_factory=dict)
    go_on: bool = Field(default=False, alias="continue")
    mute_time_intervals: list[str] = Field(default_factory=list)
    active_time_intervals: list[str] = Field(default_factory=list)
    labels: dict[str, Written] = Field(default_factory=dict)
    """Alertmanager's since 0.34, for its templates; not used."""
    routes: list[Any] | None = None


class _Inherited(msgspec.Struct, frozen=True, kw_only=True):
    """What a route has from its parent; the root's are Alertmanager's defaults."""

    id: str = ""
    key: str = ""
    receiver: str = ""
    group_by: tuple[str, ...] | None = ()
    group_wait: timedelta = timedelta(seconds=30)
    group_interval: timedelta = timedelta(minutes=5)
    repeat_interval: timedelta = timedelta(hours=4)
    matchers: tuple[Matcher, ...] = ()


class RouteReader:
    """Reads the tree of one file; `receivers` and `intervals` are the names that it may use."""

    def __init__(self, file: ConfigFile, receivers: frozenset[str], intervals: frozenset[str]) -> None:
        self.file = file
        self.receivers = receivers
        self.intervals = intervals
        self.used: set[str] = set()
        self._unread: set[str] = set()
        """Ids of routes whose matchers have errors: nothing is known of what they take."""

    def root(self) -> Route:
        path: Path = ("route",)
        data = self.file.at(path)
        if isinstance(data, dict):
            if not data.get("receiver"):
                self.file.error(path, "the first route needs a receiver: it takes what no other route takes")
            for key in ("matchers", "match", "match_re", "continue", "mute_time_intervals", "active_time_intervals"):
                if data.get(key):
                    self.file.error((*path, key), f"the first route takes everything: remove {key}", key=True)
        return self._route(path, _Inherited())

    def _route(self, path: Path, above: _Inherited) -> Route:
        errors = len(self.file.problems)
        shape = self._shape(path)
        matchers = sort_matchers(read_matcher_keys(self.file, path, ("matchers", "match", "match_re")))
        if any(problem.is_error for problem in self.file.problems[errors:]):
            self._unread.add(above.id)
        own = _Inherited(
            id=above.id,
            key=f"{above.key}/{format_matchers(matchers)}" if above.key else "{}",
            receiver=above.receiver if not shape.receiver else shape.receiver,
            group_by=above.group_by if shape.group_by is None else self._group_by(path, shape.group_by),
            group_wait=_or(shape.group_wait, above.group_wait),
            group_interval=_or(shape.group_interval, above.group_interval),
            repeat_interval=_or(shape.repeat_interval, above.repeat_interval),
            matchers=(*above.matchers, *matchers),
        )
        self._check(path, shape, own)
        return Route(
            id=own.id,
            receiver=own.receiver,
            key=own.key,
            matchers=matchers,
            group_by=own.group_by,
            group_wait=own.group_wait,
            group_interval=own.group_interval,
            repeat_interval=own.repeat_interval,
            continue_=shape.go_on,
            mute_time_intervals=tuple(shape.mute_time_intervals),
            active_time_intervals=tuple(shape.active_time_intervals),
            routes=self._children(path, shape, own),
        )

    def _shape(self, path: Path) -> RouteShape:
        try:
            return RouteShape.model_validate(self.file.at(path))
        except ValidationError as error:
            self.file.problems.extend(shape_problems(error, self.file.document, RouteShape, path))
        data = self.file.at(path)
        routes = data.get("routes") if isinstance(data, dict) else None
        return RouteShape(routes=routes if isinstance(routes, list) else None)

    def _children(self, path: Path, shape: RouteShape, own: _Inherited) -> tuple[Route, ...]:
        children: list[Route] = []
        for index, _ in enumerate(shape.routes or ()):
            here = (*path, "routes", index)
            below = msgspec.structs.replace(own, id=f"{own.id}/{index}" if own.id else str(index))
            child = self._route(here, below)
            self._never(here, child, children, own.matchers)
            children.append(child)
        return tuple(children)

    def _group_by(self, path: Path, names: list[str]) -> tuple[str, ...] | None:
        here = (*path, "group_by")
        for index, name in enumerate(names):
            if name in names[:index]:
                self.file.error((*here, index), f"{name} is in group_by twice")
            if not name:
                self.file.error((*here, index), "a label's name must not be empty")
        if ALL not in names:
            return tuple(names)
        if len(names) > 1:
            self.file.error(here, "'...' means all labels: no other can stand beside it")
        return None

    def _check(self, path: Path, shape: RouteShape, own: _Inherited) -> None:
        if shape.receiver:
            self.used.add(shape.receiver)
            if shape.receiver not in self.receivers:
                advice = nearest(shape.receiver, self.receivers)
                known = f"; did you mean {advice}?" if advice else ""
                self.file.error((*path, "receiver"), f"there is no receiver {shape.receiver}{known}")
        for key in ("group_interval", "repeat_interval"):
            if getattr(shape, key) == timedelta():
                self.file.error((*path, key), f"{key} must be more than 0s")
        for key in ("mute_time_intervals", "active_time_intervals"):
            for index, name in enumerate(getattr(shape, key)):
                if name not in self.intervals:
                    advice = nearest(name, self.intervals)
                    known = f"; did you mean {advice}?" if advice else ""
                    self.file.error((*path, key, index), f"there is no time interval {name}{known}")
        if shape.labels:
            self.file.warn((*path, "labels"), "labels of a route are not used: Watcher's templates have none", key=True)
        self._repeats(path, shape, own)

    def _repeats(self, path: Path, shape: RouteShape, own: _Inherited) -> None:
        """A repeat is only looked for when a group is due, every group_interval (dispatch/dispatch.go)."""
        if shape.repeat_interval is None and shape.group_interval is None:
            return
        if not own.group_interval or not own.repeat_interval % own.group_interval:
            return
        key = "repeat_interval" if shape.repeat_interval is not None else "group_interval"
        real = -(-own.repeat_interval // own.group_interval) * own.group_interval
        wanted, step = format_duration(own.repeat_interval), format_duration(own.group_interval)
        self.file.warn(
            (*path, key),
            f"a repeat_interval of {wanted} cannot be kept with a group_interval of {step}: it will be "
            f"{format_duration(real)}",
        )

    def _never(self, path: Path, child: Route, earlier: list[Route], above: tuple[Matcher, ...]) -> None:
        if child.id in self._unread:
            return
        wanted = frozenset(child.matchers)
        for index, other in enumerate(earlier):
            if other.id not in self._unread and not other.continue_ and frozenset(other.matchers) <= wanted:
                what = "everything" if not other.matchers else f"all of {format_matchers(other.matchers)}"
                self.file.warn(path, f"this route can never match: route {index + 1} before it takes {what}")
                return
        equal: dict[str, str] = {}
        for matcher in (*above, *child.matchers):
            if matcher.op is MatcherOp.EQUAL and equal.setdefault(matcher.name, matcher.value) != matcher.value:
                self.file.warn(path, f"this route can never match: {matcher.name} cannot have two values")
                return


def _or(value: timedelta | None, inherited: timedelta) -> timedelta:
    return inherited if value is None else value
