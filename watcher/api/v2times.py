"""Times in bodies for Alertmanager's API, as its server reads them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from watcher.lib.gotext import go_quote

_LATEST: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""Later times are taken for this one: something is still added to them."""
_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)"
    r"(?:T(\d\d:\d\d)(:\d\d)?(?:[.,](\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)?| (\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?)",
    re.ASCII,
)


def read_time(text: str) -> datetime | None:
    """None: not set, by an empty text or Go's zero time (which amtool sends). ValueError in its server's words."""
    if not text:
        return None
    found = _TIME.fullmatch(text)
    try:
        time = _built(found) if found is not None else None
    except (ValueError, OverflowError):
        time = None
    if time is None:
        raise ValueError(f'parsing time {go_quote(text[:100])} as "2006-01-02T15:04:05Z07:00": cannot parse it')
    return None if time.year == 1 else min(time, _LATEST)


def _built(found: re.Match[str]) -> datetime:
    day, minute, second, fraction, zone, sortable, sortable_fraction = found.groups()
    digits = (fraction or sortable_fraction or "")[:6].ljust(6, "0")
    clock = sortable or f"{minute}{second or ':00'}"
    time = datetime.fromisoformat(f"{day}T{clock}.{digits}")
    if zone in (None, "Z"):
        return time.replace(tzinfo=UTC)
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
    return (time - offset if zone[0] == "+" else time + offset).replace(tzinfo=UTC)
