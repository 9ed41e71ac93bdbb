"""Evidence of what fires: the log of the container instance that died, and the pod's Warning events.

The kubelet keeps two instances of a container, the present one and the one before it (`previous=true`), and names
neither in its answer. So the pod is read first, to find out under which of the two names the instance in question can
be had now. `limitBytes` counts from the first line of the tail, so that a cut takes the newest lines away: an answer
that reaches it is asked for again with fewer lines. Everything is cleaned and redacted here; whatever cannot be had is
said in `Evidence.missing`. How many lines a message shows is decided in notify.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from urllib.parse import quote

import msgspec

from watcher.lib.redact import redact
from watcher.lib.text import clean
from watcher.model.evidence import Evidence, EvidenceRequest
from watcher.model.kube import ContainerStatus, Pod
from watcher.source.client import KubeClient, Query, limits
from watcher.source.decode import BROKEN, decode_pod
from watcher.source.errors import ApiError, Forbidden, SourceError, Unreachable

TAIL_LINES = (40, 12, 3)
"""How many lines are asked for, and again when the answer reached LOG_BYTES."""

LOG_BYTES = 16 * 1024
EVENTS = 5
EVENTS_READ = 200
"""An event lives an hour and its repetitions are counted in it, so a pod has a few dozen at most."""

_UNAVAILABLE = "unable to retrieve container logs for "
"""The kubelet answers 200 with this text when the runtime has already removed the instance."""


class _InvolvedObject(msgspec.Struct, frozen=True, gc=False):
    uid: str = ""


class _Series(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    count: int | None = None
    last_observed_time: datetime | None = None


class _EventMeta(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    creation_timestamp: datetime | None = None


class _Event(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """core/v1. Of the new kind (events.k8s.io) the times and the count are null, and stand in `series`."""

    metadata: _EventMeta = _EventMeta()
    involved_object: _InvolvedObject = _InvolvedObject()
    reason: str | None = None
    message: str | None = None
    count: int | None = None
    first_timestamp: datetime | None = None
    last_timestamp: datetime | None = None
    event_time: datetime | None = None
    series: _Series | None = None

    @property
    def newest(self) -> datetime:
        series = self.series.last_observed_time if self.series else None
        times = (series, self.last_timestamp, self.event_time, self.first_timestamp, self.metadata.creation_timestamp)
        return next((time for time in times if time is not None), datetime.min.replace(tzinfo=UTC))

    @property
    def times(self) -> int:
        return max(self.count or 0, (self.series.count or 0) if self.series else 0, 1)


class _EventList(msgspec.Struct, frozen=True, gc=False):
    items: list[_Event] | None = None


class _Instance(msgspec.Struct, frozen=True, gc=False):
    """Under which name the log can be had: `previous`, and of which instance it is. `note`: what is not as asked."""

    previous: bool
    container_id: str
    note: str = ""


class _Missing(Exception):
    """Why there is no log, in words."""


class KubeEvidence:
    """Reads from the API server: needs `get pods`, `get pods/log` and `list events`."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client

    async def fetch(self, request: EvidenceRequest, within: timedelta) -> Evidence:
        """Never raises for what the cluster does; what came in time is given even when the rest did not."""
        tasks = (
            asyncio.create_task(self._log(request), name="evidence log"),
            asyncio.create_task(self._events(request), name="evidence events"),
        )
        try:
            await asyncio.wait(tasks, timeout=within.total_seconds())
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        late = f"not within {within.total_seconds():g} s"
        instance, lines, no_log = _result(tasks[0], (None, (), f"the logs were not to be had: {late}"))
        events, no_events = _result(tasks[1], ((), f"the events were not to be had: {late}"))
        return Evidence(
            alert=request.alert,
            pod=request.pod,
            container=request.container,
            container_id=instance.container_id if instance else request.container_id,
            log=lines,
            events=events,
            missing="; ".join(filter(None, (no_log, no_events))),
        )

    # ---- the log ----

    async def _log(self, request: EvidenceRequest) -> tuple[_Instance | None, tuple[str, ...], str]:
        if not request.container:
            return None, (), ""
        try:
            instance = choose_instance(await self._pod(request), request)
            lines = await self._tail(request, instance)
        except (_Missing, SourceError) as error:
            return None, (), f"the logs were not to be had: {_in_words(error, 'pods/log')}"
        if not lines:
            return instance, (), instance.note or "the container had written nothing"
        return instance, lines, instance.note

    async def _pod(self, request: EvidenceRequest) -> Pod:
        path = f"/api/v1/namespaces/{quote(request.namespace)}/pods/{quote(request.pod)}"
        try:
            async with self._client.get(path, timeout=limits(silence=10)) as answer:
                return decode_pod(await answer.body())
        except BROKEN as error:
            raise _Missing("the pod is not readable") from error
        except ApiError as error:
            if error.code == 404:
                raise _Missing("the pod is gone") from error
            raise _Missing(_in_words(error, "pods")) from error

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
        path = f"/api/v1/namespaces/{quote(request.namespace)}/events"
        fields = f"involvedObject.kind=Pod,involvedObject.name={request.pod},type=Warning"
        query: Query = {"fieldSelector": fields, "limit": EVENTS_READ}
        try:
            async with self._client.get(path, query, limits(silence=10)) as answer:
                events = msgspec.json.decode(await answer.body(), type=_EventList).items or []
        except BROKEN:
            return (), "the events were not to be had: the answer is not readable"
        except SourceError as error:
            return (), f"the events were not to be had: {_in_words(error, 'events')}"
        return _event_lines(events, request.uid), ""


def choose_instance(pod: Pod, request: EvidenceRequest) -> _Instance:
    """Which of the two instances that the kubelet still knows is meant; _Missing when it is neither."""
    if request.uid and pod.metadata.uid and pod.metadata.uid != request.uid:
        raise _Missing("the pod was replaced by another of its name")
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


def _event_lines(events: list[_Event], uid: str) -> tuple[str, ...]:
    """The newest first."""
    # Events about a static pod carry the kubelet's uid of it, a hash without dashes.
    own = [e for e in events if not uid or e.involved_object.uid in ("", uid) or "-" not in e.involved_object.uid]
    own.sort(key=lambda event: event.newest, reverse=True)
    return tuple(_event_line(event) for event in own[:EVENTS])


def _event_line(event: _Event) -> str:
    text = " ".join(redact(clean(event.message or "")).split())
    count = f" (×{event.times})" if event.times > 1 else ""
    return f"{clean(event.reason or 'Warning')}: {text}{count}"


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
