"""Alertmanager's `templates`: files of named Go templates. They are not executed here.

The key is accepted, so that an existing file works: a text that names one gives way to Watcher's own. As in
Alertmanager a pattern that matches no file is no error, since files may come later; but it is said.
"""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Any, Final

from watcher.settings.configfile import ConfigFile
from watcher.settings.files import FileProblem, matching, read_bytes
from watcher.settings.namedtemplates import defined

KEY: Final = "templates"
ADVICE: Final = ", or have `watcher import alertmanager` translate the file"
"""Of what is said of the key; the command itself leaves it out."""
_LARGEST: Final = 1_000_000


def read_templates(file: ConfigFile) -> None:
    """Say what becomes of the key, and which of its patterns lead nowhere."""
    patterns: Any = file.at((KEY,))
    if patterns is None:
        return
    if not isinstance(patterns, list):
        file.error((KEY,), f"{KEY} must be a list of patterns of files")
        return
    if patterns:
        file.warn(
            (KEY,),
            f"{KEY} are not executed: Watcher sends its own text in place of one that needs them; write texts in "
            f"Jinja2{ADVICE}",
            key=True,
        )
    for index, pattern in enumerate(patterns):
        if not isinstance(pattern, str) or not pattern:
            file.error((KEY, index), "a pattern must be a file's name, which may hold * and ?")
        elif not _matches(file.directory, pattern):
            file.warn((KEY, index), f"{pattern} matches no file")


def definitions(directory: FilePath, patterns: Any) -> dict[str, str]:
    """The named templates of the files, of two with one name the last; a file that cannot be read has none."""
    found: dict[str, str] = {}
    for pattern in patterns if isinstance(patterns, list) else ():
        for path in _matches(directory, pattern) if isinstance(pattern, str) else ():
            try:
                found |= defined(read_bytes(path, _LARGEST).decode("utf-8"))
            except (FileProblem, UnicodeDecodeError):
                continue
    return found


def _matches(directory: FilePath, pattern: str) -> list[FilePath]:
    return [path for path in matching(str(directory / pattern)) if path.is_file()]
