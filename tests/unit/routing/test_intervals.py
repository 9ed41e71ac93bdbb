"""Time intervals: what holds when, and when that changes, held against a look at every minute."""

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.routing.intervals import TimeInterval, is_in, muted_by, next_change, unmuted_at
from watcher.routing.route import Route

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
MINUTE = timedelta(minutes=1)
NIGHT = TimeInterval(times=((0, 360),), zone=BERLIN)
WEEKEND = TimeInterval(weekdays=((0, 0), (6, 6)))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def local(text: str, zone: ZoneInfo, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).astimezone(UTC)


# -- what holds --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("interval", "at", "expected"),
    [
        pytest.param(TimeInterval(), "2026-11-21T00:00", True, id="nothing said: always"),
        pytest.param(TimeInterval(times=()), "2026-11-21T00:00", False, id="an empty list: never"),
        pytest.param(TimeInterval(times=((540, 1020),)), "2026-11-21T09:00", True, id="first minute"),
        pytest.param(TimeInterval(times=((540, 1020),)), "2026-11-21T16:59:59.999999", True, id="last minute"),
        pytest.param(TimeInterval(times=((540, 1020),)), "2026-11-21T17:00", False, id="the end is exclusive"),
        pytest.param(TimeInterval(times=((540, 1440),)), "2026-11-21T23:59:59", True, id="24:00 is the day's end"),
        pytest.param(WEEKEND, "2026-11-22T12:00", True, id="Sunday"),
        pytest.param(WEEKEND, "2026-11-23T00:00", False, id="Monday"),
        pytest.param(TimeInterval(months=((11, 12),)), "2026-11-01T00:00", True, id="month"),
        pytest.param(TimeInterval(months=((11, 12),)), "2026-10-31T23:59", False, id="month before"),
        pytest.param(TimeInterval(years=((2027, 2028),)), "2026-12-31T23:59", False, id="year before"),
        pytest.param(TimeInterval(years=((2027, 2028),)), "2028-12-31T23:59", True, id="last year"),
        pytest.param(TimeInterval(days_of_month=((-1, -1),)), "2028-02-29T12:00", True, id="last day of a leap year's"),
        pytest.param(TimeInterval(days_of_month=((-1, -1),)), "2028-02-28T12:00", False, id="not the last day"),
        pytest.param(TimeInterval(days_of_month=((-1, -1),)), "2026-02-28T12:00", True, id="last day of February"),
        pytest.param(TimeInterval(days_of_month=((-31, -28),)), "2026-02-01T12:00", True, id="clamped to the 1st"),
        pytest.param(TimeInterval(days_of_month=((-31, -29),)), "2026-02-01T12:00", False, id="before the month"),
        pytest.param(TimeInterval(days_of_month=((27, 31),)), "2026-02-28T12:00", True, id="clamped to the 28th"),
        pytest.param(TimeInterval(days_of_month=((30, 31),)), "2026-02-28T12:00", False, id="after the month"),
        pytest.param(TimeInterval(days_of_month=((31, 31),), zone=BERLIN), "2026-03-31T12:00", True, id="a DST month"),
        pytest.param(TimeInterval(days_of_month=((-1, -1),), zone=BERLIN), "2026-03-31T12:00", True, id="its last day"),
        pytest.param(NIGHT, "2026-07-01T03:59", True, id="summer time"),
        pytest.param(NIGHT, "2026-07-01T04:00", False, id="end in summer time"),
        pytest.param(NIGHT, "2026-12-01T04:00", True, id="winter time"),
        pytest.param(
            TimeInterval(times=((0, 60),), weekdays=((1, 1),)), "2026-11-22T00:30", False, id="all fields must hold"
        ),
    ],
)
def test_an_interval_holds_as_in_alertmanager(interval: TimeInterval, at: str, expected: bool) -> None:
    assert is_in((interval,), utc(at)) is expected


def test_no_interval_never_holds_and_one_of_several_is_enough() -> None:
    assert not is_in((), utc("2026-11-21T00:00"))
    assert next_change((), utc("2026-11-21T00:00")) is None
    assert is_in((TimeInterval(years=((2000, 2001),)), TimeInterval()), utc("2026-11-21T00:00"))


