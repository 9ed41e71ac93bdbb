"""Evidence of what fires: the log of the container instance that died, Warning events, the rollout before it.

The kubelet keeps two instances of a container, the present one and the one before it (`previous=true`), and names
neither in its answer. So the pod is read first, to find out under which of the two names the instance in question can
be had now. `limitBytes` counts from the first line of the tail, so that a cut takes the newest lines away: an answer
that reaches it is asked for again with fewer lines. Everything is cleaned and redacted here; whatever cannot be had is
said in `Evidence.missing`. Rollouts are found in rollouts.py; what a message shows is decided in notify.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from urllib.parse import quote

import msgspec

from watcher.lib.redact import redact
from watcher.lib.text import clean, cut
from watcher.model.evidence import Evidence, EvidenceRequest, Rollout
from watcher.model.kube import ContainerStatus, Event, Pod
from watcher.ports import Clock
from watcher.source.client import KubeClient, Query, limits
from watcher.source.decode import BROKEN, decode_pod
from watcher.source.errors import ApiError, Forbidden, SourceError, Unreachable
from watcher.source.rollouts import Rollouts, whole

TAIL_LINES = (40, 12, 3)
"""How many lines are asked for, and again when the answer reached LOG_BYTES."""

LOG_BYTES = 16 * 1024
EVENTS = 5
EVENT_LENGTH = 1024
"""Characters of one event's text: what the API server takes (core/v1 validation)."""
EVENTS_READ = 200
"""An event lives an hour and its repetitions are counted in it, so a pod has a few dozen at most."""

SUSPECT_FOR = timedelta(hours=1)
"""A rollout longer before the trouble is not under suspicion, and not told."""
SKEW = timedelta(seconds=10)
"""So much may the clock of a node be behind the API server's for a death right after a rollout."""

_MAKERS = frozenset(("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"))
"""Kinds of workloads that have rollouts."""

_UNAVAILABLE = "unable to retrieve container logs for "
"""The kubelet answers 200 with this text when the runtime has already removed the instance."""

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class _EventList(msgspec.Struct, frozen=True, gc=False):
    items: list[Event] | None = None


class _Instance(msgspec.Struct, frozen=True, gc=False):
    """Under which name the log can be had: `previous`, and of which instance it is. `note`: what is not as asked."""

    previous: bool
    container_id: str
    note: str = ""


class _Missing(Exception):
    """Why there is no log, in words."""


class KubeEvidence:
    """Reads from the API server: needs `get pods`, `get pods/log`, `list events`; for rollouts `list replicasets` and
    `list controllerrevisions`, without which rollouts are left out without a word.
    """

    def __init__(self, client: KubeClient, clock: Clock) -> None:
        self._client = client
        self.rollouts = Rollouts(client, clock.monotonic)

    async def fetch(self, request: EvidenceRequest, within: timedelta) -> Evidence:
        """Never raises for what the cluster does; what came in time is given even when the rest did not."""
        pod = asyncio.create_task(self._pod(request), name="evidence pod")
        log = asyncio.create_task(self._log(request, pod), name="evidence log")
        rollout = asyncio.create_task(self._rollout(request, pod), name="evidence rollout")
        events = asyncio.create_task(self._events(request), name="evidence events")
        tasks = (pod, log, rollout, events)
        try:
            await asyncio.wait(tasks, timeout=within.total_seconds())
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        late = f"not within {within.total_seconds():g} s"
        instance, lines, no_log = _result(log, (None, (), f"the logs were not to be had: {late}"))
        made, no_rollout = _result(rollout, (None, f"the last rollout was not to be had: {late}"))
        found, no_events = _result(events, ((), f"the events were not to be had: {late}"))
        return Evidence(
            alert=request.alert,
            pod=request.pod,
            container=request.container,
            container_id=instance.container_id if instance else request.container_id,
            log=lines,
            events=found,
            rollout=made,
            missing="; ".join(filter(None, (no_log, no_events, no_rollout))),
        )

    # ---- the pod ----

    async def _pod(self, request: EvidenceRequest) -> Pod | None:
        """None: nobody needs it."""
        if not request.pod or not (request.container or _has_rollouts(request)):
            return None
        path = f"/api/v1/namespaces/{quote(request.namespace)}/pods/{quote(request.pod)}"
        try:
            async with self._client.get(path, timeout=limits(silence=10)) as answer:
                pod = decode_pod(await whole(answer))
        except BROKEN as error:
            raise _Missing("the pod is not readable") from error
        except ApiError as error:
            if error.code == 404:
                raise _Missing("the pod is gone") from error
            raise _Missing(_in_words(error, "pods")) from error
        if request.uid and pod.metadata.uid and pod.metadata.uid != request.uid:
            raise _Missing("the pod was replaced by another of its name")
        return pod

    # ---- the log ----

    async def _log(
        self, request: EvidenceRequest, pod: asyncio.Task[Pod | None]
    ) -> tuple[_Instance | None, tuple[str, ...], str]:
        if not request.container:
            return None, (), ""
        try:
            instance = choose_instance(await pod or Pod(), request)
            lines = await self._tail(request, instance)
        except (_Missing, SourceError) as error:
            return None, (), f"the logs were not to be had: {_in_words(error, 'pods/log')}"
        if not lines:
            return instance, (), instance.note or "the container had written nothing"
        return instance, lines, instance.note

    async def _tail(self, request: EvidenceRequest, instance: _Instance) -> tuple[str, ...]:
        path = f"/api/v1/namespaces/{quote(request.namespace)}/pods/{quote(request.pod)}/log"
        body = b""
        for count in TAIL_LINES:
            query: Query = {
                "container": request.container,
                "tailLines": count,
                "limitBytes": LOG_BYTES,
                "previous": "true" if instance.previous else "false",
            }
            async with self._client.get(path, query, limits(silence=10)) as answer:
                body = await answer.head(LOG_BYTES)
            if len(body) < LOG_BYTES:
                break
        return _log_lines(body)

    # ---- the events ----

    async def _events(self, request: EvidenceRequest) -> tuple[tuple[str, ...], str]:
        # Events about a node, which has no namespace, are in `default`.
        path = f"/api/v1/namespaces/{quote(request.namespace or 'default')}/events"
        name = request.name or request.pod
        fields = f"involvedObject.kind={request.kind},involvedObject.name={name},type=Warning"
        query: Query = {"fieldSelector": fields, "limit": EVENTS_READ}
        try:
            async with self._client.get(path, query, limits(silence=10)) as answer:
                events = msgspec.json.decode(await whole(answer), type=_EventList).items or []
        except BROKEN:
            return (), "the events were not to be had: the answer is not readable"
        except SourceError as error:
            return (), f"the events were not to be had: {_in_words(error, 'events')}"
        return _event_lines(events, request), ""

    # ---- the rollout ----

    async def _rollout(self, request: EvidenceRequest, pod: asyncio.Task[Pod | None]) -> tuple[Rollout | None, str]:
        """The rollout that made the pod, if the trouble began within SUSPECT_FOR of it."""
        if not _has_rollouts(request):
            return None, ""
        since = request.since or request.asked_at
        try:
            made = await self.rollouts.of(await pod or Pod(), since - SUSPECT_FOR)
        except (_Missing, SourceError) as error:
            if request.container and pod.done() and pod.exception() is not None:
                return None, ""  # said of the log already
            return None, f"the last rollout was not to be had: {_in_words(error, 'rollouts')}"
        if made is None or since < made.at - SKEW:
            return None, ""
        after = max(since - made.at, timedelta())
        changes = made.changes or ()
        return Rollout(
            kind=made.kind, name=made.name, revision=made.revision, at=made.at, after=after, changes=changes
        ), ""


