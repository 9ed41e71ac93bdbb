"""Pods to put into the cluster: a typed builder for tests and benchmarks, and the shape that the player starts from.

    make("shop", "web-1", owner="Deployment/web", containers=[Container(restarts=3, state=waiting("CrashLoopBackOff"))])

What a kubelet would fill in (conditions, phase, addresses) follows from the containers' states, unless it is given. The
objects have the fields of a 1.35 API server. How statuses change in time is in lifecycle.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, TypedDict, Unpack

import msgspec

from watcher.demo.clock import rfc3339
from watcher.demo.model import make_uid
from watcher.demo.names import container_id, image_id, pod_address, template_hash
from watcher.demo.resources import JsonObject
from watcher.demo.store import Encoded

BORN = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
"""When the builder's pods were made, unless told otherwise: a fixed time, so that they are the same in every run."""

_APPS = {"ReplicaSet", "StatefulSet", "DaemonSet", "Deployment"}
_GROUPS = dict.fromkeys(_APPS, "apps/v1") | {"Job": "batch/v1", "CronJob": "batch/v1"}


def running(at: datetime = BORN) -> JsonObject:
    """A container state."""
    return {"running": {"startedAt": rfc3339(at)}}


def waiting(reason: str, message: str = "") -> JsonObject:
    """A container state; without a message as kubelets write it when there is none."""
    return {"waiting": {"reason": reason} | ({"message": message} if message else {})}


def terminated(code: int, reason: str = "", *, started: datetime = BORN, ended: datetime = BORN) -> JsonObject:
    """A container state. The reason defaults to what a runtime says of the code; the id is filled in by `make`."""
    word = reason or ("Completed" if code == 0 else "Error")
    return {
        "terminated": {"exitCode": code, "reason": word, "startedAt": rfc3339(started), "finishedAt": rfc3339(ended)}
    }


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """One container of a pod: what is asked for, and (for `make`) the state it is in."""

    name: str = "app"
    image: str = "registry.example.com/shop/app:1.0.0"
    kind: Literal["app", "init", "sidecar"] = "app"
    requests: dict[str, str] = {}
    limits: dict[str, str] = {}
    env: dict[str, str] = {}
    mounts: dict[str, str] = {}
    """Volume name to path."""
    command: tuple[str, ...] = ()
    ready_after: timedelta | None = None
    """Has a readiness probe, and passes it so long after its start; None: no probe, ready as soon as it runs."""
    state: JsonObject = {}
    """Empty: running (an init container: completed)."""
    last: JsonObject = {}
    restarts: int = 0
    ready: bool | None = None
    """None: ready when running."""

    def spec(self) -> JsonObject:
        """As in spec.containers."""
        spec: JsonObject = {"name": self.name, "image": self.image}
        if self.command:
            spec["command"] = list(self.command)
        if self.env:
            spec["env"] = [{"name": name, "value": value} for name, value in self.env.items()]
        spec["resources"] = self.resources()
        if self.mounts:
            spec["volumeMounts"] = [{"name": name, "mountPath": path} for name, path in self.mounts.items()]
        if self.kind == "sidecar":
            spec["restartPolicy"] = "Always"
        if self.ready_after is not None:
            probe = {"httpGet": {"path": "/ready", "port": 8080, "scheme": "HTTP"}, "timeoutSeconds": 1}
            spec["readinessProbe"] = probe | {"periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
        return spec | {
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
            "imagePullPolicy": "Always" if self.image.endswith(":latest") else "IfNotPresent",
        }

    def resources(self) -> JsonObject:
        return ({"limits": self.limits} if self.limits else {}) | ({"requests": self.requests} if self.requests else {})


class PodFields(TypedDict, total=False):
    """What else a pod can be told. Times are aware datetimes; `extra` is merged over metadata."""

    node: str
    created: datetime
    labels: dict[str, str]
    annotations: dict[str, str]
    restart_policy: str
    volumes: list[JsonObject]
    uid: str
    status: JsonObject
    """Merged over the status that follows from the containers, e.g. `{"phase": "Failed", "reason": "Evicted"}`."""
    deleted: datetime
    padding: int


def make(
    namespace: str,
    name: str,
    *,
    owner: str = "",
    containers: Sequence[Container] = (Container(),),
    **fields: Unpack[PodFields],
) -> JsonObject:
    """A pod in one state. `owner` is `Deployment/web`, `StatefulSet/db`, `Job/nightly-29384`, or empty: a bare pod."""
    pod = skeleton(namespace, name, owner=owner, containers=containers, **fields)
    created = fields.get("created", BORN)
    uid = pod["metadata"]["uid"]
    statuses = {kind: [_status(c, uid, created) for c in containers if (c.kind != "app") == kind] for kind in (0, 1)}
    status = settled_status(statuses[0], statuses[1], created)
    status |= {"hostIP": "10.0.0.1", "podIP": pod_address(uid), "podIPs": [{"ip": pod_address(uid)}]}
    pod["spec"]["nodeName"] = fields.get("node", "node-1")
    pod["status"] = status | fields.get("status", {})
    if "deleted" in fields:
        pod["metadata"] |= {"deletionTimestamp": rfc3339(fields["deleted"]), "deletionGracePeriodSeconds": 30}
    return pod


def skeleton(
    namespace: str, name: str, *, owner: str, containers: Sequence[Container], **fields: Unpack[PodFields]
) -> JsonObject:
    """A pod as it is created: nothing scheduled, nothing started."""
    created = fields.get("created", BORN)
    uid = fields.get("uid") or make_uid("pod", namespace, name)
    labels = dict(fields.get("labels", {"app": name.rpartition("-")[0] or name}))
    references = []
    if owner:
        kind, owner_name, more = _controller(owner)
        labels |= more
        references = [owner_reference(kind, owner_name, make_uid(kind, namespace, owner_name))]
    metadata: JsonObject = {"name": name, "namespace": namespace, "uid": uid, "resourceVersion": ""}
    metadata |= {"creationTimestamp": rfc3339(created), "labels": labels}
    if fields.get("annotations"):
        metadata["annotations"] = fields["annotations"]
    if references:
        metadata["generateName"] = f"{references[0]['name']}-"
        metadata["ownerReferences"] = references
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": metadata,
        "spec": _spec(containers, fields),
        "status": {"phase": "Pending", "qosClass": qos_class(containers)},
    }


