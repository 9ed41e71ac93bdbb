"""Inhibition: an alert that fires keeps milder ones of the same trouble from being told.

A target is inhibited while a source fires whose `equal` labels have the same values (missing on both sides is the
same). What matches both sides of a rule is not inhibited by another that matches both too.
Source: alertmanager-facts, section 1 (inhibit/inhibit.go).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from watcher.lib.matchers import Matcher, matches_all

Labels = Mapping[str, str]


class InhibitRule(msgspec.Struct, frozen=True, kw_only=True):
    name: str = ""
    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...] = ()
    own: bool = False
    """It concerns only alerts that Watcher raises."""

    def inhibits(self, source: Labels, target: Labels) -> bool:
        """Whether an alert with the labels `source`, while it fires, inhibits one with the labels `target`."""
        if not (matches_all(self.target, target) and matches_all(self.source, source)):
            return False
        if any(source.get(name, "") != target.get(name, "") for name in self.equal):
            return False
        return not (matches_all(self.source, target) and matches_all(self.target, source))


class Sides(msgspec.Struct, frozen=True, gc=False):
    """Where an alert stands under the rules: one text for each rule and the values of its `equal` labels.

    An alert can be inhibited only by one that has one of its `targets` among its `sources`.
    """

    sources: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()


def sides(rules: Sequence[InhibitRule], labels: Labels, *, posted: bool = False) -> Sides:
    """In the order of the rules: the shipped ones come first."""
    sources, targets = [], []
    for number, rule in enumerate(rules):
        if posted and rule.own:
            continue
        place = "\0".join((str(number), *(labels.get(name, "") for name in rule.equal)))
        if matches_all(rule.source, labels):
            sources.append(place)
        if matches_all(rule.target, labels):
            targets.append(place)
    return Sides(tuple(sources), tuple(targets))


def rule_at(rules: Sequence[InhibitRule], place: str) -> InhibitRule | None:
    """The rule of a place among the sides; None: the configuration has fewer by now."""
    number = int(place.partition("\0")[0])
    return rules[number] if number < len(rules) else None
