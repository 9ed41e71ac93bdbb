"""A pod of a rule test: the short form in which people write one -> the pod as the API server would show it.

What a test does not say follows from what it says, as in Kubernetes: the phase from the containers, readiness from
running, container ids from the restart count (so that one death seen twice is one death), times from the test's own
time line. A pod that has `metadata` is taken for a Kubernetes object and used as it stands.
The words of Kubernetes (waiting, terminated, exitCode, …) are Kubernetes' own.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal

import msgspec
from pydantic import AfterValidator, BeforeValidator, Field

from watcher.lib.durations import DurationError, parse_duration
from watcher.lib.shapes import Duration, Shape
from watcher.model.kube import (
    ClaimSource,
    Condition,
    Container,
    ContainerStateKube,
    ContainerStatus,
    EnvVar,
    ObjectMeta,
    OwnerReference,
    Pod,
    PodSpec,
    PodStatus,
    ResourceRequirements,
    StateRunning,
    StateTerminated,
    StateWaiting,
    Volume,
    VolumeMount,
)

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""`0s` of every test."""

_HASH: Final = "7d4b9c6f8"
_RUN: Final = "29000000"
"""The time suffix of a CronJob's Job, in minutes since the epoch."""
BEFORE: Final = timedelta(hours=1)
"""How old an object is that is there at first sight."""


def _moment(value: Any) -> datetime | None:
    """An offset from 0s, also a negative one (`-48h`), or a time as Kubernetes writes it; null is no time."""
    if value is None or isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str) and value[:1].isdigit() and "T" in value:
            return datetime.fromisoformat(value.replace("Z", "+00:00")).astimezone(UTC)
        text = str(value)
        return START + parse_duration(text) if text[:1] != "-" else START - parse_duration(text[1:])
    except (DurationError, ValueError):
        raise ValueError("must be an offset such as 30s or -2h, or a time such as 2026-01-01T10:00:00Z") from None


Moment = Annotated[datetime | None, BeforeValidator(_moment)]


def truth(value: Any) -> Any:
    """Kubernetes writes the status of a condition as text, YAML reads it as a boolean."""
    return str(value).capitalize() if isinstance(value, bool) else value


def condition_of(value: Any) -> Any:
    return {"status": value} if not isinstance(value, dict) else value


def _owner(value: str) -> str:
    kind, slash, name = value.partition("/")
    if not (slash and kind and name):
        raise ValueError("must be Kind/name, such as Deployment/web")
    return value


class WaitingShape(Shape):
    reason: str = ""
    message: str = ""


class TerminatedShape(Shape):
    exit_code: Annotated[int, Field(alias="exitCode")] = 0
    signal: int | None = None
    reason: str = ""
    message: str = ""
    started_at: Annotated[Moment, Field(alias="startedAt")] = None
    finished_at: Annotated[Moment, Field(alias="finishedAt")] = None
    container_id: Annotated[str, Field(alias="containerID")] = ""
    ran: Duration = timedelta()
    """Ours: how long it ran, in place of startedAt."""


class ContainerShape(Shape):
    running: bool = False
    waiting: WaitingShape | None = None
    terminated: TerminatedShape | None = None
    last: TerminatedShape | None = None
    ready: bool | None = None
    restarts: int = 0
    image: str = ""
    limits: dict[str, str | int | float] | None = None
    requests: dict[str, str | int | float] | None = None
    command: list[str] | None = None
    args: list[str] | None = None
    env: dict[str, str] = Field(default_factory=dict)
    restart_policy: Literal["", "Always"] = ""


class ConditionShape(Shape):
    status: Annotated[str, BeforeValidator(truth)] = "True"
    reason: str = ""
    message: str = ""
    at: Moment = None


class PodShape(Shape):
    name: str
    namespace: str = "default"
    uid: str = ""
    owner: Annotated[str, AfterValidator(_owner)] | None = None
    node: str = "n1"
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    created: Moment = None
    deleting: bool = False
    restart_policy: Literal["Always", "OnFailure", "Never"] = "Always"
    phase: Literal["", "Pending", "Running", "Succeeded", "Failed", "Unknown"] = ""
    reason: str = ""
    message: str = ""
    conditions: dict[str, Annotated[ConditionShape, BeforeValidator(condition_of)]] = Field(default_factory=dict)
    containers: dict[str, ContainerShape] = Field(default_factory=dict)
    init_containers: dict[str, ContainerShape] = Field(default_factory=dict)
    unschedulable: str = ""
    """The scheduler's message: the pod has no node yet, and its containers no status."""
    gated: bool = False
    """A scheduling gate keeps it waiting."""
    claims: list[str] = Field(default_factory=list)
    """Claims that it declares, mounted by its first container."""
    unmounted: list[str] = Field(default_factory=list)
    """Claims that it declares and no container mounts."""

    @property
    def waits_for_node(self) -> bool:
        return bool(self.unschedulable or self.gated)


