"""Runs rule tests: each on its own, through the whole pipeline, with the rules that its file names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

import msgspec

from watcher.lib.problems import Problem
from watcher.lib.yamlpos import YamlError
from watcher.lib.yamlpos import load as load_yaml
from watcher.model.config import FirstStart
from watcher.model.kube import KubeObject
from watcher.model.message import Notification
from watcher.model.observations import Ended, Input, ObjectSeen, object_of
from watcher.model.rule import CompiledRule
from watcher.pipeline import Core
from watcher.pipeline.core import subjects
from watcher.replay.player import Player
from watcher.rules.compile import compile_rules
from watcher.rules.testfile import Expectation, Expected, RuleTest, Sent, mismatches, parse_tests
from watcher.rules.testinputs import inputs
from watcher.settings.core import core_of
from watcher.settings.load import ConfigErrors, load
from watcher.source.reading import read


class Result(msgspec.Struct, frozen=True, kw_only=True):
    file: str
    name: str
    failures: tuple[str, ...] = ()


def run_files(files: Sequence[Path]) -> list[Result]:
    """The results of all tests; ConfigErrors names what is wrong with the test files or the rules they name."""
    problems: list[Problem] = []
    planned: list[tuple[Path, RuleTest]] = []
    for file in files:
        try:
            tests, found = parse_tests(load_yaml(file.read_bytes(), str(file)))
        except YamlError as error:
            problems.extend(error.problems)
            continue
        problems.extend(found)
        planned.extend((file, test) for test in tests)
    if problems:
        raise ConfigErrors(problems)
    rules = lru_cache(_rules)
    return [_run(file, test, rules) for file, test in planned]


def _rules(paths: tuple[Path, ...]) -> tuple[CompiledRule, ...]:
    documents = []
    problems: list[Problem] = []
    for path in paths:
        try:
            documents.append(load_yaml(path.read_bytes(), str(path)))
        except YamlError as error:
            problems.extend(error.problems)
    rules, found = compile_rules(documents)
    problems.extend(problem for problem in found if problem.is_error)
    if problems:
        raise ConfigErrors(problems)
    return rules


def _run(file: Path, test: RuleTest, rules_of: Callable[[tuple[Path, ...]], tuple[CompiledRule, ...]]) -> Result:
    settings = load(None)
    rules = rules_of(tuple((file.parent / name).resolve() for name in test.rule_files))
    core = core_of(msgspec.structs.replace(settings, rules=rules), FirstStart.ALERT)
    core = msgspec.structs.replace(core, delivered_at_once=True)
    seen = inputs(test, lambda name, item: _object(file.parent / name, item))
    failures = list(_failures(core, test, seen))
    return Result(file=str(file), name=test.name, failures=tuple(failures))


def _object(path: Path, item: int | str | None) -> KubeObject:
    found = [object_of(one) for one in read([path]) if isinstance(one, ObjectSeen)]
    if isinstance(item, str):
        return next(each for each in found if each.metadata.name == item)
    return found[item or 0]


def _failures(core: Core, test: RuleTest, seen: list[Input]) -> list[str]:
    player = Player(core)
    failures: list[str] = []
    sent: list[Notification] = []
    left = list(seen)
    for expectation in test.expectations:
        due = [one for one in left if one.at <= expectation.at]
        left = left[len(due) :]
        sent.extend(player.feed(due))
        sent.extend(player.feed([Ended(at=expectation.at)]))
        wrong = [*mismatches(expectation, firing(player)), *_told(expectation, sent)]
        failures.extend(f"at {_offset(seen, expectation)}: {sentence}" for sentence in wrong)
        if expectation.notified is not None:
            sent = []
    return failures


def _offset(seen: list[Input], expectation: Expectation) -> timedelta:
    return expectation.at - seen[0].at


def firing(player: Player) -> list[Expected]:
    """The alerts that fire now, as expectations name them."""
    found = []
    for alert in player.view.alerts.rows.values():
        if alert.ends_at is None:
            members = [m for m in player.view.members.rows.values() if m.alert == alert.key and m.fired_at is not None]
            found.append(
                Expected(
                    alert=alert.key.alertname,
                    namespace=alert.key.namespace,
                    workload=alert.key.workload,
                    container=alert.key.container,
                    claim=alert.key.claim,
                    node=alert.key.node,
                    members=len(subjects(members)),
                )
            )
    return found


def _told(expectation: Expectation, sent: list[Notification]) -> list[str]:
    if expectation.notified is None:
        return []
    told = [
        Sent(alert=alert.labels["alertname"], status=alert.status, reason=alert.end_reason or "")
        for notification in sent
        for alert in notification.alerts
    ]
    wanted = list(expectation.notified)
    fits = len(told) == len(wanted) and all(
        (one.alert, one.status) == (other.alert, other.status) and one.reason in ("", other.reason)
        for one, other in zip(wanted, told, strict=False)
    )
    if fits:
        return []
    return [f"told was [{', '.join(map(str, told))}], expected [{', '.join(map(str, wanted))}]"]
