"""The signals of one pod: what is true of it now, and what has just happened to it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from watcher.detect import images
from watcher.detect.containers import (
    Look,
    backoff_seconds,
    death_id,
    deaths_within,
    died_at,
    last_death,
    look,
    next_change,
    ran_seconds,
    waiting,
)
from watcher.detect.memory import oom_class
from watcher.detect.pods import ContainerView, containers, is_quiet
from watcher.lib.quantity import QuantityError, parse_bytes
from watcher.lib.redact import redact
from watcher.lib.text import clean, cut
from watcher.model.identity import Workload
from watcher.model.kube import Pod, StateTerminated
from watcher.model.signals import AnySignal, ContainerTerminated, CrashLooping, ImagePullFailing, OOMKilled
from watcher.model.state import ContainerHistory

MESSAGE_LIMIT = 1000
_FIRST_SIGNAL = 128


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
) -> Findings:
    """`about`: the fields that every signal of this pod shares (`common`)."""
    quiet = is_quiet(pod)
    occurrences: list[AnySignal] = []
    remembered: dict[str, ContainerHistory | None] = {}
    deaths: dict[str, int] = {}
    for view in containers(pod):
        name = view.status.name
        seen = look(view, pod, histories.get(name), at, first_sight=first_sight, quiet=quiet)
        remembered[name] = seen.history
        if seen.new_deaths:
            deaths[name] = seen.new_deaths
        if seen.occurred is not None:
            occurrences.extend(_occurrences(view, about, seen, at))
    kept = {name: history for name, history in remembered.items() if history is not None}
    states, due = present(pod, about, kept, at)
    return Findings(states=states, occurrences=tuple(occurrences), histories=remembered, new_deaths=deaths, due=due)


def present(
    pod: Pod, about: Mapping[str, Any], histories: Mapping[str, ContainerHistory], at: datetime
) -> tuple[tuple[AnySignal, ...], datetime | None]:
    """The states that are true now, and when one of their windowed fields next changes."""
    if pod.status.phase in ("Succeeded", "Failed"):
        return (), None
    states: list[AnySignal] = []
    dues: list[datetime] = []
    for view in containers(pod):
        history = histories.get(view.status.name)
        if history is None:
            continue
        if history.image_cause:
            states.append(_image(view, about, history))
        loop = _crash_loop(view, about, history, at)
        if loop is not None:
            states.append(loop)
            due = next_change(history, at)
            if due is not None:
                dues.append(due)
    return tuple(states), min(dues, default=None)


def common(pod: Pod, workload: Workload, cluster: str) -> dict[str, Any]:
    """The fields that all signals of a pod share."""
    return {
        "uid": pod.metadata.uid,
        "cluster": cluster,
        "namespace": pod.metadata.namespace,
        "workload_kind": workload.kind,
        "workload": workload.name,
        "pod": pod.metadata.name,
        "node": pod.spec.node_name,
        "labels": pod.metadata.labels or {},
        "annotations": pod.metadata.annotations or {},
    }


def _container(view: ContainerView, about: Mapping[str, Any]) -> dict[str, Any]:
    resources = view.spec.resources
    return {
        **about,
        "container": view.status.name,
        "container_kind": view.kind,
        "image": view.spec.image or view.status.image,
        "restart_count": view.status.restart_count,
        "requests": _quantities(resources.requests if resources is not None else None),
        "limits": _quantities(resources.limits if resources is not None else None),
    }


def _quantities(values: dict[str, str | int | float] | None) -> dict[str, str]:
    return {name: str(value) for name, value in (values or {}).items()}


def told_text(text: str) -> str:
    """Text from the cluster as it may be stored: cleaned, redacted, cut."""
    return cut(redact(clean(text)), MESSAGE_LIMIT)


def exit_signal(terminated: StateTerminated) -> int | None:
    """What the runtime says, else what a code of 128 + n says. 255 is no signal."""
    if terminated.signal:
        return terminated.signal
    code = terminated.exit_code
    return code - _FIRST_SIGNAL if _FIRST_SIGNAL < code < _FIRST_SIGNAL + 65 else None


def exit_fields(terminated: StateTerminated | None) -> dict[str, Any]:
    """The fields of `LastExit`."""
    if terminated is None:
        return {}
    return {
        "exit_code": terminated.exit_code,
        "exit_signal": exit_signal(terminated),
        "reason": terminated.reason,
        "ran_seconds": ran_seconds(terminated),
        "message": told_text(terminated.message),
        "container_id": terminated.container_id,
    }


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
        **_container(view, about),
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
        **_container(view, about),
        since=history.image_since,
        cause=history.image_cause,
        reason=state.reason if state is not None and state.reason in images.REASONS else "ImagePullBackOff",
        message=told_text(history.image_text),
    )


def _occurrences(
    view: ContainerView, about: Mapping[str, Any], seen: Look, at: datetime
) -> list[ContainerTerminated | OOMKilled]:
    terminated = seen.occurred
    fields = {
        **_container(view, about),
        **exit_fields(terminated),
        "since": died_at(terminated, at),
        "id": death_id(terminated),
    }
    found: list[ContainerTerminated | OOMKilled] = [ContainerTerminated(**fields)]
    kind = oom_class(terminated)
    if kind:
        found.append(
            OOMKilled(
                **fields,
                oom_class=kind,
                memory_limit_bytes=_memory(fields["limits"]),
                memory_request_bytes=_memory(fields["requests"]),
            )
        )
    return found


def _memory(quantities: Mapping[str, str]) -> int | None:
    try:
        return parse_bytes(quantities["memory"]) if "memory" in quantities else None
    except QuantityError:
        return None
