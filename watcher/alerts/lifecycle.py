"""How a member and an alert move: one table each. What is not in a table raises and changes nothing.

A member: inactive (no row) -> pending (`where` true) -> firing (`for` over) -> holding (clear) -> inactive
(`keep_firing_for` over). From holding it goes back to firing, silently, when it is clear no longer.
An alert fires while a member fires or holds; it is vacant while its last members' pods are gone and their
replacements are awaited.
"""

from __future__ import annotations

from enum import StrEnum

from watcher.model.rule import CompiledRule, Verdict
from watcher.model.state import AlertState, MemberState


class MemberEvent(StrEnum):
    TROUBLE = "the rule holds"
    CALM = "the rule does not hold, and is not clear either"
    CLEAR = "the rule is clear"
    UNDECIDED = "the rule cannot be decided"
    FOR_OVER = "for is over"
    HOLD_OVER = "keep_firing_for is over"


class AlertEvent(StrEnum):
    MEMBER_FIRES = "a member fires"
    LAST_ENDED = "its last member has ended"
    LAST_GONE = "its last member's pod is gone"
    NOT_REPLACED = "no replacement failed in time"


class IllegalMove(Exception):
    """A transition that no table knows: a mistake of the program."""


_PENDING, _FIRING, _HOLDING = MemberState.PENDING, MemberState.FIRING, MemberState.HOLDING
_E = MemberEvent

MEMBER_TABLE: dict[tuple[MemberState | None, MemberEvent], MemberState | None] = {
    (None, _E.TROUBLE): _PENDING,
    (None, _E.CALM): None,
    (None, _E.CLEAR): None,
    (None, _E.UNDECIDED): None,
    (_PENDING, _E.TROUBLE): _PENDING,
    (_PENDING, _E.CALM): None,
    (_PENDING, _E.CLEAR): None,
    (_PENDING, _E.UNDECIDED): _PENDING,
    (_PENDING, _E.FOR_OVER): _FIRING,
    (_FIRING, _E.TROUBLE): _FIRING,
    (_FIRING, _E.CALM): _FIRING,
    (_FIRING, _E.CLEAR): _HOLDING,
    (_FIRING, _E.UNDECIDED): _FIRING,
    (_HOLDING, _E.TROUBLE): _FIRING,
    (_HOLDING, _E.CALM): _FIRING,
    (_HOLDING, _E.CLEAR): _HOLDING,
    (_HOLDING, _E.UNDECIDED): _HOLDING,
    (_HOLDING, _E.HOLD_OVER): None,
}

ALERT_TABLE: dict[tuple[AlertState | None, AlertEvent], AlertState] = {
    (None, AlertEvent.MEMBER_FIRES): AlertState.FIRING,
    (AlertState.ENDED, AlertEvent.MEMBER_FIRES): AlertState.FIRING,
    (AlertState.FIRING, AlertEvent.MEMBER_FIRES): AlertState.FIRING,
    (AlertState.VACANT, AlertEvent.MEMBER_FIRES): AlertState.FIRING,
    (AlertState.FIRING, AlertEvent.LAST_ENDED): AlertState.ENDED,
    (AlertState.FIRING, AlertEvent.LAST_GONE): AlertState.VACANT,
    (AlertState.VACANT, AlertEvent.NOT_REPLACED): AlertState.ENDED,
}


def move_member(state: MemberState | None, event: MemberEvent) -> MemberState | None:
    try:
        return MEMBER_TABLE[state, event]
    except KeyError:
        raise IllegalMove(f"a member that is {state or 'inactive'} cannot take: {event}") from None


def move_alert(state: AlertState | None, event: AlertEvent) -> AlertState:
    try:
        return ALERT_TABLE[state, event]
    except KeyError:
        raise IllegalMove(f"an alert that is {state or 'inactive'} cannot take: {event}") from None


def event_of(rule: CompiledRule, state: MemberState | None, verdict: Verdict | None) -> MemberEvent:
    """What a verdict means to a member in this state; None: the signal was seen absent.

    Before it fires only `where` counts, whatever `until` says; afterwards `until`, where the rule has one.
    """
    if verdict is None:
        return MemberEvent.CLEAR
    if state in (None, MemberState.PENDING):
        return _decided(verdict.where, MemberEvent.TROUBLE, MemberEvent.CALM)
    if rule.has_until:
        otherwise = MemberEvent.TROUBLE if verdict.where else MemberEvent.CALM
        return _decided(verdict.until, MemberEvent.CLEAR, otherwise)
    return _decided(verdict.where, MemberEvent.TROUBLE, MemberEvent.CLEAR)


def _decided(value: bool | None, if_true: MemberEvent, if_false: MemberEvent) -> MemberEvent:
    if value is None:
        return MemberEvent.UNDECIDED
    return if_true if value else if_false
