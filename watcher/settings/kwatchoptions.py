"""The options of one of kwatch's alert providers, whose names it does not always write the same way.

A secret may stand in the file, in a file of its own (`${file:/path}`, from 0.11 on the only way), or in the environment
(`${NAME}`). The first and the last stay what they are; the second becomes the `_file` twin.
"""

from __future__ import annotations

import re
from email.utils import parseaddr
from typing import Any, Final
from urllib.parse import SplitResult, quote, urlsplit

import msgspec

from watcher.lib.yamlpos import Path
from watcher.settings.kwatchreader import Reader, is_placeholder, named

_FILE: Final = re.compile(r"\$\{file:(?P<path>/[^}]*)\}")
_VARIABLE: Final = re.compile(r"\$\{\w+\}")


class Missing(Exception):
    """An option that the provider needs is not there; kwatch would not have started it."""


class NotHere(Exception):
    """What is needed to write an address is in a file or in the environment of another machine."""


class NoCounterpart(Exception):
    """It cannot be sent from here; the message says what to do instead."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One integration: the list that it belongs to, and its keys."""

    kind: str
    keys: dict[str, Any]


def file_reference(text: str) -> str:
    """The path in `${file:/path}`; empty for any other text."""
    match = _FILE.fullmatch(text.strip())
    return match["path"] if match is not None else ""


class Options:
    """Those of the provider called `name`, as it stands in the file."""

    def __init__(self, reader: Reader, name: str) -> None:
        self.reader = reader
        self.path: Path = ("alert", name)
        self.secrets: list[tuple[Path, str]] = []
        """Where secrets stand in the file, and the key with `_file` that could hold each."""
        data: Any = reader.at(self.path)
        self._keys = {key.lower(): key for key in data} if isinstance(data, dict) else {}

    def place(self, key: str) -> Path:
        """Where it stands, whatever its spelling: kwatch 0.8 has `accesstoken`, its documents `internalRoomID`."""
        path = self.path
        for step in key.split("."):
            found = self._keys.get(step.lower(), step) if path == self.path else step
            path = (*path, found)
        return path

    def has(self, key: str) -> bool:
        return bool(self.text(key))

    def text(self, key: str) -> str:
        """As written; empty where it is not given."""
        return self.reader.text(self.place(key)).strip()

    def need(self, key: str) -> str:
        """As written; raises Missing, or NotHere where it only names a place."""
        if not (text := self.text(key)):
            raise Missing(key)
        if "${" in text:
            raise NotHere(key)
        return text

    def words(self, key: str) -> list[str]:
        """A list, or words with commas between them."""
        items = self.reader.words(self.place(key)) or self.text(key).split(",")
        return [word.strip() for word in items if word.strip()]

    def into(self, keys: dict[str, Any], key: str, option: str, *, secret: bool = True) -> None:
        """Put a required option under `key`, or under its twin."""
        if not (text := self.text(option)):
            raise Missing(option)
        if file := file_reference(text):
            if not secret:
                raise NotHere(option)
            keys[f"{key}_file"] = file
            return
        keys[key] = text
        if secret and "${" not in text:
            self.secrets.append((self.place(option), f"{key}_file"))

    def part(self, key: str, *, safe: str = "") -> str:
        """A required option as a part of a URL; a reference to the environment stays one."""
        text = self.text(key)
        if not text:
            raise Missing(key)
        if _VARIABLE.fullmatch(text):
            return text
        if "${" in text:
            raise NotHere(key)
        return quote(text, safe=safe)

    def address(self, key: str) -> str:
        """A required mail address as a part of a URL, without the name of who it is."""
        _, found = parseaddr(self.need(key))
        name, at, host = found.rpartition("@")
        if not at:
            raise NoCounterpart(f"{named(self.place(key))} must be a mail address")
        return f"{quote(name, safe='')}@{host}"

    def server(self, key: str, default: str = "") -> SplitResult:
        """A required http or https address."""
        text = self.text(key) or default
        if not text:
            raise Missing(key)
        if "${" in text:
            raise NotHere(key)
        parts = urlsplit(text)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise NoCounterpart(f"{named(self.place(key))} must be an http or https URL")
        return parts

    def is_placeholder(self, key: str) -> bool:
        """Whether kwatch's template was not filled in here."""
        data: Any = self.reader.document.data
        for step in (*self.reader.root, *self.place(key)):
            data = data.get(step) if isinstance(data, dict) else None
        return is_placeholder(data)
