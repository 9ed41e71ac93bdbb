"""Containers that die: each death counted once, whatever was seen of it.

Deaths so far = restartCount, plus one while the container is dead (design.md section 6, fine print 8). The stored
number tells what is new, so a death that nobody saw (two restarts between two looks, a restart of Watcher) counts
too; only the last one can be described. What a first sight shows is the base line.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import msgspec

from watcher.detect import images, starting
from watcher.detect.memory import oom_kind
from watcher.detect.pods import ContainerView, is_ending, moment, real
from watcher.lib.durations import parse_go_duration
from watcher.model.kube import Pod, StateTerminated, StateWaiting
from watcher.model.remembered import ContainerHistory, Death

KEPT_DEATHS = 100
LONGEST_WINDOW = timedelta(hours=6)
WINDOWS = (timedelta(minutes=10), timedelta(hours=2), LONGEST_WINDOW)
_BACKOFF = re.compile(r"back-off (\S+) restarting failed", re.IGNORECASE)


class Look(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one look at a container told: its new history (None: nothing to remember) and its news."""

    history: ContainerHistory | None
    new_deaths: int = 0
    occurred: StateTerminated | None = None
    """A death that is an occurrence now: new, or the cause of what is still broken at first sight."""


def waiting(view: ContainerView) -> StateWaiting | None:
    return view.status.state.waiting if view.status.state is not None else None


def last_death(view: ContainerView) -> StateTerminated | None:
    """The last termination that the status describes, the present one before the former; None if there is none."""
    present = real(view.status.state.terminated) if view.status.state is not None else None
    former = real(view.status.last_state.terminated) if view.status.last_state is not None else None
    return present or former


def is_dead(view: ContainerView) -> bool:
    """It is terminated, or waits after a termination."""
    state = view.status.state
    if state is None:
        return False
    if real(state.terminated) is not None:
        return True
    former = view.status.last_state
    return state.waiting is not None and former is not None and real(former.terminated) is not None


def has_completed(view: ContainerView, pod: Pod) -> bool:
    """It ended with 0 and is meant to stay ended."""
    state = view.status.state
    terminated = state.terminated if state is not None else None
    if terminated is None or terminated.exit_code != 0:
        return False
    return view.kind == "init" or (view.kind == "app" and pod.spec.restart_policy != "Always")


def deaths_so_far(view: ContainerView, pod: Pod) -> int:
    return view.status.restart_count + (1 if is_dead(view) and not has_completed(view, pod) else 0)


def death_id(terminated: StateTerminated | None) -> str:
    """What identifies a death inside its container: its containerID, else the time it finished, else its reason."""
    if terminated is None:
        return ""
    if terminated.container_id:
        return terminated.container_id
    finished = moment(terminated.finished_at)
    return finished.isoformat() if finished is not None else terminated.reason


