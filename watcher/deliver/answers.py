"""Which answer of a receiver means what has to be done next.

| answer | outcome |
|---|---|
| 2xx | delivered |
| 408, 425, 429, 5xx | try later, not before Retry-After (seconds or a date; Discord says it in its JSON) |
| 3xx | give up: what may be followed, deliver/http.py has followed |
| other 4xx | give up, with the first words of the answer |
| no answer, a broken connection, a time-out, no trusted TLS | try later (deliver/http.py) |

425 is RFC 8470's: too early, ask again. Mail's own table is in deliver/smtp.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final

import msgspec

from watcher.lib.redact import REDACTED, redact
from watcher.lib.text import clean, cut
from watcher.model.delivery import Delivered, GiveUp, Outcome, TryLater

REASON_LIMIT: Final = 200
LONGEST_PAUSE: Final = timedelta(hours=24)
"""A receiver that asks for more is taken at its word no further: the outbox has limits of its own."""

_TELLING: Final = 8
"""Characters from which a part of an address may be a token."""


class Answer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What came back. `headers` by lower-case name."""

    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""


def outcome_of(answer: Answer, secrets: Iterable[str] = ()) -> Outcome:
    """The table above. `secrets` are struck out of what the receiver said."""
    status = answer.status
    if 200 <= status < 300:
        return Delivered()
    reason = _reason(answer, secrets)
    if status in (408, 425, 429) or status >= 500:
        return TryLater(reason=reason, after=pause_of(answer))
    if 300 <= status < 400:
        return GiveUp(reason=f"{reason}; it redirects, configure the final address")
    return GiveUp(reason=reason)


def outcome_of_status(status: int) -> Outcome:
    """Where only the number is known."""
    return outcome_of(Answer(status=status))


def pause_of(answer: Answer) -> timedelta | None:
    """The least pause that the receiver asks for."""
    header = answer.headers.get("retry-after", "").strip()
    seconds = _number(header)
    if seconds is None and header:
        seconds = _until(header, answer.headers.get("date", ""))
    if seconds is None:
        seconds = _number(_field(answer.body, "retry_after"))
    if seconds is None:
        return None
    return min(timedelta(seconds=max(seconds, 0.0)), LONGEST_PAUSE)


def without(text: str, secrets: Iterable[str]) -> str:
    """`text` without the secrets, nor what of an address could be one: receivers like to repeat the path they got."""
    for secret in secrets:
        parts = {secret, *secret.split("/"), secret.partition("?")[2]}
        for part in sorted(parts, key=len, reverse=True):
            if len(part) >= _TELLING or part == secret:
                text = text.replace(part, REDACTED) if part else text
    return redact(text)


def _reason(answer: Answer, secrets: Iterable[str]) -> str:
    try:
        phrase = f" {HTTPStatus(answer.status).phrase}"
    except ValueError:
        phrase = ""
    said = clean(without(answer.body.decode("utf-8", "replace"), secrets))
    said = cut(" ".join(said.split()), REASON_LIMIT)
    return f"HTTP {answer.status}{phrase}" + (f": {said}" if said else "")


def _number(text: Any) -> float | None:
    try:
        number = float(text)
    except (TypeError, ValueError, OverflowError):
        return None
    # A pause may not be infinite or "nan", which float() also reads.
    return min(number, LONGEST_PAUSE.total_seconds()) if number == number else None  # noqa: PLR0124


def _until(header: str, date: str) -> float | None:
    """Seconds from the answer's own Date to the time in its Retry-After: both are of one clock, the receiver's."""
    try:
        then, now = parsedate_to_datetime(header), parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None
    return _seconds(now, then)


def _seconds(now: datetime, then: datetime) -> float | None:
    if (now.tzinfo is None) != (then.tzinfo is None):
        return None
    return (then - now).total_seconds()


def _field(body: bytes, key: str) -> Any:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document.get(key) if isinstance(document, dict) else None
