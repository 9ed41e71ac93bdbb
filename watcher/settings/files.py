"""Reading files: configuration, rules and secrets. What cannot be read is a problem with a place, not an exception.

Whoever wants to know later whether they have changed notes what is read (`noting`).
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Final

from watcher.lib.problems import Position, Problem
from watcher.lib.yamlpos import DEFAULT_LIMIT, Document, YamlError, load
from watcher.settings.shipped import directory

MAX_SECRET: Final = 65_536
"""Bytes of a secret's file: a token or a URL is far below, and a wrong path soon far above."""

SHIPPED: Final = "shipped"
"""As a pattern of rule files: the packs that come with Watcher, wherever they lie in this installation."""


class FileProblem(Exception):
    """A file cannot be read; the message says why, and does not name it."""


class Reads:
    """Which files were read, or were not there, and which patterns led to them, each with what was found."""

    def __init__(self) -> None:
        self.files: dict[Path, bytes] = {}
        """A hash of the content; empty: it could not be read."""
        self.patterns: dict[str, list[str]] = {}

    def changed(self) -> bool:
        """Whether another reading would find something else."""
        if any(sorted(glob.glob(pattern, recursive=True)) != found for pattern, found in self.patterns.items()):
            return True
        return any(_hash_of(path) != found for path, found in self.files.items())

    def directories(self) -> set[Path]:
        """Where to look for changes. Of a ConfigMap the file stays a link to a link: its directory changes."""
        folders = {path.parent for path in self.files}
        folders |= {Path(_fixed_part(pattern)) for pattern in self.patterns}
        return {folder for folder in folders if folder.is_dir()}


_noted: ContextVar[Reads | None] = ContextVar("noted", default=None)


@contextlib.contextmanager
def noting() -> Iterator[Reads]:
    """What is read within."""
    reads = Reads()
    token = _noted.set(reads)
    try:
        yield reads
    finally:
        _noted.reset(token)


def _hash_of(path: Path) -> bytes:
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except (OSError, ValueError):
        return b""


def _fixed_part(pattern: str) -> str:
    parts = Path(pattern).parts
    fixed = next((number for number, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    return str(Path(*parts[:fixed]))


def matching(pattern: str) -> list[Path]:
    """The files and directories that a pattern leads to, sorted."""
    found = sorted(glob.glob(pattern, recursive=True))
    reads = _noted.get()
    if reads is not None:
        reads.patterns[pattern] = found
    return [Path(name) for name in found]


def read_bytes(path: Path, limit: int) -> bytes:
    """The content of a regular file; raises FileProblem."""
    reads = _noted.get()
    try:
        content = _read(path, limit)
    except FileProblem:
        if reads is not None:
            reads.files[path] = _hash_of(path)
        raise
    if reads is not None:
        reads.files[path] = hashlib.sha256(content).digest()
    return content


def _read(path: Path, limit: int) -> bytes:
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
    if pattern == SHIPPED:
        return sorted(directory("rules").glob("*.yaml"))
    whole = base / pattern
    if not glob.has_magic(pattern):
        if whole.is_file():
            return (whole,)
        reason = "is a directory: write its files with a wildcard, as in rules/*.yaml"
        message = f"{pattern} {reason}" if whole.is_dir() else f"there is no file {pattern}"
        problems.append(Problem(position=position, message=message))
        return ()
    found = matching(str(whole))
    files = [path for path in found if path.is_file()]
    if not files:
        what = "matches directories only" if found else "matches no file"
        problems.append(Problem(position=position, message=f"{pattern} {what}"))
    return files