class Sight(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """When and under which circumstances a pod is looked at."""

    at: datetime
    first: bool = False
    """What it shows is the base line."""
    quiet: bool = False
    """What dies in it is nobody's trouble."""
    ooms: tuple[datetime, ...] = ()
    """When its node ran out of memory."""


def look(view: ContainerView, pod: Pod, before: ContainerHistory | None, sight: Sight) -> Look:
    """Compare a container with what is remembered of it."""
    at, first_sight = sight.at, sight.first
    deaths = deaths_so_far(view, pod)
    quiet = sight.quiet or (view.kind == "sidecar" and is_ending(pod))
    described = last_death(view)
    identity = death_id(described)
    known = before.deaths if before is not None else deaths if first_sight else 0
    new = 0 if quiet else deaths - known
    if new < 0:
        new = 1 if identity and before is not None and identity != before.last_id and is_dead(view) else 0
    history = _remember_image(before or _blank(view, pod), view, at)
    began = _not_ready_since(pod, at) if first_sight else None
    history = _remember_start(history, view, began or at)
    if not deaths and not history.image_cause and not history.start_reason:
        # The restart count fell to nothing (a node restarted, containers were collected): the deaths stay known.
        recent = _recent(history.recent, 0, None, at)
        return Look(history=msgspec.structs.replace(history, deaths=0, recent=recent) if recent else None)
    fresh = described if new and (before is None or identity != before.last_id) else None
    history = msgspec.structs.replace(
        history,
        deaths=deaths,
        last_id=identity or history.last_id,
        recent=_recent(history.recent, new, fresh, at),
        oom_class=oom_kind(described, sight.ooms),
        failing_since=_failing_since(history, new, fresh, at),
    )
    occurred = fresh
    if first_sight and not quiet and is_dead(view) and not has_completed(view, pod) and before is None:
        occurred = described
    return Look(history=history, new_deaths=new, occurred=occurred)


def _blank(view: ContainerView, pod: Pod) -> ContainerHistory:
    meta = pod.metadata
    return ContainerHistory(uid=meta.uid, container=view.status.name, namespace=meta.namespace, pod=meta.name)


def died_at(terminated: StateTerminated | None, at: datetime) -> datetime:
    finished = moment(terminated.finished_at) if terminated is not None else None
    return at if finished is None else min(finished, at)


def ran_seconds(terminated: StateTerminated | None) -> float | None:
    if terminated is None:
        return None
    started, finished = moment(terminated.started_at), moment(terminated.finished_at)
    if started is None or finished is None:
        return None
    return max(0.0, (finished - started).total_seconds())


def _recent(recent: tuple[Death, ...], new: int, fresh: StateTerminated | None, at: datetime) -> tuple[Death, ...]:
    """An undescribed death happened before the described one began to run; without one, when it was noticed."""
    kept = tuple(death for death in recent if death.at > at - LONGEST_WINDOW)
    if not new:
        return kept
    unseen_at = at
    added: list[Death] = []
    if fresh is not None:
        unseen_at = min(moment(fresh.started_at) or at, at)
        added = [Death(at=died_at(fresh, at), ran_seconds=ran_seconds(fresh))]
    unseen = [Death(at=unseen_at)] * min(new - len(added), KEPT_DEATHS)
    return (*kept, *unseen, *added)[-KEPT_DEATHS:]


def _failing_since(history: ContainerHistory, new: int, fresh: StateTerminated | None, at: datetime) -> datetime | None:
    """The present series began with the first death after 6 h without one."""
    going_on = any(death.at > at - LONGEST_WINDOW for death in history.recent)
    if new and not going_on:
        return died_at(fresh, at)
    return history.failing_since


def _remember_image(history: ContainerHistory, view: ContainerView, at: datetime) -> ContainerHistory:
    """Keep the cause of a failure to pull until the container shows that it has its image, or another trouble."""
    state = waiting(view)
    reason = state.reason if state is not None else None
    if reason in images.REASONS and state is not None:
        text = images.cause_text(state.message)
        if not text and history.image_cause:
            return history
        return msgspec.structs.replace(
            history,
            image_cause=images.classify(state.reason, text),
            image_text=text,
            image_since=history.image_since or at,
        )
    if not history.image_cause or reason in images.UNDECIDED:
        return history
    return msgspec.structs.replace(history, image_cause="", image_text="", image_since=None)


def _not_ready_since(pod: Pod, at: datetime) -> datetime | None:
    """What the pod tells of how long a trouble that is seen for the first time has been there at most."""
    ready = next((c for c in pod.status.conditions or () if c.type == "Ready" and c.status == "False"), None)
    since = moment(ready.last_transition_time) if ready is not None else None
    return None if since is None else min(since, at)


def _remember_start(history: ContainerHistory, view: ContainerView, at: datetime) -> ContainerHistory:
    """Keep a failure to start, through the back-offs that follow it, until the container runs or ends otherwise."""
    state = view.status.state
    reason, text = _start_failure(view)
    if reason:
        return msgspec.structs.replace(
            history,
            start_reason=reason,
            start_text=text or history.start_text,
            start_since=history.start_since or at,
        )
    undecided = state is None or (state.waiting is not None and state.waiting.reason in images.UNDECIDED)
    if not history.start_reason or undecided:
        return history
    return msgspec.structs.replace(history, start_reason="", start_text="", start_since=None)


def _start_failure(view: ContainerView) -> tuple[str, str]:
    """(reason, text) of a container that could not be created or started; empty: it is no such failure."""
    state = waiting(view)
    if state is not None and state.reason in starting.WAITING:
        return state.reason, state.message
    death = last_death(view)
    if death is None or death.reason not in starting.TERMINATED:
        return "", ""
    if state is None:
        running = view.status.state is not None and view.status.state.running is not None
        return ("", "") if running else (death.reason, death.message)
    return (death.reason, death.message) if state.reason == "CrashLoopBackOff" else ("", "")


def backoff_seconds(state: StateWaiting) -> float | None:
    """The pause named in `back-off 2m40s restarting failed container=…`; None where the text names none."""
    found = _BACKOFF.search(state.message)
    if found is None:
        return None
    try:
        return parse_go_duration(found[1]).total_seconds()
    except ValueError:
        return None


def deaths_within(history: ContainerHistory, window: timedelta, at: datetime) -> int:
    return sum(1 for death in history.recent if death.at > at - window)


def next_change(history: ContainerHistory, at: datetime) -> datetime | None:
    """When the count of deaths in some window next falls."""
    edges = [death.at + window for death in history.recent for window in WINDOWS if death.at + window > at]
    return min(edges, default=None)