# -- when it changes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("intervals", "at", "expected"),
    [
        pytest.param((WEEKEND,), utc("2026-11-20T12:00:01.5"), utc("2026-11-21T00:00"), id="begins"),
        pytest.param((WEEKEND,), utc("2026-11-21T00:00"), utc("2026-11-23T00:00"), id="over two days"),
        pytest.param(
            (WEEKEND, TimeInterval(times=((0, 540),))),
            utc("2026-11-21T00:00"),
            utc("2026-11-23T09:00"),
            id="one goes on where the other ends",
        ),
        pytest.param((TimeInterval(),), utc("2026-11-21T00:00"), None, id="always"),
        pytest.param((TimeInterval(years=((2020, 2025),)),), utc("2026-11-21T00:00"), None, id="over"),
        pytest.param((TimeInterval(years=((2040, 2040),)),), utc("2026-11-21T00:00"), None, id="too far"),
        pytest.param(
            (TimeInterval(days_of_month=((29, 29),), months=((2, 2),)),),
            utc("2024-03-01T00:00"),
            utc("2028-02-29T00:00"),
            id="only in leap years",
        ),
        pytest.param(
            (TimeInterval(times=((150, 151),), zone=BERLIN),),
            local("2026-03-29T00:00", BERLIN),
            local("2026-03-30T02:30", BERLIN),
            id="a minute that the clocks skip",
        ),
        pytest.param(
            (TimeInterval(times=((0, 150),), zone=BERLIN),),
            local("2026-03-29T00:00", BERLIN),
            utc("2026-03-29T01:00"),
            id="ends inside of the hour that the clocks skip",
        ),
        pytest.param(
            (TimeInterval(times=((150, 151),), zone=BERLIN),),
            local("2026-10-25T02:31", BERLIN),
            local("2026-10-25T02:30", BERLIN, fold=1),
            id="a minute that the clocks repeat",
        ),
        pytest.param(
            (TimeInterval(times=((0, 121),), zone=NEW_YORK), TimeInterval(times=((59, 60),), zone=NEW_YORK)),
            local("2026-11-01T00:00", NEW_YORK),
            local("2026-11-01T02:01", NEW_YORK),
            id="an hour that the clocks repeat counts twice",
        ),
    ],
)
def test_the_next_change_is_found(intervals: tuple[TimeInterval, ...], at: datetime, expected: datetime | None) -> None:
    assert next_change(intervals, at) == expected


def spans(first: int, last: int, longest: int) -> st.SearchStrategy[tuple[tuple[int, int], ...] | None]:
    pair = st.tuples(st.integers(first, last), st.integers(0, longest)).map(lambda p: (p[0], min(p[0] + p[1], last)))
    return st.none() | st.lists(pair, min_size=1, max_size=2).map(tuple)


