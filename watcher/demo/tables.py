"""Server-side tables: what `kubectl get` prints without `-o`.

The columns are those of kubernetes/pkg/printers/internalversion (v1.35); the pods' are in podtable.py. A column of
priority 1 shows with `-o wide`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from watcher.demo.podtable import age, pod_cells
from watcher.demo.resources import JsonObject, Resource

Cells = Callable[[JsonObject, datetime], list[object]]

_TEXTS = {
    "Name": "Name must be unique within a namespace.",
    "Ready": "The aggregate readiness state of this pod for accepting traffic.",
    "Status": "The aggregate status of the containers in this pod.",
    "Restarts": "The number of times the containers in this pod have been restarted and when the last one was.",
    "Age": "CreationTimestamp is the server time when this object was created.",
}


def _columns(*names: str) -> list[JsonObject]:
    """Column definitions; a `+` in front means priority 1."""
    return [
        {
            "name": name.lstrip("+"),
            "type": "string",
            "format": "name" if name == "Name" else "",
            "description": _TEXTS.get(name, name.lstrip("+")),
            "priority": int(name.startswith("+")),
        }
        for name in names
    ]


def _event(item: JsonObject, now: datetime) -> list[object]:
    about = item.get("involvedObject", {})
    source = item.get("source") or {}
    first = item.get("firstTimestamp") or item.get("eventTime")
    last = item.get("lastTimestamp") or first
    name = f"{about.get('kind', '').lower()}/{about.get('name', '')}"
    component = source.get("component") or item.get("reportingComponent") or ""
    return [
        age(last, now),
        item.get("type", ""),
        item.get("reason", ""),
        name,
        about.get("fieldPath", ""),
        ", ".join(filter(None, (component, source.get("host")))),
        str(item.get("message", "")).strip(),
        age(first, now),
        item.get("count") or 1,
        item["metadata"]["name"],
    ]


def _node(item: JsonObject, now: datetime) -> list[object]:
    status = item.get("status", {})
    ready = [c["status"] for c in status.get("conditions") or () if c["type"] == "Ready"]
    words = [{"True": "Ready", "False": "NotReady"}.get(ready[0] if ready else "", "NotReady" if ready else "Unknown")]
    if item.get("spec", {}).get("unschedulable"):
        words.append("SchedulingDisabled")
    prefix = "node-role.kubernetes.io/"
    labels = item["metadata"].get("labels") or {}
    roles = sorted(label.removeprefix(prefix) for label in labels if label.startswith(prefix))
    info = status.get("nodeInfo", {})
    addresses = {a["type"]: a["address"] for a in status.get("addresses") or ()}
    return [
        item["metadata"]["name"],
        ",".join(words),
        ",".join(roles) or "<none>",
        age(item["metadata"].get("creationTimestamp"), now),
        info.get("kubeletVersion", ""),
        addresses.get("InternalIP", "<none>"),
        info.get("osImage", "<unknown>"),
        info.get("containerRuntimeVersion", "<unknown>"),
    ]


def _namespace(item: JsonObject, now: datetime) -> list[object]:
    phase = item.get("status", {}).get("phase", "Active")
    return [item["metadata"]["name"], phase, age(item["metadata"].get("creationTimestamp"), now)]


def _claim(item: JsonObject, now: datetime) -> list[object]:
    spec, status = item.get("spec", {}), item.get("status", {})
    modes = {
        "ReadWriteOnce": "RWO",
        "ReadOnlyMany": "ROX",
        "ReadWriteMany": "RWX",
        "ReadWriteOncePod": "RWOP",
    }
    phase = "Terminating" if item["metadata"].get("deletionTimestamp") else status.get("phase", "")
    return [
        item["metadata"]["name"],
        phase,
        spec.get("volumeName", ""),
        (status.get("capacity") or {}).get("storage", ""),
        ",".join(modes.get(mode, mode) for mode in status.get("accessModes") or ()),
        spec.get("storageClassName", ""),
        age(item["metadata"].get("creationTimestamp"), now),
    ]


def _deployment(item: JsonObject, now: datetime) -> list[object]:
    status, wanted = item.get("status", {}), item.get("spec", {}).get("replicas", 0)
    counts = [status.get("updatedReplicas", 0), status.get("availableReplicas", 0)]
    ready = f"{status.get('readyReplicas', 0)}/{wanted}"
    return [item["metadata"]["name"], ready, *counts, age(item["metadata"].get("creationTimestamp"), now)]


def _replica_set(item: JsonObject, now: datetime) -> list[object]:
    status, wanted = item.get("status", {}), item.get("spec", {}).get("replicas", 0)
    counts = [wanted, status.get("replicas", 0), status.get("readyReplicas", 0)]
    return [item["metadata"]["name"], *counts, age(item["metadata"].get("creationTimestamp"), now)]


def _stateful_set(item: JsonObject, now: datetime) -> list[object]:
    wanted, ready = item.get("spec", {}).get("replicas", 0), item.get("status", {}).get("readyReplicas", 0)
    return [
        item["metadata"]["name"],
        f"{ready}/{wanted}",
        age(item["metadata"].get("creationTimestamp"), now),
    ]


def _daemon_set(item: JsonObject, now: datetime) -> list[object]:
    status = item.get("status", {})
    names = ("desired", "current", "ready", "updated", "available")
    fields = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady", "updatedNumberScheduled")
    counts = [status.get(field, 0) for field in (*fields, "numberAvailable")][: len(names)]
    return [item["metadata"]["name"], *counts, age(item["metadata"].get("creationTimestamp"), now)]


def _job(item: JsonObject, now: datetime) -> list[object]:
    status = item.get("status", {})
    ended = [c["type"] for c in status.get("conditions") or () if c["type"] in ("Complete", "Failed")]
    done = f"{status.get('succeeded', 0)}/{item.get('spec', {}).get('completions', 1)}"
    return [
        item["metadata"]["name"],
        ended[0] if ended else "Running",
        done,
        age(item["metadata"].get("creationTimestamp"), now),
    ]


def _cron_job(item: JsonObject, now: datetime) -> list[object]:
    spec, status = item.get("spec", {}), item.get("status", {})
    last = status.get("lastScheduleTime")
    return [
        item["metadata"]["name"],
        spec.get("schedule", ""),
        spec.get("timeZone") or "<none>",
        str(bool(spec.get("suspend"))),
        len(status.get("active") or ()),
        age(last, now) if last else "<none>",
        age(item["metadata"].get("creationTimestamp"), now),
    ]


def _lease(item: JsonObject, now: datetime) -> list[object]:
    holder = item.get("spec", {}).get("holderIdentity", "")
    return [item["metadata"]["name"], holder, age(item["metadata"].get("creationTimestamp"), now)]


def _plain(item: JsonObject, now: datetime) -> list[object]:
    return [item["metadata"]["name"], age(item["metadata"].get("creationTimestamp"), now)]


_POD_COLUMNS = (
    "Name",
    "Ready",
    "Status",
    "Restarts",
    "Age",
    "+IP",
    "+Node",
    "+Nominated Node",
    "+Readiness Gates",
)
_EVENT_COLUMNS = ("Last Seen", "Type", "Reason", "Object", "+Subobject", "+Source", "Message", "+First Seen")
_NODE_COLUMNS = (
    "Name",
    "Status",
    "Roles",
    "Age",
    "Version",
    "+Internal-IP",
    "+OS-Image",
    "+Container-Runtime",
)
_CLAIM_COLUMNS = ("Name", "Status", "Volume", "Capacity", "Access Modes", "StorageClass", "Age")
_CRON_COLUMNS = ("Name", "Schedule", "Timezone", "Suspend", "Active", "Last Schedule", "Age")

_TABLES: dict[str, tuple[list[JsonObject], Cells]] = {
    "Pod": (_columns(*_POD_COLUMNS), pod_cells),
    "Event": (_columns(*_EVENT_COLUMNS, "+Count", "+Name"), _event),
    "Node": (_columns(*_NODE_COLUMNS), _node),
    "Namespace": (_columns("Name", "Status", "Age"), _namespace),
    "PersistentVolumeClaim": (_columns(*_CLAIM_COLUMNS), _claim),
    "Deployment": (_columns("Name", "Ready", "Up-to-date", "Available", "Age"), _deployment),
    "ReplicaSet": (_columns("Name", "Desired", "Current", "Ready", "Age"), _replica_set),
    "StatefulSet": (_columns("Name", "Ready", "Age"), _stateful_set),
    "DaemonSet": (
        _columns("Name", "Desired", "Current", "Ready", "Up-to-date", "Available", "Age"),
        _daemon_set,
    ),
    "Job": (_columns("Name", "Status", "Completions", "Age"), _job),
    "CronJob": (_columns(*_CRON_COLUMNS), _cron_job),
    "Lease": (_columns("Name", "Holder", "Age"), _lease),
}
_PLAIN: tuple[list[JsonObject], Cells] = (_columns("Name", "Age"), _plain)


def column_definitions(resource: Resource) -> list[JsonObject]:
    return _TABLES.get(resource.kind, _PLAIN)[0]


def row(resource: Resource, item: JsonObject, now: datetime, include: str) -> JsonObject:
    """One TableRow; `include` is includeObject: Metadata, None or Object."""
    cells = _TABLES.get(resource.kind, _PLAIN)[1](item, now)
    if include == "None":
        return {"cells": cells}
    return {"cells": cells, "object": item if include == "Object" else partial(item)}


def partial(item: JsonObject) -> JsonObject:
    """The object as PartialObjectMetadata."""
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": item["metadata"]}


def table(columns: list[JsonObject], rows: list[JsonObject], metadata: JsonObject) -> JsonObject:
    """A meta.k8s.io/v1 Table."""
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": columns,
        "rows": rows,
    }
