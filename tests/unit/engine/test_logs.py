"""A line of the log: JSON with ECS field names, one line whatever is in it, without secrets."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher import __version__
from watcher.engine.logs import LONGEST, JsonFormatter
from watcher.lib.redact import REDACTED


class Count(int):
    """A number with a class of its own."""


KEY = "-----BEGIN RSA PRIVATE KEY-----\n" + "\n".join(["MIIEpAIBAAKCAQEA" * 4] * 3)
"""Cut off, as a log tail may be."""


def line(message: str, *args: object, raised: BaseException | None = None, **extra: object) -> str:
    where = None if raised is None else (type(raised), raised, raised.__traceback__)
    record = logging.LogRecord("watcher.test", logging.WARNING, __file__, 1, message, args, where)
    record.__dict__.update(extra)
    return JsonFormatter().format(record)


def entry(message: str, *args: object, raised: BaseException | None = None, **extra: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(line(message, *args, raised=raised, **extra))
    return found


def test_a_line_has_what_ecs_asks_for_first() -> None:
    found = entry("delivered to %s", "ops", event="delivery.done", attempt=2, receiver="ops")
    assert list(found)[:4] == ["@timestamp", "log.level", "message", "ecs.version"]
    assert found["log.level"] == "warning"
    assert found["message"] == "delivered to ops"
    assert found["@timestamp"].endswith("Z")
    assert (found["service.name"], found["service.version"]) == ("watcher", __version__)
    assert found["event.action"] == "delivery.done"
    assert (found["watcher.attempt"], found["watcher.receiver"]) == (2, "ops")


def test_reasons_and_errors_have_ecs_names() -> None:
    found = entry("no", reason="HTTP 404", error="the disk is full")
    assert (found["event.reason"], found["error.message"]) == ("HTTP 404", "the disk is full")
    assert entry("no", error=404)["error.message"] == "404"


def test_an_exception_has_its_type_its_words_and_its_stack() -> None:
    try:
        raise KeyError("pod")
    except KeyError as error:
        found = entry("broken", raised=error)
    assert (found["error.type"], found["error.message"]) == ("KeyError", "'pod'")
    assert found["error.stack_trace"].startswith("Traceback (most recent call last):\n")


@given(st.text(), st.text(), st.one_of(st.text(), st.floats(), st.integers(), st.none(), st.tuples(st.text())))
def test_a_line_is_one_line_of_json_whatever_is_in_it(message: str, logger: str, value: object) -> None:
    text = line(message.replace("%", "%%"), logger=logger, value=value)
    assert len(text.splitlines()) == 1
    found = json.loads(text, parse_constant=pytest.fail)
    assert found["log.level"] == "warning"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param(2**80, 2**80, id="beyond 64 bits"),
        pytest.param(-(2**80), -(2**80), id="below"),
        pytest.param(Count(7), 7, id="a kind of number of one's own"),
        pytest.param(HTTPStatus.NOT_FOUND, 404, id="an enum of numbers"),
        pytest.param(True, True, id="a truth"),
        pytest.param(1e300, 1e300, id="a fraction"),
        pytest.param(float("nan"), "nan", id="no number"),
        pytest.param(float("-inf"), "-inf", id="endless"),
        pytest.param(None, "None", id="nothing"),
        pytest.param("a\ud800b", "a\ud800b", id="half a character"),
        pytest.param('\x00\x1b"\\\x7f\x85\u2028\u2029é😀', '\x00\x1b"\\\x7f\x85\u2028\u2029é😀', id="ends of lines"),
    ],
)
def test_a_value_is_what_it_was_and_on_one_line(value: object, shown: object) -> None:
    text = line("m", value=value)
    assert json.loads(text)["watcher.value"] == shown
    assert len(text.splitlines()) == 1
    assert not {*"\x00\x1b\x7f\x85\u2028\u2029"} & {*text}


def test_names_that_were_judged_before_are_judged_alike() -> None:
    for _ in range(2):
        found = entry("m", db_password="hunter2secret", password_file="/run/x", reason=1)
        assert found["watcher.db_password"] == REDACTED
        assert (found["watcher.password_file"], found["event.reason"]) == ("/run/x", "1")


@pytest.mark.parametrize(
    ("message", "extra"),
    [
        pytest.param("password=hunter2secret", {}, id="in the message"),
        pytest.param("x", {"reason": "https://user:hunter2secret@hooks.example.org/"}, id="in a URL"),
        pytest.param("x", {"token": "hunter2secret"}, id="by the name of the field"),
        pytest.param("x", {"found": {"db_password": "hunter2secret"}}, id="inside of a value"),
    ],
)
def test_secrets_are_struck_out(message: str, extra: dict[str, Any]) -> None:
    assert "hunter2secret" not in line(message, **extra)


def test_a_key_that_was_cut_off_takes_nothing_else_with_it() -> None:
    found = entry(KEY, reason="HTTP 404", event="x")
    assert "MIIE" not in found["message"]
    assert (found["event.reason"], found["event.action"]) == ("HTTP 404", "x")


def test_a_value_without_end_is_cut() -> None:
    assert len(entry("x" * 1_000_000)["message"]) <= LONGEST


def test_what_nobody_caught_is_a_line_like_every_other(capsys: pytest.CaptureFixture[str]) -> None:
    program = (
        "import watcher.engine.logs as logs, warnings\nlogs.configure()\nwarnings.warn('old')\nraise ValueError('no')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    warned, ended = (json.loads(text) for text in done.stderr.splitlines())
    assert done.returncode == 1
    assert (warned["log.logger"], warned["log.level"]) == ("py.warnings", "warning")
    assert (ended["log.level"], ended["event.action"]) == ("critical", "fault")
    assert (ended["error.type"], ended["error.message"]) == ("ValueError", "no")
