"""Send or hold: what one integration hears of a group at a flush."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.support.timeline import START, time
from watcher.model.identity import AlertKey, Workload
from watcher.model.message import HoldReason, SendReason
from watcher.model.signals import CrashLooping
from watcher.model.state import Alert, AlertState, EndReason, Told, ToldKey
from watcher.notify.decide import Candidate, Plan, decide

HOUR = timedelta(hours=1)


def key(name: str) -> AlertKey:
    return AlertKey(alertname=name)


def one(
    name: str, *, ended: bool = False, members: int = 1, held: HoldReason | None = None, unseen: bool = False
) -> Candidate:
    alert = Alert(
        key=key(name),
        workload=Workload("shop", "Deployment", "web"),
        state=AlertState.ENDED if ended else AlertState.FIRING,
        labels={"alertname": name},
        annotations={},
        fingerprint=name,
        starts_at=START,
        since=START,
        ends_at=time(60) if ended else None,
        end_reason=EndReason.RECOVERED if ended else None,
        lead=CrashLooping(since=START),
        unseen_since=time(30) if unseen else None,
    )
    return Candidate(alert=alert, members=members, pods=20, held=held)


def told(*names: str, **fields: Any) -> dict[AlertKey, Told]:
    return {
        key(name): Told(
            key=ToldKey(receiver="ops", integration="w", alert=key(name)), group="g", at=START, message="m", **fields
        )
        for name in names
    }


def plan(
    *candidates: Candidate,
    known: dict[AlertKey, Told] | None = None,
    last: float | None = None,
    send_resolved: bool = True,
    now: float = 100,
) -> Plan:
    sent = None if last is None else time(last)
    return decide(candidates, known or {}, sent, HOUR, send_resolved, time(now))


def test_what_was_never_told_is_a_first_message() -> None:
    assert plan(one("a")) == Plan(reason=SendReason.FIRST, firing=(key("a"),))


def test_a_new_alert_beside_told_ones_names_them_all() -> None:
    answer = plan(one("a"), one("b"), known=told("a"), last=0)
    assert (answer.reason, answer.firing) == (SendReason.NEW_ALERTS, (key("a"), key("b")))


def test_what_was_told_is_not_told_again() -> None:
    assert plan(one("a"), known=told("a"), last=0) == Plan(reason=None, held=((key("a"), HoldReason.NOTHING_NEW),))


def test_growth_is_told() -> None:
    assert plan(one("a", members=3), known=told("a"), last=0).reason is SendReason.GREW
    assert plan(one("a", members=3), known=told("a", members=3), last=0).reason is None


@pytest.mark.parametrize(
    ("candidates", "reason"),
    [
        ((one("a", ended=True),), SendReason.ALL_ENDED),
        ((one("a", ended=True), one("b")), SendReason.SOME_ENDED),
        ((one("a", ended=True), one("c")), SendReason.NEW_ALERTS),
        ((one("a", ended=True), one("b", held=HoldReason.INHIBITED)), SendReason.ALL_ENDED),
    ],
    ids=["all", "some", "beside a new one", "the other is held"],
)
def test_an_end_is_told(candidates: tuple[Candidate, ...], reason: SendReason) -> None:
    answer = plan(*candidates, known=told("a", "b"), last=0)
    assert (answer.reason, answer.ended) == (reason, (key("a"),))


def test_an_end_of_what_was_never_told_is_not() -> None:
    answer = plan(one("a", ended=True))
    assert answer == Plan(reason=None, held=((key("a"), HoldReason.NEVER_TOLD),))


def test_an_end_that_is_not_wanted_is_forgotten() -> None:
    answer = plan(one("a", ended=True), known=told("a"), last=0, send_resolved=False)
    assert answer == Plan(reason=None, held=((key("a"), HoldReason.NO_END_WANTED),), forget=(key("a"),))


@pytest.mark.parametrize("held", [HoldReason.EXPLAINED, HoldReason.INHIBITED, HoldReason.BASELINE])
def test_what_is_held_is_not_told_and_not_repeated_and_its_end_is(held: HoldReason) -> None:
    assert plan(one("a", held=held)) == Plan(reason=None, held=((key("a"), held),))
    assert plan(one("a", held=held), known=told("a"), last=0, now=99999).reason is None
    assert plan(one("a", held=held), one("b"), last=0).firing == (key("b"),)
    assert plan(one("a", ended=True, held=held), known=told("a"), last=0).ended == (key("a"),)


@pytest.mark.parametrize(("now", "reason"), [(3599, None), (3600, SendReason.REPEAT), (9999, SendReason.REPEAT)])
def test_a_repeat_comes_after_repeat_interval(now: float, reason: SendReason | None) -> None:
    assert plan(one("a"), known=told("a"), last=0, now=now).reason is reason


def test_what_only_a_summary_told_is_not_repeated() -> None:
    assert plan(one("a"), known=told("a", baseline=True), last=0, now=99999).reason is None


def test_what_was_refused_after_it_had_arrived_once_is_told_again() -> None:
    assert plan(one("a"), known=told("a", lost=True), last=0).reason is SendReason.REPEAT
    assert plan(one("a", held=HoldReason.INHIBITED), known=told("a", lost=True), last=0).reason is None


def test_what_is_not_seen_is_not_repeated_and_its_end_is_told() -> None:
    """Rows 49 and 75 of the behaviours."""
    answer = plan(one("a", unseen=True), known=told("a"), last=0, now=99999)
    assert answer == Plan(reason=None, held=((key("a"), HoldReason.UNSEEN),))
    assert plan(one("a", ended=True, unseen=True), known=told("a"), last=0).ended == (key("a"),)


def test_a_group_repeats_only_those_of_its_alerts_that_are_seen() -> None:
    answer = plan(one("a", unseen=True), one("b"), known=told("a", "b"), last=0, now=3600)
    assert answer == Plan(reason=SendReason.REPEAT, firing=(key("b"),), held=((key("a"), HoldReason.UNSEEN),))


def test_what_is_not_seen_stands_beside_what_is_new() -> None:
    answer = plan(one("a", unseen=True), one("b"), known=told("a"), last=0)
    assert (answer.reason, answer.firing) == (SendReason.NEW_ALERTS, (key("a"), key("b")))
    assert plan(one("a", unseen=True)).reason is SendReason.FIRST


def test_what_was_refused_is_told_again_though_it_is_not_seen() -> None:
    answer = plan(one("a", unseen=True), known=told("a", lost=True), last=0)
    assert (answer.reason, answer.firing) == (SendReason.REPEAT, (key("a"),))


def test_an_empty_group_says_nothing() -> None:
    assert plan() == Plan(reason=None)
