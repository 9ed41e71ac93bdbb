"""Rule files -> compiled rules, or every error of every file at once, each with file, line and column.

Each rule is checked in two passes that do not wait for each other: its shape (keys, types, durations) by pydantic,
and what it says (signal, expressions, labels, templates) by the functions below, on whatever parts are there. Only
where all files are free of errors are the rules worth using; warnings refuse nothing.
CEL itself is in `cel.py`, templates in `lib`; reading files is the settings' affair.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

import msgspec
from pydantic import BaseModel, ValidationError

from watcher.lib.problems import Problem, Severity
from watcher.lib.shapes import nearest, shape_problems
from watcher.lib.templates import TemplateProblem, compile_template
from watcher.lib.yamlpos import Document, Path
from watcher.model.rule import CompiledRule, Rendering
from watcher.model.signals import SIGNALS, Signal
from watcher.rules.cel import CelExpression, compile_expression, used_fields
from watcher.rules.cel_errors import CelError
from watcher.rules.place import position_within
from watcher.rules.shape import FileShape, GroupShape, RuleShape

SEVERITIES: Final = ("critical", "warning", "info")
OWN_LABELS: Final = frozenset(
    ("alertname", "cluster", "namespace", "workload_kind", "workload", "container", "claim", "node", "pod")
)
"""Labels that name the subject; Watcher sets them, and an alert's identity hangs on them."""

GROWING_FIELDS: Final[frozenset[str]] = frozenset()
"""Fields that only grow with time, refused in `where`: nothing would wake the core when they pass the limit, and
`for` says the same. None of the present signals has one."""

_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
"""Label names of Prometheus' data model; those that begin with __ are its own."""
_COMPLAINT: Final = re.compile(r"there is no (?:value|filter|test) (\w+)")
_NOT_IN_ALERT: Final = re.compile(r"[|#\x00-\x1f\x7f]")
"""`|` joins alert keys and `#` rule ids."""


_M = TypeVar("_M", bound=BaseModel)


class _Found(msgspec.Struct):
    """What one run collects."""

    rules: list[CompiledRule]
    problems: list[Problem]
    homes: dict[str, tuple[Document, Path, int]]
    """By alert name: its first rule, and which group (counted over all files) that is in."""
    groups: int = 0


def compile_rules(documents: Sequence[Document]) -> tuple[tuple[CompiledRule, ...], list[Problem]]:
    """The rules of all files in their order, and all problems; with an error among these, use none of the rules."""
    found = _Found(rules=[], problems=[], homes={})
    for document in documents:
        shape = _shaped(FileShape, document, (), found.problems)
        names: dict[str, Path] = {}
        for index, _ in enumerate(_list(document.data, "groups") if shape is None else shape.groups):
            _group(document, ("groups", index), names, found)
    return tuple(found.rules), found.problems


def _group(document: Document, path: Path, names: dict[str, Path], found: _Found) -> None:
    found.groups += 1
    _shaped(GroupShape, document, path, found.problems)
    data = _at(document, path)
    name = data.get("name") if isinstance(data, dict) else None
    if isinstance(name, str):
        here = (*path, "name")
        if name in names:
            first = document.position(names[name])
            found.problems.append(document.problem(here, f"the group {name} is there already, in line {first.line}"))
        names.setdefault(name, here)
    for index, _ in enumerate(_list(data, "rules")):
        _rule(document, (*path, "rules", index), str(name or ""), found)


def _rule(document: Document, path: Path, group: str, found: _Found) -> None:
    shape = _shaped(RuleShape, document, path, found.problems)
    data = _at(document, path)
    if not isinstance(data, dict):
        return
    errors = len(found.problems)
    found.problems.extend(_alert_name(document, path, data.get("alert"), found))
    found.problems.extend(_labels(document, path, data))
    signal = _signal(document, path, data.get("signal"), found.problems)
    if signal is None:
        return
    conditions = {key: _condition(document, (*path, key), signal, found.problems) for key in ("where", "until")}
    annotations = _annotations(document, path, signal, found.problems)
    if shape is None or any(problem.is_error for problem in found.problems[errors:]):
        return
    rule = CompiledRule(
        id=_rule_id(shape.alert, found.rules),
        alert=shape.alert,
        group=group,
        signal=signal,
        where=conditions["where"],
        until=conditions["until"],
        hold=shape.hold,
        keep_firing_for=shape.keep_firing_for,
        per=shape.per,
        labels=dict(shape.labels),
        annotations=annotations,
        text_hash=_hash(data),
    )
    found.rules.append(rule)


def _shaped(model: type[_M], document: Document, path: Path, problems: list[Problem]) -> _M | None:
    try:
        return model.model_validate(_at(document, path))
    except ValidationError as error:
        problems.extend(shape_problems(error, document, model, path))
        return None


