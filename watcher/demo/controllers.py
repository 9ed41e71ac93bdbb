"""Controllers: what keeps a workload's pods as many, and as new, as it says.

Each workload reconciles a moment after anything of it changed, as its real controller does: makes pods, removes pods,
replaces those that failed, and writes its own object's status. This file has what all share, and Deployments with their
ReplicaSets (rolling update: 25 % surge, 25 % unavailable); the other kinds are in sets.py and jobs.py.
"""

from __future__ import annotations

import math
from datetime import timedelta

import msgspec

from watcher.demo.behaviour import Behaviour, Stuck, Unschedulable
from watcher.demo.clock import rfc3339
from watcher.demo.events import Note
from watcher.demo.lifecycle import PodRun
from watcher.demo.names import suffix, template_hash
from watcher.demo.pods import Container, PodFields, claim_volume, owner_reference, skeleton
from watcher.demo.resources import BY_KIND, JsonObject
from watcher.demo.world import World

_RECONCILE = timedelta(seconds=0.2)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A pod template, and what its pods will do."""

    containers: tuple[Container, ...]
    does: dict[str, Behaviour] = {}
    """By container name."""
    pod_level: Behaviour | None = None
    """Unschedulable or Stuck."""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    claims: dict[str, str] = {}
    """Volume name to claim name."""
    restart_policy: str = "Always"

    def with_behaviour(self, container: str, behaviour: Behaviour | None) -> Plan:
        """The plan with one container (the main one, when unnamed) behaving so; None: healthy."""
        if isinstance(behaviour, Unschedulable | Stuck):
            return msgspec.structs.replace(self, pod_level=behaviour)
        name = container or self.main
        does = {key: value for key, value in self.does.items() if key != name}
        return msgspec.structs.replace(self, does=does if behaviour is None else {**does, name: behaviour})

    @property
    def main(self) -> str:
        """The first app container."""
        return next(container.name for container in self.containers if container.kind == "app")

    def template(self, labels: dict[str, str]) -> JsonObject:
        """As in a controller's spec.template."""
        apps = [container.spec() for container in self.containers if container.kind == "app"]
        inits = [container.spec() for container in self.containers if container.kind != "app"]
        metadata: JsonObject = {"labels": labels}
        if self.annotations:
            metadata["annotations"] = self.annotations
        return {"metadata": metadata, "spec": ({"initContainers": inits} if inits else {}) | {"containers": apps}}


