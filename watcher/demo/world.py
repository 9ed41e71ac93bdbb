"""The machinery behind the API server: nodes, claims, the pods' kubelets and the controllers, on one timeline.

The player (player.py) and tests tell it what exists and what goes wrong; it writes to the cluster model what a real
cluster would. A pod that is deleted over HTTP (`kubectl delete pod`) goes gracefully too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from watcher.demo.behaviour import Behaviour
from watcher.demo.clock import Handle, rfc3339
from watcher.demo.events import Note, Recorder
from watcher.demo.kubelet import GIB, Stats, Usage
from watcher.demo.lifecycle import Behaviours, PodRun
from watcher.demo.logs import Logs
from watcher.demo.model import Cluster
from watcher.demo.names import digest
from watcher.demo.pods import Container, condition
from watcher.demo.resources import JsonObject

if TYPE_CHECKING:
    from watcher.demo.controllers import Workload

# kube-controller-manager: pods of an unreachable node are deleted after their default tolerationSeconds.
_TOLERATION = timedelta(seconds=300)
_UNREACHABLE = ("NodeStatusUnknown", "Kubelet stopped posting node status.")
_NODE_INFO = {
    "kernelVersion": "6.12.0",
    "osImage": "Debian GNU/Linux 13 (trixie)",
    "containerRuntimeVersion": "containerd://2.2.1",
    "kubeletVersion": "v1.35.0",
    "kubeProxyVersion": "",
    "operatingSystem": "linux",
    "architecture": "amd64",
}
_LOST = ("DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint")


class World:
    """Everything that acts. `modern` is a kubelet of 1.32 or later (its ImagePullBackOff names the cause)."""

    def __init__(self, cluster: Cluster, logs: Logs, stats: Stats, kubelet_port: Callable[[str], int]) -> None:
        self.cluster = cluster
        self.timeline = cluster.timeline
        self.logs = logs
        self.stats = stats
        self.events = Recorder(cluster)
        self.modern = True
        self.pods: dict[str, PodRun] = {}
        """By uid."""
        self.workloads: dict[str, Workload] = {}
        """By `namespace/name`."""
        self.down: set[str] = set()
        """Nodes that do not answer."""
        self._kubelet_port = kubelet_port
        self._tolerating: dict[str, Handle] = {}
        self._images: set[tuple[str, str]] = set()
        self._owners: dict[str, Workload] = {}
        cluster.finalizers["Pod"] = self._finalize

    # -- pods

    def create_pod(
        self, pod: JsonObject, containers: Iterable[Container], does: Behaviours, pod_level: Behaviour | None = None
    ) -> PodRun:
        """Put a new pod and let it live."""
        run = PodRun(self, pod, containers, does)
        self.pods[run.uid] = run
        run.begin(pod_level)
        return run

    def adopt(self, run: PodRun, owner: Workload) -> None:
        """From now on `owner` hears of every change of the pod."""
        self._owners[run.uid] = owner

    def changed(self, pod: PodRun) -> None:
        owner = self._owners.get(pod.uid)
        if pod.gone:
            self.pods.pop(pod.uid, None)
            self._owners.pop(pod.uid, None)
        if owner is not None:
            owner.changed()

    def _finalize(self, pod: JsonObject, grace: int) -> bool:
        run = self.pods.get(pod["metadata"]["uid"])
        if run is None:
            return False
        run.delete(grace)
        return True

    def pick_node(self, pod: JsonObject) -> str:
        """A node that is up and not cordoned, the same one for the same pod."""
        nodes = [stored.item for stored in self.cluster.store("Node").current()]
        names: list[str] = [node["metadata"]["name"] for node in nodes if not node["spec"].get("unschedulable")]
        up = [name for name in names if name not in self.down]
        if not up:
            raise RuntimeError("no node is up: a scenario needs `nodes`")
        return up[digest("node", pod["metadata"]["uid"])[0] % len(up)]

    def cached(self, node: str, image: str) -> bool:
        known = (node, image) in self._images
        self._images.add((node, image))
        return known

    # -- nodes

    def nodes(self) -> list[str]:
        return [stored.key[1] for stored in self.cluster.store("Node").current()]

    def add_node(self, name: str) -> None:
        """A healthy node with a kubelet of its own."""
        self.cluster.put(_node(name, self.cluster, self._kubelet_port(name)))

    def node_down(self, name: str) -> None:
        """The node stops answering: NotReady, its pods not ready, and after five minutes deleted (and replaced)."""
        self.down.add(name)
        self._write_node(name, "Unknown", *_UNREACHABLE)
        reference = self.cluster.get("Node", "", name) or {}
        words = f"Node {name} status is now: NodeNotReady"
        self.events.record(reference, Note(reason="NodeNotReady", message=words, component="node-controller"))
        for run in self._on(name):
            run.lose_node()
        self._tolerating[name] = self.timeline.after(_TOLERATION, lambda: self._give_up(name))

    def _give_up(self, name: str) -> None:
        for run in self._on(name):
            if not self._is_daemon(run):
                run.delete(30, _LOST)

    def _is_daemon(self, run: PodRun) -> bool:
        # DaemonSet pods tolerate the taint for ever.
        owner = self._owners.get(run.uid)
        return owner is not None and owner.kind == "DaemonSet"

    def node_up(self, name: str) -> None:
        self.down.discard(name)
        if name in self._tolerating:
            self._tolerating.pop(name).cancel()
        self._write_node(name, "True", "KubeletReady", "kubelet is posting ready status")
        for run in self._on(name):
            run.regain_node()

    def node_pressure(self, name: str, kind: str, on: bool) -> None:
        """Set or clear MemoryPressure, DiskPressure or PIDPressure."""
        node = self.cluster.get("Node", "", name)
        if node is not None:
            words = ("KubeletHas" + ("" if on else "No") + kind, f"kubelet has {'' if on else 'no '}{kind}")
            _set_condition(node, kind, str(on), rfc3339(self.timeline.now()), words)
            self.cluster.put(node)

    def _write_node(self, name: str, ready: str, reason: str, message: str) -> None:
        node = self.cluster.get("Node", "", name)
        if node is None:
            raise KeyError(f"there is no node {name!r}")
        _set_condition(node, "Ready", ready, rfc3339(self.timeline.now()), (reason, message))
        taint = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}
        node["spec"] = {key: value for key, value in node["spec"].items() if key != "taints"}
        if ready != "True":
            node["spec"]["taints"] = [taint | {"timeAdded": rfc3339(self.timeline.now())}]
        self.cluster.put(node)

    def _on(self, node: str) -> list[PodRun]:
        return [run for run in self.pods.values() if run.node == node]

    # -- what is neither

    def namespace(self, name: str) -> None:
        """Make it, unless it is there."""
        if self.cluster.get("Namespace", "", name) is None:
            labels = {"kubernetes.io/metadata.name": name}
            spec: JsonObject = {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
            metadata = {"name": name, "labels": labels}
            self.cluster.put({"kind": "Namespace", "apiVersion": "v1", "metadata": metadata, **spec})

    def claim(self, namespace: str, name: str, size: int, used_percent: float, storage_class: str) -> None:
        """A bound claim with a filesystem that is so full."""
        now = self.timeline.now()
        quantity = f"{size // GIB}Gi" if size % GIB == 0 else str(size)
        uid = self.cluster.new_uid("claim", namespace, name)
        self.cluster.put(
            {
                "kind": "PersistentVolumeClaim",
                "apiVersion": "v1",
                "metadata": {"name": name, "namespace": namespace, "uid": uid},
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": quantity}},
                    "volumeName": f"pvc-{uid}",
                    "storageClassName": storage_class,
                    "volumeMode": "Filesystem",
                },
                "status": {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": quantity}},
            }
        )
        self.stats.claims[namespace, name] = Usage(
            capacity=size, used=int(size * used_percent / 100), inodes=max(65_536, size // 16_384), begin=now
        )

    def claim_phase(self, namespace: str, name: str, phase: str, message: str) -> None:
        """A claim changes its phase; `message` is the provisioner's, in a ProvisioningFailed Event."""
        claim = self.cluster.get("PersistentVolumeClaim", namespace, name)
        if claim is None:
            raise KeyError(f"there is no claim {namespace}/{name}")
        claim["status"]["phase"] = phase
        self.cluster.put(claim)
        if message:
            component = "persistentvolume-controller"
            note = Note(reason="ProvisioningFailed", message=message, warning=True, component=component)
            self.events.record(claim, note)


