"""One pod on its node: from the first ADDED to DELETED, with the status writes of a real kubelet.

    Pending, nothing else -> PodScheduled -> startTime, Initialized, ContainerCreating -> Running, Ready

Each `write` computes the whole status from the containers (containers.py) and puts it, so that changes of one instant
are one write, and a write that changes nothing is none. Phase follows kubelet_pods.go (getPhase), also its surprises:
a pod with one running and one waiting container is Pending, and a deleted pod whose containers ended with 143 is Failed
just before it goes. Who makes pods, and replaces them, is in controllers.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

from msgspec.structs import replace

from watcher.demo.behaviour import Behaviour, Run, Stuck, Unschedulable
from watcher.demo.clock import Handle, Timeline, rfc3339
from watcher.demo.containers import ContainerRun, healthy
from watcher.demo.events import Note, Recorder
from watcher.demo.logs import Logs
from watcher.demo.model import Cluster
from watcher.demo.names import fraction, pod_address
from watcher.demo.pods import Container, condition, waiting
from watcher.demo.resources import JsonObject

_MOUNT_RETRY = timedelta(minutes=2)
_SCHEDULE_RETRY = timedelta(minutes=5)


class Ground(Protocol):
    """What a pod stands on (world.World)."""

    cluster: Cluster
    timeline: Timeline
    events: Recorder
    logs: Logs
    modern: bool

    def pick_node(self, pod: JsonObject) -> str: ...

    def cached(self, node: str, image: str) -> bool: ...

    def changed(self, pod: PodRun) -> None:
        """Called after each write, and when the pod is gone."""
        ...


Behaviours = Mapping[str, Behaviour]
"""By container name; containers without an entry are healthy."""


class PodRun:
    """The scheduler and kubelet of one pod."""

    def __init__(self, ground: Ground, pod: JsonObject, containers: Iterable[Container], does: Behaviours) -> None:
        self.ground = ground
        self.modern = ground.modern
        self.namespace: str = pod["metadata"]["namespace"]
        self.name: str = pod["metadata"]["name"]
        self.uid: str = pod["metadata"]["uid"]
        self.policy: str = pod["spec"]["restartPolicy"]
        self.node = ""
        self.gone = False
        self.finished = False
        """Succeeded, Failed or evicted: nothing more happens to it."""
        self.deleting = False
        self.pod_level: Unschedulable | Stuck | None = None
        self._reference = {key: pod[key] for key in ("kind", "apiVersion", "metadata")}
        self._node_wanted: str = pod["spec"].get("nodeName", "")
        self._frozen = False
        self._deferred: list[Callable[[], None]] = []
        self._since: dict[str, tuple[str, datetime]] = {}
        self._entries: dict[str, JsonObject] = {}
        self._status: JsonObject = dict(pod["status"])
        self._admitted = False
        self._placed(pod)
        runs = [ContainerRun(self, one, does.get(one.name) or healthy(one)) for one in containers]
        self.inits = [run for run in runs if run.template.kind != "app"]
        self.apps = [run for run in runs if run.template.kind == "app"]

    def _placed(self, pod: JsonObject) -> None:
        if self._node_wanted:
            pod["spec"].pop("nodeName")
        self.ground.cluster.put(pod)

    @property
    def title(self) -> str:
        return f"{self.name}_{self.namespace}({self.uid})"

    @property
    def ready(self) -> bool:
        """Counts for its workload."""
        sidecars = [run for run in self.inits if run.template.kind == "sidecar"]
        alive = not (self.gone or self.finished or self.deleting or self._frozen)
        return alive and self._admitted and all(run.ready for run in (*self.apps, *sidecars))

    @property
    def phase(self) -> str:
        return str(self._status["phase"])

    def container(self, name: str) -> ContainerRun:
        """By name; the first app container when the name is empty. KeyError: there is none."""
        for run in (*self.apps, *self.inits):
            if name in ("", run.template.name):
                return run
        raise KeyError(f"pod {self.namespace}/{self.name} has no container {name!r}")

    # -- what containers ask of it (containers.Home)

    def now(self) -> datetime:
        return self.ground.timeline.now()

    def after(self, delay: timedelta, action: Callable[[], None]) -> Handle:
        def act() -> None:
            if self._frozen:
                self._deferred.append(act)
            elif not (self.gone or handle.cancelled):
                action()

        handle = self.ground.timeline.after(delay, act)
        return handle

    def note(self, note: Note) -> None:
        self.ground.events.record(self._reference, _at_host(note, self.node))

    def log(self, container_id: str, lines: Iterable[str]) -> None:
        self.ground.logs.write(container_id, lines)

    def forget_log(self, container_id: str) -> None:
        self.ground.logs.drop(container_id)

    def cached(self, image: str) -> bool:
        return self.ground.cached(self.node, image)

    def ended(self, container: ContainerRun) -> bool:
        """restartPolicy, as kubelet_pods.go and container/helpers.go read it."""
        if self.deleting or self.finished:
            return False
        if container.template.kind == "sidecar":
            return True
        done = container.exit_code == 0
        if container.is_init:
            if done:
                self.after(timedelta(seconds=0.3), self._next)
            return not done and self.policy != "Never"
        return self.policy == "Always" or (self.policy == "OnFailure" and not done)

    # -- scheduling and starting

    def begin(self, pod_level: Behaviour | None = None) -> None:
        """Plan what follows the creation."""
        self.pod_level = pod_level if isinstance(pod_level, Unschedulable | Stuck) else None
        self.after(timedelta(seconds=0.03), self._schedule)

    def _schedule(self) -> None:
        if self.deleting:
            return
        if isinstance(self.pod_level, Unschedulable):
            self._set("PodScheduled", "False", "Unschedulable", self.pod_level.message)
            words = Note(reason="FailedScheduling", message=self.pod_level.message, warning=True)
            self.note(_from_scheduler(words))
            self.write()
            self.after(_SCHEDULE_RETRY, self._schedule)
            return
        self.node = self._node_wanted or self.ground.pick_node(self._reference)
        self._set("PodScheduled", "True")
        words = Note(reason="Scheduled", message=f"Successfully assigned {self.namespace}/{self.name} to {self.node}")
        self.note(_from_scheduler(words))
        self.write()
        self.after(timedelta(seconds=0.1), self._admit)

    def _admit(self) -> None:
        """The kubelet's first write."""
        if self.deleting:
            return
        self._admitted = True
        self._status |= {"startTime": rfc3339(self.now()), "hostIP": "10.0.0.1", "hostIPs": [{"ip": "10.0.0.1"}]}
        for run in (*self.inits, *self.apps):
            run.state = waiting("PodInitializing" if self.inits else "ContainerCreating")
        self.write()
        if isinstance(self.pod_level, Stuck):
            self._stay_stuck()
            return
        self.after(timedelta(seconds=0.7 + 1.5 * fraction(self.uid, "start")), self._sandbox)

    def _stay_stuck(self) -> None:
        if self.deleting:
            return
        if isinstance(self.pod_level, Stuck):
            self.note(Note(reason=self.pod_level.event, message=self.pod_level.message, warning=True))
            self.after(_MOUNT_RETRY, self._stay_stuck)
        else:
            self._sandbox()

    def _sandbox(self) -> None:
        address = pod_address(self.uid)
        self._status |= {"podIP": address, "podIPs": [{"ip": address}]}
        self._next()

    def _next(self) -> None:
        """Start what can be started: init containers one by one, then all others together."""
        if self.deleting or self.finished:
            return
        for run in self.inits:
            if not run.begun:
                if run.start():
                    self.write()
                return
            if not _initialized(run):
                return
        changed = [run.start() for run in self.apps if not run.begun]
        if any(changed):
            self.write()

    def started(self, container: ContainerRun) -> None:
        """Behind a sidecar the next container follows as soon as it runs."""
        if container.template.kind == "sidecar":
            self.after(timedelta(seconds=0.5), self._next)

    # -- the status

    def write(self) -> None:
        """Put the status as the containers make it."""
        pod = self.ground.cluster.get("Pod", self.namespace, self.name)
        if pod is None or pod["metadata"].get("uid") != self.uid:
            self._vanish()
            return
        if self.node:
            pod["spec"]["nodeName"] = self.node
        if self._admitted and not self.finished:
            self._compute()
        pod["status"] = self._status | {"conditions": self._conditions()}
        self.ground.cluster.put(pod)
        self.ground.changed(self)

    def _compute(self) -> None:
        if self.inits:
            self._status["initContainerStatuses"] = [run.status() for run in self.inits]
        self._status["containerStatuses"] = [run.status() for run in self.apps]
        self._status["phase"] = phase = self._phase()
        self.finished = phase in ("Succeeded", "Failed") and not self.deleting
        sandbox = any(run.identity for run in (*self.inits, *self.apps)) and not self.finished
        self._set("PodReadyToStartContainers", str(sandbox))
        over = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(phase, "")
        pending = [run.template.name for run in self.inits if not _initialized(run)]
        text = f"containers with incomplete status: [{' '.join(pending)}]"
        if pending:
            self._set("Initialized", "False", "ContainersNotInitialized", text)
        else:
            self._set("Initialized", "True", over if phase == "Succeeded" else "")
        unready = [run.template.name for run in self._ready_makers() if not run.ready]
        text = f"containers with unready status: [{' '.join(unready)}]"
        for kind in ("Ready", "ContainersReady"):
            if over:
                self._set(kind, "False", over)
            elif unready:
                self._set(kind, "False", "ContainersNotReady", text)
            else:
                self._set(kind, "True")

    def _ready_makers(self) -> list[ContainerRun]:
        return [run for run in (*self.inits, *self.apps) if run.template.kind != "init"]

    def _phase(self) -> str:
        """getPhase of kubelet_pods.go: what waits for the first time makes the pod Pending, whatever else runs."""
        if any(run.is_init and run.exit_code not in (0, None) for run in self.inits) and self.policy == "Never":
            return "Failed"
        if not all(_initialized(run) for run in self.inits):
            return "Pending"
        codes = [run.exit_code for run in self.apps]
        if self.deleting and not all(run.identity for run in self.apps):
            return "Pending"
        if self.deleting and None not in codes:
            return "Succeeded" if not any(codes) else "Failed"
        stopped = [run for run in self.apps if run.exit_code is not None or run.last]
        waits = [run for run in self.apps if not run.running and run not in stopped]
        if waits:
            return "Pending"
        if any(run.running for run in self.apps) or self.policy == "Always":
            return "Running"
        if all(code == 0 for code in codes):
            return "Succeeded"
        return "Failed" if self.policy == "Never" else "Running"

    def _set(self, kind: str, status: str, reason: str = "", message: str = "") -> None:
        """A condition; lastTransitionTime moves only when the status does."""
        known = self._since.get(kind)
        since = known[1] if known is not None and known[0] == status else self.now()
        self._since[kind] = (status, since)
        entry = condition(kind, status == "True", since, reason=reason, message=message)
        self._entries[kind] = entry

    def _conditions(self) -> list[JsonObject]:
        order = ("DisruptionTarget", "PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady")
        return [self._entries[kind] for kind in (*order, "PodScheduled") if kind in self._entries]

    # -- how it ends

    def delete(self, grace: int = 30, disruption: tuple[str, str] | None = None) -> None:
        """Graceful deletion. `disruption` is the reason and message of the DisruptionTarget condition."""
        pod = self.ground.cluster.get("Pod", self.namespace, self.name)
        if self.deleting or pod is None:
            return
        self.deleting = True
        if disruption is not None:
            self._set("DisruptionTarget", "True", *disruption)
        if not self.node or self.finished:
            self._remove()
            return
        moment = self.now() + timedelta(seconds=grace)
        pod["metadata"] |= {"deletionTimestamp": rfc3339(moment), "deletionGracePeriodSeconds": grace}
        pod["status"] = self._status | {"conditions": self._conditions()}
        self.ground.cluster.put(pod)
        self.ground.changed(self)
        for run in (*self.inits, *self.apps):
            run.cancel()
            if run.running:
                self.note(Note(reason="Killing", message=f"Stopping container {run.template.name}"))
        stubborn = any(_stop_code(run) == 137 for run in self.apps if run.running)
        stop = float(grace) if stubborn else min(grace, 1 + fraction(self.uid, "stop"))
        self.after(timedelta(seconds=stop), self._stop)

    def _stop(self) -> None:
        for run in (*self.apps, *self.inits):
            if run.running:
                code = _stop_code(run)
                run.end(code, "Completed" if code == 0 else "Error")
            elif not run.identity:
                # What kubelets write of a container that never was: no reason, no times (recorded on real clusters).
                run.state = {"terminated": {"exitCode": 0, "startedAt": None, "finishedAt": None}}
        self.write()
        self.after(timedelta(seconds=0.3), self._remove)

    def _remove(self) -> None:
        known = self.ground.cluster.get("Pod", self.namespace, self.name)
        if known is not None and known["metadata"].get("uid") == self.uid:
            self.ground.cluster.delete("Pod", self.namespace, self.name)
        self._vanish()

    def _vanish(self) -> None:
        if not self.gone:
            self.gone = True
            self.ground.changed(self)

    def evict(self, message: str) -> None:
        """The kubelet gives the pod up; its corpse stays. Without containerStatuses, as rejected pods are."""
        if self.finished or self.gone or self.deleting:
            return
        for run in (*self.inits, *self.apps):
            run.cancel()
        self.finished = True
        self._status = {"phase": "Failed", "reason": "Evicted", "message": message, "qosClass": "Burstable"} | {
            key: self._status[key] for key in ("startTime", "hostIP", "podIP") if key in self._status
        }
        self._entries = {}
        self._set("DisruptionTarget", "True", "TerminationByKubelet", message)
        self.note(Note(reason="Evicted", message=message, warning=True))
        self.write()

    # -- when the node goes away

    def lose_node(self) -> None:
        """The node does not answer: the node controller marks the pod not ready, and nothing else moves."""
        self._frozen = True
        if self.finished or self.gone:
            return
        self._set("Ready", "False")
        pod = self.ground.cluster.get("Pod", self.namespace, self.name)
        if pod is not None:
            pod["status"] = self._status | {"conditions": self._conditions()}
            self.ground.cluster.put(pod)
        self.ground.changed(self)

    def regain_node(self) -> None:
        """The kubelet is back: what fell due meanwhile happens now."""
        self._frozen = False
        deferred, self._deferred = self._deferred, []
        for action in deferred:
            action()
        if not (self.gone or self.finished):
            self.write()


def _initialized(run: ContainerRun) -> bool:
    return run.exit_code == 0 if run.is_init else bool(run.identity)


def _stop_code(run: ContainerRun) -> int:
    return run.behaviour.stop_exit if isinstance(run.behaviour, Run) else 143


def _at_host(note: Note, node: str) -> Note:
    return replace(note, host=node) if note.component == "kubelet" else note


def _from_scheduler(note: Note) -> Note:
    return replace(note, component="default-scheduler")
