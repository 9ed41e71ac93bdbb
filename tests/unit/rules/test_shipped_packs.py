"""The shipped packs with their own tests, played through the whole pipeline with the shipped routes."""

from pathlib import Path

import pytest

from watcher.lib.yamlpos import load
from watcher.replay.ruletests import run_files
from watcher.rules.compile import compile_rules
from watcher.rules.testfile import RuleTest, parse_tests
from watcher.settings.shipped import directory

PACKS = sorted(directory("rules").glob("*.yaml"))


def cases_of(pack: Path) -> tuple[RuleTest, ...]:
    file = pack.parent / "tests" / pack.name
    tests, problems = parse_tests(load(file.read_bytes(), str(file)))
    assert problems == []
    return tests


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.stem)
def test_a_pack_keeps_what_its_own_tests_say(pack: Path) -> None:
    results = run_files([pack.parent / "tests" / pack.name])
    assert results
    assert {result.name: result.failures for result in results if result.failures} == {}


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.stem)
def test_a_pack_has_neither_errors_nor_warnings(pack: Path) -> None:
    rules, problems = compile_rules([load(pack.read_bytes(), str(pack))])
    assert problems == []
    assert all(rule.severity for rule in rules)


BY_STORIES = {"WatcherCannotDeliver", "WatcherConfigRefused"}
"""What rule tests cannot observe: a receiver's answers (tests/acceptance/test_channels.py)."""


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.stem)
def test_each_alert_of_a_pack_has_a_test_that_fires_and_the_pack_some_that_must_not(pack: Path) -> None:
    tests = cases_of(pack)
    rules, _ = compile_rules([load(pack.read_bytes(), str(pack))])
    firing = {expected.alert for test in tests for each in test.expectations for expected in each.firing}
    assert {rule.alert for rule in rules} - BY_STORIES <= firing
    assert any(not any(each.firing for each in test.expectations) for test in tests)
    assert all(test.reason for test in tests)
