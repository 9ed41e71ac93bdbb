"""Hints: annotations `watcher.io/…` by which the team that owns a workload decides for itself.

They stand on the pods (by the workload's pod template) or on their namespace; of each hint the nearest one counts,
even when it is wrong: what its author had set aside is not put in its place. A runbook counts everywhere, the others
where the configuration allows them. Whatever does not count is a Mistake, never passed over in silence; values are
written by strangers, so they are checked, cut and cleaned here. When hints are read, and what follows from them, is
the pipeline's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from watcher.lib.redact import redact
from watcher.lib.shapes import nearest
from watcher.lib.text import clean, cut_middle
from watcher.model.config import HintRule
from watcher.model.hints import (
    ALL,
    ALLOWABLE,
    IGNORE,
    MUTE_UNTIL,
    PREFIX,
    RECEIVER,
    RUNBOOK,
    Hints,
    Mistake,
)
from watcher.model.identity import Workload
from watcher.model.rule import CompiledRule
from watcher.model.signals import SIGNALS

_T = TypeVar("_T")

Annotations = Mapping[str, str] | None

LONGEST: Final = 2000
"""Characters of a value: more is no URL and no list of names."""
MOST_UNKNOWN: Final = 5
"""Unknown annotations reported of one object."""

_KNOWN: Final = (RUNBOOK, *ALLOWABLE)
_URL: Final = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration has that a hint may name."""

    rules: tuple[HintRule, ...] = ()
    names: frozenset[str] = frozenset()
    """Signals and alerts."""
    receivers: frozenset[str] = frozenset()


def known(hints: tuple[HintRule, ...], rules: Iterable[CompiledRule], receivers: Iterable[str]) -> Known:
    """Made once per configuration."""
    names = frozenset(SIGNALS) | {rule.alert for rule in rules}
    return Known(rules=hints, names=names, receivers=frozenset(receivers))


def read(known: Known, at: datetime, workload: Workload, pod: Annotations, namespace: Annotations) -> Hints:
    """The hints for `workload` at `at`: its pods' annotations, and those of its namespace."""
    return _Reader(known, at, workload).read(pod or {}, namespace or {})


class _Wrong(Exception):
    """What is wrong with a value, and what to write."""


class _Reader:
    def __init__(self, known: Known, at: datetime, workload: Workload) -> None:
        self.known = known
        self.at = at
        self.workload = workload
        self.mistakes: list[Mistake] = []
        self.applied: list[str] = []

    def read(self, pod: Mapping[str, str], namespace: Mapping[str, str]) -> Hints:
        own, above = f"{self.workload.kind} {self.workload.name}", f"Namespace {self.workload.namespace}"
        self._unknown(own, pod)
        self._unknown(above, namespace)
        found: dict[str, tuple[str, str]] = {}
        for name in _KNOWN:
            key = PREFIX + name
            if key in pod:
                found[name] = (own, pod[key])
            elif key in namespace:
                found[name] = (above, namespace[key])
        runbook = self._value(RUNBOOK, found, _runbook)
        ignore = self._ignore(found)
        receiver = self._value(RECEIVER, found, self._receiver)
        mute_until = self._value(MUTE_UNTIL, found, self._time)
        return Hints(
            runbook=runbook or "",
            ignore=ignore,
            ignored_by=_words(IGNORE, found) if ignore else "",
            receiver=receiver or "",
            mute_until=mute_until,
            applied=tuple(self.applied),
            mistakes=tuple(dict.fromkeys(self.mistakes)),
        )

    def _value(self, name: str, found: dict[str, tuple[str, str]], read: Callable[[str], _T | None]) -> _T | None:
        """What the value of one hint comes to, if it is there, allowed and right."""
        if not self._counts(name, found):
            return None
        try:
            value = read(found[name][1].strip())
        except _Wrong as wrong:
            self._mistake(name, found[name][0], str(wrong))
            return None
        if value:
            self.applied.append(_words(name, found))
        return value

    def _counts(self, name: str, found: dict[str, tuple[str, str]]) -> bool:
        if name not in found:
            return False
        if name != RUNBOOK and not self._allowed(name):
            self._mistake(name, found[name][0], "not allowed in this namespace: the configuration's `hints` decide")
            return False
        if len(found[name][1]) > LONGEST:
            self._mistake(name, found[name][0], f"is longer than {LONGEST} characters")
            return False
        return True

    def _allowed(self, name: str) -> bool:
        namespace = self.workload.namespace
        fits = (rule for rule in self.known.rules if any(fnmatchcase(namespace, each) for each in rule.namespaces))
        return any(name in rule.allow for rule in fits)

    def _ignore(self, found: dict[str, tuple[str, str]]) -> frozenset[str]:
        """The names that are known count, also beside one that is not."""
        if not self._counts(IGNORE, found):
            return frozenset()
        where, value = found[IGNORE]
        names = list(dict.fromkeys(filter(None, (part.strip() for part in value.split(",")))))
        wrong = [name for name in names if name != ALL and name not in self.known.names]
        if not names:
            self._mistake(IGNORE, where, "names nothing: write names of signals or alerts, or all")
        if wrong:
            advice = nearest(wrong[0], {ALL, *self.known.names})
            more = f" (nor {len(wrong) - 1} more)" if len(wrong) > 1 else ""
            hint = f"; did you mean {advice}?" if advice else ""
            self._mistake(IGNORE, where, f"there is no signal or alert {_shown(wrong[0])}{more}{hint}")
        right = frozenset(names) - frozenset(wrong)
        return frozenset((ALL,)) if ALL in right else right

    def _receiver(self, value: str) -> str:
        if value in self.known.receivers:
            return value
        if not value:
            raise _Wrong("names no receiver")
        advice = nearest(value, self.known.receivers)
        raise _Wrong(f"there is no receiver {_shown(value)}" + (f"; did you mean {advice}?" if advice else ""))

    def _time(self, value: str) -> datetime | None:
        """None: it is over."""
        try:
            if not _TIME.fullmatch(value):
                raise ValueError
            until = datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            raise _Wrong("must be a time with its zone, such as 2026-11-20T18:00:00Z") from None
        return until if until > self.at else None

    def _unknown(self, where: str, annotations: Mapping[str, str]) -> None:
        names = sorted(key for key in annotations if key.startswith(PREFIX) and key.removeprefix(PREFIX) not in _KNOWN)
        for key in names[:MOST_UNKNOWN]:
            advice = nearest(key.removeprefix(PREFIX), _KNOWN)
            problem = f"; did you mean {PREFIX}{advice}?" if advice else f": known are {', '.join(_KNOWN)}"
            self._mistake(key.removeprefix(PREFIX), where, f"there is no such hint{problem}")

    def _mistake(self, name: str, where: str, problem: str) -> None:
        namespace = self.workload.namespace
        annotation = PREFIX + _shown(name)
        self.mistakes.append(Mistake(namespace=namespace, object=where, annotation=annotation, problem=problem))


def _runbook(value: str) -> str:
    try:
        parts = urlsplit(value) if _URL.fullmatch(value) else None
        fits = parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        parts, fits = None, False
    if parts is None or not fits:
        raise _Wrong("must be an http or https URL")
    if "@" in parts.netloc:
        raise _Wrong("must not hold a user name or a password")
    return value


def _words(name: str, found: dict[str, tuple[str, str]]) -> str:
    where, value = found[name]
    return f"{PREFIX}{name}={_shown(value.strip())} on {where}"


def _shown(text: str) -> str:
    return cut_middle(" ".join(redact(clean(text[:LONGEST])).split()), 80)
