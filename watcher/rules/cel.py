"""CEL over the fields of a signal: compile once with all errors, evaluate often, never raise.

Problem: Google's cel-expr-python has no nullable numbers, refuses `used_percent >= 80` (double against int),
reserves `namespace`, finds a bad regex only when it runs, and calls `exit_code != 0` true where the exit code is
unknown. Choice: two environments per signal type. One *checks*: flat variables with the types of the Struct's
fields, `X | None` as protobuf's wrapper types, comparisons of double with int declared. One *runs*: nullable
fields dynamic. A null field is left out of the evaluation, so that whatever touches it is an error that `&&` and
`||` still absorb where they can: that is "undecided". Only `field == null` and `!= null` may ask; they become
variables of their own.

The words of errors are made in `cel_errors`; `compile.py` maps their places into the file.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final

import msgspec
from cel_expr_python import cel
from cel_expr_python.ext import ext_optional

from watcher.model.signals import Signal
from watcher.rules.cel_errors import CelError, Issue, issue_at, translate, unknown_field
from watcher.rules.cel_tokens import NullTest, Token, free_names, literal_arguments, null_tests, tokens

MAX_BYTES: Final = 2048
"""Longer texts are refused before CEL's recursive parser sees them."""

_RESERVED: Final = {"namespace": "_namespac"}
"""Names that CEL reserves, and names of the same length (columns stay right) that stand for them inside."""
_NULL_TEST: Final = "_is_null_{}"

_PLAIN: Final[dict[Any, cel.Type]] = {
    str: cel.Type.STRING,
    int: cel.Type.INT,
    float: cel.Type.DOUBLE,
    bool: cel.Type.BOOL,
    datetime: cel.Type.TIMESTAMP,
    dict[str, str]: cel.Type.Map(cel.Type.STRING, cel.Type.STRING),
    tuple[str, ...]: cel.Type.List(cel.Type.STRING),
}
_WRAPPED: Final[dict[Any, str]] = {
    str: "google.protobuf.StringValue",
    int: "google.protobuf.Int64Value",
    float: "google.protobuf.DoubleValue",
    bool: "google.protobuf.BoolValue",
}
_COMPARISONS: Final = {
    "_<_": "less",
    "_<=_": "less_equals",
    "_>_": "greater",
    "_>=_": "greater_equals",
    "_==_": "equals",
    "_!=_": "not_equals",
}
_LITERALS: Final = (
    ("matches", '"".matches({})', "bad regex {}: {}"),
    ("duration", 'duration({}) == duration("1s")', "{} is no duration of CEL's, such as 90s or 168h"),
    ("timestamp", "timestamp({}) == timestamp(0)", "{} is no time such as 2026-11-20T10:00:00Z"),
)
"""Calls whose literal argument is right or wrong before any signal is seen: function, its test, what to say."""

_STATUS: Final = re.compile(r"^[A-Z_]+: ")
_ABSENT: Final = ("No value with name ", "Key not found in map")


class CelExpression:
    """A compiled condition on the fields of one signal type."""

    __slots__ = ("_inputs", "_names", "_null_tests", "_program", "_text")

    def __init__(self, text: str, program: cel.Expression, names: tuple[str, ...], tests: tuple[NullTest, ...]) -> None:
        self._text = text
        self._names = names
        self._program = program
        self._inputs = tuple((_RESERVED.get(name, name), name) for name in names)
        self._null_tests = tuple((_NULL_TEST.format(test.field), test.field) for test in tests)

    @property
    def text(self) -> str:
        """As its author wrote it."""
        return self._text

    @property
    def names(self) -> tuple[str, ...]:
        """The fields that it uses, in the order of the text."""
        return self._names

    def evaluate(self, fields: Mapping[str, Any]) -> tuple[bool | None, str]:
        """(value, error): None where undecided; no error where a null field or a missing key made it so."""
        data = {inner: _value(value) for inner, name in self._inputs if (value := fields[name]) is not None}
        for inner, name in self._null_tests:
            data[inner] = fields[name] is None
        try:
            value = self._program.eval(data=data).value()
        except RuntimeError as error:
            return None, str(error)
        if value is True or value is False:
            return value, ""
        text = str(value)
        return None, "" if any(absent in text for absent in _ABSENT) else _STATUS.sub("", text)

    def constant(self) -> bool | None:
        """Its value if that depends on no field, else None."""
        value = self._program.eval(data={}).value()
        return value if isinstance(value, bool) else None


def _value(value: Any) -> Any:
    """The library takes lists, and no tuples."""
    return list(value) if isinstance(value, tuple) else value


class _Environment(msgspec.Struct, frozen=True):
    check: cel.Env
    run: cel.Env
    fields: tuple[str, ...]
    nullable: frozenset[str]


def compile_expression(text: str, signal: type[Signal]) -> CelExpression:
    """Compile a condition on the fields of `signal`; raises CelError with every error found."""
    _refuse_unreadable(text)
    stream = tokens(text)
    if not stream:
        message = "the expression is empty: leave the key out to mean always"
        raise CelError((Issue(line=1, column=1, message=message),))
    environment = _environment(signal)
    issues = _hidden_names(text, stream, signal)
    program = None
    try:
        program = environment.check.compile(_rewritten(text, stream, ()))
    except RuntimeError as error:
        issues += translate(error, text, signal.__name__, environment.fields)
    issues += _bad_literals(text, stream, environment.run)
    if program is None or issues:
        raise CelError(tuple(sorted(issues, key=lambda issue: (issue.line, issue.column))))
    if program.return_type() != cel.Type.BOOL:
        message = f"the result must be true or false, not {program.return_type().name()}"
        raise CelError((issue_at(text, stream[0].start, message),))
    return _finished(text, stream, program, environment)


