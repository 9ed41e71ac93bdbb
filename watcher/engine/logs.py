"""Logs: one JSON object a line with ECS field names, redacted; `event` and other fields beside a constant message."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from watcher.lib.redact import redact

_STANDARD = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {
    "message",
    "asctime",
    "taskName",
    "event",
}


class JsonFormatter(logging.Formatter):
    """https://www.elastic.co/docs/reference/ecs: @timestamp, log.level, log.logger, message, event.action, error.*"""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "@timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "log.level": record.levelname.lower(),
            "log.logger": record.name,
            "message": record.getMessage(),
        }
        if event := getattr(record, "event", ""):
            entry["event.action"] = event
        for name, value in record.__dict__.items():
            if name not in _STANDARD:
                entry[f"watcher.{name}"] = value if isinstance(value, int | float | bool) else str(value)
        if record.exc_info and record.exc_info[0] is not None:
            entry["error.type"] = record.exc_info[0].__name__
            entry["error.stack_trace"] = self.formatException(record.exc_info)
        return redact(json.dumps(entry, ensure_ascii=False))


def configure(level: str = "INFO") -> None:
    """Log to stderr as JSON. Libraries stay at WARNING: Apprise prints webhook URLs at DEBUG."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("watcher").setLevel(level)
