"""Status answers, named by what has to be done next."""

from __future__ import annotations

import pytest

from watcher.source.errors import (
    ApiError,
    Cause,
    Details,
    Expired,
    Forbidden,
    ListAnew,
    RetryAfter,
    Status,
    TooLargeVersion,
    Unauthorized,
    Undecodable,
    Unreachable,
    api_error,
    passes,
)

TOO_LARGE = Details(retry_after_seconds=1, causes=[Cause(reason="ResourceVersionTooLarge")])

MEANINGS: dict[str, tuple[Status, str, type[ApiError]]] = {
    "410 Expired": (Status(code=410, reason="Expired"), "", Expired),
    "410 of old servers": (Status(code=410, reason="Gone"), "", Expired),
    "Expired by its reason alone": (Status(reason="Expired"), "", Expired),
    "403": (Status(code=403, reason="Forbidden"), "", Forbidden),
    "401": (Status(code=401), "", Unauthorized),
    "429 with a header": (Status(code=429), "2", RetryAfter),
    "429 with details": (Status(code=429, details=Details(retry_after_seconds=3)), "", RetryAfter),
    "429 without a hint": (Status(code=429), "", ApiError),
    "503 with a header": (Status(code=503), "1", RetryAfter),
    "500": (Status(code=500, reason="InternalError"), "", ApiError),
    "404": (Status(code=404, reason="NotFound"), "7", ApiError),
    "too large, by its cause": (Status(code=504, reason="Timeout", details=TOO_LARGE), "", TooLargeVersion),
    "too large, by its text": (Status(code=504, message="Too large resource version: 9"), "", TooLargeVersion),
}


@pytest.mark.parametrize(("status", "header", "meaning"), MEANINGS.values(), ids=MEANINGS.keys())
def test_a_status_becomes_the_error_that_says_what_to_do(status: Status, header: str, meaning: type[ApiError]) -> None:
    assert type(api_error(status, header)) is meaning


HINTS = {
    "header": ("5", 0, 5.0),
    "details": ("", 4, 4.0),
    "the longer of both": ("2", 4, 4.0),
    "a day is cut": ("86400", 0, 300.0),
    "negative details are none": ("1", -4, 1.0),
}


@pytest.mark.parametrize(("header", "details", "seconds"), HINTS.values(), ids=HINTS.keys())
def test_the_pause_is_what_the_server_names(header: str, details: int, seconds: float) -> None:
    error = api_error(Status(code=429, details=Details(retry_after_seconds=details)), header)
    assert isinstance(error, RetryAfter)
    assert error.seconds == seconds


@pytest.mark.parametrize("header", ["Wed, 21 Oct 2026 07:28:00 GMT", "soon", "²", "-1"])
def test_a_header_that_is_no_number_is_no_hint(header: str) -> None:
    assert type(api_error(Status(code=429), header)) is ApiError


def test_an_expired_version_means_to_list_anew() -> None:
    assert isinstance(api_error(Status(code=410)), ListAnew)


PASSING = {
    "no connection": (Unreachable("x"), True),
    "garbage": (Undecodable("x"), True),
    "429": (api_error(Status(code=429), "1"), True),
    "500": (api_error(Status(code=500)), True),
    "410": (api_error(Status(code=410)), False),
    "403": (api_error(Status(code=403)), False),
    "400": (api_error(Status(code=400)), False),
    "too large": (api_error(Status(code=504, details=TOO_LARGE)), False),
}


@pytest.mark.parametrize(("error", "expected"), PASSING.values(), ids=PASSING.keys())
def test_only_what_passes_by_itself_is_asked_for_again(error: ApiError, expected: bool) -> None:
    assert passes(error) is expected


def test_an_error_reads_as_code_reason_and_message() -> None:
    assert str(api_error(Status(code=403, reason="Forbidden", message="pods is forbidden"))) == (
        "403 Forbidden: pods is forbidden"
    )
    assert str(api_error(Status(code=502))) == "502"
