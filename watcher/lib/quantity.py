"""Kubernetes quantities (`512Mi`, `1.5Gi`, `100m`, `1e3`) as numbers, and bytes as people read them.

The grammar is `resource.Quantity` of apimachinery: a signed decimal number and one suffix, binary (Ki to Ei),
decimal (n, u, m, none, k to E) or an exponent (e3, E3). `5E` is five exa; `5E3` is an exponent.
"""

import re
from decimal import ROUND_CEILING, Decimal
from typing import Final

_QUANTITY: Final = re.compile(
    r"(?P<number>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))"
    r"(?:(?P<suffix>[KMGTPE]i|[numkMGTPE])|[eE](?P<exponent>[+-]?[0-9]{1,3}))?"
)
_MAX_LENGTH: Final = 64
_MAX_EXPONENT: Final = 36
_SCALE: Final = (
    {f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)}
    | {unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", 1)}
    | {unit: Decimal(1000) ** -power for power, unit in enumerate("mun", 1)}
)
_UNITS: Final = ("B", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


class QuantityError(ValueError):
    """A text that is no quantity; the message is one sentence."""


def parse_quantity(text: str) -> Decimal:
    """The exact number a quantity stands for: `100m` is 0.1, `1Ki` is 1024. Raises QuantityError."""
    match = _QUANTITY.fullmatch(text) if len(text) <= _MAX_LENGTH else None
    if match is None:
        raise QuantityError(f"{text[:40]!r} is not a quantity: write a number with a unit such as 512Mi, 1.5Gi or 100m")
    number = Decimal(match["number"])
    if match["suffix"]:
        return number * _SCALE[match["suffix"]]
    exponent = int(match["exponent"] or 0)
    if abs(exponent) > _MAX_EXPONENT:
        raise QuantityError(f"{text!r} is out of range")
    return number * Decimal(10) ** exponent


def parse_bytes(text: str) -> int:
    """A quantity as whole bytes, rounded up as Kubernetes rounds (`Quantity.Value`). Raises QuantityError."""
    return int(parse_quantity(text).to_integral_value(rounding=ROUND_CEILING))


def format_bytes(count: float, tenths_below: int = 10) -> str:
    """Bytes with a binary unit, short: `512 Mi`, `1.5 Gi`, `200 Gi`, `0 B`; below 10 (or as said) with one decimal.

    Raises QuantityError for what is no finite number.
    """
    value = Decimal(count)
    if not value.is_finite():
        raise QuantityError(f"{count} is not a number of bytes")
    sign, value = ("-", -value) if value < 0 else ("", value)
    unit = 0
    while unit < len(_UNITS) - 1 and _rounded(value, unit, tenths_below) >= 1024:
        value /= 1024
        unit += 1
    text = f"{_rounded(value, unit, tenths_below):f}"
    return f"{sign}{text.removesuffix('.0')} {_UNITS[unit]}"


def _rounded(value: Decimal, unit: int, tenths_below: int) -> Decimal:
    return round(value, 1) if unit and value < tenths_below - Decimal("0.05") else round(value, 0)
