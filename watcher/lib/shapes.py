"""pydantic's verdict on a YAML document, as problems with places and in sentences that say what to do.

Models check shape and types of configuration and rule files; what the values mean is checked by whoever
reads them. An error never repeats the value that was given: it may be a secret, and errors end in logs.
"""

import difflib
import types
import typing
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from watcher.lib.durations import DurationError, parse_duration
from watcher.lib.problems import Problem
from watcher.lib.yamlpos import Document, Path

__all__ = ["Duration", "Shape", "Written", "nearest", "shape_problems"]


class Shape(BaseModel):
    """A mapping of a file: no unknown keys, frozen, and errors that do not repeat what was given."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    UNKNOWN_KEYS: ClassVar[Mapping[str, str]] = {}
    """What to say of a key that is unknown and that people will write all the same."""


def _duration(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, bool | float) or not isinstance(value, str | int):
        raise ValueError("must be a duration such as 30s, 5m or 1h30m")
    try:
        return parse_duration(str(value))
    except DurationError as error:
        raise ValueError(str(error)) from None


Duration = Annotated[timedelta, BeforeValidator(_duration)]
"""Prometheus' durations: 90s, 5m, 1h30m, 7d."""

Written = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, bool | int | float) else value)]
"""Text that Alertmanager also takes without quotes where YAML reads a number or a boolean, as in `match: {code: 500}`;
what its author wrote is `Document.source`, not this value."""

_WANTED: Final = {
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
}


def shape_problems(error: ValidationError, document: Document, model: type[BaseModel], path: Path) -> list[Problem]:
    """The problems of `error`, which `model` raised for the part of `document` at `path`."""
    return [_problem(each, document, model, path) for each in error.errors(include_url=False, include_input=False)]


def nearest(name: str, known: Iterable[str]) -> str:
    """The word of `known` that a typing error makes of `name`, or the empty text."""
    words = {each.lower(): each for each in known}
    close = difflib.get_close_matches(name.lower(), words, n=1, cutoff=0.6)
    return words[close[0]] if close else ""


def _problem(error: Any, document: Document, model: type[BaseModel], prefix: Path) -> Problem:
    kind, loc = error["type"], tuple(error["loc"])
    path = prefix + loc
    if kind == "extra_forbidden":
        return document.problem(path, _unknown_key(str(loc[-1]), _model_at(model, loc[:-1])), key=True)
    if kind == "missing":
        return document.problem(path[:-1], f"{loc[-1]} is missing")
    name = f"{_named(path)} " if path else ""
    if kind in ("literal_error", "enum"):
        return document.problem(path, f"{name}must be {error['ctx']['expected']}")
    if kind == "value_error":
        return document.problem(path, _sentence(name, str(error["ctx"]["error"])))
    if kind == "greater_than_equal":
        return document.problem(path, f"{name}must be {error['ctx']['ge']} or more")
    if kind == "too_short":
        return document.problem(path, f"{name}must not be empty")
    wanted = _WANTED.get(kind)
    if wanted is None:
        return document.problem(path, f"{name or 'value '}is wrong: {error['msg']}")
    return document.problem(path, f"{name or 'this '}{wanted}{_given(document, path, kind)}")


def _named(path: Path) -> str:
    """`group_by[1]` for the end of a path; an item's own name is that of its list."""
    last = path[-1]
    if isinstance(last, str):
        return last
    before = path[-2] if len(path) > 1 else ""
    return f"{before}[{last}]" if isinstance(before, str) else f"[{last}]"


def _sentence(name: str, message: str) -> str:
    return f"{name}{message}" if message.startswith(("must", "is ", "cannot")) else message


def _given(document: Document, path: Path, kind: str) -> str:
    """What stands there instead, by its kind only."""
    value: Any = document.data
    for step in path:
        try:
            value = value[step]
        except (LookupError, TypeError):
            return ""
    if kind == "string_type" and isinstance(value, bool | int | float):
        return ": put it in quotes"
    words = {dict: "a mapping", list: "a list", str: "text", type(None): "empty (text that begins with # needs quotes)"}
    if value is None and kind != "string_type":
        return ", not empty"
    word = words.get(type(value))
    return f", not {word}" if word else ""


def _unknown_key(key: str, model: type[BaseModel] | None) -> str:
    if model is not None and issubclass(model, Shape) and key in model.UNKNOWN_KEYS:
        return model.UNKNOWN_KEYS[key]
    known = sorted(_fields(model)) if model is not None else []
    advice = nearest(key, known)
    if advice:
        return f"unknown key {key}; did you mean {advice}?"
    return f"unknown key {key}" + (f": known are {', '.join(known)}" if known else "")


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _model_at(model: type[BaseModel], loc: Path) -> type[BaseModel] | None:
    """The model of the mapping at `loc` below `model`; a list's or a mapping's values are its last parameter."""
    annotation: Any = model
    for step in loc:
        if isinstance(step, str) and _is_model(annotation):
            annotation = _fields(annotation).get(step)
        else:
            annotation = next(reversed(typing.get_args(annotation)), None)
        annotation = _without_none(annotation)
    return annotation if _is_model(annotation) else None


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _without_none(annotation: Any) -> Any:
    while typing.get_origin(annotation) in (types.UnionType, typing.Union, Annotated):
        options = typing.get_args(annotation)
        annotation = next((each for each in options if each is not types.NoneType), None)
    return annotation
