"""Inputs and timers in order of time: the fold that live running, replay and rule tests share.

An instant is closed by any later one: until then inputs of the same time may come. Timers due before an input run
first, each at its own due time; of those due at the very time of an input, detectors and members run before it and
alerts and groups after it, once the instant is closed. So the answer does not depend on how inputs are batched.
Nothing is judged and no timer runs before the streams have synced in this process (the gate).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from watcher.model.changes import Changes, Draft, View
from watcher.model.observations import (
    AlertsPosted,
    ClaimSeen,
    ClockJumped,
    ConfigLoaded,
    ConfigRejected,
    DeliveryDone,
    Ended,
    EventSeen,
    EvidenceArrived,
    Forbidden,
    Input,
    Listing,
    NamespaceSeen,
    NodeSeen,
    PodSeen,
    ResendAsked,
    SendTestAsked,
    SilenceAsked,
    SilenceExpireAsked,
    Started,
    StatsSampled,
    StoreAway,
    StreamHealth,
    Synced,
)
from watcher.model.table import Rank, Timer
from watcher.pipeline import (
    channels,
    configuring,
    delivering,
    flushing,
    judging,
    jumping,
    objects,
    pods,
    posting,
    scopes,
    sending,
    settling,
    silencing,
    volumes,
)
from watcher.pipeline.core import Core, Step


class TimerFailed(Exception):
    """A stage raised when this timer ran; the cause says what. The caller may mute it in the view and ask again."""

    def __init__(self, timer: Timer) -> None:
        super().__init__(f"the timer of {timer[2]} due {timer[0]} could not be run")
        self.timer = timer


def handle(core: Core, view: View, inputs: Iterable[Input], now: datetime) -> Changes:
    """What follows from `inputs` (in order of time) and from the timers due before `now`. `view` stays as it is."""
    draft = Draft(view)
    step = Step(core=core, draft=draft, at=draft.meta.now or now)
    for one in inputs:
        at = max(one.at, draft.meta.now or one.at)
        _run_timers(step, one.since if isinstance(one, ClockJumped | StoreAway) else at, closed=False)
        _advance(step, at)
        _take(step, one)
    at = max(now, draft.meta.now or now)
    _run_timers(step, at, closed=False)
    _advance(step, at)
    return draft.changes()


def _advance(step: Step, at: datetime) -> None:
    step.at = at
    if step.draft.meta.now != at:
        step.draft.meta = msgspec.structs.replace(step.draft.meta, now=at)


def is_gated(draft: Draft) -> bool:
    """Whether a stream that matters has not yet been listed in this process."""
    return any(state.awaited for state in draft.scopes.all())


def next_wake(view: View) -> datetime | None:
    """When the core wants to be asked again; None while nothing is due, or while a stream has not synced."""
    waits = any(state.awaited for state in view.scopes.rows.values())
    return None if waits else view.next_due()


def _run_timers(step: Step, until: datetime, *, closed: bool) -> None:
    """Run what is due before `until`, and of what is due at `until` the detectors and members."""
    draft = step.draft
    if is_gated(draft):
        return
    while (timer := draft.first_timer(draft.meta.now)) is not None:
        due, rank, key = timer
        floor = max(due, draft.meta.now or due)
        if floor > until or (floor == until and rank >= Rank.ALERT and not closed):
            return
        _advance(step, floor)
        try:
            _ring(step, rank, key)
        except Exception as error:
            raise TimerFailed(timer) from error


def _ring(step: Step, rank: int, key: Any) -> None:
    match rank:
        case Rank.WINDOW:
            if isinstance(key, str):
                pods.wake(step, key)
            else:
                volumes.wake(step, key)
        case Rank.CHANNEL:
            channels.wake(step, key)
        case Rank.SILENCE:
            silencing.wake(step, key)
        case Rank.MEMBER:
            judging.member_due(step, key)
        case Rank.ALERT:
            settling.settle(step, key)
        case _:
            flushing.flush(step, key)


def _take(step: Step, one: Input) -> None:
    match one:
        case PodSeen():
            pods.pod_seen(step, one)
        case ClaimSeen():
            objects.claim_seen(step, one)
        case NodeSeen():
            objects.node_seen(step, one)
        case NamespaceSeen():
            objects.namespace_seen(step, one)
        case EventSeen():
            objects.event_seen(step, one)
        case StatsSampled():
            volumes.sampled(step, one)
        case _:
            _take_other(step, one)


def _take_other(step: Step, one: Input) -> None:
    match one:
        case Listing():
            scopes.listing(step, one.scope)
        case Synced():
            scopes.synced(step, one)
        case Started():
            configuring.started(step, one)
        case Forbidden():
            scopes.forbidden(step, one)
        case StreamHealth():
            scopes.health(step, one)
        case ClockJumped():
            jumping.jumped(step, one)
        case StoreAway():
            posting.grant(step)
        case ConfigLoaded():
            configuring.loaded(step, one)
        case ConfigRejected():
            configuring.rejected(step, one)
        case _:
            _take_word(step, one)


def _take_word(step: Step, one: Input) -> None:
    """What comes from ourselves, or from people."""
    match one:
        case SendTestAsked():
            sending.test(step, one)
        case ResendAsked():
            delivering.again(step, one)
        case AlertsPosted():
            posting.posted(step, one)
        case SilenceAsked():
            silencing.asked(step, one)
        case SilenceExpireAsked():
            silencing.expire_asked(step, one)
        case EvidenceArrived():
            settling.evidence(step, one.evidence)
        case DeliveryDone():
            delivering.done(step, one)
        case Ended():
            _run_timers(step, one.at, closed=True)
