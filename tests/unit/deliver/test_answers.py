"""Answers of receivers read as outcomes, the corners that no vendor's server shows every day."""

from __future__ import annotations

from datetime import timedelta

import pytest

from watcher.deliver.answers import Answer, outcome_of, pause_of, without
from watcher.model.delivery import Delivered, GiveUp, TryLater

TABLE = {
    Delivered: (200, 201, 202, 204, 206, 299),
    TryLater: (408, 425, 429, 500, 501, 502, 503, 504, 507, 520, 599),
    GiveUp: (
        *(100, 300, 301, 302, 303, 304, 307, 308, 400, 401, 402, 403, 404, 405, 406, 409, 410, 411, 412, 413, 414, 415),
        *(418, 422, 423, 424, 426, 428, 431, 451, 499),
    ),
}
"""The table of docs/receivers.md: what trying again can help, and what it cannot."""


@pytest.mark.parametrize(("expected", "status"), [(kind, status) for kind, all in TABLE.items() for status in all])
def test_every_status_has_its_outcome(expected: type, status: int) -> None:
    assert type(outcome_of(Answer(status=status))) is expected


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        ("1.5", 1.5),
        ("-5", 0),
        ("999999999999", 24 * 3600),
        ("inf", 24 * 3600),
        ("nan", None),
        ("soon", None),
        ("", None),
        ("Fri, 20 Nov 2026 14:02:31 GMT", 60),
        ("Fri, 20 Nov 2026 14:00:00 GMT", 0),
        ("Fri, 20 Nov 2026 14:02:31", None),
        ("Friday, 20-Nov-26 14:02:31 GMT", 60),
        ("Fri Nov 20 14:02:31 2026", None),
        ("Fri, 20 Nov 2026 15:02:31 +0100", 60),
        ("Fri, 99 Nov 2026 14:02:31 GMT", None),
        ("1e400", 24 * 3600),
        ("0x10", None),
        ("１２", 12),
        ("12 s", None),
        ("Fri, 20 Nov 99999999999999999999999 14:02:31 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 24 * 3600),
    ],
)
def test_a_pause_is_read_in_seconds_or_as_a_date_beside_the_answers_own(header: str, seconds: float | None) -> None:
    headers = {"retry-after": header, "date": "Fri, 20 Nov 2026 14:01:31 GMT"}
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert pause_of(Answer(status=429, headers=headers)) == expected


def test_a_date_without_the_answers_own_date_is_no_pause() -> None:
    assert pause_of(Answer(status=429, headers={"retry-after": "Fri, 20 Nov 2026 14:02:31 GMT"})) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b'{"retry_after": "x"}',
        b'{"retry_after": null}',
        b"[" * 100_000,
        b"\xff",
        b'{"retry_after": 1' + b"0" * 400 + b"}",
    ],
)
def test_an_odd_body_is_no_pause(body: bytes) -> None:
    assert pause_of(Answer(status=429, body=body)) is None


def test_a_reason_is_one_short_line_without_secrets() -> None:
    body = b"no such hook:\n/services/T0/B0/verysecrettoken \x1b[31m" + b"x " * 500
    outcome = outcome_of(Answer(status=404, body=body), ["https://hooks.example/services/T0/B0/verysecrettoken"])
    assert isinstance(outcome, GiveUp)
    assert outcome.reason.startswith("HTTP 404 Not Found: no such hook: ")
    assert "verysecrettoken" not in outcome.reason
    assert outcome.reason.isprintable()
    assert len(outcome.reason) < 260


def test_a_status_that_nobody_knows_has_a_reason_too() -> None:
    assert outcome_of(Answer(status=599)) == TryLater(reason="HTTP 599")
    assert outcome_of(Answer(status=499)) == GiveUp(reason="HTTP 499")


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("pass hunter2 end", "hunter2"),
        ("path /hook/0123456789 end", "http://x/hook/0123456789"),
        ("query token=abcdefgh end", "http://x/hook?token=abcdefgh"),
        ("whole http://x/a end", "http://x/a"),
    ],
    ids=["password", "part of the path", "query", "whole address"],
)
def test_a_secret_and_what_of_an_address_may_be_one_is_struck_out(text: str, secret: str) -> None:
    first, _, last = text.split()
    assert without(text, [secret]) in (f"{first} [redacted] {last}", f"{first} /hook/[redacted] {last}")


def test_short_parts_of_an_address_stay_readable() -> None:
    assert without("no route to api", ["http://host.example/api/0123456789"]) == "no route to api"
