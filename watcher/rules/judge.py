"""A rule looks at a signal: the verdict, and in words why it is not true.

Only the fields that an expression names are taken from the signal. `why_not` is for people and may be slow: it
compiles the parts of the condition again to name the one that failed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from watcher.model.rule import CompiledRule, Expression, Verdict
from watcher.model.signals import Signal
from watcher.rules.cel import compile_expression
from watcher.rules.cel_errors import CelError
from watcher.rules.cel_tokens import Kind, conjuncts, tokens

_LONGEST_TEXT: Final = 60


def judge(rule: CompiledRule, signal: Signal) -> Verdict:
    """What `rule` says of `signal`, which is of the rule's own signal type. Never raises."""
    where, error = (True, "") if rule.where is None else _decide(rule.where, signal)
    if rule.until is None:
        return Verdict(where=where, error=error)
    until, until_error = _decide(rule.until, signal)
    return Verdict(where=where, until=until, error=error or until_error)


def why_not(rule: CompiledRule, signal: Signal) -> str:
    """Why `where` is not true: `deaths_10m >= 3 is false (deaths_10m is 2)`; empty where it is true."""
    if rule.where is None:
        return ""
    value, _ = _decide(rule.where, signal)
    if value is True:
        return ""
    parts = [(part, *_decide(part, signal)) for part in _parts(rule.where, rule.signal)]
    failed = [each for each in parts if each[1] is False] or [each for each in parts if each[1] is None]
    return _sentence(*failed[0], signal) if failed else f"{rule.where.text} is undecided"


def _sentence(part: Expression, value: bool | None, error: str, signal: Signal) -> str:
    word = "is false" if value is False else "is undecided"
    if not part.names:
        return f"{part.text} {word.replace('is', 'is always')}"
    facts = [] if part.text.strip("!() ") in part.names and value is False else [*_facts(part, signal)]
    if error:
        facts.append(error)
    return f"{part.text} {word}" + (f" ({'; '.join(facts)})" if facts else "")


def _decide(expression: Expression, signal: Signal) -> tuple[bool | None, str]:
    return expression.evaluate({name: getattr(signal, name) for name in expression.names})


def _parts(where: Expression, signal: type[Signal]) -> list[Expression]:
    """The conditions that `&&` joins, the false ones to be named alone; the whole where it cannot be taken apart."""
    try:
        return [compile_expression(part, signal) for part in conjuncts(where.text)]
    except CelError:
        return [where]


def _facts(expression: Expression, signal: Signal) -> Iterator[str]:
    literals = [token.text.strip("'\"") for token in tokens(expression.text) if token.kind is Kind.STRING]
    for name in expression.names:
        value = getattr(signal, name)
        if isinstance(value, Mapping):
            named = {key: value[key] for key in literals if key in value}
            yield from (f'{name}["{key}"] is {_shown(each)}' for key, each in named.items())
            if not named:
                yield f"{name}: none of that name"
        else:
            yield f"{name} is {_shown(value)}"


def _shown(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, str):
        return f'"{value}"' if len(value) <= _LONGEST_TEXT else f'"{value[: _LONGEST_TEXT - 1]}…"'
    return f"{value:g}" if isinstance(value, float) else str(value)
