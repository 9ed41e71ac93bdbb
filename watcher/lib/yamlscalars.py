"""What an unquoted YAML scalar is: YAML 1.2's core schema, and narrower where a number would surprise.

YAML 1.1, which PyYAML follows, reads `on`, `yes` and `no` as booleans, `012` as 10, `12:30` as 750 and
`2024-01-01` as a date. Here only `true`, `false`, `null`, `~`, decimal whole numbers without leading zero,
and decimal fractions are anything but text; `0o7`, `0x1f`, `1_000` and `012` stay text.
"""

import re
from typing import Final

Scalar = str | int | float | bool | None

_NULL: Final = frozenset(("", "~", "null", "Null", "NULL"))
_BOOL: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_SPECIAL: Final = {
    f"{sign}{word}": float(f"{sign}{word[1:]}") for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")
} | {word: float("nan") for word in (".nan", ".NaN", ".NAN")}
_INT: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,29})")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_MAX_NUMBER: Final = 64

_TAG: Final = "tag:yaml.org,2002:"
KNOWN_TAGS: Final = frozenset(_TAG + name for name in ("str", "int", "float", "bool", "null", "map", "seq"))


def resolve(text: str) -> Scalar:
    """The value of a plain (unquoted) scalar."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if text in _SPECIAL:
        return _SPECIAL[text]
    if len(text) > _MAX_NUMBER or text[0] not in "-+.0123456789":
        return text
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def resolve_tagged(text: str, tag: str) -> Scalar:
    """The value of a scalar with one of the KNOWN_TAGS; raises ValueError where text and tag do not agree."""
    kind = tag.removeprefix(_TAG)
    if kind == "str":
        return text
    value = resolve(text)
    if kind == "float" and type(value) is int:
        return float(value)
    if type(value).__name__ != {"null": "NoneType"}.get(kind, kind):
        raise ValueError(f"it is no {kind}")
    return value
