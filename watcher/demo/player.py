"""Plays a scenario: makes its workloads, and does its steps when they are due.

Everything is put on the cluster's timeline at the beginning, so a scenario runs by itself at whatever speed the time
passes, and `advance` of a manual clock plays hours in no time. Scenarios are read in scenario.py and steps.py.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from watcher.demo.behaviour import Behaviour, Die, Run, Stuck, Unschedulable
from watcher.demo.controllers import Deployment, Plan, Workload
from watcher.demo.events import Note
from watcher.demo.faults import Fault
from watcher.demo.jobs import CronJob, Job
from watcher.demo.lifecycle import PodRun
from watcher.demo.pods import Container
from watcher.demo.scenario import ContainerShape, Scenario, WorkloadShape, behaviour_of
from watcher.demo.sets import BarePod, DaemonSet, StatefulSet
from watcher.demo.steps import (
    Become,
    ClaimPhase,
    Complete,
    Crash,
    Delete,
    EventNote,
    Evict,
    FaultStep,
    Fill,
    Log,
    NodeDown,
    NodeUp,
    Oom,
    Pressure,
    Recover,
    Remove,
    Rollout,
    Scale,
    Step,
    Unready,
)
from watcher.demo.world import World
from watcher.lib.quantity import parse_bytes

_KINDS: dict[str, type[Workload]] = {
    "deployment": Deployment,
    "statefulset": StatefulSet,
    "daemonset": DaemonSet,
    "job": Job,
    "cronjob": CronJob,
    "pod": BarePod,
}


class Player:
    """Plays one scenario into one world. `fault` is given the faults of its `fault:` steps."""

    def __init__(self, world: World, scenario: Scenario, fault: Callable[[Fault], object]) -> None:
        self.world = world
        self.scenario = scenario
        self._fault = fault
        self._actions: dict[type[Step], Callable[[Any], object]] = {
            Crash: lambda step: self._behave(step, step.behaviour()),
            Oom: lambda step: self._behave(step, step.behaviour()),
            Complete: lambda step: self._behave(step, step.behaviour()),
            Become: self._become,
            Recover: self._recover,
            Unready: lambda step: self._behave(step, Run(ready=False)),
            Rollout: self._rollout,
            Scale: lambda step: self._workload(step).scale(step.replicas),
            Delete: self._delete,
            Evict: self._evict,
            Remove: lambda step: self._workload(step).remove(),
            Log: self._log,
            EventNote: self._note,
            Fill: self._fill,
            ClaimPhase: self._claim_phase,
            NodeDown: lambda step: self.world.node_down(step.target),
            NodeUp: lambda step: self.world.node_up(step.target),
            Pressure: lambda step: self.world.node_pressure(step.target, step.kind, step.on),
            FaultStep: lambda step: self._fault(step.record()),
        }

    def begin(self) -> None:
        """Make the cluster as it was `history` ago, and plan everything from there."""
        scenario, world = self.scenario, self.world
        world.modern = scenario.modern
        for namespace in ("default", "kube-system"):
            world.namespace(namespace)
        for node in scenario.nodes:
            world.add_node(node)
        for claim in scenario.claims:
            namespace, _, name = claim.claim.partition("/")
            world.namespace(namespace)
            world.claim(namespace, name, parse_bytes(claim.size), claim.used, claim.storage_class)
        start = world.timeline.now() + scenario.history
        for shape in scenario.workloads:
            workload = self._make(shape)
            if shape.at is None:
                workload.begin()
            else:
                world.timeline.at(start + shape.at, workload.begin)
        for step in scenario.steps:
            world.timeline.at(start + step.at, self._doing(step))

    def _doing(self, step: Step) -> Callable[[], None]:
        return lambda: self.do(step)

    def do(self, step: Step) -> None:
        """Do one step now. KeyError: its target does not exist (any more)."""
        self._actions[type(step)](step)

    def _make(self, shape: WorkloadShape) -> Workload:
        namespace, _, name = shape.title.partition("/")
        workload = _KINDS[shape.kind](self.world, namespace, name, shape.replicas, plan_of(shape))
        if isinstance(workload, Job):
            workload.backoff_limit = shape.backoff_limit
        if isinstance(workload, CronJob):
            workload.every = shape.every
            workload.backoff_limit = shape.backoff_limit
        return workload

    def _workload(self, step: Step) -> Workload:
        if step.target not in self.world.workloads:
            raise KeyError(f"at {step.at} there is no workload {step.target} to {step.action}")
        return self.world.workloads[step.target]

    def _pods(self, step: Step, count: int | None) -> list[PodRun]:
        live = self._workload(step).all_live()
        return live if count is None else live[:count]

    def _behave(self, step: Any, behaviour: Behaviour) -> None:
        """Tell the pods; and, when all are meant, the template."""
        workload = self._workload(step)
        if step.pods is None:
            workload.expect(step.container, behaviour)
        for run in self._pods(step, step.pods):
            run.container(step.container).behave(behaviour)

    def _become(self, step: Become) -> None:
        behaviour = behaviour_of(step.then) or Run()
        if isinstance(behaviour, Unschedulable | Stuck):
            self._workload(step).expect_pods(behaviour)
        else:
            self._behave(step, behaviour)

    def _recover(self, step: Recover) -> None:
        workload = self._workload(step)
        if step.pods is None:
            workload.expect(step.container, None)
            workload.expect_pods(None)
        for run in self._pods(step, step.pods):
            run.pod_level = None
            run.container(step.container).recover()

    def _rollout(self, step: Rollout) -> None:
        workload = self._workload(step)
        plan = workload.newest_plan()
        name = step.container or plan.main
        if step.image:
            containers = [replace(c, image=step.image) if c.name == name else c for c in plan.containers]
            plan = replace(plan, containers=tuple(containers))
        if step.then is not None:
            plan = replace(plan, pod_level=None).with_behaviour(name, behaviour_of(step.then))
        workload.rollout(plan)

    def _delete(self, step: Delete) -> None:
        message = step.message or f"{step.disruption}: by the scenario"
        for run in self._pods(step, step.pods):
            run.delete(30, (step.disruption, message) if step.disruption else None)

    def _evict(self, step: Evict) -> None:
        for run in self._pods(step, step.pods):
            run.evict(step.message)

    def _log(self, step: Log) -> None:
        for run in self._pods(step, None):
            self.world.logs.write(run.container(step.container).identity, step.lines)

    def _note(self, step: EventNote) -> None:
        for run in self._pods(step, None):
            run.note(Note(reason=step.reason, message=step.message, warning=step.warning))

    def _claim_phase(self, step: ClaimPhase) -> None:
        namespace, _, name = step.target.partition("/")
        self.world.claim_phase(namespace, name, step.phase, step.message)

    def _fill(self, step: Fill) -> None:
        namespace, _, name = step.target.partition("/")
        claims = self.world.stats.claims
        claims[namespace, name] = claims[namespace, name].moving(step.to, self.world.timeline.now(), step.over)


def plan_of(shape: WorkloadShape) -> Plan:
    """The pod template of a workload, and what its pods do."""
    first = Container(
        name=shape.container,
        image=shape.image,
        requests=shape.requests,
        limits=shape.limits,
        env=shape.env,
        mounts={volume: f"/var/lib/{volume}" for volume in shape.volumes},
        ready_after=shape.ready_after,
    )
    finite = shape.kind in ("job", "cronjob")
    plan = Plan(
        containers=(first, *(_container(more) for more in shape.containers)),
        labels=shape.labels,
        annotations=shape.annotations,
        claims=shape.volumes,
        restart_policy=shape.restart_policy or ("Never" if finite else "Always"),
    )
    behaviour = behaviour_of(shape.does)
    if behaviour is None and finite:
        behaviour = Die(exit=0, after=timedelta(seconds=20))
    plan = plan.with_behaviour(shape.container, behaviour)
    for more in shape.containers:
        plan = plan.with_behaviour(more.name, behaviour_of(more.does))
    return plan


def _container(shape: ContainerShape) -> Container:
    return Container(
        name=shape.name,
        image=shape.image,
        kind=shape.kind,
        requests=shape.requests,
        limits=shape.limits,
        env=shape.env,
        ready_after=shape.ready_after,
    )
