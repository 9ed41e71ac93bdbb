"""Alertmanager's `inhibit_rules`."""

from __future__ import annotations

from typing import Any

from pydantic import Field, ValidationError

from watcher.lib.shapes import Shape, Written, shape_problems
from watcher.routing.inhibition import InhibitRule
from watcher.settings.configfile import ConfigFile
from watcher.settings.matchers import read_matcher_keys


class InhibitShape(Shape):
    name: str = ""
    source_matchers: list[str] = Field(default_factory=list)
    source_match: dict[str, Written] = Field(default_factory=dict)
    source_match_re: dict[str, Written] = Field(default_factory=dict)
    target_matchers: list[str] = Field(default_factory=list)
    target_match: dict[str, Written] = Field(default_factory=dict)
    target_match_re: dict[str, Written] = Field(default_factory=dict)
    equal: list[str] = Field(default_factory=list)


def read_inhibitions(file: ConfigFile) -> tuple[InhibitRule, ...]:
    """The file's own rules, in its order."""
    entries: Any = file.at(("inhibit_rules",))
    if entries is None:
        return ()
    if not isinstance(entries, list):
        file.error(("inhibit_rules",), "inhibit_rules must be a list")
        return ()
    rules = (_rule(file, ("inhibit_rules", index)) for index in range(len(entries)))
    return tuple(rule for rule in rules if rule is not None)


def _rule(file: ConfigFile, path: tuple[str, int]) -> InhibitRule | None:
    source = read_matcher_keys(file, path, ("source_matchers", "source_match", "source_match_re"))
    target = read_matcher_keys(file, path, ("target_matchers", "target_match", "target_match_re"))
    try:
        shape = InhibitShape.model_validate(file.at(path))
    except ValidationError as error:
        file.problems.extend(shape_problems(error, file.document, InhibitShape, path))
        return None
    return InhibitRule(name=shape.name, source=source, target=target, equal=tuple(shape.equal))