def _has_rollouts(request: EvidenceRequest) -> bool:
    return request.kind == "Pod" and request.workload_kind in _MAKERS


def choose_instance(pod: Pod, request: EvidenceRequest) -> _Instance:
    """Which of the two instances that the kubelet still knows is meant; _Missing when it is neither."""
    status = _status(pod, request.container)
    if status is None:
        raise _Missing("the pod has no status of the container")
    present, last = _present_id(status), _last_id(status)
    wanted = request.container_id
    if not wanted:
        return _Instance(False, present) if _is_dead(status) or not last else _Instance(True, last)
    if wanted == present:
        return _Instance(False, present)
    if wanted == last or not last:
        return _Instance(True, wanted)
    note = "the container has died again since; the lines are from its newest death"
    return _Instance(False, present, note) if _is_dead(status) else _Instance(True, last, note)


def _is_dead(status: ContainerStatus) -> bool:
    return status.state is not None and status.state.terminated is not None


def _status(pod: Pod, container: str) -> ContainerStatus | None:
    statuses = (*(pod.status.container_statuses or ()), *(pod.status.init_container_statuses or ()))
    return next((status for status in statuses if status.name == container), None)


def _present_id(status: ContainerStatus) -> str:
    """In the state waiting, too, `containerID` is the instance that ran last."""
    if status.state is not None and status.state.terminated is not None:
        return status.state.terminated.container_id or status.container_id
    return status.container_id


def _last_id(status: ContainerStatus) -> str:
    last = status.last_state.terminated if status.last_state else None
    return last.container_id if last else ""


def _log_lines(body: bytes) -> tuple[str, ...]:
    """The lines of a log, oldest first, cleaned and redacted; _Missing when it is the kubelet's excuse."""
    text = body.decode(errors="replace")
    if text.startswith(_UNAVAILABLE) and "\n" not in text.strip():
        raise _Missing("the runtime has already removed the container")
    lines = redact(clean(text)).split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    return tuple(line.rstrip() for line in lines[-TAIL_LINES[0] :])


def _event_lines(events: list[Event], request: EvidenceRequest) -> tuple[str, ...]:
    """The newest first."""
    own = [event for event in events if _is_about(event, request)]
    own.sort(key=lambda event: event.newest or _LONG_AGO, reverse=True)
    return tuple(_event_line(event) for event in own[:EVENTS])


def _is_about(event: Event, request: EvidenceRequest) -> bool:
    """Not about an earlier object of the same name."""
    uid = event.involved_object.uid
    # Events about a static pod carry the kubelet's uid of it, a hash without dashes; a kubelet's events about its node
    # carry the node's name.
    return not request.uid or request.kind == "Node" or uid in ("", request.uid) or "-" not in uid


def _event_line(event: Event) -> str:
    text = cut(" ".join(redact(clean(event.message or "")).split()), EVENT_LENGTH)
    reason = cut(" ".join(redact(clean(event.reason or "Warning")).split()), 128)
    count = f" (×{event.times})" if event.times > 1 else ""
    return f"{reason}: {text}{count}"


def _in_words(error: Exception, resource: str) -> str:
    if isinstance(error, Forbidden):
        return f"403 {resource} is not allowed"
    if isinstance(error, ApiError):
        return redact(clean(f"{error.code} {error.message}".strip()))
    if isinstance(error, Unreachable):
        return "the API server did not answer"
    return redact(clean(str(error)))


_Result = TypeVar("_Result")


def _result(task: asyncio.Task[_Result], late: _Result) -> _Result:
    return late if task.cancelled() else task.result()