def _set_condition(node: JsonObject, kind: str, status: str, now: str, words: tuple[str, str]) -> None:
    for entry in node["status"]["conditions"]:
        if entry["type"] == kind:
            if entry["status"] != status:
                entry["lastTransitionTime"] = now
            entry |= {"status": status, "lastHeartbeatTime": now, "reason": words[0], "message": words[1]}


def _node(name: str, cluster: Cluster, port: int) -> JsonObject:
    now = cluster.timeline.now()
    conditions = [
        condition(kind, status, now, reason=reason, message=message)
        for kind, status, reason, message in (
            ("MemoryPressure", False, "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
            ("DiskPressure", False, "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            ("PIDPressure", False, "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
            ("Ready", True, "KubeletReady", "kubelet is posting ready status"),
        )
    ]
    for entry in conditions:
        del entry["lastProbeTime"], entry["observedGeneration"]
        entry["lastHeartbeatTime"] = rfc3339(now)
    size = {"cpu": "4", "ephemeral-storage": "104857600Ki", "memory": "16374812Ki", "pods": "110"}
    return {
        "kind": "Node",
        "apiVersion": "v1",
        "metadata": {
            "name": name,
            "uid": cluster.new_uid("node", name),
            "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"},
        },
        "spec": {"podCIDR": "10.244.0.0/24", "providerID": f"demo://{name}"},
        "status": {
            "capacity": size,
            "allocatable": size,
            "conditions": conditions,
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}, {"type": "Hostname", "address": name}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
            "nodeInfo": _NODE_INFO,
        },
    }
