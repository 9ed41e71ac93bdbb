"""Inhibition: an alert that fires keeps milder ones of the same trouble from being told.

A target is inhibited while a source fires whose `equal` labels have the same values (missing on both sides is the
same). What matches both sides of a rule is not inhibited by another that matches both too.
Source: alertmanager-facts, section 1 (inhibit/inhibit.go).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from watcher.lib.matchers import Matcher, matches_all
from watcher.model.identity import AlertKey
from watcher.model.state import Alert

Labels = Mapping[str, str]


class InhibitRule(msgspec.Struct, frozen=True, kw_only=True):
    name: str = ""
    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...] = ()

    def inhibits(self, source: Labels, target: Labels) -> bool:
        """Whether an alert with the labels `source`, while it fires, inhibits one with the labels `target`."""
        if not (matches_all(self.target, target) and matches_all(self.source, source)):
            return False
        if any(source.get(name, "") != target.get(name, "") for name in self.equal):
            return False
        return not (matches_all(self.source, target) and matches_all(self.target, source))


def inhibitor(rules: Iterable[InhibitRule], alert: Alert, firing: Iterable[Alert]) -> AlertKey | None:
    """The first alert of `firing` that inhibits `alert`, or None. The shipped rules come first in `rules`."""
    concerned = [rule for rule in rules if matches_all(rule.target, alert.labels)]
    if not concerned:
        return None
    others = [other for other in firing if other.key != alert.key]
    for rule in concerned:
        for other in others:
            if rule.inhibits(other.labels, alert.labels):
                return other.key
    return None
