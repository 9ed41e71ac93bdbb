"""Alertmanager's time intervals as they are written: ranges, names, zones, and what is wrong with its place."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tests.unit.settings.conftest import RECEIVER, Home
from watcher.routing.intervals import TimeInterval, muted_by
from watcher.settings.core import core_of


def read(home: Home, entry: str) -> TimeInterval:
    settings = home.load(f"{RECEIVER}time_intervals: [{{name: a, time_intervals: [{entry}]}}]")
    assert settings.warnings == ()
    (interval,) = settings.intervals["a"]
    return interval


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        pytest.param("{}", TimeInterval(), id="nothing said: always"),
        pytest.param(
            "{times: [{start_time: '00:00', end_time: 24:00}, {start_time: 09:05, end_time: '17:30'}]}",
            TimeInterval(times=((0, 1440), (545, 1050))),
            id="times",
        ),
        pytest.param(
            "{weekdays: ['monday:Friday', SUNDAY]}", TimeInterval(weekdays=((1, 5), (0, 0))), id="days of the week"
        ),
        pytest.param(
            "{days_of_month: ['1:5', '-3:-1', 15, -1, '20:-2']}",
            TimeInterval(days_of_month=((1, 5), (-3, -1), (15, 15), (-1, -1), (20, -2))),
            id="days of the month, numbers without quotes too",
        ),
        pytest.param(
            "{months: ['May:august', 12, '1:2', september]}",
            TimeInterval(months=((5, 8), (12, 12), (1, 2), (9, 9))),
            id="months by names and numbers",
        ),
        pytest.param("{years: [2026, '2028:2030']}", TimeInterval(years=((2026, 2026), (2028, 2030))), id="years"),
        pytest.param("{location: Europe/Berlin}", TimeInterval(zone=ZoneInfo("Europe/Berlin")), id="zone"),
        pytest.param("{location: UTC}", TimeInterval(zone=UTC), id="UTC"),
    ],
)
def test_an_interval_is_read_as_alertmanager_reads_it(home: Home, entry: str, expected: TimeInterval) -> None:
    assert read(home, entry) == expected


def test_both_keys_make_one_set_of_names_that_the_core_has(home: Home) -> None:
    text = """
        receivers: [{name: ops}]
        route:
          receiver: ops
          routes:
            - {matchers: [a=b], mute_time_intervals: [night, weekend], routes: [{matchers: [c=d]}]}
            - {matchers: [e=f], active_time_intervals: [night]}
        time_intervals: [{name: night, time_intervals: [{times: [{start_time: 00:00, end_time: 06:00}]}]}]
        mute_time_intervals: [{name: weekend, time_intervals: [{weekdays: [saturday, sunday]}]}]
        """
    settings = home.load(text)
    assert [str(each) for each in settings.warnings] == []
    core = core_of(settings)
    assert sorted(core.intervals) == ["night", "weekend"]
    first, inner, second = list(core.route.walk())[1:]
    saturday = datetime(2026, 11, 21, 3, tzinfo=UTC)
    assert muted_by(first, core.intervals, saturday) == ("night", "weekend")
    assert muted_by(inner, core.intervals, saturday) == ()
    assert muted_by(second, core.intervals, saturday) == ()
    assert muted_by(second, core.intervals, datetime(2026, 11, 21, 6, tzinfo=UTC)) == ("night",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("time_intervals: x", "2:17: time_intervals must be a list", id="no list"),
        pytest.param("time_intervals: [{}]", "2:18: a time interval needs a name", id="no name"),
        pytest.param("time_intervals: [x]", "2:18: a time interval needs a name", id="no mapping"),
        pytest.param(
            "time_intervals: [{name: a, time_intervals: [{}]}, {name: a, time_intervals: [{}]}]",
            "2:58: there is another time interval a",
            id="twice",
        ),
        pytest.param(
            "time_intervals: [{name: a, time_intervals: [{}]}]\nmute_time_intervals: [{name: a}]",
            "3:30: there is another time interval a",
            id="twice, under both keys",
        ),
        pytest.param(
            "time_intervals: [{name: a, intervals: []}]",
            "2:28: unknown key intervals; did you mean time_intervals?",
            id="unknown key",
        ),
    ],
)
def test_what_is_wrong_with_a_named_list_is_said_with_its_place(home: Home, text: str, expected: str) -> None:
    assert expected in home.problems(RECEIVER + text)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        pytest.param("weekday: [monday]", "1: unknown key weekday; did you mean weekdays?", id="unknown key"),
        pytest.param(
            "weekdays: [mondy]", "12: weekdays: 'mondy' is no day of the week: did you mean monday?", id="day"
        ),
        pytest.param(
            "weekdays: ['friday:monday']",
            "12: weekdays: monday comes before friday: write two ranges",
            id="wrapped days",
        ),
        pytest.param("weekdays: ['a:b:c']", "12: weekdays: write one value, or a range first:last", id="three parts"),
        pytest.param("weekdays: monday", "11: weekdays must be a list, not text", id="no list"),
        pytest.param("months: [13]", "10: months: '13' is no month: write a name such as february", id="month"),
        pytest.param(
            "months: ['may:april']", "10: months: april comes before may: write two ranges", id="wrapped months"
        ),
        pytest.param(
            "days_of_month: [0]",
            "17: days_of_month: '0' is no day of a month: write 1 to 31, or -1 (the last) to -31",
            id="day zero",
        ),
        pytest.param(
            "days_of_month: [-32]",
            "17: days_of_month: '-32' is no day of a month: write 1 to 31, or -1 (the last) to -31",
            id="below the month",
        ),
        pytest.param(
            "days_of_month: [1.5]",
            "17: days_of_month: '1.5' is no day of a month: write 1 to 31, or -1 (the last) to -31",
            id="half a day",
        ),
        pytest.param(
            "days_of_month: ['-3:5']",
            "17: days_of_month: 5 must count from the month's end, as -3 does",
            id="from the end to the start",
        ),
        pytest.param(
            "days_of_month: ['28:-2']", "17: days_of_month: -2 comes before 28: write two ranges", id="never in order"
        ),
        pytest.param("years: ['2027:2026']", "9: years: 2026 comes before 2027: write two ranges", id="years"),
        pytest.param("years: [soon]", "9: years: 'soon' is no year", id="no year"),
        pytest.param("years: [{}]", "9: years: '' is no year", id="a mapping"),
        pytest.param(
            "times: [{start_time: 9:00, end_time: 10:00}]",
            "22: start_time must be a time such as 09:00, up to 24:00",
            id="one digit",
        ),
        pytest.param(
            "times: [{start_time: 09:00, end_time: 24:01}]",
            "39: end_time must be a time such as 09:00, up to 24:00",
            id="after the day",
        ),
        pytest.param("times: [{start_time: 09:00}]", "9: end_time is missing", id="half a range"),
        pytest.param(
            "times: [{start_time: 22:00, end_time: 06:00}]",
            "9: start_time must be before end_time: over midnight write two entries, up to 24:00",
            id="over midnight",
        ),
        pytest.param(
            "location: Europe/Berln",
            "11: location: there is no such time zone; did you mean Europe/Berlin?",
            id="zone",
        ),
        pytest.param(
            "location: Local",
            "11: location: this machine's own zone may be another one tomorrow: write its name, or leave it out",
            id="Local",
        ),
    ],
)
def test_what_is_wrong_with_an_interval_is_said_with_its_place(home: Home, entry: str, expected: str) -> None:
    found = home.problems(f"{RECEIVER}time_intervals:\n- name: a\n  time_intervals:\n  - {entry}\n")
    column, message = expected.split(": ", 1)
    assert found == [f"5:{int(column) + 4}: {message}"]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        pytest.param("[]", "2:18: warning: the time interval a is empty: it never holds", id="no entries"),
        pytest.param(
            "[{years: []}]",
            "2:46: warning: years is empty: this time interval never holds; leave the key out",
            id="an empty field",
        ),
    ],
)
def test_what_never_holds_is_a_warning(home: Home, entry: str, expected: str) -> None:
    assert home.problems(f"{RECEIVER}time_intervals: [{{name: a, time_intervals: {entry}}}]") == [expected]


def test_a_broken_interval_makes_no_further_error_where_a_route_names_it(home: Home) -> None:
    text = """route: {receiver: ops, routes: [{matchers: [a=b], mute_time_intervals: [night, nite]}]}
time_intervals: [{name: night, time_intervals: [{years: [x]}]}]
"""
    assert home.problems(RECEIVER + text) == [
        "2:80: there is no time interval nite; did you mean night?",
        "3:58: years: 'x' is no year",
    ]


@pytest.mark.parametrize("key", ["mute_time_intervals", "active_time_intervals"])
def test_the_first_route_has_no_time_intervals(home: Home, key: str) -> None:
    text = f"time_intervals: [{{name: a, time_intervals: [{{}}]}}]\nroute: {{receiver: ops, {key}: [a]}}"
    assert home.problems(RECEIVER + text) == [f"3:24: the first route takes everything: remove {key}"]