class Workload:
    """What all controllers share. Subclasses say in `_reconcile` which pods there should be."""

    kind = ""

    def __init__(self, world: World, namespace: str, name: str, replicas: int, plan: Plan) -> None:
        self.world = world
        self.namespace = namespace
        self.name = name
        self.replicas = replicas
        self.plan = plan
        self.pods: list[PodRun] = []
        """Every pod that is not gone, the oldest first; corpses of failed ones too."""
        self.uid = world.cluster.new_uid(self.kind, namespace, name)
        self._made = 0
        self._planned = False
        self._generation = 1
        self.rollouts = 0

    @property
    def title(self) -> str:
        return f"{self.namespace}/{self.name}"

    def begin(self) -> None:
        """Create the object; its pods follow."""
        self.world.namespace(self.namespace)
        self.world.workloads[self.title] = self
        self.write()
        self.changed()

    def live(self) -> list[PodRun]:
        """Pods that count: not ended, not on their way out."""
        return [run for run in self.pods if not (run.gone or run.finished or run.deleting)]

    def changed(self) -> None:
        """Something of this workload changed: reconcile soon, once."""
        if not self._planned:
            self._planned = True
            self.world.timeline.after(_RECONCILE, self._look)

    def _look(self) -> None:
        self._planned = False
        self.pods = [run for run in self.pods if not run.gone]
        self._reconcile()
        self.write()

    def _reconcile(self) -> None:
        raise NotImplementedError

    def scale(self, replicas: int) -> None:
        self.replicas = replicas
        self._generation += 1
        self.changed()

    def all_live(self) -> list[PodRun]:
        """`live`, and for a CronJob the pods of its Jobs."""
        return self.live()

    def newest_plan(self) -> Plan:
        return self.plan

    def expect(self, container: str, behaviour: Behaviour | None) -> None:
        """Pods that come later behave so; None: healthy."""
        self.plan = self.plan.with_behaviour(container, behaviour)

    def expect_pods(self, pod_level: Behaviour | None) -> None:
        """Pods that come later are unschedulable, or stuck; None: neither."""
        self.plan = msgspec.structs.replace(self.plan, pod_level=pod_level)

    def rollout(self, plan: Plan) -> None:
        """Replace the pods by pods of `plan`, in this kind's way."""
        self.plan = plan
        self.rollouts += 1
        self._generation += 1
        self.changed()

    def remove(self) -> None:
        """Delete the object and, as the garbage collector does, all of its pods."""
        self.replicas = 0
        self.world.workloads.pop(self.title, None)
        for run in self.pods:
            run.delete()
        if self.world.cluster.get(self.kind, self.namespace, self.name) is not None:
            self.world.cluster.delete(self.kind, self.namespace, self.name)

    def labels(self) -> dict[str, str]:
        return {"app": self.name} | self.plan.labels

    def make_pod(self, name: str, plan: Plan, owner: JsonObject, labels: dict[str, str]) -> PodRun:
        """A new pod of `owner`, an owner reference."""
        self._made += 1
        fields: PodFields = {
            "created": self.world.timeline.now(),
            "labels": self.labels() | labels,
            "annotations": plan.annotations,
            "restart_policy": plan.restart_policy,
            "uid": self.world.cluster.new_uid("pod", self.namespace, name, str(self._made)),
            "volumes": [claim_volume(volume, claim) for volume, claim in plan.claims.items()],
        }
        pod = skeleton(self.namespace, name, owner="", containers=plan.containers, **fields)
        pod["metadata"]["ownerReferences"] = [owner]
        if owner.get("kind") not in (None, "StatefulSet"):
            pod["metadata"]["generateName"] = f"{owner['name']}-"
        return self._run(pod, plan)

    def _run(self, pod: JsonObject, plan: Plan) -> PodRun:
        run = self.world.create_pod(pod, plan.containers, plan.does, plan.pod_level)
        self.world.adopt(run, self)
        self.pods.append(run)
        return run

    def new_name(self, owner: str) -> str:
        return f"{owner}-{suffix(self.world.cluster.seed, self.namespace, owner, str(self._made))}"

    def reference(self) -> JsonObject:
        """This workload as the owner of a pod."""
        return owner_reference(self.kind, self.name, self.uid)

    def write(self) -> None:
        """Put this workload's own object, unless it was removed."""
        if self.title in self.world.workloads:
            self.world.cluster.put(self.document())

    def document(self) -> JsonObject:
        return self.described(self.kind, self.name, self.uid, {"replicas": self.replicas}, self.status())

    def status(self) -> JsonObject:
        live = self.live()
        ready = sum(run.ready for run in live)
        return {"replicas": len(live), "readyReplicas": ready, "availableReplicas": ready}

    def described(self, kind: str, name: str, uid: str, spec: JsonObject, status: JsonObject) -> JsonObject:
        """An object of this workload with the selector and the template that all of them have."""
        more = {"selector": {"matchLabels": {"app": self.name}}, "template": self.plan.template(self.labels())}
        metadata: JsonObject = {"name": name, "namespace": self.namespace, "uid": uid, "labels": self.labels()}
        known = {"kind": kind, "apiVersion": BY_KIND[kind].api_version}
        metadata["generation"] = self._generation
        return {**known, "metadata": metadata, "spec": spec | more, "status": status}

    def note(self, reason: str, message: str, *, about: JsonObject | None = None, warning: bool = False) -> None:
        """An Event about this workload's object, or another."""
        item = about or {"kind": self.kind, "apiVersion": BY_KIND[self.kind].api_version}
        if about is None:
            item["metadata"] = {"name": self.name, "namespace": self.namespace, "uid": self.uid}
        component = f"{item['kind'].lower()}-controller"
        self.world.events.record(item, Note(reason=reason, message=message, warning=warning, component=component))


class ReplicaSet:
    """One generation of a Deployment's pods."""

    def __init__(self, owner: Deployment, plan: Plan, number: int) -> None:
        cluster = owner.world.cluster
        self.plan = plan
        self.number = number
        self.hash = template_hash(cluster.seed, owner.namespace, owner.name, str(number))
        self.name = f"{owner.name}-{self.hash}"
        self.uid = cluster.new_uid("ReplicaSet", owner.namespace, self.name)
        self.pods: list[PodRun] = []
        self.written: JsonObject = {}

    def live(self) -> list[PodRun]:
        return [run for run in self.pods if not (run.gone or run.finished or run.deleting)]

    def ready(self) -> int:
        return sum(run.ready for run in self.live())


