"""Scenarios: YAML files that say which workloads a cluster has, and what happens to them when.

    scenario: checkout breaks
    about: A deployment loses its database and recovers.
    speed: 20                  # cluster seconds in a real second, unless the caller says otherwise
    seed: checkout             # names, uids and hashes follow from it
    history: 2h                # the workloads have been running so long when it begins (played at once)
    kubelet: "1.35"            # before 1.32, ImagePullBackOff does not name the cause
    nodes: 3                   # or a list of names
    claims:
      - {claim: shop/data-db-0, size: 20Gi, used: 41, storage_class: standard}
    workloads:                 # deployment, statefulset, daemonset, job, cronjob or pod: NAMESPACE/NAME
      - deployment: shop/checkout
        replicas: 2
        image: registry.example.com/shop/checkout:2.4.1
        requests: {cpu: 100m, memory: 128Mi}
        limits: {memory: 256Mi}
        ready_after: 4s        # has a readiness probe, and passes it so long after the start
        does: {crash: {exit: 1, after: 2s, times: 2}}      # see behaviour.py; omitted: healthy
        volumes: {data: data-db-0}                         # volume: claim
        containers:            # more containers; kind: app, init or sidecar
          - {name: migrate, kind: init, image: "registry.example.com/shop/migrate:2.4.1"}
        at: 30s                # created then; omitted: at the beginning of the history
    timeline:                  # each step is one action and its options; see steps.py
      - {at: 20s, crash: shop/checkout, exit: 1, after: 3s, logs: ["cannot reach db:5432"]}
      - {at: 30m, recover: shop/checkout}

Times count in the cluster's time from the beginning. Everything wrong with a file is reported at once, with its place.
How it is played is in player.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import msgspec
from pydantic import Field, ValidationError, model_validator

from watcher.demo.behaviour import Behaviour, CannotPull, Unschedulable
from watcher.demo.steps import Does, ScenarioShape, Step, read_step
from watcher.lib.problems import Problem, sort_problems
from watcher.lib.quantity import QuantityError, parse_bytes
from watcher.lib.shapes import Duration, shape_problems
from watcher.lib.yamlpos import Document, YamlError, load

__all__ = ["Scenario", "ScenarioError", "behaviour_of", "load_scenario", "parse_scenario", "shipped"]

KINDS = ("deployment", "statefulset", "daemonset", "job", "cronjob", "pod")


class ScenarioError(ValueError):
    """The file is no scenario. `problems` is everything that is wrong with it."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class Claim(ScenarioShape):
    """A PersistentVolumeClaim, bound, with a filesystem."""

    claim: str
    size: str = "10Gi"
    used: float = Field(default=30, ge=0, le=100)
    """Percent."""
    storage_class: str = "standard"


class ContainerShape(ScenarioShape):
    """A container besides the first."""

    name: str
    image: str
    kind: Literal["app", "init", "sidecar"] = "app"
    requests: dict[str, str] = Field(default={})
    limits: dict[str, str] = Field(default={})
    env: dict[str, str] = Field(default={})
    ready_after: Duration | None = None
    does: Does = Does()


class WorkloadShape(ScenarioShape):
    """A workload; its kind is the one key of `KINDS` that is given."""

    deployment: str = ""
    statefulset: str = ""
    daemonset: str = ""
    job: str = ""
    cronjob: str = ""
    pod: str = ""
    container: str = "app"
    """The name of the first container."""
    image: str
    replicas: int = Field(default=1, ge=0, le=5000)
    requests: dict[str, str] = Field(default={})
    limits: dict[str, str] = Field(default={})
    env: dict[str, str] = Field(default={})
    ready_after: Duration | None = None
    does: Does = Does()
    volumes: dict[str, str] = Field(default={})
    containers: list[ContainerShape] = Field(default=[])
    labels: dict[str, str] = Field(default={})
    annotations: dict[str, str] = Field(default={})
    restart_policy: Literal["Always", "OnFailure", "Never"] | None = None
    every: Duration = timedelta(minutes=10)
    backoff_limit: int = Field(default=6, ge=0)
    at: Duration | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> WorkloadShape:
        given = [kind for kind in KINDS if getattr(self, kind)]
        if len(given) != 1:
            raise ValueError(f"a workload needs one of {', '.join(KINDS)}")
        return self

    @property
    def kind(self) -> str:
        return next(kind for kind in KINDS if getattr(self, kind))

    @property
    def title(self) -> str:
        """`namespace/name`."""
        return str(getattr(self, self.kind))

    def container_names(self) -> list[str]:
        return [self.container, *(container.name for container in self.containers)]


