"""Both transition tables: every legal move, and that every other raises and changes nothing."""

from __future__ import annotations

import itertools

import pytest

from watcher.alerts.lifecycle import (
    ALERT_TABLE,
    MEMBER_TABLE,
    AlertEvent,
    IllegalMove,
    MemberEvent,
    event_of,
    move_alert,
    move_member,
)
from watcher.model.rule import CompiledRule, Verdict
from watcher.model.signals import CrashLooping
from watcher.model.state import AlertState, MemberState
from watcher.rules.cel import compile_expression

P, F, H = MemberState.PENDING, MemberState.FIRING, MemberState.HOLDING
M, A, S = MemberEvent, AlertEvent, AlertState

MEMBER_MOVES = [
    (None, M.TROUBLE, P), (None, M.CALM, None), (None, M.CLEAR, None), (None, M.UNDECIDED, None),
    (P, M.TROUBLE, P), (P, M.CALM, None), (P, M.CLEAR, None), (P, M.UNDECIDED, P), (P, M.FOR_OVER, F),
    (F, M.TROUBLE, F), (F, M.CALM, F), (F, M.CLEAR, H), (F, M.UNDECIDED, F),
    (H, M.TROUBLE, F), (H, M.CALM, F), (H, M.CLEAR, H), (H, M.UNDECIDED, H), (H, M.HOLD_OVER, None),
]  # fmt: skip
ALERT_MOVES = [
    (None, A.MEMBER_FIRES, S.FIRING), (S.ENDED, A.MEMBER_FIRES, S.FIRING), (S.FIRING, A.MEMBER_FIRES, S.FIRING),
    (S.VACANT, A.MEMBER_FIRES, S.FIRING), (S.FIRING, A.LAST_ENDED, S.ENDED), (S.FIRING, A.LAST_GONE, S.VACANT),
    (S.VACANT, A.NOT_REPLACED, S.ENDED),
]  # fmt: skip


@pytest.mark.parametrize(("state", "event", "after"), MEMBER_MOVES, ids=[f"{m[0]}-{m[1].name}" for m in MEMBER_MOVES])
def test_a_member_moves(state: MemberState | None, event: MemberEvent, after: MemberState | None) -> None:
    assert move_member(state, event) is after


@pytest.mark.parametrize(("state", "event", "after"), ALERT_MOVES, ids=[f"{m[0]}-{m[1].name}" for m in ALERT_MOVES])
def test_an_alert_moves(state: AlertState | None, event: AlertEvent, after: AlertState) -> None:
    assert move_alert(state, event) is after


def test_every_other_move_of_a_member_raises() -> None:
    legal = {move[:2] for move in MEMBER_MOVES}
    before = dict(MEMBER_TABLE)
    for state, event in itertools.product([None, *MemberState], MemberEvent):
        if (state, event) not in legal:
            with pytest.raises(IllegalMove, match=f"{state or 'inactive'} cannot take: {event}"):
                move_member(state, event)
    assert before == MEMBER_TABLE


def test_every_other_move_of_an_alert_raises() -> None:
    legal = {move[:2] for move in ALERT_MOVES}
    before = dict(ALERT_TABLE)
    for state, event in itertools.product([None, *AlertState], AlertEvent):
        if (state, event) not in legal:
            with pytest.raises(IllegalMove, match="cannot take"):
                move_alert(state, event)
    assert before == ALERT_TABLE


def rule(*, until: bool) -> CompiledRule:
    condition = compile_expression("ready", CrashLooping)
    return CompiledRule(id="r", alert="r", group="g", signal=CrashLooping, until=condition if until else None)


@pytest.mark.parametrize(
    ("until", "state", "where", "clears", "event"),
    [
        (False, None, True, None, M.TROUBLE),
        (False, None, False, None, M.CALM),
        (False, None, None, None, M.UNDECIDED),
        (True, P, True, True, M.TROUBLE),
        (True, P, False, False, M.CALM),
        (False, F, True, None, M.TROUBLE),
        (False, F, False, None, M.CLEAR),
        (False, H, None, None, M.UNDECIDED),
        (True, F, True, False, M.TROUBLE),
        (True, F, False, False, M.CALM),
        (True, F, True, True, M.CLEAR),
        (True, H, None, True, M.CLEAR),
        (True, H, True, None, M.UNDECIDED),
    ],
    ids=[
        "begins", "does not begin", "undecided", "pending, whatever until says", "pending falls back", "goes on",
        "clear without until", "undecided stays", "not clear", "neither", "clear though where is true",
        "clear though where is undecided", "until undecided",
    ],
)  # fmt: skip
def test_a_verdict_means_what_the_state_makes_of_it(
    until: bool, state: MemberState | None, where: bool | None, clears: bool | None, event: MemberEvent
) -> None:
    assert event_of(rule(until=until), state, Verdict(where=where, until=clears)) is event


@pytest.mark.parametrize("state", [None, *MemberState])
def test_a_signal_that_was_seen_absent_is_clear(state: MemberState | None) -> None:
    assert event_of(rule(until=True), state, None) is M.CLEAR
