"""Pods for time lines: short to write, with what Kubernetes would fill in."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tests.support.timeline import START, time
from watcher.model.kube import (
    Condition,
    Container,
    ContainerStateKube,
    ContainerStatus,
    ObjectMeta,
    OwnerReference,
    Pod,
    PodSpec,
    PodStatus,
    ResourceRequirements,
    StateRunning,
    StateTerminated,
    StateWaiting,
)


def dead(
    code: int, reason: str = "", *, at: float = 0, ran: float = 5, instance: str = "", message: str = ""
) -> StateTerminated:
    """A termination at second `at`."""
    word = reason or ("Completed" if code == 0 else "Error")
    return StateTerminated(
        exit_code=code,
        reason=word,
        message=message,
        started_at=time(at - ran),
        finished_at=time(at),
        container_id=instance or f"containerd://{at:.0f}-{code}",
    )


def status(
    name: str = "app",
    *,
    ready: bool | None = None,
    restarts: int = 0,
    waiting: str = "",
    message: str = "",
    terminated: StateTerminated | None = None,
    last: StateTerminated | None = None,
) -> ContainerStatus:
    """Running and ready unless something else is said."""
    if waiting:
        state = ContainerStateKube(waiting=StateWaiting(reason=waiting, message=message))
    elif terminated is not None:
        state = ContainerStateKube(terminated=terminated)
    else:
        state = ContainerStateKube(running=StateRunning(started_at=START))
    is_running = not waiting and terminated is None
    return ContainerStatus(
        name=name,
        image=f"registry.example/{name}:1.0",
        ready=is_running if ready is None else ready,
        restart_count=restarts,
        state=state,
        last_state=ContainerStateKube(terminated=last) if last is not None else None,
    )


def backoff(seconds: int, last: StateTerminated, *, restarts: int, name: str = "app") -> ContainerStatus:
    text = f"back-off {seconds // 60}m{seconds % 60}s" if seconds >= 60 else f"back-off {seconds}s"
    return status(
        name,
        waiting="CrashLoopBackOff",
        message=f"{text} restarting failed container={name} pod=p_shop(uid)",
        restarts=restarts,
        last=last,
    )


def pod(name: str = "web-1", *statuses: ContainerStatus, init: tuple[ContainerStatus, ...] = (), **fields: Any) -> Pod:
    """`fields`: namespace, owner (`Deployment/web`, `""` for none), phase, reason, message, conditions, restart_policy,
    sidecars, uid, limit, node, no_statuses; deleting, created and changed are seconds.
    """
    owner = fields.get("owner", "Deployment/web")
    statuses = statuses or (status(),)
    phase = fields.get("phase", "Running")
    ready = phase == "Running" and all(s.ready for s in statuses)
    deleting = fields.get("deleting")
    return Pod(
        metadata=ObjectMeta(
            name=name,
            namespace=fields.get("namespace", "shop"),
            uid=fields.get("uid", f"uid-{name}"),
            creation_timestamp=time(fields.get("created", -3600)),
            deletion_timestamp=time(deleting) if deleting is not None else None,
            labels={"pod-template-hash": "6d4cf"} if owner.startswith("Deployment/") else None,
            owner_references=_owners(owner),
        ),
        spec=PodSpec(
            node_name=fields.get("node", "n1"),
            restart_policy=fields.get("restart_policy", "Always"),
            containers=[_spec(s, fields) for s in statuses],
            init_containers=[_spec(s, fields, init=True) for s in init] or None,
        ),
        status=PodStatus(
            phase=phase,
            reason=fields.get("reason", ""),
            message=fields.get("message", ""),
            conditions=[
                Condition(
                    type="Ready", status="True" if ready else "False", last_transition_time=_turned(fields, ready)
                ),
                *fields.get("conditions", ()),
            ],
            container_statuses=list(statuses) if not fields.get("no_statuses") else None,
            init_container_statuses=list(init) or None,
        ),
    )


def _turned(fields: dict[str, Any], ready: bool) -> datetime | None:
    """A pod that runs and is not ready tells since when only where a story says so (`changed`)."""
    waits = not ready and fields.get("phase", "Running") == "Running" and "changed" not in fields
    return None if waits else _moment(fields)


def _moment(fields: dict[str, Any]) -> datetime:
    return START + timedelta(seconds=fields.get("changed", -3000))


def _owners(owner: str) -> list[OwnerReference] | None:
    if not owner:
        return None
    kind, name = owner.split("/")
    if kind == "Deployment":
        kind, name = "ReplicaSet", f"{name}-6d4cf"
    return [OwnerReference(kind=kind, name=name, uid=f"uid-{name}", controller=True)]


def _spec(one: ContainerStatus, fields: dict[str, Any], *, init: bool = False) -> Container:
    sidecar = init and one.name in fields.get("sidecars", ())
    return Container(
        name=one.name,
        image=one.image,
        restart_policy="Always" if sidecar else "",
        resources=ResourceRequirements(limits={"memory": fields.get("limit", "512Mi")}),
    )
