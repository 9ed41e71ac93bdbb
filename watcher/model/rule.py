"""A compiled rule as every stage knows it, and what it says of a signal. `rules` makes and asks them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Protocol

import msgspec

from watcher.model.signals import Signal


class Expression(Protocol):
    """A compiled CEL expression."""

    @property
    def text(self) -> str:
        """As its author wrote it."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """The fields that it uses: all that `evaluate` looks up."""
        ...

    def evaluate(self, fields: Mapping[str, Any]) -> tuple[bool | None, str]:
        """(value, error): None where undecided; the error is empty where a null field made it so."""
        ...


class Rendering(Protocol):
    """A compiled template."""

    def render(self, values: Mapping[str, Any]) -> str: ...


class Verdict(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`where` and `until`: True, False, or None where undecided (a null field, or an error at run time).

    `until` is None too where the rule has none. `error`: the error at run time.
    """

    where: bool | None
    until: bool | None = None
    error: str = ""


class CompiledRule(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    """The alert's name; `name#2`, … for further rules of the same name."""
    alert: str
    group: str
    signal: type[Signal]
    where: Expression | None = None
    until: Expression | None = None
    hold: timedelta = timedelta()
    """Prometheus' `for`."""
    keep_firing_for: timedelta = timedelta()
    per: str = "workload"
    labels: dict[str, str] = {}
    annotations: dict[str, Rendering] = {}
    text_hash: str = ""
    """Of the rule's source, for the history."""

    @property
    def severity(self) -> str:
        return self.labels.get("severity", "")

    @property
    def has_until(self) -> bool:
        return self.until is not None
