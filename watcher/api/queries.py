"""What may stand after the `?` of our own endpoints: known names only, within limits; an empty value is none."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import HTTPException, Request
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from watcher.api.names import FINGERPRINT
from watcher.lib.shapes import Duration, Shape
from watcher.model.state import MessageState

LONGEST_WAIT = timedelta(seconds=30)
"""Proxies close what is silent for a minute."""

_RFC_3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)


async def once(request: Request) -> None:
    """A dependency: nothing may be given twice, as nobody knows which one was meant."""
    names = Counter(name for name, _ in request.query_params.multi_items())
    for name, times in names.items():
        if times > 1:
            raise HTTPException(400, f"{name[:100]} is given {times} times")


def _bounded(wait: timedelta) -> timedelta:
    if wait > LONGEST_WAIT:
        raise ValueError("must be 30s or less")
    return wait


def _instant(value: Any) -> datetime:
    try:
        if isinstance(value, str) and _RFC_3339.fullmatch(value):
            return datetime.fromisoformat(value.upper().replace(" ", "T")).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError("must be a time such as 2026-11-20T09:30:00Z (a + is written %2B)")


Text = Annotated[str, Field(max_length=253, pattern=r"^[^\x00]*$")]
"""253: the longest name in Kubernetes. No database takes a NUL."""
Receiver = Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")]
Id = Annotated[str, Field(max_length=253, pattern=r"^[^\x00]*$")]
Instant = Annotated[
    datetime,
    BeforeValidator(_instant),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="validation"),
]
Limit = Annotated[int, Field(ge=1, le=1000)]
_Wait = Annotated[
    Duration,
    AfterValidator(_bounded),
    WithJsonSchema({"type": "string", "pattern": r"^(?:[12]?[0-9]|30)s$"}, mode="validation"),
]


class Query(Shape):
    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, values: Any) -> Any:
        return {name: value for name, value in values.items() if value != ""} if isinstance(values, dict) else values


class Listed(Query):
    state: MessageState | None = None
    receiver: Receiver = ""
    limit: Limit = 100


class Waiting(Query):
    wait: _Wait = timedelta(seconds=10)


class Newest(Query):
    limit: Limit = 100


class Signals(Query):
    namespace: Text = ""
    workload: Text = ""
    """Its name."""
    signal: Text = ""
    alert: Text = ""
    """The name of an alert: signals that its rules look at."""
    limit: Limit = 100


class History(Query):
    fingerprint: Annotated[str, Field(pattern=FINGERPRINT)] | None = None
    namespace: Text = ""
    workload: Text = ""
    alertname: Text = ""
    since: Annotated[Instant | None, Field(alias="from")] = None
    until: Annotated[Instant | None, Field(alias="to")] = None
    limit: Limit = 100
    cursor: Annotated[str, Field(pattern="^[0-9]{1,18}$")] | None = None
    """`next` of the page before."""


class Decisions(History):
    receiver: Receiver = ""
    verdict: Literal["send", "hold", "close"] | None = None


class Explained(Query):
    of: Annotated[str, Field(min_length=1, max_length=2000, pattern=r"^[^\x00]+$")]
    """NAMESPACE/NAME, an alert by its fingerprint, its name or matchers of its labels, or the name of a node."""
    at: Instant | None = None
