"""YAML text -> plain data that knows where each part of it stands.

Problem: every error in a configuration or a rule must name file, line and column, and YAML offers traps
(booleans that were names, keys given twice, aliases that expand to gigabytes, a stack overflow by nesting).
Choice: libyaml's *events*, composed here by a loop. PyYAML's own composer is recursive C and crashes the
process on 200,000 brackets; here depth, aliases and size are bounded, and problems are collected instead of
raised at the first. Scalars follow YAML 1.2 (`yamlscalars`), merge keys (`<<`) are kept because existing
files use them. The sentences for syntax errors are in `yamlhints`.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from yaml import CSafeLoader, YAMLError
from yaml.error import MarkedYAMLError

from watcher.lib.problems import Position, Problem, Severity, sort_problems
from watcher.lib.yamlbuild import Builder, Node, Plain, Stop
from watcher.lib.yamlhints import explain

__all__ = [
    "DEFAULT_LIMIT",
    "Document",
    "Path",
    "Plain",
    "Position",
    "Problem",
    "Severity",
    "YamlError",
    "load",
]

Path = tuple[str | int, ...]

DEFAULT_LIMIT: Final = 5_000_000
"""Bytes. A ConfigMap holds at most 1 MiB; a recording or a test file may be larger."""

_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class YamlError(ValueError):
    """The text cannot be used; `problems` holds all that was found, in reading order, at least one."""

    def __init__(self, problems: tuple[Problem, ...], document: "Document | None" = None) -> None:
        """Takes the problems; the message is one line for each."""
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems
        self.document = document
        """What could be read all the same (a key was given twice), so that the rest can be checked too."""


class Document:
    """One YAML document: `data` as plain dicts, lists and scalars, and the position of every part.

    What an alias stands for is the same object in each place: treat the data as read-only.
    """

    __slots__ = ("_root", "file", "text")

    def __init__(self, file: str, root: Node, text: str) -> None:
        """Made by `load`."""
        self.file = file
        self.text = text
        """The whole source: what maps places inside a scalar needs it."""
        self._root = root

    @property
    def data(self) -> Plain:
        """Dicts with text keys, lists, str, int, float, bool and None."""
        return self._root.data

    def position(self, path: Path, key: bool = False) -> Position:
        """Where the value at `path` begins, or its key where `key` is set.

        A part that does not exist (a missing key) has the position of the nearest part that contains it. What
        came through an alias has the position of its definition.
        """
        node, line, column = self._root, self._root.line, self._root.column
        for step in path:
            found = _step(node, step)
            if found is None:
                break
            node, line, column = found
        if not key or node is self._root:
            line, column = node.line, node.column
        return Position(file=self.file, line=line + 1, column=column + 1)

    def source(self, path: Path) -> str | None:
        """The text of the scalar at `path` as its author wrote it (`1.10`, `true`), without quotes.

        None for a mapping, a list or a path that does not exist.
        """
        node = self._at(path)
        return node.text if node is not None else None

    def span(self, path: Path) -> tuple[int, int] | None:
        """Where in `text` the scalar at `path` begins (with its anchor and tag) and ends; None as for `source`."""
        node = self._at(path)
        return node.span if node is not None else None

    def _at(self, path: Path) -> Node | None:
        node = self._root
        for step in path:
            found = _step(node, step)
            if found is None:
                return None
            node = found[0]
        return node

    def problem(self, path: Path, message: str, *, key: bool = False, severity: Severity = Severity.ERROR) -> Problem:
        """A problem at `path`, found as `position` finds it."""
        return Problem(position=self.position(path, key=key), message=message, severity=severity)


def _step(node: Node, step: str | int) -> tuple[Node, int, int] | None:
    """The child and the place of its key (of an item: of the item itself)."""
    if isinstance(step, str):
        return node.entries.get(step) if node.entries is not None else None
    if node.items is None or not 0 <= step < len(node.items):
        return None
    item = node.items[step]
    return item, item.line, item.column


def load(text: str | bytes, file: str, *, limit: int = DEFAULT_LIMIT) -> Document:
    """Read exactly one document; `file` is the name for positions, nothing is opened.

    Raises YamlError with every problem that could be found: a syntax error ends the search, so of those there
    is one. A text longer than `limit` bytes is refused unread.
    """
    content = _decoded(text, file, limit)
    builder = Builder(file)
    whole = False
    try:
        for event in _events(content):
            builder.feed(event)
        whole = True
    except Stop:
        pass
    except MarkedYAMLError as error:
        line, column, message = explain(error, content.splitlines())
        builder.forget_line(line)
        builder.complain(line, column, message)
    except YAMLError as error:
        builder.complain(0, 0, f"this is not YAML: {error}")
    if not builder.problems and (builder.root is None or _is_blank(builder.root)):
        builder.complain(0, 0, "the file is empty")
    if builder.problems or builder.root is None:
        readable = Document(file, builder.root, content) if whole and builder.root is not None else None
        raise YamlError(sort_problems(builder.problems), readable)
    return Document(file, builder.root, content)


def _is_blank(root: Node) -> bool:
    return root.data is None and root.text == ""


def _events(content: str) -> Iterator[Any]:
    loader = CSafeLoader(content)
    try:
        while loader.check_event():
            yield loader.get_event()
    finally:
        loader.dispose()


def _decoded(text: str | bytes, file: str, limit: int) -> str:
    size = len(text)
    if isinstance(text, str) and size <= limit < size * 4:
        size = len(text.encode("utf-8", "surrogatepass"))
    if size > limit:
        raise _error(file, "", f"the file has {size:,} bytes, more than the {limit:,} that are read")
    if isinstance(text, bytes):
        text = _from_utf8(text, file)
    text = text.removeprefix("\ufeff")
    if wrong := _FORBIDDEN.search(text):
        code = f"U+{ord(wrong[0]):04X}"
        raise _error(file, text[: wrong.start()], f"the control character {code} is not allowed: remove it")
    return text


def _from_utf8(raw: bytes, file: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8")
        message = f"byte 0x{raw[error.start]:02x} is not UTF-8: save the file as UTF-8"
        raise _error(file, before, message) from None


def _error(file: str, before: str, message: str) -> YamlError:
    line = before.count("\n") + 1
    column = len(before) - before.rfind("\n")
    return YamlError((Problem(position=Position(file=file, line=line, column=column), message=message),))
