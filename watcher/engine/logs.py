"""Logs: one JSON object a line with ECS field names, redacted; `event` and other fields beside a constant message.

Everything that the process says after `configure` goes through here: our loggers, the libraries' (uvicorn, aiohttp,
asyncio), Python's warnings, and an exception that nobody caught. https://www.elastic.co/docs/reference/ecs and
https://www.elastic.co/docs/reference/ecs/logging/intro: `@timestamp`, `log.level`, `message` and `ecs.version` come
first, with dotted names; every value under one name is of one type, so that Elasticsearch can map it.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from functools import lru_cache
from math import isfinite
from types import TracebackType
from typing import Final

import msgspec

from watcher import __version__
from watcher.lib.redact import REDACTED, redact
from watcher.lib.secretnames import kind_of
from watcher.lib.text import cut

ECS: Final = "8.11.0"
SERVICE: Final = "watcher"

LONGEST: Final = 16_000
"""Characters of one value: container runtimes cut lines at 16 KiB, and shippers join them again up to a limit."""

_STANDARD: Final = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {
    "message",
    "asctime",
    "taskName",
    "event",
    "color_message",
}
"""The last is uvicorn's: the message once more, in colours."""
_OF_ECS: Final = {"reason": "event.reason", "error": "error.message"}
"""Our fields that ECS has a name for; the others are `watcher.…`."""
_LINE_ENDS: Final = {ord(end): f"\\u{ord(end):04x}" for end in "\x7f\x85\u2028\u2029"}
"""What JSON leaves as it is, and some readers take for the end of a line."""
_CONSTANT: Final = {"service.name": SERVICE, "service.version": __version__, "event.dataset": f"{SERVICE}.log"}
_encoder: Final = msgspec.json.Encoder()


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        entry: dict[str, object] = {
            "@timestamp": at.replace("+00:00", "Z"),
            "log.level": record.levelname.lower(),
            "message": _text(record.getMessage()),
            "ecs.version": ECS,
            "log.logger": record.name,
            **_CONSTANT,
            "process.pid": record.process,
        }
        if event := getattr(record, "event", ""):
            entry["event.action"] = str(event)
        if record.exc_info and record.exc_info[0] is not None:
            entry["error.type"] = record.exc_info[0].__name__
            entry["error.message"] = _text(str(record.exc_info[1]))
            entry["error.stack_trace"] = _text(self.formatException(record.exc_info))
        for name, value in record.__dict__.items():
            if name not in _STANDARD:
                ours, hidden = _field(name)
                entry[ours] = _value(name, value, hidden)
        return _line(entry)


def _line(entry: dict[str, object]) -> str:
    try:
        line = str(_encoder.encode(entry), "utf-8")
    except (UnicodeEncodeError, OverflowError, TypeError):
        # Lone surrogates, numbers beyond 64 bits, kinds of numbers that are not Python's own.
        line = json.dumps(entry, ensure_ascii=False)
    return line if line.isascii() and "\x7f" not in line else line.translate(_LINE_ENDS)


@lru_cache(maxsize=512)
def _field(name: str) -> tuple[str, bool]:
    """What a line calls it, and whether what it holds is a secret whatever it looks like."""
    return _OF_ECS.get(name, f"watcher.{name}"), kind_of(name) is not None


def _value(name: str, value: object, hidden: bool) -> object:
    if isinstance(value, int) or (isinstance(value, float) and isfinite(value)):
        return value if name not in _OF_ECS else str(value)
    return REDACTED if hidden else _text(str(value))


def _text(text: str) -> str:
    """Each by itself: in the whole line a secret that was cut off would take the quotes behind it with it."""
    return cut(redact(text), LONGEST)


def configure(level: str = "INFO") -> None:
    """Log to stderr as JSON. Libraries stay at WARNING: Apprise prints webhook URLs at DEBUG."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("watcher").setLevel(level)
    logging.captureWarnings(True)
    sys.excepthook = _unexpected


def _unexpected(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """What ends the process."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    log = logging.getLogger("watcher.engine")
    log.critical("Watcher ends by a fault of its own", exc_info=(kind, error, traceback), extra={"event": "fault"})
