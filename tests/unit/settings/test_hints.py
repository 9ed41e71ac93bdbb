"""`hints`: which annotations count where."""

from __future__ import annotations

import pytest

from tests.unit.settings.conftest import RECEIVER, Home
from watcher.model.config import HintRule
from watcher.settings.core import core_of


def test_without_the_key_nothing_is_allowed(home: Home) -> None:
    assert home.load(RECEIVER).hints == ()


def test_rules_are_read_and_reach_the_core(home: Home) -> None:
    settings = home.load(
        RECEIVER
        + """
hints:
  - {namespaces: [shop, "team-*"], allow: [ignore, mute-until]}
  - {namespaces: ["*"], allow: [runbook, watcher.io/receiver]}
"""
    )
    assert settings.hints == (
        HintRule(namespaces=("shop", "team-*"), allow=frozenset(("ignore", "mute-until"))),
        HintRule(namespaces=("*",), allow=frozenset(("receiver",))),
    )
    assert core_of(settings).known_hints.rules == settings.hints


WRONG = {
    "misspelt": (
        "hints: [{namespaces: [shop], allow: [ignore, reciever]}]",
        ["2:46: there is no such hint; did you mean receiver?"],
    ),
    "unknown": (
        "hints: [{namespaces: [shop], allow: [xyz]}]",
        ["2:38: there is no such hint: known are ignore, receiver, mute-until"],
    ),
    "no namespaces": ("hints: [{allow: [ignore]}]", ["2:9: namespaces is missing"]),
    "empty lists": (
        "hints: [{namespaces: [], allow: []}]",
        ["2:22: namespaces must not be empty", "2:33: allow must not be empty"],
    ),
    "a namespace in capitals": (
        "hints: [{namespaces: [Shop], allow: [ignore]}]",
        ["2:23: a namespace is written with a-z, 0-9 and -, a pattern of them with * and ?"],
    ),
    "a mapping": ("hints: {namespaces: [shop]}", ["2:8: hints must be a list, not a mapping"]),
    "an unknown key": (
        "hints: [{namespaces: [shop], allow: [ignore], alow: [x]}]",
        ["2:47: unknown key alow; did you mean allow?"],
    ),
}


@pytest.mark.parametrize(("text", "problems"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_said_with_its_place(home: Home, text: str, problems: list[str]) -> None:
    assert home.problems(RECEIVER + text) == problems


def test_the_environment_can_give_them_as_json(home: Home) -> None:
    environ = {"WATCHER_HINTS": '[{"namespaces": ["*"], "allow": ["ignore"]}]'}
    assert home.load(RECEIVER, environ).hints == (HintRule(namespaces=("*",), allow=frozenset(("ignore",))),)
    wrong = {"WATCHER_HINTS": '[{"namespaces": ["*"], "allow": ["ignor"]}]'}
    assert home.problems(RECEIVER, wrong) == ["WATCHER_HINTS:1:1: there is no such hint; did you mean ignore?"]


def test_a_receiver_that_only_hints_name_is_not_said_to_be_unused(home: Home) -> None:
    receivers = """
receivers:
  - {name: default, webhook_configs: [{url: http://a.example.org}]}
  - {name: shop, webhook_configs: [{url: http://b.example.org}]}
"""
    assert home.problems(receivers) == ["3:12: warning: no route uses the receiver shop: write a route"]
    assert home.problems(receivers + 'hints: [{namespaces: ["*"], allow: [receiver]}]') == []
