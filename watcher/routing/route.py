"""The route tree: an alert's labels -> the routes that take it, as Alertmanager walks it.

A node matches if all its matchers do. Children are tried in order; the first that matches ends the walk unless it
has `continue`; a node of which no child matches takes the alert itself.
Source: alertmanager-facts, section 1 (dispatch/route.go).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

import msgspec

from watcher.lib.matchers import Matcher, matches_all


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A node with everything already inherited from its parents."""

    id: str
    """The path of child indexes from the root: ``, `0`, `0/2`."""
    receiver: str
    """Empty: what comes here is kept and told to nobody."""
    key: str = "{}"
    """The matchers of this node and its parents as Alertmanager prints them in a groupKey."""
    matchers: tuple[Matcher, ...] = ()
    group_by: tuple[str, ...] | None = ()
    """None: by all labels (`['...']`)."""
    group_wait: timedelta = timedelta(seconds=30)
    group_interval: timedelta = timedelta(minutes=5)
    repeat_interval: timedelta = timedelta(hours=4)
    continue_: bool = False
    mute_time_intervals: tuple[str, ...] = ()
    """Names; not inherited, as are the next ones."""
    active_time_intervals: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()

    def match(self, labels: Mapping[str, str]) -> list[Route]:
        """The routes that take an alert with these labels, in the tree's order."""
        if not matches_all(self.matchers, labels):
            return []
        found: list[Route] = []
        for child in self.routes:
            taken = child.match(labels)
            found.extend(taken)
            if taken and not child.continue_:
                break
        return found or [self]

    def walk(self) -> Iterator[Route]:
        """This node and all below it, the parents first."""
        yield self
        for child in self.routes:
            yield from child.walk()


def group_labels(route: Route, labels: Mapping[str, str]) -> dict[str, str]:
    """The labels that name the alert's group; a label that the alert lacks is absent."""
    names = sorted(labels) if route.group_by is None else sorted(route.group_by)
    return {name: labels[name] for name in names if name in labels}
