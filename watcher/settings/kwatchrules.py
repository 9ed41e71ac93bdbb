"""kwatch's filters and thresholds that are conditions of rules: the shipped packs with changes, as one rule file.

`rules` of a configuration replaces the shipped packs, so the file holds all of them. A filter becomes a condition in
CEL that the rule must not fulfil; a threshold takes the place of the number in the pack.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from watcher.lib.problems import Problem
from watcher.lib.yamlpos import Path
from watcher.lib.yamlpos import load as load_yaml
from watcher.rules.compile import compile_rules
from watcher.settings.kwatchwriter import Noted, write
from watcher.settings.shipped import directory

CONTAINER_SIGNALS: Final = ("CrashLooping", "OOMKilled", "ImagePullFailing", "ContainerNotStarting")
POD_SIGNALS: Final = (*CONTAINER_SIGNALS, "PodFailed", "PodPending", "PodNotReady")
NODE_SIGNALS: Final = ("NodeNotReady", "NodePressure")
Rule = dict[str, Any]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change of rules. `fits` chooses them, `make` changes one; `origin` is for the comment."""

    path: Path
    origin: str
    fits: Callable[[Rule], bool]
    make: Callable[[Rule], None]


def unless(path: Path, origin: str, condition: str, fits: Callable[[Rule], bool]) -> Change:
    """The rules that `fits` chooses do not look at what fulfils the condition."""

    def make(rule: Rule) -> None:
        where = rule.get("where")
        rule["where"] = f"!({condition})" if where is None else f"({where}) && !({condition})"

    return Change(path=path, origin=origin, fits=fits, make=make)


def put(path: Path, origin: str, fits: Callable[[Rule], bool], **values: Any) -> Change:
    """With other values at these keys; a mapping is filled up, not replaced."""

    def make(rule: Rule) -> None:
        for key, value in values.items():
            rule[key] = {**rule.get(key, {}), **value} if isinstance(value, dict) else value

    return Change(path=path, origin=origin, fits=fits, make=make)


def of_signals(*names: str) -> Callable[[Rule], bool]:
    return lambda rule: rule["signal"] in names


def of_alerts(*names: str) -> Callable[[Rule], bool]:
    return lambda rule: rule["alert"] in names


def any_of(parts: Iterable[str]) -> str:
    """A condition that holds when one of these does."""
    return " || ".join(parts)


def all_of(parts: Iterable[str]) -> str:
    """A condition that holds when all of these do."""
    kept = list(parts)
    return kept[0] if len(kept) == 1 else " && ".join(f"({part})" for part in kept)


def matches(field: str, patterns: Iterable[str]) -> str:
    """RE2 anywhere in the text, as Go's MatchString and CEL's matches() both look."""
    return any_of(f"{field}.matches({literal(pattern)})" for pattern in patterns)


def contains(field: str, texts: Iterable[str]) -> str:
    return any_of(f"{field}.contains({literal(text)})" for text in texts)


def is_one_of(field: str, words: Iterable[str]) -> str:
    return f"{field} in [{', '.join(literal(word) for word in words)}]"


def literal(text: str) -> str:
    """A text of CEL; what JSON escapes, CEL does too."""
    return json.dumps(text, ensure_ascii=False)


def rule_file(changes: Iterable[Change], head: str) -> str:
    """The shipped packs with these changes."""
    changes = list(changes)
    groups: list[Any] = []
    for path in sorted(directory("rules").glob("*.yaml")):
        data: Any = load_yaml(path.read_bytes(), path.name).data
        for group in data["groups"]:
            rules = [_changed(copy.deepcopy(rule), changes) for rule in group["rules"]]
            groups.append({"name": group["name"], "rules": rules})
    comment = "".join(f"# {line}".rstrip() + "\n" for line in head.splitlines())
    return comment + write({"groups": groups})


def problems_of(text: str, name: str) -> list[Problem]:
    """What the compiler of rules says of it: a pattern that is none, an expression that is too long."""
    return list(compile_rules([load_yaml(text, name)])[1])


def works(changes: Iterable[Change]) -> str:
    """Why the rules do not compile with these changes; empty: they do."""
    found = [problem for problem in problems_of(rule_file(changes, ""), "rules") if problem.is_error]
    return found[0].message if found else ""


def _changed(rule: Rule, changes: list[Change]) -> Any:
    mine = [change for change in changes if change.fits(rule)]
    for change in mine:
        change.make(rule)
    return Noted(rule, "from " + ", ".join(dict.fromkeys(change.origin for change in mine))) if mine else rule
