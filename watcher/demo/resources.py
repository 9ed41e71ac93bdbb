"""The kinds that this server serves, the discovery documents about them, and which of them a path names.

kubectl reads /api, /apis and one APIResourceList per group version before anything else. Everything here is a table
or a pure function of it; the objects themselves live in model.py.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import msgspec

JsonObject = dict[str, Any]
"""A Kubernetes object, or a part of one, as it is in JSON."""

Key = tuple[str, str]
"""(namespace, name); the namespace of cluster-wide kinds is empty."""


def key_path(key: Key) -> str:
    """`namespace/name`, the end of etcd's key: lists and continue tokens are in the order of these texts."""
    return f"{key[0]}/{key[1]}" if key[0] else key[1]


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """One kind as the API names it."""

    kind: str
    plural: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        """`v1`, `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """`pods`, `leases.coordination.k8s.io`: how Status messages name it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


_ALL = ("all",)

RESOURCES: tuple[Resource, ...] = (
    Resource(kind="Pod", plural="pods", short_names=("po",), subresources=("log", "status"), categories=_ALL),
    Resource(kind="Event", plural="events", short_names=("ev",)),
    Resource(kind="Node", plural="nodes", namespaced=False, short_names=("no",), subresources=("proxy", "status")),
    Resource(kind="Namespace", plural="namespaces", namespaced=False, short_names=("ns",)),
    Resource(kind="PersistentVolumeClaim", plural="persistentvolumeclaims", short_names=("pvc",)),
    Resource(kind="ConfigMap", plural="configmaps", short_names=("cm",)),
    Resource(kind="Deployment", plural="deployments", group="apps", short_names=("deploy",), categories=_ALL),
    Resource(kind="ReplicaSet", plural="replicasets", group="apps", short_names=("rs",), categories=_ALL),
    Resource(kind="StatefulSet", plural="statefulsets", group="apps", short_names=("sts",), categories=_ALL),
    Resource(kind="DaemonSet", plural="daemonsets", group="apps", short_names=("ds",), categories=_ALL),
    Resource(kind="ControllerRevision", plural="controllerrevisions", group="apps"),
    Resource(kind="Job", plural="jobs", group="batch", categories=_ALL),
    Resource(kind="CronJob", plural="cronjobs", group="batch", short_names=("cj",), categories=_ALL),
    Resource(kind="Lease", plural="leases", group="coordination.k8s.io"),
)

BY_KIND: dict[str, Resource] = {resource.kind: resource for resource in RESOURCES}
_BY_PATH = {(r.group, r.version, r.plural): r for r in RESOURCES}
_VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]

REVIEW_GROUP = "authorization.k8s.io"
"""Only selfsubjectaccessreviews is served of it, and only by POST."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What a request path names. `name` is empty for a collection."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    rest: str = ""


def locate(path: str) -> Target | None:
    """The kind, namespace and name in `/api/v1/namespaces/NS/pods/NAME/log` and the like; None: not served."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if parts[:1] == ["api"] and len(parts) >= 3:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[:1] == ["apis"] and len(parts) >= 4:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace = ""
    if rest[0] == "namespaces" and len(rest) >= 3 and rest[2] != "status":
        namespace, rest = rest[1], rest[2:]
    resource = _BY_PATH.get((group, version, rest[0]))
    if resource is None or (namespace and not resource.namespaced):
        return None
    return Target(
        resource=resource,
        namespace=namespace,
        name=rest[1] if len(rest) > 1 else "",
        subresource=rest[2] if len(rest) > 2 else "",
        rest="/".join(rest[3:]),
    )


def core_versions() -> JsonObject:
    """The answer of /api."""
    return {"kind": "APIVersions", "versions": ["v1"]}


def group_list() -> JsonObject:
    """The answer of /apis."""
    groups = sorted({(r.group, r.version) for r in RESOURCES if r.group} | {(REVIEW_GROUP, "v1")})
    return {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [_group(name, version) for name, version in groups],
    }


def _group(name: str, version: str) -> JsonObject:
    entry = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [entry], "preferredVersion": entry}


def resource_list(group: str, version: str) -> JsonObject | None:
    """The APIResourceList of one group version; None: no such group version."""
    entries: list[JsonObject] = []
    for resource in RESOURCES:
        if (resource.group, resource.version) == (group, version):
            entries.append(_entry(resource))
            entries.extend(_subresource(resource, name) for name in resource.subresources)
    if (group, version) == (REVIEW_GROUP, "v1"):
        entries.append(
            {
                "name": "selfsubjectaccessreviews",
                "singularName": "selfsubjectaccessreview",
                "namespaced": False,
            }
            | {"kind": "SelfSubjectAccessReview", "verbs": ["create"]}
        )
    if not entries:
        return None
    group_version = f"{group}/{version}" if group else version
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": entries,
    }


def _entry(resource: Resource) -> JsonObject:
    entry: JsonObject = {
        "name": resource.plural,
        "singularName": resource.kind.lower(),
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": _VERBS,
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    return entry


def _subresource(resource: Resource, name: str) -> JsonObject:
    kind = "NodeProxyOptions" if name == "proxy" else resource.kind
    return {
        "name": f"{resource.plural}/{name}",
        "singularName": "",
        "namespaced": resource.namespaced,
        "kind": kind,
        "verbs": ["get"],
    }


def version_info() -> JsonObject:
    """The answer of /version."""
    return {
        "major": "1",
        "minor": "35",
        "gitVersion": "v1.35.0+watcher-demo",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "2025-12-17T00:00:00Z",
        "goVersion": "go1.25.0",
        "compiler": "gc",
        "platform": "linux/amd64",
    }
