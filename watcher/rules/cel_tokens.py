"""The tokens of a CEL expression: as much as renaming, checking literals and explaining need.

CEL's library gives no tree, only a compiled program. What must be known about the text itself (which fields it
names, which literals stand in calls, where `&&` joins its parts) is read from its tokens here; whether the text
is right is left to the library, so a text with errors gives tokens too.
Grammar: https://github.com/google/cel-spec/blob/master/doc/langdef.md#syntax
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

import msgspec


class Kind(StrEnum):
    NAME = "name"
    STRING = "string"
    NUMBER = "number"
    OPERATOR = "operator"


class NullTest(msgspec.Struct, frozen=True, gc=False):
    """`field == null`, `null != field` and so on, from `start` to `end`."""

    field: str
    start: int
    end: int
    negated: bool


class Token(msgspec.Struct, frozen=True, gc=False):
    """`start` counts characters from the beginning of the expression."""

    kind: Kind
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


_STRING: Final = (
    r"(?:[rR][bB]?|[bB][rR]?)?"
    r'(?:"""(?:\\.|[^\\])*?"""|\'\'\'(?:\\.|[^\\])*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\')'
)
_RAW: Final = r'(?:[rR][bB]?|[bB][rR])(?:""".*?"""|\'\'\'.*?\'\'\'|"[^"\n]*"|\'[^\'\n]*\')'
"""Raw strings know no escapes."""
_TOKEN: Final = re.compile(
    rf"(?P<skip>\s+|//[^\n]*)"
    rf"|(?P<string>{_RAW}|{_STRING})"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*|`[^`\n]*`)"
    r"|(?P<number>0[xX][0-9a-fA-F]+[uU]?|[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?[uU]?|\.[0-9]+(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<operator>&&|\|\||[=!<>]=|.)",
    re.DOTALL,
)
_OPENING: Final = frozenset("([{")
_CLOSING: Final = frozenset(")]}")


def tokens(text: str) -> tuple[Token, ...]:
    """The tokens of `text` without spaces and comments; what fits no rule is an operator of one character."""
    return tuple(
        Token(Kind(match.lastgroup), match[0], match.start())
        for match in _TOKEN.finditer(text)
        if match.lastgroup is not None and match.lastgroup != "skip"
    )


def free_names(stream: tuple[Token, ...]) -> tuple[Token, ...]:
    """The names that stand for themselves: not the `b` of `a.b`, nor a function's name."""
    found = []
    for index, token in enumerate(stream):
        if token.kind is not Kind.NAME:
            continue
        selected = index > 0 and stream[index - 1].text == "."
        called = index + 1 < len(stream) and stream[index + 1].text == "("
        if not selected and not called:
            found.append(token)
    return tuple(found)


def literal_arguments(stream: tuple[Token, ...], function: str) -> tuple[Token, ...]:
    """The string literals that are the last argument of `function`: `f("x")`, `a.f("x")`, `f(a, "x")`."""
    found = []
    for index, token in enumerate(stream):
        if token.text != function or index + 1 >= len(stream) or stream[index + 1].text != "(":
            continue
        closing = _closing(stream, index + 1)
        if closing is None:
            continue
        last, before = stream[closing - 1], stream[closing - 2]
        if last.kind is Kind.STRING and before.text in ("(", ","):
            found.append(last)
    return tuple(found)


def null_tests(stream: tuple[Token, ...], fields: frozenset[str]) -> tuple[NullTest, ...]:
    """Where one of `fields` is compared with null."""
    found = []
    for index in range(1, len(stream) - 1):
        left, operator, right = stream[index - 1 : index + 2]
        if operator.text not in ("==", "!="):
            continue
        field = left if right.text == "null" else right
        other = right if field is left else left
        selected = field is left and index > 1 and stream[index - 2].text == "."
        if other.text == "null" and field.kind is Kind.NAME and field.text in fields and not selected:
            found.append(NullTest(field.text, left.start, right.end, operator.text == "!="))
    return tuple(found)


def conjuncts(text: str) -> tuple[str, ...]:
    """The parts that `&&` joins at the top of `text`; the text itself where an operator binds less than `&&`."""
    depth = 0
    parts = []
    begin = 0
    for token in tokens(text):
        if token.kind is not Kind.OPERATOR:
            continue
        depth += (token.text in _OPENING) - (token.text in _CLOSING)
        if depth == 0 and token.text in ("||", "?"):
            return (text.strip(),)
        if depth == 0 and token.text == "&&":
            parts.append(text[begin : token.start].strip())
            begin = token.end
    parts.append(text[begin:].strip())
    return tuple(parts)


def _closing(stream: tuple[Token, ...], opening: int) -> int | None:
    depth = 0
    for index in range(opening, len(stream)):
        token = stream[index]
        if token.kind is Kind.OPERATOR:
            depth += (token.text in _OPENING) - (token.text in _CLOSING)
            if depth == 0:
                return index
    return None
