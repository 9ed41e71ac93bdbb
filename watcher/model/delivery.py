"""Outcomes of one attempt to deliver, named by what has to be done next."""

from __future__ import annotations

from datetime import timedelta

import msgspec


class Delivered(msgspec.Struct, frozen=True, kw_only=True, tag="delivered", gc=False):
    """The receiver has it. `reference`: its own id for the message, where it gives one (for edits, later)."""

    reference: str = ""
    pause: timedelta | None = None
    """The least time until the next message on this channel, where the receiver says so."""


class TryLater(msgspec.Struct, frozen=True, kw_only=True, tag="try_later", gc=False):
    """Not now. `after`: the least pause that the receiver asked for (Retry-After), None where it named none."""

    reason: str
    after: timedelta | None = None


class GiveUp(msgspec.Struct, frozen=True, kw_only=True, tag="give_up", gc=False):
    """Trying the same again cannot help (400, 401, 404, a broken address)."""

    reason: str


Outcome = Delivered | TryLater | GiveUp
