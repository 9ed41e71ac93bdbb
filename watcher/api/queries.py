"""What may stand after the `?` of our own endpoints: known names only, within limits; an empty value is none."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from watcher.lib.shapes import Duration, Shape
from watcher.model.state import MessageState

LONGEST_WAIT = timedelta(seconds=30)
"""Proxies close what is silent for a minute."""


def _bounded(wait: timedelta) -> timedelta:
    if wait > LONGEST_WAIT:
        raise ValueError("must be 30s or less")
    return wait


class Query(Shape):
    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, values: Any) -> Any:
        return {name: value for name, value in values.items() if value != ""} if isinstance(values, dict) else values


class Listed(Query):
    state: MessageState | None = None
    receiver: Annotated[str, Field(max_length=200)] = ""
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class Waiting(Query):
    wait: Annotated[Duration, AfterValidator(_bounded)] = timedelta(seconds=10)
