"""Where in a file a place inside a YAML scalar stands: an error of CEL or Jinja2 has a line and a column of its own.

A scalar's text and its source differ by indentation, folded lines, doubled quotation marks and escapes; everything
else is the same, in the same order. So both are walked side by side: what the text does not have is stepped over.
"""

from __future__ import annotations

import re
from typing import Final

from watcher.lib.problems import Position
from watcher.lib.yamlpos import Document, Path

_PROPERTIES: Final = re.compile(r"(?:[&!]\S*\s+)*")
"""An anchor and a tag stand before the scalar itself."""
_ESCAPE_WIDTHS: Final = {"x": 4, "u": 6, "U": 10}


def position_within(document: Document, path: Path, line: int, column: int) -> Position:
    """The position of `line` and `column` (both from 1) of the text of the scalar at `path`."""
    start = document.position(path)
    value = document.source(path)
    if value is None:
        return start
    lines = document.text.splitlines(keepends=True)
    begin = sum(map(len, lines[: start.line - 1])) + start.column - 1
    index = sum(map(len, value.splitlines(keepends=True)[: line - 1])) + column - 1
    offset = _offset(document.text, begin, value[: max(index, 0)], value[index : index + 1])
    before = document.text[:offset].splitlines(keepends=True)
    number, width = (len(before), len(before[-1])) if before else (1, 0)
    if before and before[-1].splitlines()[0] != before[-1]:
        number, width = number + 1, 0
    return Position(file=document.file, line=number, column=width + 1)


def _offset(source: str, at: int, before: str, rune: str) -> int:
    """Where in `source`, whose scalar begins at `at`, the text goes on after `before`; there stands `rune`."""
    match = _PROPERTIES.match(source, at)
    at = match.end() if match is not None else at
    style = source[at : at + 1]
    if style in ("|", ">"):
        at = source.find("\n", at) + 1
    elif style in ("'", '"'):
        at += 1
    else:
        style = ""
    for each in before:
        at = _skip(source, at, each, style)
        at += _width(source, at, style)
    return _skip(source, at, rune, style)


def _skip(source: str, at: int, rune: str, style: str) -> int:
    """Past what stands in the source only."""
    while at < len(source):
        if style == '"' and source.startswith(("\\\n", "\\\r"), at):
            at += 2
        elif source[at].isspace() and rune and not rune.isspace():
            at += 1
        else:
            break
    return at


def _width(source: str, at: int, style: str) -> int:
    """How many characters of the source make one of the text."""
    if style == '"' and source[at : at + 1] == "\\":
        return _ESCAPE_WIDTHS.get(source[at + 1 : at + 2], 2)
    return 2 if style == "'" and source.startswith("''", at) else 1
