"""`time_zone`: in which people read the times of messages. The names are those of the IANA database.

The database is the system's, or the package tzdata where the system has none, as slim images do.
"""

from __future__ import annotations

from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo, available_timezones

from watcher.lib.shapes import nearest


def read_zone(name: str) -> tzinfo:
    """Raises ValueError, with a sentence for the author, where there is no such zone."""
    if name in ("", "UTC"):
        return UTC
    try:
        return ZoneInfo(name)
    # OSError: a directory of the database (Europe), or a name that no file can have.
    except (LookupError, ValueError, OSError) as error:
        advice = nearest(name, available_timezones())
        example = f"did you mean {advice}?" if advice else "write a name such as Europe/Berlin"
        raise ValueError(f"there is no such time zone; {example}") from error
