"""Times and keys of a posted silence, and whom the history names."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.requests import Request

from tests.support.clocks import BEGIN
from watcher.api import v2body
from watcher.api.access import Access
from watcher.api.v2silences import asker
from watcher.model.config import HttpConfig, Secret
from watcher.model.silence import Silence


def silence(**changes: Any) -> Silence:
    fields: dict[str, Any] = {
        "comment": "",
        "createdBy": "",
        "endsAt": "2030-01-01T00:00:00Z",
        "matchers": [{"name": "a", "value": "b", "isRegex": False}],
        "startsAt": "2029-01-01T00:00:00Z",
    }
    return v2body.silence_of(v2body.parse(json.dumps(fields | changes).encode()), BEGIN)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        pytest.param("2029-12-31T10:00:00Z", datetime(2029, 12, 31, 10, tzinfo=UTC), id="RFC 3339"),
        pytest.param("2029-12-31T10:00:00.123456789Z", datetime(2029, 12, 31, 10, 0, 0, 123456, UTC), id="nanoseconds"),
        pytest.param("2029-12-31T10:00:00.1+02:00", datetime(2029, 12, 31, 8, 0, 0, 100000, UTC), id="an offset east"),
        pytest.param("2029-12-31T22:00:00-02:30", datetime(2030, 1, 1, 0, 30, tzinfo=UTC), id="an offset west"),
        pytest.param("2029-12-31T10:00Z", datetime(2029, 12, 31, 10, tzinfo=UTC), id="without seconds"),
        pytest.param("2029-12-31T10:00:00", datetime(2029, 12, 31, 10, tzinfo=UTC), id="without a zone"),
        pytest.param("2029-12-31 10:00:00", datetime(2029, 12, 31, 10, tzinfo=UTC), id="with a space"),
        pytest.param("9999-12-31T23:59:59Z", datetime(9999, 1, 1, tzinfo=UTC), id="the end of time"),
        pytest.param("9999-12-31T23:59:59-14:00", None, id="beyond the end of time"),
    ],
)
def test_times_are_read_as_alertmanager_reads_them(text: str, time: datetime | None) -> None:
    if time is None:
        with pytest.raises(Exception, match="400"):
            silence(endsAt=text)
    else:
        assert silence(endsAt=text).ends_at == time


@pytest.mark.parametrize("text", ["", "0001-01-01T00:00:00.000Z"], ids=["empty", "Go's zero time"])
def test_an_unset_start_is_now(text: str) -> None:
    assert silence(startsAt=text).starts_at == BEGIN


def test_unknown_keys_are_ignored_and_is_equal_may_be_left_out_or_null() -> None:
    first, second = ({"name": "a", "value": "b", "isRegex": False} | more for more in ({}, {"isEqual": None, "x": 1}))
    assert [one.is_equal for one in silence(matchers=[first, second], status={"state": "active"}).matchers] == [
        True
    ] * 2


def request(host: str | None, **headers: str) -> Request:
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    client = (host, 5) if host is not None else None
    return Request({"type": "http", "method": "POST", "path": "/", "headers": raw, "client": client})


def basic(login: bytes) -> str:
    return "Basic " + base64.b64encode(login).decode()


@pytest.mark.parametrize(
    ("authorization", "name", "said"),
    [
        pytest.param("Bearer t0ken", "ann", "ann (with the token)", id="the name given"),
        pytest.param("Bearer t0ken", "", "with the token", id="no name"),
        pytest.param(basic(b"bea:t0ken"), "", "bea (with the token)", id="a login"),
        pytest.param(basic(b"bea:t0ken"), "ann", "ann (with the token)", id="both"),
        pytest.param(basic(b"\xff\x1b[2J:t0ken"), "", "\ufffd (with the token)", id="a login of bytes"),
        pytest.param(basic(b"\n:t0ken"), " a\n b ", "a b (with the token)", id="white space"),
    ],
)
def test_the_history_names_who_asked_and_never_the_token(authorization: str, name: str, said: str) -> None:
    access = Access(HttpConfig(token=Secret("t0ken")))
    found = asker(access, request("10.0.0.7", Authorization=authorization), name)
    assert "t0ken" not in found
    assert found == said


def test_without_a_token_the_address_stands_for_the_proof() -> None:
    access = Access(HttpConfig(open_writes=True))
    assert asker(access, request("10.0.0.7", Authorization=basic(b"bea:x")), "ann") == "ann (from 10.0.0.7)"
    assert asker(access, request(None), "") == "from this machine"
