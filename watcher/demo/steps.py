"""The steps of a scenario's timeline: one action each, named by its key, with the options of that action.

    crash: shop/web, exit: 1, after: 3s, logs: [..], message: text, times: 0     dies now, and again after each start
    oom: shop/web, after: 20s, logs: [..]           killed now for its memory, and again after each start
    complete: shop/web, after: 5s                   exits 0 now, and again after each start
    become: shop/web, then: {cannot_start: {...}}   any behaviour, from the next start (see behaviour.py)
    recover: shop/web                               healthy again, at its next start
    unready: shop/web                               runs, and fails its readiness probe
    rollout: shop/web, image: .., then: {..}        new pods, of this image and behaviour; without them a restart
    scale: shop/web, replicas: 5
    delete: shop/web, pods: 1, disruption: EvictionByEvictionAPI      graceful; the workload makes new ones
    evict: shop/web, pods: 1, message: text         by the kubelet: Failed/Evicted, the corpse stays
    remove: shop/web                                the workload and all of its pods
    log: shop/web, lines: [..]                      its containers print
    note: shop/web, reason: Unhealthy, message: .., warning: true     a kubelet's Event about its pods
    fill: shop/data-db-0, to: 93, over: 20m         percent of a claim, reached evenly
    claim_phase: shop/data-db-0, phase: Lost        or Pending, Bound
    node_down: node-2 / node_up: node-2             stops answering / is back
    pressure: node-1, kind: DiskPressure, on: true
    fault: {fault: drop_watches, abrupt: true}      any fault of faults.py

`pods: N` means the first N pods only, and none that come later; without it, all of them, and those that come. The
behaviours (`does:`, `then:`) have shapes here too.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar, Literal

import msgspec
from pydantic import Field, ValidationError, field_validator, model_validator

from watcher.demo.behaviour import CannotStart, Die, Run, Stuck
from watcher.demo.faults import Fault
from watcher.lib.problems import Problem
from watcher.lib.shapes import Duration, Shape, nearest, shape_problems
from watcher.lib.yamlpos import Document, Path

ScenarioShape = Shape


class RunShape(Shape):
    """behaviour.Run."""

    ready_after: Duration | None = None
    ready: bool = True
    logs: tuple[str, ...] = ()
    stop_exit: int = 143

    def behaviour(self) -> Run:
        return Run(ready_after=self.ready_after, ready=self.ready, logs=self.logs, stop_exit=self.stop_exit)


class CrashShape(Shape):
    """behaviour.Die."""

    exit: int = Field(default=1, ge=0, le=255)
    after: Duration = timedelta(seconds=3)
    logs: tuple[str, ...] = ()
    message: str = ""
    times: int = Field(default=0, ge=0)

    def behaviour(self) -> Die:
        return Die(exit=self.exit, after=self.after, logs=self.logs, message=self.message, times=self.times)


class OomShape(CrashShape):
    """behaviour.Die with the reason of the runtime; the exit code is usually 137, and sometimes is not."""

    exit: int = Field(default=137, ge=0, le=255)
    after: Duration = timedelta(seconds=20)

    def behaviour(self) -> Die:
        return msgspec.structs.replace(super().behaviour(), reason="OOMKilled")


class CompleteShape(Shape):
    """behaviour.Die with exit 0."""

    after: Duration = timedelta(seconds=5)
    logs: tuple[str, ...] = ()

    def behaviour(self) -> Die:
        return Die(exit=0, after=self.after, logs=self.logs)


class CannotStartShape(Shape):
    """behaviour.CannotStart."""

    reason: Literal["CreateContainerConfigError", "CreateContainerError", "RunContainerError"]
    message: str

    def behaviour(self) -> CannotStart:
        return CannotStart(reason=self.reason, message=self.message)


class StuckShape(Shape):
    """behaviour.Stuck."""

    event: str = "FailedMount"
    message: str

    def behaviour(self) -> Stuck:
        return Stuck(event=self.event, message=self.message)


class Does(Shape):
    """One behaviour, or none: healthy."""

    run: RunShape | None = None
    crash: CrashShape | None = None
    oom: OomShape | None = None
    complete: CompleteShape | None = None
    cannot_pull: str | None = None
    cannot_start: CannotStartShape | None = None
    unschedulable: str | None = None
    stuck: StuckShape | None = None

    @model_validator(mode="after")
    def _one(self) -> Does:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"only one behaviour is possible, not {' and '.join(given)}")
        return self


class Step(Shape):
    """One action at one time. `action` is the key that names it, whose value is the target."""

    action: ClassVar[str] = ""
    about: ClassVar[str] = "workload"
    """What the target is: workload, claim, node, or nothing."""

    at: Duration = timedelta()

    @property
    def target(self) -> str:
        return str(getattr(self, self.action))


class _OnContainers(Step):
    container: str = ""
    pods: int | None = Field(default=None, ge=1)


class Crash(CrashShape, _OnContainers):
    action = "crash"
    crash: str


class Oom(OomShape, _OnContainers):
    action = "oom"
    oom: str


class Complete(CompleteShape, _OnContainers):
    action = "complete"
    complete: str


class Become(_OnContainers):
    action = "become"
    become: str
    then: Does


class Recover(_OnContainers):
    action = "recover"
    recover: str


class Unready(_OnContainers):
    action = "unready"
    unready: str


class Rollout(Step):
    action = "rollout"
    rollout: str
    container: str = ""
    image: str = ""
    then: Does | None = None


class Scale(Step):
    action = "scale"
    scale: str
    replicas: int = Field(ge=0, le=5000)


class Delete(Step):
    action = "delete"
    delete: str
    pods: int | None = Field(default=None, ge=1)
    disruption: str = ""
    message: str = ""


class Evict(Step):
    action = "evict"
    evict: str
    pods: int = Field(default=1, ge=1)
    message: str = (
        "The node was low on resource: ephemeral-storage. Threshold quantity: 2126213140, available: 1884540Ki. "
        "Container app was using 3264Ki, request is 0, has larger consumption of ephemeral-storage. "
    )


class Remove(Step):
    action = "remove"
    remove: str


class Log(Step):
    action = "log"
    log: str
    container: str = ""
    lines: list[str]


class EventNote(Step):
    action = "note"
    note: str
    reason: str
    message: str
    warning: bool = False


class Fill(Step):
    action = "fill"
    about = "claim"
    fill: str
    to: float = Field(ge=0, le=100)
    over: Duration = timedelta()


class ClaimPhase(Step):
    action = "claim_phase"
    about = "claim"
    claim_phase: str
    phase: Literal["Pending", "Bound", "Lost"]
    message: str = ""
    """Of a ProvisioningFailed Event, where there is one."""


class NodeDown(Step):
    action = "node_down"
    about = "node"
    node_down: str


class NodeUp(Step):
    action = "node_up"
    about = "node"
    node_up: str


class Pressure(Step):
    action = "pressure"
    about = "node"
    pressure: str
    kind: Literal["MemoryPressure", "DiskPressure", "PIDPressure"] = "MemoryPressure"
    on: bool = True


class FaultStep(Step):
    action = "fault"
    about = ""
    fault: dict[str, Any]

    @field_validator("fault")
    @classmethod
    def _known(cls, value: dict[str, Any]) -> dict[str, Any]:
        try:
            msgspec.convert(value, Fault)
        except msgspec.ValidationError as error:
            raise ValueError(f"no such fault: {error}") from None
        return value

    def record(self) -> Fault:
        fault: Fault = msgspec.convert(self.fault, Fault)
        return fault


_STEPS: tuple[type[Step], ...] = (
    Crash,
    Oom,
    Complete,
    Become,
    Recover,
    Unready,
    Rollout,
    Scale,
    Delete,
    Evict,
    Remove,
    Log,
    EventNote,
    Fill,
    ClaimPhase,
    NodeDown,
    NodeUp,
    Pressure,
    FaultStep,
)
ACTIONS: dict[str, type[Step]] = {step.action: step for step in _STEPS}


def read_step(raw: dict[str, Any], document: Document, path: Path) -> Step | list[Problem]:
    """One step, or what is wrong with it."""
    given = [key for key in raw if key in ACTIONS]
    if len(given) != 1:
        return [document.problem(path, _no_action(raw, given))]
    shape = ACTIONS[given[0]]
    try:
        return shape.model_validate(raw)
    except ValidationError as error:
        return shape_problems(error, document, shape, path)


def _no_action(raw: dict[str, Any], given: list[str]) -> str:
    if given:
        return f"a step has one action, not {' and '.join(given)}"
    for key in raw:
        if close := nearest(key, ACTIONS):
            return f"a step needs an action; did you mean {close} where {key} stands?"
    return f"a step needs an action: one of {', '.join(ACTIONS)}"
