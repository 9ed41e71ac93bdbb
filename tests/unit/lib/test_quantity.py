from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.lib.quantity import QuantityError, format_bytes, parse_bytes, parse_quantity

READ = {
    "512Mi": 512 * 1024**2,
    "1.5Gi": 1536 * 1024**2,
    "100m": Decimal("0.1"),
    "1e3": 1000,
    "1E3": 1000,
    "5E": 5 * 10**18,
    "2k": 2000,
    "0": 0,
    "-1Ki": -1024,
    "+.5": Decimal("0.5"),
    "1.": 1,
    "250u": Decimal("0.00025"),
    "7n": Decimal("0.000000007"),
    "128974848": 128974848,
    "129e-1": Decimal("12.9"),
}


@pytest.mark.parametrize(("text", "number"), READ.items(), ids=READ.keys())
def test_a_quantity_is_read_as_kubernetes_reads_it(text: str, number: Decimal) -> None:
    assert parse_quantity(text) == number


@pytest.mark.parametrize(
    "text", ["", "Mi", "1 Gi", "1gi", "1KI", "1e", "1e999", "1.5.5", "--1", "٥", "1" * 99, "1Mi\n"]
)
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(QuantityError):
        parse_quantity(text)


def test_bytes_are_whole_and_rounded_up() -> None:
    assert parse_bytes("1.5") == 2
    assert parse_bytes("100m") == 1
    assert parse_bytes("1Ki") == 1024


WRITTEN = [
    (0, "0 B"),
    (1023, "1023 B"),
    (1024, "1 Ki"),
    (512 * 1024**2, "512 Mi"),
    (1536 * 1024**2, "1.5 Gi"),
    (192 * 1024**3, "192 Gi"),
    (200 * 1024**3 - 1, "200 Gi"),
    (1024**3 - 1, "1 Gi"),
    (int(9.96 * 1024**3), "10 Gi"),
    (10.4 * 1024**2, "10 Mi"),
    (-4 * 1024**3, "-4 Gi"),
    (3 * 1024**7, "3072 Ei"),
]


@pytest.mark.parametrize(("count", "text"), WRITTEN, ids=[text for _, text in WRITTEN])
def test_bytes_are_written_short_with_a_binary_unit(count: float, text: str) -> None:
    assert format_bytes(count) == text


def test_what_is_no_number_of_bytes_is_refused() -> None:
    with pytest.raises(QuantityError):
        format_bytes(float("inf"))


@given(st.integers(min_value=0, max_value=1024**7))
def test_written_bytes_are_near_what_was_counted(count: int) -> None:
    text = format_bytes(count).removesuffix("B").replace(" ", "")
    assert abs(parse_bytes(text) - count) <= count * 0.06 + 1
