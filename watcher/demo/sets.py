"""StatefulSets and DaemonSets, with the ControllerRevisions that they keep of their templates; and bare pods."""

from __future__ import annotations

from watcher.demo.controllers import Plan, Workload
from watcher.demo.lifecycle import PodRun
from watcher.demo.names import template_hash
from watcher.demo.resources import JsonObject
from watcher.demo.world import World

_REVISION = "ControllerRevision"


class RevisionedWorkload(Workload):
    """Keeps each template it had as a ControllerRevision, ten old ones at most (revisionHistoryLimit)."""

    def write(self) -> None:
        super().write()
        name = self.revision_name()
        if self.title in self.world.workloads and self.world.cluster.get(_REVISION, self.namespace, name) is None:
            self.world.cluster.put(self._controller_revision(name))
            self._prune()

    def remove(self) -> None:
        super().remove()
        for name in self._own_revisions():
            self.world.cluster.delete(_REVISION, self.namespace, name)

    def revision(self) -> str:
        return template_hash(self.world.cluster.seed, self.namespace, self.name, str(self.rollouts))

    def revision_name(self) -> str:
        return f"{self.name}-{self.revision()}"

    def _controller_revision(self, name: str) -> JsonObject:
        # history.NewControllerRevision: the template's labels, and the hash.
        labels = self.labels() | {"controller.kubernetes.io/hash": self.revision()}
        metadata = {"name": name, "namespace": self.namespace, "labels": labels}
        template = {"$patch": "replace"} | self.plan.template(self.labels())
        return {
            "kind": _REVISION,
            "apiVersion": "apps/v1",
            "metadata": metadata | {"ownerReferences": [self.reference()]},
            "data": {"spec": {"template": template}},
            "revision": self.rollouts + 1,
        }

    def _own_revisions(self) -> list[str]:
        """The oldest first."""
        kept = self.world.cluster.list(_REVISION, self.namespace)
        own = [item for item in kept if item["metadata"]["ownerReferences"][0]["uid"] == self.uid]
        return [item["metadata"]["name"] for item in sorted(own, key=lambda item: int(item["revision"]))]

    def _prune(self) -> None:
        for name in self._own_revisions()[:-11]:
            self.world.cluster.delete(_REVISION, self.namespace, name)


class StatefulSet(RevisionedWorkload):
    """Pods `name-0`, `name-1`, …, made one after the other, each under the same name again when it goes.

    A rollout goes from the highest ordinal down and waits for each pod to be ready, so a broken one stands still
    (kubernetes issue 67250): that is how the real controller behaves.
    """

    kind = "StatefulSet"

    def __init__(self, world: World, namespace: str, name: str, replicas: int, plan: Plan) -> None:
        super().__init__(world, namespace, name, replicas, plan)
        self._revisions: dict[str, int] = {}

    def _reconcile(self) -> None:
        by_name = {run.name: run for run in self.pods}
        for ordinal in range(self.replicas):
            run = by_name.get(f"{self.name}-{ordinal}")
            if run is None:
                self._create(ordinal)
                return
            if run.finished:
                run.delete()
                return
            if not run.ready:
                return
        extra = [run for run in self.pods if int(run.name.rpartition("-")[2]) >= self.replicas]
        if extra:
            extra[-1].delete()
            return
        for run in sorted(self.pods, key=lambda run: -int(run.name.rpartition("-")[2])):
            if self._revisions.get(run.uid) != self.rollouts:
                run.delete()
                return

    def rollout(self, plan: Plan) -> None:
        broken = [run for run in self.live() if not run.ready]
        super().rollout(plan)
        # The first pod that is not ready is replaced at once: what people do by hand to get out of issue 67250.
        if broken:
            broken[-1].delete()

    def _create(self, ordinal: int) -> None:
        name = f"{self.name}-{ordinal}"
        labels = {
            "apps.kubernetes.io/pod-index": str(ordinal),
            "statefulset.kubernetes.io/pod-name": name,
            "controller-revision-hash": self.revision_name(),
        }
        self.note("SuccessfulCreate", f"create Pod {name} in StatefulSet {self.name} successful")
        run = self.make_pod(name, self.plan, self.reference(), labels)
        self._revisions[run.uid] = self.rollouts

    def status(self) -> JsonObject:
        return super().status() | {"currentRevision": self.revision_name()}


class DaemonSet(RevisionedWorkload):
    """One pod on every node."""

    kind = "DaemonSet"

    def __init__(self, world: World, namespace: str, name: str, replicas: int, plan: Plan) -> None:
        super().__init__(world, namespace, name, replicas, plan)
        self._wanted: dict[str, str] = {}
        self._revisions: dict[str, int] = {}
        self._next_node = ""

    def _reconcile(self) -> None:
        nodes = self.world.nodes()
        self.replicas = len(nodes)
        placed = {run.node or self._wanted.get(run.uid, "") for run in self.pods if not run.finished}
        for run in self.pods:
            if run.finished:
                run.delete()
        for node in nodes:
            if node not in placed:
                self._create(node)
        outdated = [run for run in self.live() if self._revisions.get(run.uid) != self.rollouts]
        if outdated and all(run.ready for run in self.live()):
            outdated[0].delete()

    def _create(self, node: str) -> None:
        self._next_node = node
        labels = {"controller-revision-hash": self.revision()}
        run = self.make_pod(self.new_name(self.name), self.plan, self.reference(), labels)
        self._wanted[run.uid] = node
        self._revisions[run.uid] = self.rollouts

    def _run(self, pod: JsonObject, plan: Plan) -> PodRun:
        pod["spec"]["nodeName"] = self._next_node
        return super()._run(pod, plan)

    def document(self) -> JsonObject:
        return self.described(self.kind, self.name, self.uid, {}, self.status())

    def status(self) -> JsonObject:
        live = self.live()
        ready = sum(run.ready for run in live)
        return {
            "desiredNumberScheduled": self.replicas,
            "currentNumberScheduled": len(live),
            "updatedNumberScheduled": len(live),
            "numberReady": ready,
            "numberAvailable": ready,
            "numberMisscheduled": 0,
        }


class BarePod(Workload):
    """A pod that nobody owns: when it is gone, it is gone."""

    kind = "Pod"

    def _reconcile(self) -> None:
        if self._made == 0:
            self.make_pod(self.name, self.plan, {}, {})

    def _run(self, pod: JsonObject, plan: Plan) -> PodRun:
        for field in ("ownerReferences", "generateName"):
            pod["metadata"].pop(field, None)
        return super()._run(pod, plan)

    def rollout(self, plan: Plan) -> None:
        """A bare pod's image is not replaced but by a new pod."""
        for run in self.pods:
            run.delete()
        self._made = 0
        super().rollout(plan)

    def remove(self) -> None:
        self.world.workloads.pop(self.title, None)
        for run in self.pods:
            run.delete()

    def write(self) -> None:
        """It has no object of its own."""
