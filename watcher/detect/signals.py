"""The signals of one pod: what is true of it now, and what has just happened to it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from watcher.detect import images, jvm, starting
from watcher.detect.containers import (
    Sight,
    backoff_seconds,
    death_id,
    deaths_within,
    died_at,
    has_completed,
    last_death,
    look,
    next_change,
    waiting,
)
from watcher.detect.fields import container_fields, exit_fields, memory_bytes, told_text
from watcher.detect.memory import is_node_oom, oom_kind
from watcher.detect.pods import ContainerView, containers, is_quiet
from watcher.detect.podstates import pod_states
from watcher.model.kube import Pod, StateTerminated
from watcher.model.remembered import ContainerHistory
from watcher.model.signals import (
    AnySignal,
    ContainerNotStarting,
    ContainerTerminated,
    CrashLooping,
    ImagePullFailing,
    OOMKilled,
)


class Findings(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All that one look at a pod says of its containers."""

    states: tuple[AnySignal, ...] = ()
    occurrences: tuple[AnySignal, ...] = ()
    histories: dict[str, ContainerHistory | None] = {}
    """By container name; None: nothing to remember."""
    new_deaths: dict[str, int] = {}
    due: datetime | None = None
    """When a windowed field next changes."""


def observe(
    pod: Pod,
    about: Mapping[str, Any],
    histories: Mapping[str, ContainerHistory],
    at: datetime,
    first_sight: bool,
    ooms: tuple[datetime, ...] = (),
) -> Findings:
    """`about`: the fields that every signal of this pod shares (`common`). `ooms`: when its node ran out of memory."""
    sight = Sight(at=at, first=first_sight, quiet=is_quiet(pod), ooms=ooms)
    occurrences: list[AnySignal] = []
    remembered: dict[str, ContainerHistory | None] = {}
    deaths: dict[str, int] = {}
    for view in containers(pod):
        name = view.status.name
        seen = look(view, pod, histories.get(name), sight)
        remembered[name] = seen.history
        if seen.new_deaths:
            deaths[name] = seen.new_deaths
        if seen.occurred is not None:
            occurrences.extend(_occurrences(view, about, seen.occurred, oom_kind(seen.occurred, ooms), at))
    kept = {name: history for name, history in remembered.items() if history is not None}
    states, due = present(pod, about, kept, at)
    return Findings(states=states, occurrences=tuple(occurrences), histories=remembered, new_deaths=deaths, due=due)


def present(
    pod: Pod, about: Mapping[str, Any], histories: Mapping[str, ContainerHistory], at: datetime
) -> tuple[tuple[AnySignal, ...], datetime | None]:
    """The states that are true now, and when one of their windowed fields next changes."""
    if pod.status.phase in ("Succeeded", "Failed"):
        return (), None
    states: list[AnySignal] = [] if is_quiet(pod) else [*pod_states(pod, about, at)]
    dues: list[datetime] = []
    for view in containers(pod):
        history = histories.get(view.status.name)
        if history is None:
            continue
        if history.image_cause:
            states.append(_image(view, about, history))
        if history.start_reason:
            states.append(_not_starting(view, about, history))
        loop = None if has_completed(view, pod) else _crash_loop(view, about, history, at)
        if loop is not None:
            states.append(loop)
            due = next_change(history, at)
            if due is not None:
                dues.append(due)
    return tuple(states), min(dues, default=None)


def _crash_loop(
    view: ContainerView, about: Mapping[str, Any], history: ContainerHistory, at: datetime
) -> CrashLooping | None:
    state = waiting(view)
    in_backoff = state is not None and state.reason == "CrashLoopBackOff"
    ready = view.status.ready
    recent = [death for death in history.recent if death.at > at - timedelta(hours=6)]
    if not (history.deaths or recent) or not (recent or in_backoff or not ready):
        return None
    terminated = last_death(view)
    lives = [death.ran_seconds for death in recent]
    known = [life for life in lives if life is not None]
    return CrashLooping(
        **container_fields(view, about),
        **exit_fields(terminated),
        since=history.failing_since or died_at(terminated, at),
        deaths_10m=deaths_within(history, timedelta(minutes=10), at),
        deaths_2h=deaths_within(history, timedelta(hours=2), at),
        deaths_6h=len(recent),
        min_ran_seconds_6h=min(known) if known and len(known) == len(lives) else None,
        in_backoff=in_backoff,
        backoff_seconds=backoff_seconds(state) if state is not None and in_backoff else None,
        ready=ready,
    )


def _image(view: ContainerView, about: Mapping[str, Any], history: ContainerHistory) -> ImagePullFailing:
    state = waiting(view)
    assert history.image_since is not None
    return ImagePullFailing(
        **container_fields(view, about),
        since=history.image_since,
        cause=history.image_cause,
        reason=state.reason if state is not None and state.reason in images.REASONS else "ImagePullBackOff",
        message=told_text(history.image_text),
    )


def _not_starting(view: ContainerView, about: Mapping[str, Any], history: ContainerHistory) -> ContainerNotStarting:
    death = last_death(view)
    failed = death if death is not None and death.reason in starting.TERMINATED else None
    code = failed.exit_code if failed is not None else None
    why = starting.classify(history.start_reason, history.start_text, code)
    assert history.start_since is not None
    return ContainerNotStarting(
        **container_fields(view, about),
        since=history.start_since,
        cause=why.cause,
        missing=why.missing,
        key=why.key,
        reason=history.start_reason,
        message=told_text(history.start_text),
        exit_code=code,
        container_id=failed.container_id if failed is not None else "",
    )


def late_ooms(
    pod: Pod,
    about: Mapping[str, Any],
    histories: Mapping[str, ContainerHistory],
    ooms: tuple[datetime, ...],
    at: datetime,
) -> Findings:
    """Deaths that turn out to be OOM kills of the node: its event came after them."""
    found: list[AnySignal] = []
    changed: dict[str, ContainerHistory | None] = {}
    for view in containers(pod):
        history, death = histories.get(view.status.name), last_death(view)
        if history is None or history.oom_class or history.last_id != death_id(death) or not is_node_oom(death, ooms):
            continue
        assert death is not None
        kind = oom_kind(death, ooms)
        changed[view.status.name] = msgspec.structs.replace(history, oom_class=kind)
        found.append(_oom(view, about, death, kind, at))
    return Findings(occurrences=tuple(found), histories=changed)


def _occurrences(
    view: ContainerView, about: Mapping[str, Any], death: StateTerminated, kind: str, at: datetime
) -> list[ContainerTerminated | OOMKilled]:
    """`kind`: how it was an OOM kill, empty if it was none."""
    found: list[ContainerTerminated | OOMKilled] = [ContainerTerminated(**_death(view, about, death, at))]
    if kind:
        found.append(_oom(view, about, death, kind, at))
    return found


def _oom(view: ContainerView, about: Mapping[str, Any], death: StateTerminated, kind: str, at: datetime) -> OOMKilled:
    fields = _death(view, about, death, at)
    limit = memory_bytes(fields["limits"])
    heap = jvm.heap(view.spec, limit)
    return OOMKilled(
        **fields,
        oom_class=kind,
        heap=told_text(heap.words) if heap is not None else "",
        memory_limit_bytes=limit,
        memory_request_bytes=memory_bytes(fields["requests"]),
    )


def _death(view: ContainerView, about: Mapping[str, Any], death: StateTerminated, at: datetime) -> dict[str, Any]:
    return {
        **container_fields(view, about),
        **exit_fields(death),
        "since": died_at(death, at),
        "id": death_id(death),
    }