TIMES = spans(0, 1439, 700).map(lambda found: found and tuple((first, last + 1) for first, last in found))
DAYS = st.none() | st.sampled_from([((1, 5),), ((-3, -1),), ((28, 31),), ((-31, -29),), ((8, 12), (25, -1)), ((1, 1),)])
ZONES = st.sampled_from(
    [UTC, BERLIN, NEW_YORK, *map(ZoneInfo, ("Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "Asia/Beirut"))]
)
INTERVALS = st.builds(
    TimeInterval,
    times=TIMES,
    weekdays=spans(0, 6, 3),
    days_of_month=DAYS,
    months=st.none() | st.sampled_from([((2, 3),), ((10, 11),), ((1, 12),)]),
    years=st.none() | st.sampled_from([((2026, 2027),), ((2028, 2028),)]),
    zone=ZONES,
)
AROUND = st.sampled_from(
    [
        *("2026-03-08T07:00", "2026-11-01T06:00", "2027-03-28T01:00", "2026-10-25T01:00", "2028-02-29T00:00"),
        *("2026-12-31T23:00", "2026-04-04T15:00", "2026-10-03T15:30", "2011-12-30T10:00", "2026-03-28T22:00"),
    ]
).map(utc)


def holds(interval: TimeInterval, at: datetime) -> bool:
    """The same, written as plainly as can be."""
    now = at.astimezone(interval.zone)
    minute, length = now.hour * 60 + now.minute, monthrange(now.year, now.month)[1]

    def taken(ranges: tuple[tuple[int, int], ...] | None, value: int) -> bool:
        return ranges is None or value in {each for first, last in ranges for each in range(first, last + 1)}

    days = interval.days_of_month and tuple(
        (first if first > 0 else first + length + 1, last if last > 0 else last + length + 1)
        for first, last in interval.days_of_month
    )
    times = interval.times and tuple((first, last - 1) for first, last in interval.times)
    return (
        taken(times, minute)
        and taken(interval.weekdays, (now.weekday() + 1) % 7)
        and taken(days, now.day)
        and taken(interval.months, now.month)
        and taken(interval.years, now.year)
    )


def first_minute(intervals: tuple[TimeInterval, ...], at: datetime, until: datetime) -> datetime | None:
    """By looking at every minute: the first change."""
    now, held = at, any(holds(each, at) for each in intervals)
    while now < until:
        now = now.replace(second=0, microsecond=0) + MINUTE
        if any(holds(each, now) for each in intervals) is not held:
            return now
    return None


@settings(max_examples=60, deadline=None)
@given(st.lists(INTERVALS, min_size=1, max_size=3).map(tuple), AROUND, st.integers(-40 * 3600, 40 * 3600))
def test_the_next_change_is_the_first_minute_at_which_it_changes(
    intervals: tuple[TimeInterval, ...], near: datetime, seconds: int
) -> None:
    at = near + timedelta(seconds=seconds)
    assert is_in(intervals, at) is any(holds(each, at) for each in intervals)
    until = at + timedelta(days=2)
    found, expected = next_change(intervals, at), first_minute(intervals, at, until)
    if expected is not None:
        assert found == expected
    else:
        assert found is None or found >= until
        assert found is None or is_in(intervals, found) is not is_in(intervals, at)


# -- routes ------------------------------------------------------------------------------------------------------

NAMED = {
    "night": (NIGHT,),
    "weekend": (WEEKEND,),
    "office": (TimeInterval(times=((540, 1020),), weekdays=((1, 5),)),),
    "always": (TimeInterval(),),
    "never": (),
}


def quiet(mute: tuple[str, ...] = (), active: tuple[str, ...] = ()) -> Route:
    return Route(id="0", receiver="ops", mute_time_intervals=mute, active_time_intervals=active)


@pytest.mark.parametrize(
    ("route", "at", "muted", "speaks"),
    [
        pytest.param(quiet(), "2026-11-21T03:00", (), "2026-11-21T03:00", id="no intervals"),
        pytest.param(quiet(("night",)), "2026-11-21T03:00", ("night",), "2026-11-21T05:00", id="muted"),
        pytest.param(quiet(("night",)), "2026-11-21T05:00", (), "2026-11-21T05:00", id="no longer muted"),
        pytest.param(
            quiet(("weekend", "night")),
            "2026-11-21T03:00",
            ("weekend", "night"),
            "2026-11-23T05:00",
            id="muted by two, one after the other",
        ),
        pytest.param(quiet((), ("office",)), "2026-11-20T12:00", (), "2026-11-20T12:00", id="active"),
        pytest.param(quiet((), ("office",)), "2026-11-20T17:00", ("office",), "2026-11-23T09:00", id="not active"),
        pytest.param(quiet((), ("office", "weekend")), "2026-11-21T12:00", (), "2026-11-21T12:00", id="one is active"),
        pytest.param(
            quiet(("weekend",), ("office",)), "2026-11-21T12:00", ("weekend",), "2026-11-23T09:00", id="both kinds"
        ),
        pytest.param(quiet(("always",)), "2026-11-21T12:00", ("always",), None, id="for ever"),
        pytest.param(quiet(("office",), ("office",)), "2026-11-20T08:00", ("office",), None, id="never allowed"),
        pytest.param(quiet((), ("never",)), "2026-11-20T08:00", ("never",), None, id="active never"),
    ],
)
def test_a_route_is_muted_by_what_holds_until_nothing_does(
    route: Route, at: str, muted: tuple[str, ...], speaks: str | None
) -> None:
    assert muted_by(route, NAMED, utc(at)) == muted
    assert unmuted_at(route, NAMED, utc(at)) == (None if speaks is None else utc(speaks))
