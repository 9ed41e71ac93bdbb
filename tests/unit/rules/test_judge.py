from datetime import UTC, datetime, timedelta

import pytest

from watcher.model.rule import CompiledRule
from watcher.model.signals import CrashLooping
from watcher.rules.cel import compile_expression
from watcher.rules.judge import judge, why_not

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)


def rule(where: str | None = None, until: str | None = None) -> CompiledRule:
    return CompiledRule(
        id="Mine",
        alert="Mine",
        group="mine",
        signal=CrashLooping,
        where=None if where is None else compile_expression(where, CrashLooping),
        until=None if until is None else compile_expression(until, CrashLooping),
        hold=timedelta(),
    )


SIGNAL = CrashLooping(since=NOW, deaths_10m=2, in_backoff=True, reason="Error", labels={"team": "shop"})


@pytest.mark.parametrize(
    ("where", "until", "expected"),
    [
        pytest.param(None, None, (True, None), id="neither"),
        pytest.param("deaths_10m >= 2", None, (True, None), id="true"),
        pytest.param("deaths_10m >= 3", None, (False, None), id="false"),
        pytest.param("backoff_seconds >= 40", None, (None, None), id="undecided"),
        pytest.param("deaths_10m >= 3", "in_backoff", (False, True), id="until"),
        pytest.param(None, "exit_code == 0", (True, None), id="until undecided"),
    ],
)
def test_the_verdict_has_where_and_until(
    where: str | None, until: str | None, expected: tuple[bool | None, bool | None]
) -> None:
    verdict = judge(rule(where, until), SIGNAL)
    assert (verdict.where, verdict.until, verdict.error) == (*expected, "")


def test_an_error_at_run_time_is_in_the_verdict() -> None:
    verdict = judge(rule("1 / deaths_2h > 0", "ready"), SIGNAL)
    assert (verdict.where, verdict.until, verdict.error) == (None, False, "divide by zero")
    assert judge(rule(None, "1 / deaths_2h > 0"), SIGNAL).error == "divide by zero"


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        pytest.param(None, "", id="no condition"),
        pytest.param("deaths_10m >= 2", "", id="true"),
        pytest.param("deaths_10m >= 3", "deaths_10m >= 3 is false (deaths_10m is 2)", id="a number"),
        pytest.param("ready", "ready is false", id="a truth"),
        pytest.param("!in_backoff", "!in_backoff is false", id="a negated truth"),
        pytest.param('reason == "OOMKilled"', 'reason == "OOMKilled" is false (reason is "Error")', id="a text"),
        pytest.param(
            "in_backoff && deaths_10m >= 3 && ready",
            "deaths_10m >= 3 is false (deaths_10m is 2)",
            id="the first part that is false",
        ),
        pytest.param("backoff_seconds >= 40 && ready", "ready is false", id="false before undecided"),
        pytest.param(
            "in_backoff && backoff_seconds >= 40",
            "backoff_seconds >= 40 is undecided (backoff_seconds is unknown)",
            id="unknown",
        ),
        pytest.param(
            "deaths_10m >= 3 || ready",
            "deaths_10m >= 3 || ready is false (deaths_10m is 2; ready is false)",
            id="all parts of an or",
        ),
        pytest.param(
            'labels["team"] == "b"', 'labels["team"] == "b" is false (labels["team"] is "shop")', id="a label"
        ),
        pytest.param(
            'labels["tier"] == "b"',
            'labels["tier"] == "b" is undecided (labels: none of that name)',
            id="no such label",
        ),
        pytest.param("1 > 2", "1 > 2 is always false", id="a constant"),
        pytest.param(
            "1 / deaths_2h > 0", "1 / deaths_2h > 0 is undecided (deaths_2h is 0; divide by zero)", id="an error"
        ),
        pytest.param(
            'since < timestamp("2026-01-01T00:00:00Z")',
            'since < timestamp("2026-01-01T00:00:00Z") is false (since is 2026-11-20T10:00:00Z)',
            id="a time",
        ),
    ],
)
def test_why_not_names_what_was_not_so_and_the_values(where: str | None, expected: str) -> None:
    assert why_not(rule(where), SIGNAL) == expected


def test_a_long_text_is_cut_in_an_explanation() -> None:
    signal = CrashLooping(since=NOW, message="x" * 500)
    assert len(why_not(rule('message == ""'), signal)) < 120