def _spec(containers: Sequence[Container], fields: PodFields) -> JsonObject:
    spec: JsonObject = {"volumes": [*fields.get("volumes", []), _token_volume()]}
    inits = [container.spec() for container in containers if container.kind != "app"]
    if inits:
        spec["initContainers"] = inits
    return spec | {
        "containers": [container.spec() for container in containers if container.kind == "app"],
        "restartPolicy": fields.get("restart_policy", "Always"),
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": "default",
        "serviceAccount": "default",
        "securityContext": {},
        "schedulerName": "default-scheduler",
        "tolerations": [_toleration("not-ready"), _toleration("unreachable")],
        "priority": 0,
        "enableServiceLinks": True,
        "preemptionPolicy": "PreemptLowerPriority",
    }


def _toleration(what: str) -> JsonObject:
    key = f"node.kubernetes.io/{what}"
    return {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}


def _token_volume() -> JsonObject:
    token = {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}
    certificate = {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}}
    return {"name": "kube-api-access-x7k2p", "projected": {"sources": [token, certificate], "defaultMode": 420}}


def claim_volume(name: str, claim: str) -> JsonObject:
    """A volume of spec.volumes that mounts a PersistentVolumeClaim."""
    return {"name": name, "persistentVolumeClaim": {"claimName": claim}}


def _controller(owner: str) -> tuple[str, str, dict[str, str]]:
    """The kind and name of the owner reference, and the labels its controller adds."""
    kind, _, name = owner.partition("/")
    if kind == "Deployment":
        kind, name = "ReplicaSet", f"{name}-{template_hash(name)}"
    if kind == "ReplicaSet":
        return kind, name, {"pod-template-hash": name.rpartition("-")[2]}
    if kind == "Job":
        return kind, name, {"batch.kubernetes.io/job-name": name, "job-name": name}
    return kind, name, {"controller-revision-hash": template_hash(name)}


