"""The configuration file while it is read: its data, the environment, and the problems that add up.

`${NAME}` is replaced from the environment in our own keys and in values that hold URLs, keys, tokens and passwords;
each of those values may stand in a file instead, named by its `_file` twin. Neither ever shows in a problem.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path as FilePath
from typing import Any, Final

from watcher.lib.problems import Problem, Severity
from watcher.lib.shapes import nearest
from watcher.lib.yamlpos import Document, Path
from watcher.model.config import Secret
from watcher.settings.files import FileProblem, read_secret

_REFERENCE: Final = re.compile(r"\$\{([^{}]*)\}")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class ConfigFile:
    """One configuration file. `directory` is where its relative paths begin."""

    def __init__(
        self, document: Document, directory: FilePath, environ: Mapping[str, str], problems: list[Problem]
    ) -> None:
        self.document = document
        self.directory = directory
        self.environ = environ
        self.problems = problems
        self.templates: list[Path] = []
        """Where texts stand that are executed as templates; `settings.texts` notes them."""

    def error(self, path: Path, message: str, *, key: bool = False) -> None:
        self.problems.append(self.document.problem(path, message, key=key))

    def warn(self, path: Path, message: str, *, key: bool = False) -> None:
        self.problems.append(self.document.problem(path, message, key=key, severity=Severity.WARNING))

    def unknown_key(self, path: Path, known: Collection[str]) -> None:
        """An error about the key at the end of `path`."""
        advice = nearest(str(path[-1]), known)
        listed = f"; did you mean {advice}?" if advice else f": known are {', '.join(sorted(known))}"
        self.error(path, f"unknown key {path[-1]}{listed}", key=True)

    def at(self, path: Path) -> Any:
        """The data at a path, or None."""
        data: Any = self.document.data
        for step in path:
            try:
                data = data[step]
            except (LookupError, TypeError):
                return None
        return data

    def filled(self, text: str, path: Path) -> str:
        """The text with `${NAME}` replaced; a name that is not set is an error and counts as empty."""

        def value(match: re.Match[str]) -> str:
            name = match[1]
            if not _NAME.fullmatch(name):
                self.error(path, "write ${NAME} with the name of an environment variable between the braces")
            elif name not in self.environ:
                self.error(path, f"the environment variable {name} is not set")
            return self.environ.get(name, "")

        return _REFERENCE.sub(value, text)

    def secret(
        self, path: Path, key: str, fits: Callable[[str], bool] | None = None, wanted: str = ""
    ) -> Secret | None:
        """The value of `key`, or of the file that `key`_file names; None where neither is given, or neither works.

        `fits` checks it, `wanted` says what it must be.
        """
        given, file = self.at((*path, key)), self.at((*path, f"{key}_file"))
        if given and file:
            self.error((*path, f"{key}_file"), f"give {key} or {key}_file, not both", key=True)
            return None
        errors = len(self.problems)
        if file and isinstance(file, str):
            key = f"{key}_file"
            value = self._from_file(file, (*path, key))
        else:
            value = self.filled(given, (*path, key)) if isinstance(given, str) else ""
        if not value or len(self.problems) > errors:
            return None
        if fits is not None and not fits(value):
            self.error((*path, key), f"{'the content of ' if key.endswith('_file') else ''}{key} {wanted}")
            return None
        return Secret(value)

    def has(self, path: Path, key: str) -> bool:
        """Whether a secret is given at all, in itself or by a file, right or wrong."""
        return bool(self.at((*path, key)) or self.at((*path, f"{key}_file")))

    def _from_file(self, name: str, path: Path) -> str:
        try:
            return read_secret(self.directory / self.filled(name, path))
        except FileProblem as error:
            self.error(path, f"{name}: {error}")
            return ""
