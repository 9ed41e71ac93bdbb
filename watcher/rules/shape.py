"""The shape of a rule file: Prometheus' rule files with `signal` and `where` in place of `expr` (design, section 5)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from watcher.lib.shapes import Duration, Shape


def _condition(value: Any) -> Any:
    """`where: true` without quotes is a boolean in YAML, and means the expression `true`."""
    return str(value).lower() if isinstance(value, bool) else value


Condition = Annotated[str, BeforeValidator(_condition)]


class RuleShape(Shape):
    UNKNOWN_KEYS: ClassVar[Mapping[str, str]] = {
        "expr": "expr is PromQL, which Watcher does not have: write signal and where instead",
        "record": "recording rules are Prometheus' affair: remove this one",
    }

    alert: str
    signal: str
    where: Condition | None = None
    until: Condition | None = None
    hold: Annotated[Duration, Field(alias="for")] = timedelta()
    keep_firing_for: Duration = timedelta()
    per: Literal["workload", "pod"] = "workload"
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


class GroupShape(Shape):
    """`rules` are checked one by one, so that an error in one hides none in another."""

    name: str
    rules: list[Any]


class FileShape(Shape):
    groups: list[Any]