def _alert_name(document: Document, path: Path, name: Any, found: _Found) -> Iterator[Problem]:
    if not isinstance(name, str):
        return
    here = (*path, "alert")
    if not name.strip() or _NOT_IN_ALERT.search(name):
        yield document.problem(here, "an alert's name must not be empty, nor hold |, # or control characters")
    home = found.homes.setdefault(name, (document, here, found.groups))
    if home[2] != found.groups:
        first = home[0].position(home[1])
        yield document.problem(
            here, f"the alert {name} is in another group too ({first}): rules of one alert stand in one group"
        )


def _labels(document: Document, path: Path, data: dict[str, Any]) -> Iterator[Problem]:
    labels = data.get("labels")
    for name, value in labels.items() if isinstance(labels, dict) else ():
        here = (*path, "labels", name)
        if not _NAME.fullmatch(name) or name.startswith("__"):
            yield document.problem(here, f"{name} is no label name: letters, digits and _ only", key=True)
        elif name in OWN_LABELS:
            yield document.problem(here, f"the label {name} is set by Watcher: remove it or rename it", key=True)
        elif isinstance(value, str) and "{{" in value:
            yield document.problem(here, "a label is constant: templates are for annotations")
        elif name == "severity" and value not in SEVERITIES:
            yield document.problem(here, f"severity must be one of {', '.join(SEVERITIES)}")


def _signal(document: Document, path: Path, name: Any, problems: list[Problem]) -> type[Signal] | None:
    if not isinstance(name, str):
        return None
    if name not in SIGNALS:
        advice = nearest(name, SIGNALS)
        known = f"did you mean {advice}?" if advice else f"there are {', '.join(sorted(SIGNALS))}"
        problems.append(document.problem((*path, "signal"), f"there is no signal {name}; {known}"))
    return SIGNALS.get(name)


def _condition(document: Document, path: Path, signal: type[Signal], problems: list[Problem]) -> CelExpression | None:
    value = _at(document, path)
    if not isinstance(value, str | bool):
        return None
    text = document.source(path) or ""
    try:
        expression = compile_expression(text.lower() if isinstance(value, bool) else text, signal)
    except CelError as error:
        for issue in error.issues:
            place = position_within(document, path, issue.line, issue.column)
            problems.append(Problem(position=place, message=issue.message))
        return None
    if path[-1] == "where":
        problems.extend(_never_or_growing(document, path, signal, expression))
    return expression


def _never_or_growing(
    document: Document, path: Path, signal: type[Signal], expression: CelExpression
) -> Iterator[Problem]:
    if expression.constant() is False:
        yield document.problem(path, "this is always false: the rule can never fire", severity=Severity.WARNING)
    for name, issue in used_fields(expression.text, signal):
        if name in GROWING_FIELDS:
            place = position_within(document, path, issue.line, issue.column)
            message = f"{name} only grows with time: leave it out of where and say how long with for"
            yield Problem(position=place, message=message)


def _annotations(document: Document, path: Path, signal: type[Signal], problems: list[Problem]) -> dict[str, Rendering]:
    texts = _at(document, (*path, "annotations"))
    known = frozenset((*signal.__struct_fields__, "members"))
    compiled: dict[str, Rendering] = {}
    for name, text in texts.items() if isinstance(texts, dict) else ():
        here = (*path, "annotations", name)
        if not _NAME.fullmatch(name):
            problems.append(
                document.problem(here, f"{name} is no annotation name: letters, digits and _ only", key=True)
            )
        if not isinstance(text, str):
            continue
        try:
            compiled[name] = compile_template(text, known)
        except TemplateProblem as error:
            place = position_within(document, here, max(error.line, 1), _column(text, error))
            problems.append(Problem(position=place, message=error.message))
    return compiled


def _column(text: str, error: TemplateProblem) -> int:
    """Jinja2 knows lines only; the name that the message complains of is looked for in its line."""
    wrong = _COMPLAINT.search(error.message)
    lines = text.split("\n")[max(error.line, 1) - 1 :]
    found = re.search(rf"\b{wrong[1]}\b", lines[0]) if wrong is not None and lines else None
    return found.start() + 1 if found is not None else 1


def _rule_id(alert: str, rules: Sequence[CompiledRule]) -> str:
    count = sum(rule.alert == alert for rule in rules) + 1
    return alert if count == 1 else f"{alert}#{count}"


def _hash(data: dict[str, Any]) -> str:
    return hashlib.sha256(msgspec.json.encode(data, order="sorted")).hexdigest()[:16]


def _at(document: Document, path: Path) -> Any:
    """The data at a path, or None."""
    data: Any = document.data
    for step in path:
        try:
            data = data[step]
        except (LookupError, TypeError):
            return None
    return data


def _list(data: Any, key: str) -> list[Any]:
    value = data.get(key) if isinstance(data, dict) else None
    return value if isinstance(value, list) else []
