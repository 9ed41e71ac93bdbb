"""What the core remembers of objects: scopes, pods, claims, nodes, volumes, containers that died.

Objects live in memory only (the first list brings them back), histories are stored. `due` fields are timers.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from watcher.model.identity import Workload
from watcher.model.kube import Namespace, Node, PersistentVolumeClaim, Pod
from watcher.model.observations import Scope


class Row(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Base of what the view holds."""


class ScopeState(Row, frozen=True, kw_only=True):
    scope: Scope
    known: bool = False
    """It was synced at least once since this store exists: what it shows broken is news (stored)."""
    synced: bool = False
    """It was synced in this process (memory only)."""
    forbidden: bool = False
    listing: bool = False
    generation: int = 0
    """Counts lists; a pod of an older generation is gone when a list is complete."""
    stale_since: datetime | None = None
    """Nothing was heard of it after that (memory only)."""

    @property
    def awaited(self) -> bool:
        """Its first list in this process is still to come: until then nothing is judged and no timer runs.

        A scope that has been given up for stale is not waited for: what lies in it counts as not seen.
        """
        return not (self.synced or self.forbidden or self.stale_since is not None)


class PodState(Row, frozen=True, kw_only=True):
    """A pod in memory. `pod` (the narrow object) is kept only while something about it is not healthy."""

    uid: str
    namespace: str
    name: str
    workload: Workload
    scope: Scope
    generation: int
    owner: str = ""
    """uid (else name) of its controller: tells the pods of one Job from those of the next run of its CronJob."""
    created: datetime | None = None
    phase: str = ""
    ready: bool = False
    leaving: bool = False
    """deletionTimestamp is set."""
    failed_at: datetime | None = None
    """When it failed, if that is news; None for what had failed before first sight."""
    ready_before: int = 1
    """Ready pods of the workload just before it failed, itself included."""
    node: str = ""
    claims: tuple[str, ...] = ()
    """Names of the claims that it declares (of its namespace)."""
    unmounted: tuple[str, ...] = ()
    """Those of them that no container mounts."""
    pod: Pod | None = None
    due: datetime | None = None
    """When one of its signals' windowed fields next changes."""

    @property
    def finished(self) -> bool:
        return self.phase in ("Succeeded", "Failed")

    @property
    def counts(self) -> bool:
        """It belongs to its workload's present pods: neither finished nor being deleted."""
        return not (self.finished or self.leaving)


class ClaimState(Row, frozen=True, kw_only=True):
    """A claim in memory."""

    claim: PersistentVolumeClaim
    scope: Scope
    generation: int
    since: datetime
    """When Watcher saw its present phase first, or the claim itself tells."""
    baseline: bool = False
    """Listed when its scope was not known yet, and not judged since (pods and events may be listed later)."""

    @property
    def key(self) -> tuple[str, str]:
        return (self.claim.metadata.namespace, self.claim.metadata.name)


class NodeState(Row, frozen=True, kw_only=True):
    """A node in memory."""

    node: Node
    scope: Scope
    generation: int
    silent_since: datetime | None = None
    """Its kubelet is not heard of (Ready is Unknown, or the node is gone with pods left on it)."""
    gone: bool = False
    """It was deleted: kept for a while, for the pods that are left on it."""


class NamespaceState(Row, frozen=True, kw_only=True):
    """A namespace in memory: its annotations are hints."""

    namespace: Namespace
    scope: Scope
    generation: int


class Warned(Row, frozen=True, kw_only=True):
    """The Warning event about an object that is no pod, as last seen (memory only)."""

    key: tuple[str, str]
    """The event's own namespace and name."""
    kind: str
    namespace: str
    name: str
    uid: str = ""
    """Of the object that it is about."""
    reason: str
    message: str
    at: datetime
    scope: Scope
    generation: int


class Reading(Row, frozen=True, kw_only=True):
    """The newest sample of a volume from one node."""

    node: str
    at: datetime
    capacity: int
    available: int
    used: int | None = None
    inodes: int | None = None
    inodes_free: int | None = None


class VolumeHistory(Row, frozen=True, kw_only=True):
    """What is remembered of one volume's usage. Stored; at most 72 buckets of five minutes."""

    namespace: str
    claim: str
    """Empty: the disk of `node`, which its local-path claims share."""
    node: str = ""
    uid: str = ""
    """The claim's, where claims are seen: another one under its name begins anew."""
    readings: tuple[Reading, ...] = ()
    """One per node that mounts it, the newest first."""
    buckets: bytes = b""
    """The first sample of each five minutes, oldest first, packed (detect/trend.py); records would take 8 KB."""
    claims: tuple[str, ...] = ()
    """Of a node's disk: every namespace/claim on it."""
    declared: bool = False
    """When it was measured last, a running pod that Watcher sees declared it: when none does any more, it is idle."""
    since: datetime
    """When it was first measured."""
    idle_since: datetime | None = None
    """No running pod mounts it since then."""
    due: datetime | None = None
    """When it counts as not seen, is closed as idle, or is forgotten."""

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.namespace, self.claim, "" if self.claim else self.node)


class Death(Row, frozen=True, kw_only=True):
    """One death of a container. `ran_seconds` is None where nothing described it."""

    at: datetime
    ran_seconds: float | None = None


class ContainerHistory(Row, frozen=True, kw_only=True):
    """What is remembered of a container that died, or whose image could not be had. Stored."""

    uid: str
    container: str
    namespace: str
    pod: str
    deaths: int = 0
    """Deaths so far: restartCount, plus one while it is dead."""
    last_id: str = ""
    """Identity of the last described death: its containerID, else its finishedAt."""
    recent: tuple[Death, ...] = ()
    """Deaths of the last 6 h, oldest first, at most 100."""
    oom_class: str = ""
    """Of the last death: how it was an OOM kill; empty if it was none."""
    image_cause: str = ""
    image_text: str = ""
    image_since: datetime | None = None
    """When the present failure to pull began."""
    start_reason: str = ""
    """The kubelet's word for a failure to create or start it, kept through back-offs; empty: none."""
    start_text: str = ""
    start_since: datetime | None = None
    failing_since: datetime | None = None
    """When the present series of deaths began."""
