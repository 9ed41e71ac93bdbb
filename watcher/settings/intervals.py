"""Alertmanager's `time_intervals`: their names, so that routes can be checked.

They are not in force yet (the issue on routing brings them); a file that has them is told so.
"""

from __future__ import annotations

from typing import Any

from watcher.settings.configfile import ConfigFile


def read_intervals(file: ConfigFile) -> frozenset[str]:
    """The names of all time intervals of the file."""
    names: set[str] = set()
    for key in ("time_intervals", "mute_time_intervals"):
        entries: Any = file.at((key,))
        if entries is None:
            continue
        if not isinstance(entries, list):
            file.error((key,), f"{key} must be a list")
            continue
        file.warn((key,), f"{key} are not in force yet: messages come at any time", key=True)
        for index, entry in enumerate(entries):
            name = entry.get("name") if isinstance(entry, dict) else None
            if not isinstance(name, str) or not name:
                file.error((key, index), "a time interval needs a name")
            elif name in names:
                file.error((key, index, "name"), f"there is another time interval {name}")
            else:
                names.add(name)
    return frozenset(names)
