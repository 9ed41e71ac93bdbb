"""What is wrong with a CEL expression, in words and with a place: the library's messages made readable.

The library names the place well, but echoes the source, lists every token that its grammar would take, and
follows one mistake with its effects. Positions are lines and columns inside the expression, both from 1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from watcher.lib.shapes import nearest

_MESSAGE: Final = re.compile(r"^(?:[A-Z_]+: )?ERROR: <input>:(\d+):(\d+): (.*)$", re.MULTILINE)
_STATUS: Final = re.compile(r"^[A-Z_]+: ")
_TAIL: Final = re.compile(r"( expecting \{.*\}| \(in container ''\)| \[INVALID_ARGUMENT\])")
_UNDECLARED: Final = re.compile(r"undeclared reference to '([^']*)'")
_OVERLOAD: Final = re.compile(r"found no matching overload for '([^']*)' applied to '\((.*)\)'")
_OPERATORS: Final = {
    "_[_]": "the index [ ]",
    "@in": "in",
    "_?_:_": "? :",
    "-_": "-",
    "!_": "!",
}
_TYPES: Final = (
    (re.compile(r"wrapper\((\w+)\)"), r"\1"),
    (re.compile(r"\bgoogle\.protobuf\.Timestamp\b|\btimestamp\b"), "time"),
    (re.compile(r"\bnull_type\b"), "null"),
)
_FUNCTIONS: Final = (
    *("contains", "startsWith", "endsWith", "matches", "size", "duration", "timestamp", "has", "exists", "all"),
    *("exists_one", "filter", "map", "orValue", "hasValue", "int", "uint", "double", "string", "bool", "type", "dyn"),
)
_WORDS: Final = {"and": "&&", "or": "||", "not": "!"}


class Issue(msgspec.Struct, frozen=True, kw_only=True):
    """One error. `line` and `column` count from 1 inside the expression."""

    line: int
    column: int
    message: str


class CelError(ValueError):
    """The expression cannot be used; `issues` says why, all at once."""

    def __init__(self, issues: tuple[Issue, ...]) -> None:
        super().__init__("; ".join(issue.message for issue in issues))
        self.issues = issues


def issue_at(text: str, start: int, message: str) -> Issue:
    """An issue at the character `start` of the expression."""
    before = text[:start]
    return Issue(line=before.count("\n") + 1, column=start - (before.rfind("\n") + 1) + 1, message=message)


def unknown_field(name: str, signal: str, fields: Sequence[str]) -> str:
    """The sentence about a name that is no field of `signal`."""
    advice = nearest(name, fields)
    return f"{signal} has no field '{name}'" + (f"; did you mean '{advice}'?" if advice else _listed(fields))


def translate(error: RuntimeError, text: str, signal: str, fields: Sequence[str]) -> tuple[Issue, ...]:
    """The issues of a refused expression, without the effects of others; of syntax errors only the first."""
    found = [
        (Issue(line=int(match[1]), column=int(match[2]), message=_TAIL.sub("", match[3])))
        for match in _MESSAGE.finditer(str(error))
    ]
    if not found:
        first = _STATUS.sub("", str(error).splitlines()[0])
        return (Issue(line=1, column=1, message=f"CEL refuses the expression: {_TAIL.sub('', first)}"),)
    syntax = [issue for issue in found if issue.message.startswith("Syntax error")]
    if syntax:
        return (_syntax(syntax[0], text),)
    causes = [issue for issue in found if "*error*" not in issue.message] or found
    return tuple(_semantic(issue, text, signal, fields) for issue in causes)


def _syntax(issue: Issue, text: str) -> Issue:
    line = _line(text, issue.line)
    rest = line[issue.column - 1 :]
    word = re.match(r"\w*", rest)
    before = re.search(r"(\w+)\s*$", line[: issue.column - 1])
    message = issue.message.replace("Syntax error: ", "")
    if "'<EOF>'" in message and "mismatched" in message and not rest:
        message = "the expression ends too early"
    elif re.match(r"=(?!=)", rest):
        message = "write == to compare"
    elif word and word[0].lower() in _WORDS:
        message = f"write {_WORDS[word[0].lower()]} instead of {word[0]}"
    elif before and before[1].lower() == "not":
        message = "write ! instead of not"
        issue = Issue(line=issue.line, column=before.start() + 1, message=message)
    else:
        message = f"syntax error: {message}"
    return Issue(line=issue.line, column=issue.column, message=message)


def _semantic(issue: Issue, text: str, signal: str, fields: Sequence[str]) -> Issue:
    undeclared = _UNDECLARED.search(issue.message)
    if undeclared is not None:
        return _undeclared(issue, undeclared[1], text, (signal, fields))
    overload = _OVERLOAD.search(issue.message)
    if overload is not None:
        message = _no_overload(overload[1], overload[2])
        return Issue(line=issue.line, column=issue.column, message=message)
    return issue


def _undeclared(issue: Issue, name: str, text: str, signal: tuple[str, Sequence[str]]) -> Issue:
    line = _line(text, issue.line)
    if line[issue.column - 1 : issue.column] != "(":
        message = unknown_field(name, *signal)
        return Issue(line=issue.line, column=issue.column, message=message)
    begin = line.rfind(name, 0, issue.column)
    advice = nearest(name, _FUNCTIONS)
    if name in _FUNCTIONS:
        message = f"the function {name}() takes other arguments"
    else:
        message = f"there is no function {name}()" + (f"; did you mean {advice}()?" if advice else "")
    return Issue(line=issue.line, column=(begin if begin >= 0 else issue.column - 1) + 1, message=message)


def _no_overload(operator: str, operands: str) -> str:
    for pattern, word in _TYPES:
        operands = pattern.sub(word, operands)
    shown = _OPERATORS.get(operator) or operator.strip("_")
    sides = operands.split(", ")
    if operator.startswith("_") and len(sides) == 2 and operator != "_[_]":
        return f"{shown} does not take {sides[0]} and {sides[1]}"
    return f"{shown} does not take ({operands})"


def _listed(fields: Sequence[str]) -> str:
    return ": it has " + ", ".join(sorted(fields))


def _line(text: str, number: int) -> str:
    lines = text.split("\n")
    return lines[number - 1] if number <= len(lines) else ""
