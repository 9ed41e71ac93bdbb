"""Facts of messages about pods that wait, workloads, claims, volumes, nodes and Watcher itself, as tests need them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from tests.support.messages import (
    CLUSTER,
    at,
    changed,
    crash_loop,
    crash_signal,
    ended,
    facts,
    image_not_found,
    oom_signal,
)
from watcher.model.evidence import Evidence, Rollout
from watcher.model.identity import AlertKey, Workload
from watcher.model.signals import (
    AnySignal,
    ClaimLost,
    ClaimPending,
    ClaimUnmounted,
    ContainerNotStarting,
    NodeNotReady,
    NodePressure,
    PodNotReady,
    PodPending,
    StreamStale,
    VolumeUsage,
    WorkloadDown,
)
from watcher.model.state import EndReason
from watcher.notify.facts import AlertFacts, PodOnNode

GI = 1024**3


def _pod(workload: str, pod: str, node: str = "n7") -> dict[str, Any]:
    return {
        "uid": f"uid-{pod}",
        "cluster": CLUSTER,
        "namespace": "shop",
        "workload_kind": "Deployment",
        "workload": workload,
        "pod": pod,
        "node": node,
    }


# ---- signals ------------------------------------------------------------


def start_signal(pod: str = "api-6d4cf-abcde", **more: Any) -> ContainerNotStarting:
    fields: dict[str, Any] = {
        **_pod("api", pod),
        "since": at("13:56:30"),
        "container": "app",
        "image": "registry.example/api:1.4.2",
        "cause": "missing_configmap",
        "missing": "settings",
        "reason": "CreateContainerConfigError",
        "message": 'configmap "settings" not found',
    }
    return ContainerNotStarting(**{**fields, **more})


def pending_signal(pod: str = "api-6d4cf-abcde", **more: Any) -> PodPending:
    fields: dict[str, Any] = {
        **_pod("api", pod, node=""),
        "since": at("13:56:30"),
        "stage": "scheduling",
        "cause": "resources",
        "causes": {"taint": "1 node: untolerated taint {gpu: }", "resources": "4 nodes: insufficient memory"},
        "reason": "Unschedulable",
        "message": "0/5 nodes are available: 1 node(s) had untolerated taint {gpu: }, 4 Insufficient memory.",
    }
    return PodPending(**{**fields, **more})


def creation_signal(pod: str = "api-6d4cf-abcde", **more: Any) -> PodPending:
    fields: dict[str, Any] = {
        "stage": "creation",
        "cause": "creation",
        "causes": {},
        "reason": "ContainerCreating",
        "message": "",
        "node": "n7",
        "since": at("13:47:00"),
    }
    return pending_signal(pod, **{**fields, **more})


def not_ready_signal(pod: str = "checkout-7c9d8-x2k4q", **more: Any) -> PodNotReady:
    fields: dict[str, Any] = {
        **_pod("checkout", pod),
        "since": at("13:46:30"),
        "containers": ("app",),
        "reason": "ContainersNotReady",
        "message": "containers with unready status: [app]",
    }
    return PodNotReady(**{**fields, **more})


def down_signal(**more: Any) -> WorkloadDown:
    fields: dict[str, Any] = {
        "uid": "workload/shop/Deployment/checkout",
        "cluster": CLUSTER,
        "namespace": "shop",
        "workload_kind": "Deployment",
        "workload": "checkout",
        "since": at("14:00:00"),
        "pods": 12,
        "failing_pods": 3,
        "causes": ("ContainerCrashLooping", "ImagePullFailing"),
    }
    return WorkloadDown(**{**fields, **more})


def _claim(claim: str, namespace: str) -> dict[str, Any]:
    return {
        "uid": f"claim/{namespace}/{claim}",
        "cluster": CLUSTER,
        "namespace": namespace,
        "claim": claim,
        "storage_class": "fast",
        "pods": ("es-0",),
    }


def volume_signal(**more: Any) -> VolumeUsage:
    """192 of 200 Gi, growing 4 Gi/h."""
    fields: dict[str, Any] = {
        **_claim("data-es-0", "logging"),
        "node": "n7",
        "since": at("14:01:30"),
        "sampled_at": at("14:01:30"),
        "capacity_bytes": 200 * GI,
        "available_bytes": 8 * GI,
        "used_bytes": 192 * GI,
        "used_percent": 96.0,
        "inodes": 1_000_000,
        "inodes_free": 900_000,
        "inodes_used_percent": 10.0,
        "full_in_seconds": 7200.0,
        "trend_seconds": 6 * 3600.0,
        "bytes_per_hour": 4.0 * GI,
    }
    return VolumeUsage(**{**fields, **more})


def disk_signal(claims: int = 40, **more: Any) -> VolumeUsage:
    fields: dict[str, Any] = {
        "uid": "node-disk/n7",
        "namespace": "",
        "claim": "",
        "storage_class": "",
        "pods": (),
        "claims": tuple(f"shop/data-{n:02}" for n in range(claims)),
        "available_bytes": 20 * GI,
        "used_bytes": 180 * GI,
        "used_percent": 90.0,
        "full_in_seconds": None,
        "bytes_per_hour": None,
        "trend_seconds": 0.0,
    }
    return volume_signal(**{**fields, **more})


def claim_pending_signal(**more: Any) -> ClaimPending:
    fields: dict[str, Any] = {
        **_claim("data-es-0", "logging"),
        "since": at("13:50:30"),
        "cause": "provisioning_failed",
        "reason": "ProvisioningFailed",
        "message": 'storageclass.storage.k8s.io "fast" not found',
    }
    return ClaimPending(**{**fields, **more})


def claim_lost_signal(**more: Any) -> ClaimLost:
    fields: dict[str, Any] = {**_claim("data-es-0", "logging"), "since": at("14:02:00"), "volume": "pvc-3f0c"}
    return ClaimLost(**{**fields, **more})


def claim_unmounted_signal(**more: Any) -> ClaimUnmounted:
    return ClaimUnmounted(**{**_claim("data-es-0", "logging"), "since": at("13:02:00"), **more})


def _node(node: str) -> dict[str, Any]:
    return {"uid": f"node/{node}", "cluster": CLUSTER, "node": node}


def node_signal(node: str = "n7", **more: Any) -> NodeNotReady:
    fields: dict[str, Any] = {
        **_node(node),
        "since": at("13:56:00"),
        "status": "Unknown",
        "reason": "NodeStatusUnknown",
        "message": "Kubelet stopped posting node status.",
    }
    return NodeNotReady(**{**fields, **more})


def pressure_signal(**more: Any) -> NodePressure:
    fields: dict[str, Any] = {
        **_node("n7"),
        "since": at("13:50:00"),
        "conditions": ("MemoryPressure",),
        "message": "kubelet has insufficient memory available",
    }
    return NodePressure(**{**fields, **more})


def stream_signal(kind: str = "Pod", namespace: str = "shop", since: str = "13:58:30", **more: Any) -> StreamStale:
    fields: dict[str, Any] = {
        "uid": f"stream/{kind}/{namespace}",
        "cluster": CLUSTER,
        "namespace": namespace,
        "since": at(since),
        "kind": kind,
        "reason": "the API server closes each watch at once",
    }
    return StreamStale(**{**fields, **more})


# ---- facts --------------------------------------------------------------


def about(alertname: str, *signals: AnySignal, severity: str = "warning", **more: Any) -> AlertFacts:
    """An alert whose key is that of a claim, a node or Watcher."""
    lead = signals[0]
    claim, node = getattr(lead, "claim", ""), ""
    if not claim and not isinstance(lead, StreamStale):
        node = lead.node
    told = facts(list(signals), alertname, severity=severity, **more)
    namespace = lead.namespace if claim else ""
    key = AlertKey(alertname=alertname, cluster=CLUSTER, namespace=namespace, claim=claim, node=node)
    workload = Workload(namespace, "PersistentVolumeClaim" if claim else "Node", claim or node)
    shown = {field: value for field, value in msgspec.structs.asdict(key).items() if value}
    return changed(told, key=key, workload=workload, labels={**shown, "severity": severity})


def not_starting() -> AlertFacts:
    signals = [start_signal("api-6d4cf-abcde"), start_signal("api-6d4cf-fghij", node="n3")]
    return with_effects(facts(signals, "ContainerNotStarting", pods_total=6, pods_ready=4), pending())


def pending() -> AlertFacts:
    signals = [pending_signal("api-6d4cf-abcde"), pending_signal("api-6d4cf-fghij")]
    return facts(signals, "PodPending", pods_total=3, pods_ready=1)


def stuck() -> AlertFacts:
    told = facts([creation_signal()], "PodPending", pods_total=1, pods_ready=0)
    events = ('FailedMount: MountVolume.SetUp failed for volume "certs": secret "api-tls" not found (9 times)',)
    return changed(told, evidence=Evidence(alert=told.alert.key, events=events))


def not_ready() -> AlertFacts:
    told = facts([not_ready_signal()], "PodNotReady", pods_total=12, pods_ready=11)
    events = ("Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 503 (90 times)",)
    return changed(told, evidence=Evidence(alert=told.alert.key, events=events))


def down() -> AlertFacts:
    causes = (changed(crash_loop(), annotations={"summary": "checkout crash-loops"}).alert,)
    told = facts([down_signal()], "WorkloadDown", severity="critical", pods_total=12, pods_ready=0)
    return msgspec.structs.replace(told, causes=causes)


def volume_nearly_full() -> AlertFacts:
    return about("VolumeNearlyFull", volume_signal(), severity="critical", since="13:40:00")


def volume_filling_up() -> AlertFacts:
    signal = volume_signal(
        available_bytes=28 * GI, used_bytes=172 * GI, used_percent=86.0, full_in_seconds=None, bytes_per_hour=None
    )
    return about("VolumeFillingUp", signal)


def volume_will_fill() -> AlertFacts:
    """Row 73: 9 GiB left, 1 GiB/h for 4 h, at 60 %."""
    signal = volume_signal(
        capacity_bytes=int(22.5 * GI),
        available_bytes=9 * GI,
        used_bytes=int(13.5 * GI),
        used_percent=60.0,
        full_in_seconds=9 * 3600.0,
        trend_seconds=4 * 3600.0,
        bytes_per_hour=1.0 * GI,
    )
    return about("VolumeWillFill", signal)


def volume_inodes() -> AlertFacts:
    signal = volume_signal(
        available_bytes=150 * GI,
        used_bytes=50 * GI,
        used_percent=25.0,
        inodes_free=30_000,
        inodes_used_percent=97.0,
        full_in_seconds=None,
    )
    return about("VolumeInodesFillingUp", signal)


def node_disk() -> AlertFacts:
    return about("VolumeFillingUp", disk_signal())


def claim_pending() -> AlertFacts:
    return about("ClaimPending", claim_pending_signal())


def claim_lost() -> AlertFacts:
    return about("ClaimLost", claim_lost_signal(), severity="critical")


def claim_unmounted() -> AlertFacts:
    return about("ClaimUnmounted", claim_unmounted_signal(), severity="info")


def node_not_ready(workloads: int = 30, pods: int = 40) -> AlertFacts:
    """Row 62: 40 pods of 30 workloads; twelve of their alerts are its effects."""
    names = [n % workloads for n in range(pods)]
    on_node = tuple(
        PodOnNode(Workload("shop", "Deployment", f"w{n:02}"), f"w{n:02}-7c9d8-{index:05}")
        for index, n in enumerate(names)
    )
    told = about("NodeNotReady", node_signal(), severity="critical", pods_on_node=on_node)
    waiting = [facts([not_ready_signal(f"w{n:02}-7c9d8-aaaaa", workload=f"w{n:02}")], "PodNotReady") for n in range(11)]
    looping = facts([crash_signal("w11-7c9d8-aaaaa", workload="w11")], "ContainerCrashLooping")
    return with_effects(told, *waiting, looping)


def node_pressure() -> AlertFacts:
    return about("NodeUnderPressure", pressure_signal())


def blind() -> AlertFacts:
    return about("WatcherBlind", stream_signal(), stream_signal("Node", "", "13:59:00"), severity="critical")


def jvm_oom() -> AlertFacts:
    """A JVM whose heap fills its limit, 40 s after a rollout; told to a receiver that an annotation chose."""
    told = facts([oom_signal(heap="-Xmx512m beside a limit of 512 Mi")], "ContainerOOMKilled", pods_total=1)
    evidence = Evidence(alert=told.alert.key, rollout=rollout(), missing="the log could not be read in time")
    return changed(told, evidence=evidence, hints=("watcher.io/receiver=shop on Deployment api",))


def rollout(**more: Any) -> Rollout:
    fields: dict[str, Any] = {
        "kind": "Deployment",
        "name": "api",
        "revision": 17,
        "at": at("14:01:31"),
        "after": timedelta(seconds=40),
        "changes": ("image 1.2.3 → 1.2.4",),
    }
    return Rollout(**{**fields, **more})


def unseen(told: AlertFacts, since: datetime, nodes: Sequence[str] = ("n1",)) -> AlertFacts:
    """The same alert, of which nothing was heard since then."""
    return msgspec.structs.replace(changed(told, unseen_since=since), silent_nodes=tuple(nodes))


def not_seen() -> AlertFacts:
    return unseen(crash_loop(), at("13:58:00"))


def unknown() -> AlertFacts:
    """Its node was silent for a day."""
    return ended(unseen(crash_loop(), at("2026-11-19T14:02:30")), EndReason.UNKNOWN)


def idle() -> AlertFacts:
    return ended(volume_nearly_full(), EndReason.IDLE)


def with_effects(told: AlertFacts, *effects: AlertFacts) -> AlertFacts:
    return msgspec.structs.replace(told, explains=tuple(effect.alert for effect in effects))


def image_over_waiting() -> AlertFacts:
    """An image that cannot be had, over the pods that wait for it."""
    waiting = facts([creation_signal("worker-5f7b6-aaaaa", workload="worker")], "PodPending")
    unready = facts([not_ready_signal("worker-5f7b6-bbbbb", workload="worker")], "PodNotReady")
    return with_effects(image_not_found(), waiting, unready)
