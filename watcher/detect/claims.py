"""Claims (PVC): one that is not bound though something waits for it, one that is lost, one that nobody mounts.

Pending alone is no trouble: with `volumeBindingMode: WaitForFirstConsumer` a claim waits until a pod wants it. Storage
classes are not watched, so the claim itself has to tell: the provisioner was asked (its controller notes that on the
claim, with WaitForFirstConsumer only once a node is chosen), it is to be bound by hand (class ""), a Warning says that
it failed, or a pod waits for it. What is known of claims and pods comes as arguments; pipeline/objects.py joins them.
Sources: kubernetes pkg/controller/volume/persistentvolume/pv_controller.go (syncUnboundClaim, provisionClaim).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from watcher.detect.fields import told_text
from watcher.detect.pods import moment
from watcher.model.kube import PersistentVolumeClaim, Pod, Volume
from watcher.model.remembered import ClaimState, PodState, Warned
from watcher.model.signals import ClaimLost, ClaimPending, ClaimUnmounted

ASKED = ("volume.kubernetes.io/storage-provisioner", "volume.beta.kubernetes.io/storage-provisioner")
CHOSEN = "volume.kubernetes.io/selected-node"
"""Set by the scheduler: the class waits for a consumer, and one came."""
CLASS = "volume.beta.kubernetes.io/storage-class"
"""Where the class stood before Kubernetes 1.6; it still wins over the field."""
CAUSES = {
    "ProvisioningFailed": "provisioning_failed",
    "FailedBinding": "no_volume",
    "VolumeMismatch": "no_volume",
}
"""Reasons of Warning events that say why a claim is not bound."""
NAMED_PODS = 20

ClaimTrouble = ClaimPending | ClaimLost | ClaimUnmounted


def claim_uid(namespace: str, name: str) -> str:
    """Watcher's identity of a claim, by the names that pods and kubelets know."""
    return f"claim/{namespace}/{name}"


def declared(pod: Pod) -> tuple[str, ...]:
    """Names of the claims that a pod declares; of a generic ephemeral volume the one that is made for it."""
    return tuple(dict.fromkeys(claim for _, claim in _volumes(pod)))


def unmounted(pod: Pod) -> tuple[str, ...]:
    """Those of them that no container mounts, init containers included."""
    containers = (*(pod.spec.init_containers or ()), *(pod.spec.containers or ()))
    mounted = {mount.name for one in containers for mount in (*(one.volume_mounts or ()), *(one.volume_devices or ()))}
    used = {claim for volume, claim in _volumes(pod) if volume in mounted}
    return tuple(claim for claim in declared(pod) if claim not in used)


def _volumes(pod: Pod) -> list[tuple[str, str]]:
    found = ((volume.name, _claim_of(pod, volume)) for volume in pod.spec.volumes or ())
    return [(volume, claim) for volume, claim in found if claim]


def _claim_of(pod: Pod, volume: Volume) -> str:
    if volume.persistent_volume_claim is not None:
        return volume.persistent_volume_claim.claim_name
    return f"{pod.metadata.name}-{volume.name}" if volume.ephemeral is not None else ""


def storage_class(claim: PersistentVolumeClaim) -> str | None:
    """None: the default class; empty: none, it is bound by hand."""
    old = (claim.metadata.annotations or {}).get(CLASS)
    return claim.spec.storage_class_name if old is None else old


def fields(claim: PersistentVolumeClaim, users: Sequence[PodState], cluster: str) -> dict[str, Any]:
    """The fields that all signals of a claim share. `users`: the pods that declare it."""
    meta = claim.metadata
    present = sorted(pod.name for pod in users if not pod.finished)
    return {
        "uid": claim_uid(meta.namespace, meta.name),
        "cluster": cluster,
        "namespace": meta.namespace,
        "labels": meta.labels or {},
        "annotations": meta.annotations or {},
        "claim": meta.name,
        "storage_class": storage_class(claim) or "",
        "pods": tuple(present[:NAMED_PODS]),
    }


def signals(
    state: ClaimState,
    users: Sequence[PodState],
    events: Sequence[Warned],
    before: ClaimPending | None,
    cluster: str,
    at: datetime,
) -> tuple[ClaimTrouble, ...]:
    """`events`: the Warnings about this claim; `before`: what was said of it last, whose words outlast their event."""
    about = fields(state.claim, users, cluster)
    match state.claim.status.phase:
        case "Pending":
            return _pending(state, users, events, before, about, at)
        case "Lost":
            return (ClaimLost(**about, since=min(state.since, at), volume=state.claim.spec.volume_name),)
        case _:
            return _unmounted(state.claim, users, about, at)


def _pending(
    state: ClaimState,
    users: Sequence[PodState],
    events: Sequence[Warned],
    before: ClaimPending | None,
    about: dict[str, Any],
    at: datetime,
) -> tuple[ClaimTrouble, ...]:
    claim = state.claim
    waiting = [pod for pod in users if _waits(pod)]
    newest = max((one for one in events if one.reason in CAUSES), key=lambda one: (one.at, one.message), default=None)
    asked = any(name in (claim.metadata.annotations or {}) for name in ASKED)
    by_hand = storage_class(claim) == ""
    if not (waiting or newest or asked or by_hand):
        return ()
    if newest is not None:
        words = (CAUSES[newest.reason], newest.reason, told_text(newest.message))
    elif before is not None and before.reason:
        words = (before.cause, before.reason, before.message)
    else:
        words = ("no_volume" if by_hand else "provisioner_silent" if asked else "unknown", "", "")
    at_once = by_hand or (asked and CHOSEN not in (claim.metadata.annotations or {}))
    since = _pending_since(state, [] if at_once else waiting, at)
    return (ClaimPending(**about, since=since, cause=words[0], reason=words[1], message=words[2]),)


def _pending_since(state: ClaimState, waiting: Sequence[PodState], at: datetime) -> datetime:
    """Its creation; of one that waited for a consumer, when the first of those that wait now came."""
    made = [time for pod in waiting if (time := moment(pod.created)) is not None]
    return min(max(state.since, min(made, default=state.since)), at)


def _waits(pod: PodState) -> bool:
    """It is held up by its claims, as far as it shows: neither begun nor held back on purpose (scheduling gates)."""
    if pod.phase != "Pending" or pod.leaving:
        return False
    conditions = pod.pod.status.conditions or () if pod.pod is not None else ()
    return not any(one.type == "PodScheduled" and one.reason == "SchedulingGated" for one in conditions)


def _unmounted(
    claim: PersistentVolumeClaim, users: Sequence[PodState], about: dict[str, Any], at: datetime
) -> tuple[ClaimTrouble, ...]:
    """Of several pods one that mounts it is enough."""
    name = claim.metadata.name
    running = [pod for pod in users if pod.phase == "Running" and not pod.leaving]
    if not running or any(name not in pod.unmounted for pod in running):
        return ()
    began = min((time for pod in running if (time := moment(pod.created)) is not None), default=at)
    return (ClaimUnmounted(**about, since=min(began, at)),)