class Deployment(Workload):
    """A Deployment and its ReplicaSets."""

    kind = "Deployment"

    def __init__(self, world: World, namespace: str, name: str, replicas: int, plan: Plan) -> None:
        super().__init__(world, namespace, name, replicas, plan)
        self.sets = [ReplicaSet(self, plan, 1)]

    def rollout(self, plan: Plan) -> None:
        self.sets.append(ReplicaSet(self, plan, len(self.sets) + 1))
        super().rollout(plan)

    def newest_plan(self) -> Plan:
        return self.sets[-1].plan

    def expect(self, container: str, behaviour: Behaviour | None) -> None:
        super().expect(container, behaviour)
        for one in self.sets:
            one.plan = one.plan.with_behaviour(container, behaviour)

    def expect_pods(self, pod_level: Behaviour | None) -> None:
        super().expect_pods(pod_level)
        for one in self.sets:
            one.plan = msgspec.structs.replace(one.plan, pod_level=pod_level)

    def remove(self) -> None:
        super().remove()
        for one in self.sets:
            if self.world.cluster.get("ReplicaSet", self.namespace, one.name) is not None:
                self.world.cluster.delete("ReplicaSet", self.namespace, one.name)

    def _reconcile(self) -> None:
        for one in self.sets:
            one.pods = [run for run in one.pods if not run.gone]
        new, old = self.sets[-1], self.sets[:-1]
        surge = math.ceil(self.replicas / 4) if any(one.live() for one in old) else 0
        total = sum(len(one.live()) for one in self.sets)
        missing = min(self.replicas - len(new.live()), self.replicas + surge - total)
        for _ in range(missing):
            self._create(new)
        for run in _least_useful(new.live())[: max(0, -(self.replicas - len(new.live())))]:
            self._discard(run)
        self._shrink_old(new, old)
        for one in self.sets:
            self._write_set(one)

    def _shrink_old(self, new: ReplicaSet, old: list[ReplicaSet]) -> None:
        """deployment/rolling.go: first old pods that are not ready, then ready ones as new ones become available."""
        minimum = self.replicas - self.replicas // 4
        total = sum(len(one.live()) for one in self.sets)
        spare = total - minimum - (len(new.live()) - new.ready())
        candidates = [run for one in old for run in one.live()]
        unready = [run for run in candidates if not run.ready]
        for run in unready[: max(0, spare)]:
            self._discard(run)
        spare = sum(one.ready() for one in self.sets) - minimum
        for run in [run for run in candidates if run.ready][: max(0, spare)]:
            self._discard(run)

    def _create(self, one: ReplicaSet) -> None:
        name = self.new_name(one.name)
        owner = owner_reference("ReplicaSet", one.name, one.uid)
        self.note("SuccessfulCreate", f"Created pod: {name}", about=self._set_reference(one))
        one.pods.append(self.make_pod(name, one.plan, owner, {"pod-template-hash": one.hash}))

    def _discard(self, run: PodRun) -> None:
        owner = next(one for one in self.sets if run in one.pods)
        self.note("SuccessfulDelete", f"Deleted pod: {run.name}", about=self._set_reference(owner))
        run.delete()

    def _set_reference(self, one: ReplicaSet) -> JsonObject:
        metadata = {"name": one.name, "namespace": self.namespace, "uid": one.uid}
        return {"kind": "ReplicaSet", "apiVersion": "apps/v1", "metadata": metadata}

    def _write_set(self, one: ReplicaSet) -> None:
        wanted = len(one.live())
        ready = one.ready()
        status = {"replicas": wanted, "readyReplicas": ready, "availableReplicas": ready}
        before = one.written.get("replicas", 0)
        if wanted != before and self.title in self.world.workloads:
            word = "up" if wanted > before else "down"
            text = f"Scaled {word} replica set {one.name} from {before} to {wanted}"
            self.note("ScalingReplicaSet", text)
        one.written = status
        item = self.described("ReplicaSet", one.name, one.uid, {"replicas": wanted}, status)
        labels = self.labels() | {"pod-template-hash": one.hash}
        item["spec"]["selector"]["matchLabels"]["pod-template-hash"] = one.hash
        item["spec"]["template"] = one.plan.template(labels)
        item["metadata"] |= {"labels": labels, "annotations": {"deployment.kubernetes.io/revision": str(one.number)}}
        item["metadata"]["ownerReferences"] = [self.reference()]
        if self.title in self.world.workloads:
            self.world.cluster.put(item)

    def status(self) -> JsonObject:
        status = super().status() | {
            "updatedReplicas": len(self.sets[-1].live()),
            "observedGeneration": self._generation,
        }
        available = status["availableReplicas"] >= self.replicas - self.replicas // 4
        known = self.world.cluster.get(self.kind, self.namespace, self.name) or {}
        word = str(available)
        entry = {"type": "Available", "status": word, "reason": "MinimumReplicasAvailable"}
        if not available:
            entry["reason"] = "MinimumReplicasUnavailable"
        before = (known.get("status", {}).get("conditions") or [{}])[0]
        since = before.get("lastTransitionTime") if before.get("status") == word else None
        entry["lastTransitionTime"] = since or rfc3339(self.world.timeline.now())
        return status | {"conditions": [entry]}


def _least_useful(runs: list[PodRun]) -> list[PodRun]:
    """Who goes first when a set shrinks: what is not ready, then what is youngest."""
    order = {run.uid: index for index, run in enumerate(runs)}
    return sorted(runs, key=lambda run: (run.ready, -order[run.uid]))
