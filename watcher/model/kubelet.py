"""What a kubelet measures: the narrow view of `/stats/summary`, Kubernetes' own names on the wire.

All numbers are optional pointers in Go: None is unknown, never zero.
Source: https://github.com/kubernetes/kubelet/blob/master/pkg/apis/stats/v1alpha1/types.go
"""

from __future__ import annotations

from watcher.model.kube import Kube, Time


class PvcReference(Kube, frozen=True, kw_only=True):
    name: str = ""
    namespace: str = ""


class FsStats(Kube, frozen=True, kw_only=True):
    time: Time | None = None
    """When it was measured: in the background, up to minutes before it is asked for."""
    available_bytes: int | None = None
    capacity_bytes: int | None = None
    used_bytes: int | None = None
    inodes_free: int | None = None
    inodes: int | None = None
    inodes_used: int | None = None


class VolumeStats(FsStats, frozen=True, kw_only=True):
    name: str = ""
    pvc_ref: PvcReference | None = None
    """None: a volume without a claim (Secrets, ConfigMaps, emptyDir); those are not kept."""


class PodReference(Kube, frozen=True, kw_only=True):
    name: str = ""
    namespace: str = ""
    uid: str = ""


class PodStats(Kube, frozen=True, kw_only=True):
    pod_ref: PodReference = PodReference()
    volume: list[VolumeStats] | None = None


class NodeStats(Kube, frozen=True, kw_only=True):
    node_name: str = ""
    fs: FsStats | None = None


class Summary(Kube, frozen=True, kw_only=True):
    node: NodeStats = NodeStats()
    pods: list[PodStats] | None = None