def _refuse_unreadable(text: str) -> None:
    """What must not come near the library: it takes UTF-8 only, and its parser is recursive."""
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise CelError((issue_at(text, error.start, "this character is half of one: write it whole"),)) from None
    if size > MAX_BYTES:
        raise CelError((Issue(line=1, column=1, message=f"the expression is longer than {MAX_BYTES} bytes"),))


def used_fields(text: str, signal: type[Signal]) -> tuple[tuple[str, Issue], ...]:
    """The fields of `signal` that a text names, each with its place (an issue without a message)."""
    known = _environment(signal).fields
    found = (token for token in free_names(tokens(text)) if token.text in known)
    return tuple((token.text, issue_at(text, token.start, "")) for token in found)


def _finished(
    text: str, stream: tuple[Token, ...], program: cel.Expression, environment: _Environment
) -> CelExpression:
    tests = null_tests(stream, environment.nullable)
    if tests:
        try:
            program = environment.check.compile(_rewritten(text, stream, tests))
        except RuntimeError:
            message = "put the comparison with null in parentheses: other operators stand beside it"
            raise CelError((issue_at(text, tests[0].start, message),)) from None
    used = {token.text: None for token in free_names(stream) if token.text in environment.fields}
    return CelExpression(text, environment.run.deserialize(program.serialize()), tuple(used), tests)


def _rewritten(text: str, stream: tuple[Token, ...], tests: tuple[NullTest, ...]) -> str:
    """The text with reserved names replaced and each null test put as a variable of its own."""
    reserved = (token for token in free_names(stream) if token.text in _RESERVED)
    pieces = [(token.start, token.end, _RESERVED[token.text]) for token in reserved]
    pieces += [(test.start, test.end, "!" * test.negated + _NULL_TEST.format(test.field)) for test in tests]
    for start, end, new in sorted(pieces, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _hidden_names(text: str, stream: tuple[Token, ...], signal: type[Signal]) -> tuple[Issue, ...]:
    """Our own names inside the environments are nobody else's."""
    hidden = {*_RESERVED.values(), *(_NULL_TEST.format(name) for name in _environment(signal).nullable)}
    fields = _environment(signal).fields
    return tuple(
        issue_at(text, token.start, unknown_field(token.text, signal.__name__, fields))
        for token in free_names(stream)
        if token.text in hidden
    )


def _bad_literals(text: str, stream: tuple[Token, ...], run: cel.Env) -> tuple[Issue, ...]:
    issues = []
    for function, template, words in _LITERALS:
        for literal in literal_arguments(stream, function):
            try:
                program = run.compile(template.format(literal.text))
            except RuntimeError:
                continue  # no valid literal: the check of the whole text says so
            value = program.eval(data={})
            if value.type() == cel.Type.ERROR:
                reason = _STATUS.sub("", str(value.value())).removeprefix("invalid regular expression: ")
                issues.append(issue_at(text, literal.start, words.format(literal.text, reason)))
    return tuple(issues)


@cache
def _environment(signal: type[Signal]) -> _Environment:
    check: dict[str, cel.Type] = {}
    run: dict[str, cel.Type] = {}
    nullable = set()
    hints = typing.get_type_hints(signal)
    for name in signal.__struct_fields__:
        inner = _RESERVED.get(name, name)
        plain = _plain_of_nullable(hints[name])
        if plain is None:
            check[inner] = run[inner] = _PLAIN[hints[name]]
        else:
            check[inner], run[inner] = cel.Type(_WRAPPED[plain]), cel.Type.DYN
            check[_NULL_TEST.format(name)] = run[_NULL_TEST.format(name)] = cel.Type.BOOL
            nullable.add(name)
    optional = ext_optional.ExtOptional()
    environment = _Environment(
        cel.NewEnv(variables=check, extensions=[_mixed_comparisons(), optional]),
        cel.NewEnv(variables=run, extensions=[optional]),
        signal.__struct_fields__,
        frozenset(nullable),
    )
    # Without a first compile of its own, every timestamp of a deserialised program fails (seen with 0.1.3).
    environment.run.compile("true")
    return environment


def _plain_of_nullable(annotation: Any) -> Any:
    """`X` of `X | None`, else None."""
    if typing.get_origin(annotation) not in (types.UnionType, typing.Union):
        return None
    (plain,) = (each for each in typing.get_args(annotation) if each is not types.NoneType)
    return plain


def _mixed_comparisons() -> cel.CelExtension:
    """Declared only, for the checker: at run time CEL compares numbers of any two types."""
    decimal, whole = cel.Type.DOUBLE, cel.Type.INT
    declared = []
    for operator, word in _COMPARISONS.items():
        overloads = [
            cel.Overload(f"watcher_{word}_double_int64", cel.Type.BOOL, [decimal, whole]),
            cel.Overload(f"watcher_{word}_int64_double", cel.Type.BOOL, [whole, decimal]),
        ]
        declared.append(cel.FunctionDecl(operator, overloads))
    return cel.CelExtension("watcher_mixed_comparisons", declared)
