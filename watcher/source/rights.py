"""What each part of Watcher asks the API server for, and what nobody should have given it: tables.

Needs follow the requests of kube.py, evidence.py, rollouts.py and kubelet.py, and the manifests in deploy/ are tested
to grant just these. Dangers are what a role might grant besides; what is neither cannot be found by asking. Both are
held against what is granted in rbac.py.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator

import msgspec

from watcher.model.config import VolumesConfig, WatchConfig

EVERYWHERE = ""
"""As a namespace: all of them, and what has none."""
ANY = "*"


class Right(msgspec.Struct, frozen=True, kw_only=True):
    """One question. `resource` with its subresource: `pods/log`."""

    verb: str
    resource: str
    group: str = ""
    namespace: str = EVERYWHERE
    name: str = ""


class Weight(enum.StrEnum):
    REQUIRED = "required"
    OPTIONAL = "optional"
    """Without it something is missing, the rest goes on."""
    CHOSEN = "chosen"
    """Used where it is granted; who watches namespaces by Roles has chosen to do without."""


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """What one part of Watcher asks for, and what is lost without."""

    verbs: tuple[str, ...]
    resource: str
    group: str = ""
    namespaces: tuple[str, ...] = (EVERYWHERE,)
    name: str = ""
    loses: str
    weight: Weight = Weight.OPTIONAL

    def rights(self) -> Iterator[Right]:
        for namespace in self.namespaces:
            yield from rights_of(self, namespace)


class Danger(msgspec.Struct, frozen=True, kw_only=True):
    """What Watcher never asks for, and what could be done with it."""

    verbs: tuple[str, ...]
    resource: str
    group: str = ""
    namespaced: bool = True
    allows: str


def rights_of(what: Need | Danger, namespace: str) -> Iterator[Right]:
    name = what.name if isinstance(what, Need) else ""
    for verb in what.verbs:
        yield Right(verb=verb, resource=what.resource, group=what.group, namespace=namespace, name=name)


# ---- what is needed ----


def needs(watch: WatchConfig, volumes: VolumesConfig, lease: tuple[str, str] | None = None) -> tuple[Need, ...]:
    """What a configuration needs; `lease`: (namespace, name) of the one that replicas hold, where there are several."""
    places = watch.namespaces or (EVERYWHERE,)
    whole = Weight.CHOSEN if watch.namespaces else Weight.OPTIONAL
    nodes = Weight.OPTIONAL if volumes.source != "none" else whole
    return (
        *(msgspec.structs.replace(need, namespaces=places) for need in _INSIDE),
        *_volumes(volumes.source),
        Need(verbs=_WATCHED, resource="nodes", weight=nodes, loses="no alerts about nodes"),
        Need(verbs=_WATCHED, resource="namespaces", weight=whole, loses="no hints by annotations of namespaces"),
        *(_lease(*lease) if lease is not None else ()),
    )


_WATCHED = ("list", "watch")
_NO_LOGS = "no log lines in messages"
_NO_ROLLOUTS = "messages do not name the rollout before the trouble"
_INSIDE = (
    Need(verbs=_WATCHED, resource="pods", weight=Weight.REQUIRED, loses="nothing is seen of pods"),
    Need(verbs=("get",), resource="pods", loses=f"{_NO_LOGS}, {_NO_ROLLOUTS}"),
    Need(
        verbs=_WATCHED,
        resource="persistentvolumeclaims",
        loses="no alerts about claims that wait, are lost or are not mounted",
    ),
    Need(
        verbs=_WATCHED,
        resource="events",
        loses="no causes from events for claims and nodes, no events in messages",
    ),
    Need(verbs=("get",), resource="pods/log", loses=_NO_LOGS),
    Need(verbs=("list",), resource="replicasets", group="apps", loses=_NO_ROLLOUTS),
    Need(verbs=("list",), resource="controllerrevisions", group="apps", loses=_NO_ROLLOUTS),
)


def _volumes(source: str) -> Iterator[Need]:
    if source != "none":
        resource = "nodes/stats" if source == "kubelet" else "nodes/proxy"
        yield Need(verbs=("get",), resource=resource, loses="not known how full volumes are")


def _lease(namespace: str, name: str) -> Iterator[Need]:
    lease = Need(
        verbs=("get", "update"),
        resource="leases",
        group="coordination.k8s.io",
        namespaces=(namespace,),
        name=name,
        loses="no replica can become the leader, and none does anything",
        weight=Weight.REQUIRED,
    )
    # A name cannot be asked for: it is not in the path of a request that creates something.
    return iter((lease, msgspec.structs.replace(lease, verbs=("create",), name="")))


# ---- what is too much ----

EVERYTHING = Danger(verbs=(ANY,), resource=ANY, group=ANY, allows="whoever has its token may do everything")
_COMMANDS = "runs commands in pods"
_PODS = "runs any image, with the rights and the Secrets of the namespace"
_RIGHTS = "gives itself any right"
_OTHERS = "acts as somebody else"
_BREAKS = "ends what others run"
_AUTH = "rbac.authorization.k8s.io"
_MAKES = ("create", "update", "patch")

DANGERS = (
    Danger(verbs=("get", "list", "watch"), resource="secrets", allows="reads passwords and tokens"),
    Danger(verbs=("create", "get"), resource="pods/exec", allows=_COMMANDS),
    Danger(verbs=("create", "get"), resource="pods/attach", allows=_COMMANDS),
    Danger(verbs=("create", "get"), resource="pods/portforward", allows="reaches every port of pods"),
    Danger(verbs=("update", "patch"), resource="pods/ephemeralcontainers", allows=_COMMANDS),
    Danger(verbs=_MAKES, resource="pods", allows=_PODS),
    Danger(verbs=_MAKES, resource="deployments", group="apps", allows=_PODS),
    Danger(verbs=_MAKES, resource="daemonsets", group="apps", allows=_PODS),
    Danger(verbs=_MAKES, resource="statefulsets", group="apps", allows=_PODS),
    Danger(verbs=_MAKES, resource="jobs", group="batch", allows=_PODS),
    Danger(verbs=_MAKES, resource="cronjobs", group="batch", allows=_PODS),
    Danger(verbs=_WATCHED, resource="pods", namespaced=False, allows="reads more than watch.namespaces names"),
    Danger(verbs=("get",), resource="pods/log", namespaced=False, allows="reads more than watch.namespaces names"),
    Danger(verbs=("delete",), resource="pods", allows=_BREAKS),
    Danger(verbs=("delete",), resource="persistentvolumeclaims", allows="deletes data"),
    Danger(verbs=("delete",), resource="namespaces", namespaced=False, allows=_BREAKS),
    Danger(
        verbs=("get", "create"),
        resource="nodes/proxy",
        namespaced=False,
        allows="runs commands in any pod of any node; for statistics nodes/stats is enough (volumes.source: kubelet)",
    ),
    Danger(verbs=("get",), resource="nodes/stats", namespaced=False, allows="not used with this volumes.source"),
    Danger(verbs=("update", "patch"), resource="nodes", namespaced=False, allows="sends workloads away from nodes"),
    Danger(verbs=("create",), resource="serviceaccounts/token", allows=_OTHERS),
    Danger(verbs=("impersonate",), resource="serviceaccounts", allows=_OTHERS),
    Danger(verbs=("impersonate",), resource="users", namespaced=False, allows=_OTHERS),
    Danger(verbs=("impersonate",), resource="groups", namespaced=False, allows=_OTHERS),
    Danger(verbs=("create", "update"), resource="rolebindings", group=_AUTH, allows=_RIGHTS),
    Danger(verbs=("bind", "escalate"), resource="roles", group=_AUTH, allows=_RIGHTS),
    Danger(
        verbs=("create", "update"),
        resource="clusterrolebindings",
        group=_AUTH,
        namespaced=False,
        allows=_RIGHTS,
    ),
    Danger(verbs=("bind", "escalate"), resource="clusterroles", group=_AUTH, namespaced=False, allows=_RIGHTS),
    Danger(
        verbs=("update", "patch", "delete"),
        resource="leases",
        group="coordination.k8s.io",
        allows="takes the locks of other programs: an update needs the one name alone",
    ),
)
