from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.lib.durations import DurationError, format_duration, in_words, parse_duration, parse_go_duration

READ = {
    "0": timedelta(),
    "0s": timedelta(),
    "90s": timedelta(seconds=90),
    "5m": timedelta(minutes=5),
    "1h30m": timedelta(minutes=90),
    "7d": timedelta(days=7),
    "1w": timedelta(days=7),
    "1y": timedelta(days=365),
    "100ms": timedelta(milliseconds=100),
    "1m30ms": timedelta(minutes=1, milliseconds=30),
    "1y2w3d4h5m6s7ms": timedelta(days=365 + 14 + 3, hours=4, minutes=5, seconds=6, milliseconds=7),
    "720h": timedelta(days=30),
}


@pytest.mark.parametrize(("text", "span"), READ.items(), ids=READ.keys())
def test_a_duration_is_read_as_prometheus_reads_it(text: str, span: timedelta) -> None:
    assert parse_duration(text) == span


REFUSED = {
    "": "empty duration",
    "5": "write 5s for seconds",
    "30m1h": "in the order y, w, d, h, m, s, ms",
    "1h1h": "each unit once",
    "1.5h": "is not a duration",
    "-5m": "is not a duration",
    " 5m": "is not a duration",
    "5m\n": "is not a duration",
    "5 m": "is not a duration",
    "5M": "is not a duration",
    "٥m": "is not a duration",
    "five": "is not a duration",
    "300y": "out of range",
    "9" * 5000 + "s": "out of range",
    "9" * 5000: "has no unit",
}


@pytest.mark.parametrize(("text", "why"), REFUSED.items(), ids=[repr(text[:12]) for text in REFUSED])
def test_what_is_no_duration_is_refused_in_a_sentence(text: str, why: str) -> None:
    with pytest.raises(DurationError) as caught:
        parse_duration(text)
    assert why in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("text", ["0s", "1h30m", "8d", "1w", "2y", "1m1ms", "1d", "366d", "100ms"])
def test_a_duration_is_written_in_its_shortest_form(text: str) -> None:
    assert format_duration(parse_duration(text)) == text


def test_the_written_form_drops_what_prometheus_cannot_say() -> None:
    assert format_duration(timedelta(hours=24)) == "1d"
    assert format_duration(timedelta(microseconds=1500)) == "1ms"
    with pytest.raises(DurationError):
        format_duration(timedelta(seconds=-1))


@given(st.integers(min_value=0, max_value=10**12))
def test_every_span_of_milliseconds_is_read_back(milliseconds: int) -> None:
    span = timedelta(milliseconds=milliseconds)
    assert parse_duration(format_duration(span)) == span


@given(st.text(alphabet="0123456789ywdhms .-", max_size=12))
def test_any_text_is_read_or_refused_with_our_error(text: str) -> None:
    try:
        assert parse_duration(text) >= timedelta()
    except DurationError:
        return


WORDS = [
    (timedelta(), "0 s"),
    (timedelta(milliseconds=4), "less than 1 s"),
    (timedelta(seconds=40.9), "40 s"),
    (timedelta(seconds=60), "1 min"),
    (timedelta(seconds=160), "2 min 40 s"),
    (timedelta(minutes=20, seconds=59), "20 min"),
    (timedelta(minutes=60), "1 h"),
    (timedelta(minutes=72), "1 h 12 min"),
    (timedelta(hours=24), "1 d"),
    (timedelta(days=3, hours=4, minutes=59), "3 d 4 h"),
    (timedelta(days=400), "400 d"),
    (timedelta(seconds=-40), "40 s"),
]


@pytest.mark.parametrize(("span", "words"), WORDS, ids=[words for _, words in WORDS])
def test_a_span_is_said_as_people_say_it(span: timedelta, words: str) -> None:
    assert in_words(span) == words


GO = {
    "10s": timedelta(seconds=10),
    "2m40s": timedelta(seconds=160),
    "1h0m0s": timedelta(hours=1),
    "5m0s": timedelta(minutes=5),
    "1.5s": timedelta(milliseconds=1500),
    "250µs": timedelta(microseconds=250),
    "1500ns": timedelta(microseconds=1),
    "-3s": timedelta(seconds=-3),
    "0": timedelta(),
    "0s": timedelta(),
}


@pytest.mark.parametrize(("text", "span"), GO.items(), ids=GO.keys())
def test_a_duration_of_the_kubelet_is_read_as_go_reads_it(text: str, span: timedelta) -> None:
    assert parse_go_duration(text) == span


@pytest.mark.parametrize("text", ["", "-", "5", "1d", "2m 40s", "2m40", "s", ".s", "9" * 400 + "s", "9999999999h"])
def test_what_go_does_not_read_is_refused(text: str) -> None:
    with pytest.raises(DurationError):
        parse_go_duration(text)
