"""YAML as people would write it, with comments: for configurations that an import makes.

Data are dicts, lists and scalars; `Noted` puts a comment above whatever it holds. A text is written plain where YAML
reads it back as that text, else in quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from watcher.lib.yamlpos import YamlError
from watcher.lib.yamlpos import load as load_yaml

_PLAIN: Final = re.compile(r"[A-Za-z0-9_./$][^\n\r\t'\"]*")
_WORD: Final = re.compile(r"[A-Za-z_][\w./-]*")
_STEP: Final = 2
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\x85": "\\N", "\xa0": "\\_"}


class Noted(msgspec.Struct, frozen=True):
    """A value with a comment above it."""

    value: Any
    comment: str


def write(data: dict[str, Any]) -> str:
    """The document."""
    return "\n".join(_mapping(data, 0)) + "\n"


def plain(data: Any) -> Any:
    """The data without comments."""
    if isinstance(data, Noted):
        return plain(data.value)
    if isinstance(data, dict):
        return {key: plain(value) for key, value in data.items()}
    return [plain(value) for value in data] if isinstance(data, list | tuple) else data


def _mapping(data: dict[str, Any], indent: int) -> Iterator[str]:
    for key, noted in data.items():
        yield from _comment(noted, indent)
        value = _bare(noted)
        name = " " * indent + scalar(key)
        if _is_open(value):
            yield f"{name}:"
            deeper = indent if isinstance(value, list | tuple) else indent + _STEP
            yield from _block(value, deeper + (_STEP if deeper == indent else 0))
        elif (lines := _literal(value, indent + _STEP)) is not None:
            yield f"{name}: |-"
            yield from lines
        else:
            yield f"{name}: {_inline(value)}"


def _literal(value: Any, indent: int) -> list[str] | None:
    """A text of several lines as it is; None where YAML would not read it back."""
    if not isinstance(value, str) or "\n" not in value:
        return None
    lines = [" " * indent + line if line else "" for line in value.split("\n")]
    text = "\n".join(["k: |-", *lines])
    try:
        return lines if load_yaml(text + "\n", "").data == {"k": value} else None
    except YamlError:
        return None


def _block(value: Any, indent: int) -> Iterator[str]:
    if isinstance(value, dict):
        yield from _mapping(value, indent)
        return
    for noted in value:
        yield from _comment(noted, indent)
        item = _bare(noted)
        dash = " " * indent + "- "
        if not _is_open(item):
            yield dash + _inline(item)
            continue
        lines = list(_block(item, indent + _STEP))
        first = next(index for index, line in enumerate(lines) if not line.lstrip().startswith("#"))
        yield from (" " * indent + line.lstrip() for line in lines[:first])
        yield dash + lines[first].lstrip()
        yield from lines[first + 1 :]


def _comment(noted: Any, indent: int) -> Iterator[str]:
    if isinstance(noted, Noted):
        for line in noted.comment.splitlines():
            yield f"{' ' * indent}# {line}".rstrip()


def _bare(value: Any) -> Any:
    return value.value if isinstance(value, Noted) else value


def _is_open(value: Any) -> bool:
    """Whether it takes lines of its own: a list of words does not."""
    if isinstance(value, list | tuple):
        return bool(value) and not all(isinstance(each, str) and _WORD.fullmatch(each) for each in value)
    return isinstance(value, dict) and bool(value)


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(scalar(each) for each in value)}]"
    return scalar(value)


def scalar(value: Any) -> str:
    """`value` as YAML reads it back."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else str(value)
    text = str(value)
    if _PLAIN.fullmatch(text) and _reads(text, text):
        return text
    single = "'" + text.replace("'", "''") + "'"
    if "\n" not in text and _reads(single, text):
        return single
    return '"' + "".join(_ESCAPES.get(rune) or _escaped(rune) for rune in text) + '"'


def _escaped(rune: str) -> str:
    return rune if rune.isprintable() else f"\\U{ord(rune):08X}"


def _reads(written: str, text: str) -> bool:
    """As a value of a mapping and as an item of a list in brackets."""
    try:
        return load_yaml(f"k: {written}\nl: [{written}]", "").data == {"k": text, "l": [text]}
    except YamlError:
        return False
