"""kwatch's configuration while it is read: its values with their types, and what is said of each key.

A value of a type that kwatch itself refuses is an error; a placeholder of kwatch's own template (`<webhook_url>`)
counts as not given and is left to people, as is a key that kwatch has never had.
"""

from __future__ import annotations

import re
from typing import Any, Final

from watcher.lib.problems import Problem, Severity
from watcher.lib.shapes import nearest
from watcher.lib.yamlpos import Path
from watcher.settings.kwatchfile import Source
from watcher.settings.kwatchkeys import INSTEAD, KEYS, MONITORS, Key, Monitor, Way

_PLACEHOLDER: Final = re.compile(r"<[^<>]*>")
_VARIABLE: Final = re.compile(r"\$\{(\w+)\}")
_FILLED: Final = frozenset(
    (
        *(
            "clustername",
            "proxyurl",
            "diagnosticstoken",
            "url",
            "webhook",
            "token",
            "password",
            "username",
            "user",
            "key",
        ),
        *(
            "integrationkey",
            "chatid",
            "apikey",
            "apisecret",
            "accesstoken",
            "secret",
            "accountsid",
            "authtoken",
            "authid",
        ),
        *(
            "accesskey",
            "accesskeyid",
            "secretaccesskey",
            "teamsecret",
            "servicekey",
            "gatewayid",
            "routingkey",
            "topic",
        ),
    )
)
"""Keys, in small letters, whose counterparts are filled from the environment."""
_WANTED: Final = {
    "bool": "must be true or false",
    "number": "must be a number",
    "text": "must be text",
    "words": "must be a list of texts",
    "words_map": "must be a mapping of texts",
}


