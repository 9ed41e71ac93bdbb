"""What the API server's answers mean, named by what the caller must do next.

Outside errors (aiohttp, Status objects) are translated into these in `client` and `decode`, so that the loops match
on classes and never on numbers or texts. Sources: the Status type (apimachinery, meta/v1), and for too large versions
storage/errors.go, NewTooLargeResourceVersionError.
"""

from __future__ import annotations

import msgspec

LONGEST_HINT = 300.0
"""Seconds. A proxy's Retry-After of a day must not blind Watcher for a day."""

_TOO_LARGE = "Too large resource version"


class Cause(msgspec.Struct, frozen=True, gc=False):
    reason: str = ""
    message: str = ""


class Details(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    retry_after_seconds: int = 0
    causes: list[Cause] | None = None


class Status(msgspec.Struct, frozen=True, gc=False):
    """Kubernetes' own description of a failed request; also the object of an ERROR event."""

    code: int = 0
    reason: str = ""
    message: str = ""
    details: Details | None = None


class SourceError(Exception):
    """Base of all. `kind`: one stable word for counters and logs."""

    kind = "error"


class ConnectError(SourceError):
    """There is no usable way to a cluster; the text is one sentence that says what to do."""

    kind = "connect"


class Unreachable(SourceError):
    """No answer, or one that broke off: try again after a pause, nothing is known to have changed."""

    def __init__(self, message: str, kind: str = "connection") -> None:
        super().__init__(message)
        self.kind = kind


class Undecodable(SourceError):
    """An answer that is not what the API documents: try again after a pause."""

    kind = "undecodable"


class ListAnew(SourceError):
    """Watching on from here cannot work, or cannot be trusted: make a list."""


class LineTooLong(ListAnew):
    """One watch event is longer than the read buffer: it cannot be had by watching."""

    kind = "line_too_long"


class WentBackwards(ListAnew):
    """A watch brought a version older than one before it: another server's past, or a restored etcd."""

    kind = "went_backwards"


class Overflow(SourceError):
    """The queue is full: the watch is given up, and begun again from the last event that was taken when there is room.

    A list would be the most expensive answer to a slow database; it is made if that version has become too old.
    """

    kind = "overflow"


class ApiError(SourceError):
    """The server answered with a failure that has no name of its own here."""

    kind = "api"

    def __init__(self, status: Status) -> None:
        super().__init__(f"{status.code} {status.reason}: {status.message}".strip(": "))
        self.code = status.code
        self.reason = status.reason
        self.message = status.message


class Expired(ApiError, ListAnew):
    """410: the version or the continue token is too old."""

    kind = "expired"


class Forbidden(ApiError):
    """403: not allowed; asking again soon does not help."""

    kind = "forbidden"


class Unauthorized(ApiError):
    """401, also with fresh credentials."""

    kind = "unauthorized"


class RetryAfter(ApiError):
    """The server named the pause, in seconds, before the next try."""

    kind = "retry_after"

    def __init__(self, status: Status, seconds: float) -> None:
        super().__init__(status)
        self.seconds = seconds


class TooLargeVersion(RetryAfter):
    """Another API server that is behind the one that gave us the version: wait, then list without a version."""

    kind = "too_large_version"


def passes(error: SourceError) -> bool:
    """True: the same request may well succeed after a pause."""
    if isinstance(error, Unreachable | Undecodable):
        return True
    if isinstance(error, TooLargeVersion):
        return False
    return isinstance(error, RetryAfter) or (type(error) is ApiError and error.code >= 500)


def api_error(status: Status, retry_after: str = "") -> ApiError:
    """The error for a Status; `retry_after` is the header's value, where there was one."""
    seconds = _hint(status, retry_after)
    if _is_too_large(status):
        return TooLargeVersion(status, seconds)
    if status.code == 410 or status.reason in ("Expired", "Gone"):
        return Expired(status)
    if status.code == 403:
        return Forbidden(status)
    if status.code == 401:
        return Unauthorized(status)
    if status.code in (429, 500, 503, 504) and seconds > 0:
        return RetryAfter(status, seconds)
    return ApiError(status)


def _is_too_large(status: Status) -> bool:
    causes = (status.details.causes or []) if status.details else []
    named = any(cause.reason == "ResourceVersionTooLarge" for cause in causes)
    return named or status.message.startswith(_TOO_LARGE)


def _hint(status: Status, retry_after: str) -> float:
    """Seconds; 0: none given. A Retry-After that is a date comes from no API server, and is not used."""
    told = float(retry_after) if retry_after.isascii() and retry_after.isdigit() else 0.0
    if status.details is not None:
        told = max(told, float(status.details.retry_after_seconds))
    return min(max(told, 0.0), LONGEST_HINT)
