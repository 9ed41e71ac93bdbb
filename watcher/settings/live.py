"""The configuration that a running service reads again when it was changed."""

from __future__ import annotations

from pathlib import Path

from watcher.settings.files import Reads, noting
from watcher.settings.load import load
from watcher.settings.records import Settings


class LiveConfig:
    """A configuration file with all that it names: rules, secrets, templates. `data`, `listen`: the command line's."""

    def __init__(self, path: Path, *, data: Path | None = None, listen: str = "") -> None:
        self._path = path
        self._data = data
        self._listen = listen
        self._reads = Reads()

    def load(self) -> Settings:
        """As it is now. ConfigErrors, ValueError for a `listen` that is no HOST:PORT."""
        with noting() as reads:
            try:
                return load(self._path).with_overrides(data=self._data, listen=self._listen)
            finally:
                self._reads = reads

    def changed(self) -> bool:
        """Whether it is another one than was read last, be that right or wrong."""
        return self._reads.changed()

    def content(self) -> bytes:
        """Stands for all that was read last: files with their hashes."""
        return b"".join(str(path).encode() + found for path, found in sorted(self._reads.files.items()))

    def directories(self) -> set[Path]:
        """Where its files lie."""
        return self._reads.directories()