class Reader:
    """`left` and `notes` are what is said of kwatch's file, `errors` what kwatch itself would refuse."""

    def __init__(self, source: Source) -> None:
        self.document = source.document
        self.root = source.path
        self.left: list[Problem] = []
        self.notes: list[Problem] = []
        self.errors: list[Problem] = []

    # -- what is said ------------------------------------------------------------------------------------------------

    def leave(self, path: Path, message: str) -> None:
        """Something is to be done by hand."""
        self.left.append(self._problem(path, message, Severity.WARNING))

    def note(self, path: Path, message: str) -> None:
        """Something is good to know."""
        self.notes.append(self._problem(path, message, Severity.WARNING))

    def error(self, path: Path, message: str) -> None:
        """Nothing is imported."""
        self.errors.append(self._problem(path, f"{named(path)} {message}", Severity.ERROR))

    def origin(self, path: Path) -> str:
        """For a comment: the key and where it stands."""
        return f"{named(path)} (line {self.document.position((*self.root, *path), key=True).line})"

    def _problem(self, path: Path, message: str, severity: Severity) -> Problem:
        key = bool(path) and isinstance(path[-1], str)
        return self.document.problem((*self.root, *path), message, key=key, severity=severity)

    # -- what is given -----------------------------------------------------------------------------------------------

    def at(self, path: Path) -> Any:
        """The value at `path`; None where there is none, or a placeholder."""
        data: Any = self.document.data
        for step in (*self.root, *path):
            try:
                data = data[step]
            except (LookupError, TypeError):
                return None
        return None if is_placeholder(data) else data

    def text(self, path: Path) -> str:
        """A scalar as its author wrote it (`007`, `1.10`); empty where there is none."""
        value = self.at(path)
        if value is None or isinstance(value, dict | list):
            return ""
        return value if isinstance(value, str) else self.document.source((*self.root, *path)) or str(value)

    def words(self, path: Path) -> list[str]:
        """The texts of a list."""
        items = self.at(path)
        count = len(items) if isinstance(items, list) else 0
        return [word for index in range(count) if (word := self.text((*path, index)))]

    def flag(self, path: Path) -> bool | None:
        value = self.at(path)
        return value if isinstance(value, bool) else None

    def number(self, path: Path) -> float | None:
        value = self.at(path)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

    # -- every key ---------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Look at every key once: its type, and what is said of it."""
        data = self.at(())
        for key in data if isinstance(data, dict) else ():
            self._check((key,))

    def _check(self, path: Path) -> None:
        name, value = ".".join(map(str, path)), self._raw(path)
        if value is None:
            return
        if is_placeholder(value):
            self.leave(path, f"{named(path)} is still a placeholder: write what it should be")
        elif name in MONITORS:
            self._monitor(path, MONITORS[name])
        elif name in KEYS:
            self._key(path, KEYS[name], value)
        elif any(key.startswith(f"{name}.") for key in KEYS):
            if not isinstance(value, dict):
                self.error(path, "must be a mapping of keys")
                return
            for key in value:
                self._check((*path, key))
        else:
            self._unknown(path)

    def _key(self, path: Path, key: Key, value: Any) -> None:
        if not self._fits(path, key.kind, value):
            self.error(path, _WANTED[key.kind])
        elif key.way is Way.TAKEN and key.kind in ("bool", "number") and isinstance(value, str):
            self.leave(path, f"{named(path)} comes from the environment, which is not asked here: write it out")
        elif key.way is Way.NOTE or (key.way is Way.LEFT and value in key.fine):
            says = key.says if key.way is Way.NOTE else "that is what Watcher does"
            self.note(path, f"{named(path)} is not needed: {says}")
        elif key.way is Way.LEFT:
            self.leave(path, f"{named(path)}: {key.says}")
        else:
            self._variables(path, value)
        if key.kind == "words" and isinstance(value, list):
            for index, each in enumerate(value):
                if is_placeholder(each):
                    self.leave((*path, index), f"{named(path)} has a placeholder: write what it should be")

    def _fits(self, path: Path, kind: str, value: Any) -> bool:
        if kind == "words":
            return isinstance(value, list) and not any(isinstance(each, dict | list) for each in value)
        if kind == "words_map":
            return isinstance(value, dict) and not any(isinstance(each, dict | list) for each in value.values())
        if kind == "number":
            return (isinstance(value, int | float) and not isinstance(value, bool)) or _is_variable(value)
        if kind == "bool":
            return isinstance(value, bool) or _is_variable(value)
        return kind == "any" or not isinstance(value, dict | list)

    def _monitor(self, path: Path, monitor: Monitor) -> None:
        data = self.at(path)
        if not isinstance(data, dict):
            self.error(path, "must be a mapping of keys")
            return
        for key in data:
            if key not in monitor.keys:
                self._unknown((*path, key), monitor.keys)
        enabled = data.get("enabled", monitor.by_default)
        if enabled is False:
            self.note(path, f"{named(path)} is not needed: Watcher does not look at {monitor.what}")
        else:
            self.leave(path, f"{named(path)}: Watcher does not look at {monitor.what}: {INSTEAD}")

    def _unknown(self, path: Path, known: tuple[str, ...] = ()) -> None:
        *above, key = (str(step) for step in path)
        prefix = ".".join([*above, ""])
        names = known or {
            name.removeprefix(prefix).split(".")[0] for name in (*KEYS, *MONITORS) if name.startswith(prefix)
        }
        advice = nearest(key, names)
        meant = f"; did you mean {advice}?" if advice else ""
        self.leave(path, f"kwatch knows no key {named(path)}, and did nothing with it{meant}")

    def _variables(self, path: Path, value: Any) -> None:
        """References to the environment stay what they are, where Watcher fills them in too."""
        if isinstance(value, dict | list):
            steps: Any = value if isinstance(value, dict) else range(len(value))
            for step in steps:
                self._variables((*path, step), value[step])
        elif isinstance(value, str):
            leaf = str(path[-1]).lower()
            filled = path[0] == "namespaces" or leaf in _FILLED
            if "${file:" in value and (leaf not in _FILLED or path[0] == "app"):
                self.leave(path, f"{named(path)} is in a file, which is not opened: write it out")
            for name in _VARIABLE.findall(value):
                if filled:
                    self.note(path, f"set the environment variable {name} for Watcher too")
                else:
                    self.leave(path, f"{named(path)} comes from the environment, which is not asked here: write it out")

    def _raw(self, path: Path) -> Any:
        data: Any = self.document.data
        for step in (*self.root, *path):
            data = data[step]
        return data


def named(path: Path) -> str:
    """`alert.slack.routes[0].namespaces`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text or "the configuration"


def is_placeholder(value: Any) -> bool:
    """`<webhook_url>`, as in kwatch's template."""
    return isinstance(value, str) and _PLACEHOLDER.fullmatch(value.strip()) is not None


def _is_variable(value: Any) -> bool:
    return isinstance(value, str) and _VARIABLE.fullmatch(value) is not None