def uid_of(namespace: str, name: str) -> str:
    """The uid of an object whose test gives none."""
    return "-".join(filter(None, ("uid", namespace, name)))


class Timeline:
    """What a test has said so far, so that what it says later agrees with it: when a pod was made, when an instance
    of a container died, since when a condition is as it is, when a pod began to be deleted."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, ...], datetime] = {}
        self._last: dict[tuple[str, ...], tuple[str, datetime]] = {}

    def first(self, at: datetime, *what: str) -> datetime:
        return self._first.setdefault(what, at)

    def since(self, value: str, at: datetime, *what: str) -> datetime:
        before = self._last.get(what)
        if before is None or before[0] != value:
            self._last[what] = (value, at)
        return self._last[what][1]


class _Builder(msgspec.Struct, frozen=True):
    shape: PodShape
    at: datetime
    timeline: Timeline
    uid: str


def build_pod(shape: PodShape, at: datetime, timeline: Timeline, *, first_sight: bool) -> Pod:
    """The pod that `shape` describes at `at`."""
    builder = _Builder(shape, at, timeline, shape.uid or uid_of(shape.namespace, shape.name))
    phase = shape.phase or _phase(shape)
    created = shape.created or timeline.first(at - BEFORE if first_sight else at, "created", builder.uid)
    owner, labels = _ownership(shape.owner)
    return Pod(
        metadata=ObjectMeta(
            name=shape.name,
            namespace=shape.namespace,
            uid=builder.uid,
            creation_timestamp=created,
            deletion_timestamp=timeline.first(at, "deleting", builder.uid) if shape.deleting else None,
            labels={**labels, **shape.labels} or None,
            annotations=shape.annotations or None,
            owner_references=owner,
        ),
        spec=PodSpec(
            node_name="" if shape.waits_for_node else shape.node,
            restart_policy=shape.restart_policy,
            containers=_with_claims([_spec(name, each) for name, each in shape.containers.items()], shape.claims),
            init_containers=[_spec(name, each) for name, each in shape.init_containers.items()] or None,
            volumes=[
                Volume(name=name, persistent_volume_claim=ClaimSource(claim_name=name))
                for name in (*shape.claims, *shape.unmounted)
            ]
            or None,
        ),
        status=PodStatus(
            phase=phase,
            reason=shape.reason,
            message=shape.message,
            start_time=created,
            conditions=list(_conditions(builder, phase)),
            init_container_statuses=_statuses(builder, shape.init_containers, init=True),
            container_statuses=_statuses(builder, shape.containers, init=False),
        ),
    )


def _statuses(builder: _Builder, shapes: dict[str, ContainerShape], *, init: bool) -> list[ContainerStatus] | None:
    """The kubelet writes them, so that there are none before a node is found."""
    if builder.shape.waits_for_node:
        return None
    return [_status(builder, name, shape, init) for name, shape in shapes.items()] or None


def _with_claims(containers: list[Container], claims: list[str]) -> list[Container]:
    """The first container mounts them; a pod whose test names no container has one."""
    if not claims:
        return containers
    first, *others = containers or [Container(name="app")]
    return [msgspec.structs.replace(first, volume_mounts=[VolumeMount(name=name) for name in claims]), *others]


def _ownership(owner: str | None) -> tuple[list[OwnerReference] | None, dict[str, str]]:
    """The controller that a pod names, and the labels that this controller sets."""
    if owner is None:
        return None, {}
    kind, _, name = owner.partition("/")
    labels = {}
    if kind == "Deployment":
        kind, name, labels = "ReplicaSet", f"{name}-{_HASH}", {"pod-template-hash": _HASH}
    elif kind == "CronJob":
        kind, name = "Job", f"{name}-{_RUN}"
    return [OwnerReference(kind=kind, name=name, uid=f"uid-{kind}-{name}", controller=True)], labels


def _spec(name: str, shape: ContainerShape) -> Container:
    resources = None
    if shape.limits or shape.requests:
        resources = ResourceRequirements(limits=shape.limits, requests=shape.requests)
    return Container(
        name=name,
        image=_image(name, shape),
        restart_policy=shape.restart_policy,
        resources=resources,
        command=shape.command,
        args=shape.args,
        env=[EnvVar(name=name, value=value) for name, value in shape.env.items()] or None,
    )


def _image(name: str, shape: ContainerShape) -> str:
    return shape.image or f"registry.example/{name}:1"


def _is_ready(shape: ContainerShape, init: bool) -> bool:
    if shape.ready is not None:
        return shape.ready
    return shape.running or (init and shape.terminated is not None and shape.terminated.exit_code == 0)


def _status(builder: _Builder, name: str, shape: ContainerShape, init: bool) -> ContainerStatus:
    running = StateRunning(started_at=_running_since(builder, name, shape)) if shape.running else None
    waiting = None
    if shape.waiting is not None:
        waiting = StateWaiting(reason=shape.waiting.reason, message=shape.waiting.message)
    terminated, last = None, None
    if shape.terminated is not None:
        terminated = _terminated(builder, name, shape.restarts, shape.terminated)
    if shape.last is not None:
        instance = shape.restarts if shape.waiting is not None else shape.restarts - 1
        last = _terminated(builder, name, instance, shape.last)
    return ContainerStatus(
        name=name,
        image=_image(name, shape),
        ready=_is_ready(shape, init),
        started=shape.running,
        restart_count=shape.restarts,
        container_id="" if shape.waiting is not None and last is None else _instance(builder, name, shape.restarts),
        state=ContainerStateKube(waiting=waiting, running=running, terminated=terminated),
        last_state=ContainerStateKube(terminated=last) if last is not None else None,
    )


def _instance(builder: _Builder, name: str, restarts: int) -> str:
    return f"containerd://{builder.uid}-{name}-{restarts}"


def _running_since(builder: _Builder, name: str, shape: ContainerShape) -> datetime:
    return builder.timeline.first(builder.at, "started", _instance(builder, name, shape.restarts))


def _terminated(builder: _Builder, name: str, instance: int, shape: TerminatedShape) -> StateTerminated:
    container_id = shape.container_id or _instance(builder, name, instance)
    finished = shape.finished_at
    if "finished_at" not in shape.model_fields_set:
        finished = builder.timeline.first(builder.at, "finished", container_id)
    started = shape.started_at
    if shape.ran and finished is not None:
        started = finished - shape.ran
    return StateTerminated(
        exit_code=shape.exit_code,
        signal=shape.signal,
        reason=shape.reason,
        message=shape.message,
        started_at=started,
        finished_at=finished,
        container_id=container_id,
    )


def _phase(shape: PodShape) -> str:
    """As the kubelet computes it (getPhase in pkg/kubelet/kubelet_pods.go), from what a test may say."""
    if shape.waits_for_node:
        return "Pending"
    waits = [each for each in shape.init_containers.values() if not _is_ready(each, init=True) and not _is_up(each)]
    containers = list(shape.containers.values())
    if waits or not containers:
        failed = [each for each in waits if each.terminated is not None and each.terminated.exit_code != 0]
        return "Failed" if failed and shape.restart_policy == "Never" else "Pending"
    ended = [each.terminated for each in containers if each.terminated is not None]
    if len(ended) == len(containers) and shape.restart_policy != "Always":
        if all(each.exit_code == 0 for each in ended):
            return "Succeeded"
        return "Failed" if shape.restart_policy == "Never" else "Running"
    started = any(each.running or each.terminated or each.last or each.restarts for each in containers)
    return "Running" if started else "Pending"


def _is_up(sidecar: ContainerShape) -> bool:
    """A native sidecar that has started once holds up nothing any more."""
    started = sidecar.running or sidecar.terminated or sidecar.last or sidecar.restarts
    return sidecar.restart_policy == "Always" and bool(started)


def _conditions(builder: _Builder, phase: str) -> Iterator[Condition]:
    shape = builder.shape
    stated = {"PodScheduled": _scheduled(shape), "Ready": _ready(shape, phase), **shape.conditions}
    for kind, each in stated.items():
        yield Condition(
            type=kind,
            status=each.status,
            reason=each.reason,
            message=each.message,
            last_transition_time=each.at or builder.timeline.since(each.status, builder.at, kind, builder.uid),
        )


def _scheduled(shape: PodShape) -> ConditionShape:
    if shape.gated:
        message = "Scheduling is blocked due to non-empty scheduling gates"
        return ConditionShape(status="False", reason="SchedulingGated", message=message)
    if shape.unschedulable:
        return ConditionShape(status="False", reason="Unschedulable", message=shape.unschedulable)
    return ConditionShape(status=str(bool(shape.node)))


def _ready(shape: PodShape, phase: str) -> ConditionShape:
    serving = {**shape.containers, **{name: c for name, c in shape.init_containers.items() if c.restart_policy}}
    missing = [name for name, each in serving.items() if not _is_ready(each, init=False)]
    if phase == "Running" and shape.containers and not missing:
        return ConditionShape(status="True")
    if phase == "Running":
        message = f"containers with unready status: [{' '.join(missing)}]"
        return ConditionShape(status="False", reason="ContainersNotReady", message=message)
    return ConditionShape(status="False")
