"""`hints`: which annotations of ours count in which namespaces. What annotations say is read in detect/hints.py."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Final

from pydantic import Field

from watcher.lib.shapes import Shape, nearest
from watcher.lib.yamlpos import Path
from watcher.model.config import HintRule
from watcher.model.hints import ALLOWABLE, PREFIX, RUNBOOK

_PATTERN: Final = re.compile(r"[a-z0-9*?-]+")
"""A namespace is a DNS label, and one with wildcards."""

Wrong = Callable[[Path, str], None]


class HintShape(Shape):
    namespaces: Annotated[list[str], Field(min_length=1)]
    allow: Annotated[list[str], Field(min_length=1)]


def read_hints(shapes: Sequence[HintShape], wrong: Wrong) -> tuple[HintRule, ...]:
    """The rules in the file's order; what is wrong in them is told to `wrong`, by path."""
    rules: list[HintRule] = []
    for index, shape in enumerate(shapes):
        here: Path = ("hints", index)
        namespaces = tuple(_namespaces(shape, (*here, "namespaces"), wrong))
        rules.append(HintRule(namespaces=namespaces, allow=frozenset(_allowed(shape, (*here, "allow"), wrong))))
    return tuple(rules)


def _namespaces(shape: HintShape, path: Path, wrong: Wrong) -> Iterator[str]:
    for index, pattern in enumerate(shape.namespaces):
        if _PATTERN.fullmatch(pattern):
            yield pattern
        else:
            message = "a namespace is written with a-z, 0-9 and -, a pattern of them with * and ?"
            wrong((*path, index), message)


def _allowed(shape: HintShape, path: Path, wrong: Wrong) -> Iterator[str]:
    for index, given in enumerate(shape.allow):
        name = given.removeprefix(PREFIX)
        if name in ALLOWABLE:
            yield name
        elif name != RUNBOOK:
            advice = nearest(name, ALLOWABLE)
            known = f"; did you mean {advice}?" if advice else f": known are {', '.join(ALLOWABLE)}"
            wrong((*path, index), f"there is no such hint{known}")