class _Head(ScenarioShape):
    """A scenario file but for its timeline, whose steps have shapes of their own."""

    scenario: str
    about: str = ""
    speed: float = Field(default=1.0, gt=0)
    seed: str = "demo"
    history: Duration = timedelta()
    kubelet: str = "1.35"
    nodes: int | list[str] = 3
    claims: list[Claim] = Field(default=[])
    workloads: list[WorkloadShape] = Field(default=[])
    timeline: list[dict[str, Any]] = Field(default=[])


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A checked scenario."""

    name: str
    about: str
    speed: float
    seed: str
    history: timedelta
    modern: bool
    """The kubelet is 1.32 or later."""
    nodes: tuple[str, ...]
    claims: tuple[Claim, ...]
    workloads: tuple[WorkloadShape, ...]
    steps: tuple[Step, ...]

    def end(self) -> timedelta:
        """When the last step happens."""
        return max((step.at for step in self.steps), default=timedelta())


def shipped() -> tuple[str, ...]:
    """The names of the scenarios that come with Watcher."""
    folder = files("watcher.demo") / "scenarios"
    return tuple(sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml")))


def load_scenario(name: str | Path) -> Scenario:
    """A shipped scenario by its name, or a file; ScenarioError with all problems, OSError when it cannot be read."""
    if isinstance(name, str) and name in shipped():
        text = (files("watcher.demo") / "scenarios" / f"{name}.yaml").read_text(encoding="utf-8")
        return parse_scenario(text, f"{name}.yaml")
    return parse_scenario(Path(name).read_text(encoding="utf-8"), str(name))


def parse_scenario(text: str, file: str = "scenario.yaml") -> Scenario:
    """Check a scenario's text; ScenarioError with every problem and its place."""
    try:
        document = load(text, file)
        head = _Head.model_validate(document.data)
    except YamlError as error:
        raise ScenarioError(error.problems) from error
    except ValidationError as error:
        raise ScenarioError(sort_problems(shape_problems(error, document, _Head, ()))) from error
    steps, problems = _steps(head, document)
    problems.extend(_wrong_names(head, steps, document))
    if problems:
        raise ScenarioError(sort_problems(problems))
    nodes = head.nodes if isinstance(head.nodes, list) else [f"node-{index + 1}" for index in range(head.nodes)]
    return Scenario(
        name=head.scenario,
        about=head.about,
        speed=head.speed,
        seed=head.seed,
        history=head.history,
        modern=_version(head.kubelet) >= (1, 32),
        nodes=tuple(nodes),
        claims=tuple(head.claims),
        workloads=tuple(head.workloads),
        steps=tuple(sorted((step for step in steps if step is not None), key=lambda step: step.at)),
    )


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.removeprefix("v").split(".")[:2] if part.isdigit())


def _steps(head: _Head, document: Document) -> tuple[list[Step | None], list[Problem]]:
    """The steps in the order of the file, None where one is wrong."""
    steps: list[Step | None] = []
    problems: list[Problem] = []
    for index, raw in enumerate(head.timeline):
        found = read_step(raw, document, ("timeline", index))
        if isinstance(found, Step):
            steps.append(found)
        else:
            steps.append(None)
            problems.extend(found)
    return steps, problems


def _wrong_names(head: _Head, steps: list[Step | None], document: Document) -> Iterator[Problem]:
    """What is named and does not exist, or exists twice."""
    workloads: dict[str, WorkloadShape] = {}
    for index, workload in enumerate(head.workloads):
        path = ("workloads", index, workload.kind)
        if workload.title.count("/") != 1 or not all(workload.title.split("/")):
            yield document.problem(path, f"{workload.title!r} must be NAMESPACE/NAME")
        elif workload.title in workloads:
            yield document.problem(path, f"there are two workloads {workload.title}")
        workloads[workload.title] = workload
        yield from _wrong_claims(workload, head, document, index)
    for index, claim in enumerate(head.claims):
        try:
            parse_bytes(claim.size)
        except QuantityError as error:
            yield document.problem(("claims", index, "size"), str(error))
    known = {"workload": set(workloads), "claim": {claim.claim for claim in head.claims}, "node": set(_nodes(head))}
    for index, step in enumerate(steps):
        if step is not None:
            yield from _wrong_target(step, workloads, known, document, ("timeline", index))


def _wrong_claims(workload: WorkloadShape, head: _Head, document: Document, index: int) -> Iterator[Problem]:
    namespace = workload.title.partition("/")[0]
    known = {claim.claim for claim in head.claims}
    for volume, claim in workload.volumes.items():
        if f"{namespace}/{claim}" not in known:
            yield document.problem(
                ("workloads", index, "volumes", volume), f"there is no claim {namespace}/{claim} under `claims`"
            )


def _nodes(head: _Head) -> list[str]:
    return head.nodes if isinstance(head.nodes, list) else [f"node-{index + 1}" for index in range(head.nodes)]


def _wrong_target(
    step: Step, workloads: dict[str, WorkloadShape], known: dict[str, set[str]], document: Document, path: Any
) -> Iterator[Problem]:
    if step.about and step.target not in known[step.about]:
        names = ", ".join(sorted(known[step.about])) or "none"
        yield document.problem((*path, step.action), f"there is no {step.about} {step.target!r}; known are {names}")
        return
    container = getattr(step, "container", "")
    if container and container not in workloads[step.target].container_names():
        names = ", ".join(workloads[step.target].container_names())
        yield document.problem((*path, "container"), f"{step.target} has no container {container!r}; it has {names}")


def behaviour_of(does: Does) -> Behaviour | None:
    """The behaviour that `does:` asks for; None: healthy."""
    for shape in (does.run, does.crash, does.oom, does.complete, does.cannot_start, does.stuck):
        if shape is not None:
            return shape.behaviour()
    if does.cannot_pull is not None:
        return CannotPull(cause=does.cannot_pull)
    return None if does.unschedulable is None else Unschedulable(message=does.unschedulable)
