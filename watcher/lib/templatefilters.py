"""What templates can do with a value: filters, tests, and how a bare `{{ value }}` is written.

Ours are `percent`, `bytes`, `duration`, `time` and `exit`; the rest is Jinja2's, chosen so that no filter
makes much more text than it got. `join` and `replace`, which could multiply text, are bounded here. A value
that is not known (None) reads `unknown`.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Final

from jinja2 import Undefined
from jinja2.filters import FILTERS as JINJA_FILTERS
from jinja2.tests import TESTS as JINJA_TESTS

from watcher.lib.durations import in_words
from watcher.lib.exitcodes import read_exit
from watcher.lib.quantity import format_bytes

UNKNOWN: Final = "unknown"
MAX_TEXT: Final = 65_536


def percent(value: float | None) -> str:
    """A number that is in percent already: 85.3 -> `85 %`; never rounded up to 100 or down to 0."""
    if value is None:
        return UNKNOWN
    number = float(value)
    if not math.isfinite(number):
        return UNKNOWN
    if 99 < number < 100 or 0 < number < 1:
        tenths = math.floor(number * 10) if number > 99 else math.ceil(number * 10)
        return f"{tenths / 10:g} %"
    return f"{round(number)} %"


def size(value: float | None) -> str:
    """Bytes: 536870912 -> `512 Mi`."""
    return UNKNOWN if value is None else format_bytes(value)


def duration(value: float | timedelta | None) -> str:
    """Seconds or a span: 4320 -> `1 h 12 min`."""
    if value is None:
        return UNKNOWN
    return in_words(value if isinstance(value, timedelta) else timedelta(seconds=float(value)))


def time(value: datetime | None) -> str:
    """The time of day in UTC and marked so: `14:02:11 UTC`; the date is left out."""
    return UNKNOWN if value is None else f"{_utc(value):%H:%M:%S} UTC"


def exit_words(value: int | None, reason: str | None = None) -> str:
    """An exit code with its meaning: 139 -> `139 (segmentation fault, SIGSEGV)`."""
    if value is None:
        return UNKNOWN
    words = read_exit(int(value), reason).replace(" (", ", ").rstrip(")")
    return f"{int(value)} ({words})"


def join(values: Iterable[Any], separator: str = "", attribute: str | None = None) -> str:
    """Jinja2's `join`, with a bound on the length."""
    texts: list[str] = []
    left = MAX_TEXT
    for value in values:
        text = plain_text(_attribute(value, attribute))
        left -= len(text) + len(separator)
        if left < 0:
            raise ValueError(f"join makes more than {MAX_TEXT:,} characters")
        texts.append(text)
    return str(separator).join(texts)


def replace(value: Any, old: str, new: str) -> str:
    """Jinja2's `replace`, with a bound on the length."""
    text = plain_text(value)
    if len(text) + text.count(old) * max(0, len(new) - len(old)) > MAX_TEXT:
        raise ValueError(f"replace makes more than {MAX_TEXT:,} characters")
    return text.replace(old, new)


def plain_text(value: Any) -> str:
    """Text as it is, numbers short, None as `unknown`, times and spans in words, lists with commas."""
    for kinds, write in _WRITERS:
        if isinstance(value, kinds):
            return write(value)
    raise TypeError(f"a {type(value).__name__} cannot be written as text: name one of its fields")


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time without a time zone")
    return value.astimezone(UTC)


# In this order: a StrEnum is a text too, and a bool is an int.
_WRITERS: Final[tuple[tuple[Any, Callable[[Any], str]], ...]] = (
    (Undefined, str),  # raises with the name that is missing
    (Enum, lambda value: str(value.value)),
    (str, str),
    (type(None), lambda _: UNKNOWN),
    (bool, lambda value: "true" if value else "false"),
    (int, str),
    (float, lambda value: f"{round(value, 2):.12g}"),
    (datetime, lambda value: f"{_utc(value):%Y-%m-%d %H:%M:%S} UTC"),
    (timedelta, in_words),
    ((list, tuple, set, frozenset), lambda value: join(value, ", ")),
    (Mapping, lambda value: join([f"{key}={plain_text(each)}" for key, each in value.items()], ", ")),
)


def _attribute(value: Any, name: str | None) -> Any:
    if name is None:
        return value
    if name.startswith("_"):
        raise ValueError(f"{name} is not to be read")
    return value[name] if isinstance(value, Mapping) else getattr(value, name)


_FROM_JINJA: Final = (
    *("abs", "capitalize", "count", "d", "default", "dictsort", "first", "float", "groupby", "int", "items"),
    *("last", "length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "reverse", "round"),
    *("select", "selectattr", "sort", "string", "sum", "title", "trim", "truncate", "unique", "upper"),
)

FILTERS: Final[dict[str, Callable[..., Any]]] = {name: JINJA_FILTERS[name] for name in _FROM_JINJA} | {
    "percent": percent,
    "bytes": size,
    "duration": duration,
    "time": time,
    "exit": exit_words,
    "join": join,
    "replace": replace,
}

_NO_TESTS: Final = frozenset(("callable", "escaped", "filter", "test"))

TESTS: Final[dict[str, Any]] = {name: test for name, test in JINJA_TESTS.items() if name not in _NO_TESTS}
