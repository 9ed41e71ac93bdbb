"""Silences: which alerts nobody is to be told of, from when until when, and who said so."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec


class SilenceMatcher(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """As Alertmanager's API writes it. `is_equal` false: the alert must not match."""

    name: str
    value: str
    is_regex: bool = False
    is_equal: bool = True


class Silence(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Pending, active or expired by the clock alone. Stored, and kept for 120 h after its end."""

    id: str
    """A UUID."""
    matchers: tuple[SilenceMatcher, ...]
    """All of them must match."""
    starts_at: datetime
    ends_at: datetime
    created_by: str = ""
    comment: str = ""
    updated_at: datetime
    annotations: dict[str, str] = {}
    until_resolved: bool = False
    """Ends by itself when nothing that it mutes has fired for 10 min."""
    quiet_since: datetime | None = None
    """Of such a one: nothing that it mutes fires since then."""
    due: datetime | None = None
    """When its state changes next, or it is forgotten."""

    def state(self, at: datetime) -> Literal["pending", "active", "expired"]:
        if at >= self.ends_at:
            return "expired"
        return "active" if at >= self.starts_at else "pending"


class SilenceChange(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """History: who changed a silence, and how it was then."""

    at: datetime
    silence: str
    """Its id."""
    by: str
    """Who asked: what the request says of itself."""
    action: str
    """created, updated, expired, ended."""
    body: Silence


class Answer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the core says to somebody who waits for it."""

    code: int = 200
    """Of HTTP."""
    text: str = ""
    """Why not."""
    id: str = ""