def owner_reference(kind: str, name: str, uid: str) -> JsonObject:
    return {
        "apiVersion": _GROUPS.get(kind, "v1"),
        "kind": kind,
        "name": name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def qos_class(containers: Sequence[Container]) -> str:
    if not any(container.requests or container.limits for container in containers):
        return "BestEffort"
    same = all(c.limits and (not c.requests or c.requests == c.limits) and len(c.limits) >= 2 for c in containers)
    return "Guaranteed" if same else "Burstable"


def _status(container: Container, uid: str, created: datetime) -> JsonObject:
    """A container status. The instance that runs, or died last, is number `restarts`; the one before, one less."""
    number = container.restarts
    this, before = (container_id(uid, container.name, str(n)) for n in (number, number - 1))
    default = terminated(0, ended=created) if container.kind == "init" else running(created)
    state = _identified(container.state or default, this)
    is_waiting = "waiting" in state
    last = _identified(container.last, this if is_waiting else before)
    if is_waiting and not last:
        this = ""
    well = "running" in state if container.kind != "init" else state.get("terminated", {}).get("exitCode") == 0
    ready = well if container.ready is None else container.ready
    status: JsonObject = {"name": container.name, "state": state, "lastState": last, "ready": ready}
    status |= {"restartCount": number, "image": container.image}
    status |= {"imageID": image_id(container.image), "containerID": this} if this else {"imageID": ""}
    return status | {"started": "running" in state}


def _identified(state: JsonObject, identity: str) -> JsonObject:
    if "terminated" not in state:
        return state
    return {"terminated": {"containerID": identity, **state["terminated"]}}


def condition(kind: str, status: bool, since: datetime, *, reason: str = "", message: str = "") -> JsonObject:
    entry: JsonObject = {"type": kind, "observedGeneration": 1, "status": str(status), "lastProbeTime": None}
    entry["lastTransitionTime"] = rfc3339(since)
    return entry | ({"reason": reason} if reason else {}) | ({"message": message} if message else {})


def settled_status(apps: list[JsonObject], inits: list[JsonObject], since: datetime) -> JsonObject:
    """Phase and conditions of a pod whose containers have been in these states since `since`."""
    unready = [status["name"] for status in apps if not status["ready"]]
    initialized = all(status["ready"] for status in inits)
    words = {"reason": "ContainersNotReady", "message": f"containers with unready status: [{' '.join(unready)}]"}
    why = words if unready else {}
    started = [status for status in apps if "waiting" not in status["state"] or status["restartCount"]]
    status: JsonObject = {
        "observedGeneration": 1,
        "phase": "Running" if started and initialized else "Pending",
        "conditions": [
            condition("PodReadyToStartContainers", True, since),
            condition("Initialized", initialized, since),
            condition("Ready", not unready, since, **why),
            condition("ContainersReady", not unready, since, **why),
            condition("PodScheduled", True, since),
        ],
        "startTime": rfc3339(since),
    }
    if inits:
        status["initContainerStatuses"] = inits
    return status | {"containerStatuses": apps, "qosClass": "Burstable"}


def padded(n_bytes: int, namespace: str = "bench", name: str = "web-0", owner: str = "Deployment/web") -> JsonObject:
    """A healthy pod of about `n_bytes` of JSON, grown as real ones grow: managedFields, env, volumes."""
    app = Container(
        requests={"cpu": "100m", "memory": "256Mi"}, limits={"memory": "512Mi"}, ready_after=timedelta(seconds=5)
    )
    pod = make(namespace, name, owner=owner, containers=[app])
    missing = n_bytes - len(msgspec.json.encode(pod))
    if missing <= 0:
        return pod
    pod["metadata"]["managedFields"] = managed_fields(missing * 2 // 5)
    container = pod["spec"]["containers"][0]
    container["env"] = [
        {"name": f"SETTING_{index:03}", "value": "value-that-is-typical-in-length"} for index in range(missing // 180)
    ]
    volumes = [
        {"name": f"config-{index}", "configMap": {"name": f"config-{index}", "defaultMode": 420}} for index in (1, 2)
    ]
    pod["spec"]["volumes"].extend(volumes)
    pod["metadata"].setdefault("annotations", {})["example.com/notes"] = ""
    rest = n_bytes - len(msgspec.json.encode(pod))
    pod["metadata"]["annotations"]["example.com/notes"] = "n" * max(0, rest)
    return pod


def managed_fields(n_bytes: int) -> list[JsonObject]:
    """Server-side apply's bookkeeping of about that many bytes: 20 to 40 % of a real pod."""
    fields: JsonObject = {f"f:field{index:03}": {"f:kind": {}, "f:name": {}} for index in range(max(1, n_bytes // 46))}
    entry: JsonObject = {"manager": "kubelet", "operation": "Update", "apiVersion": "v1", "time": rfc3339(BORN)}
    return [entry | {"fieldsType": "FieldsV1", "fieldsV1": {"f:status": fields}, "subresource": "status"}]


def encoded_batch(count: int, n_bytes: int, namespace: str = "bench") -> list[tuple[tuple[str, str], Encoded]]:
    """Keys and bytes of `count` healthy pods for `Cluster.put_encoded`; all share one tail, so memory stays small."""
    model = Encoded.of(padded(n_bytes, namespace))
    batch = []
    for index in range(count):
        name = f"web-{index:06}"
        uid = make_uid("pod", namespace, name)
        head = f'{{"metadata":{{"name":"{name}","namespace":"{namespace}","uid":"{uid}","resourceVersion":"'
        batch.append(((namespace, name), Encoded(head.encode(), model.tail)))
    return batch
