"""Reading files: configuration, rules and secrets. What cannot be read is a problem with a place, not an exception."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from watcher.lib.problems import Position, Problem
from watcher.lib.yamlpos import DEFAULT_LIMIT, Document, YamlError, load

MAX_SECRET: Final = 65_536
"""Bytes of a secret's file: a token or a URL is far below, and a wrong path soon far above."""


class FileProblem(Exception):
    """A file cannot be read; the message says why, and does not name it."""


def read_bytes(path: Path, limit: int) -> bytes:
    """The content of a regular file; raises FileProblem."""
    try:
        if path.is_dir():
            raise FileProblem("this is a directory")
        if not path.exists():
            raise FileProblem("no such file")
        if not path.is_file():
            raise FileProblem("this is no regular file")
        size = path.stat().st_size
        if size > limit:
            raise FileProblem(f"the file has {size:,} bytes, more than the {limit:,} that are read")
        return path.read_bytes()
    except PermissionError:
        raise FileProblem("permission denied") from None
    except (OSError, ValueError) as error:
        raise FileProblem(f"it cannot be read: {getattr(error, 'strerror', None) or 'the path is wrong'}") from None


def read_document(path: Path, problems: list[Problem]) -> Document | None:
    """A YAML file; what is wrong with it goes to `problems`."""
    try:
        return load(read_bytes(path, DEFAULT_LIMIT), str(path))
    except FileProblem as error:
        problems.append(Problem(position=Position(file=str(path), line=1, column=1), message=str(error)))
    except YamlError as error:
        problems.extend(error.problems)
        return error.document
    return None


def read_secret(path: Path) -> str:
    """The text of a secret's file without white space around it; raises FileProblem."""
    try:
        text = read_bytes(path, MAX_SECRET).decode("utf-8").strip()
    except UnicodeDecodeError:
        raise FileProblem("it is not UTF-8 text") from None
    if not text:
        raise FileProblem("it is empty")
    return text


def rule_documents(patterns: Iterable[tuple[str, Position]], base: Path, problems: list[Problem]) -> list[Document]:
    """The rule files that the patterns name, each once, in order; `base` is where relative ones begin."""
    paths: dict[Path, None] = {}
    for pattern, position in patterns:
        for path in _expanded(pattern, position, base, problems):
            paths.setdefault(path)
    documents = (read_document(path, problems) for path in paths)
    return [document for document in documents if document is not None]


def _expanded(pattern: str, position: Position, base: Path, problems: list[Problem]) -> Sequence[Path]:
    whole = base / pattern
    if not glob.has_magic(pattern):
        if whole.is_file():
            return (whole,)
        reason = "is a directory: write its files with a wildcard, as in rules/*.yaml"
        message = f"{pattern} {reason}" if whole.is_dir() else f"there is no file {pattern}"
        problems.append(Problem(position=position, message=message))
        return ()
    found = sorted(Path(name) for name in glob.glob(str(whole), recursive=True))
    files = [path for path in found if path.is_file()]
    if not files:
        what = "matches directories only" if found else "matches no file"
        problems.append(Problem(position=position, message=f"{pattern} {what}"))
    return files
