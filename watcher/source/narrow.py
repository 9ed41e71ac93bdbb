"""What is kept of a decoded object: what must not be kept goes, and texts that equal objects have in common are shared.

Kept of a container's command, arguments and environment are the heap flags of a JVM and nothing else: an OOM kill is
explained by them, and a number cannot be a secret. Of volumes and mounts only claims are kept. Objects are changed in
place, just decoded; narrowing again changes nothing. Interned strings live as long as somebody holds them, so that
nothing here grows. What the records hold at all is fixed in watcher/model/kube.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from sys import intern

import msgspec

from watcher.model.kube import (
    Container,
    EnvVar,
    Event,
    Namespace,
    Node,
    ObjectMeta,
    PersistentVolumeClaim,
    Pod,
    Volume,
    VolumeMount,
)
from watcher.model.kubelet import Summary

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""Holds the whole manifest, environment values included."""

_HEAP_FLAG = re.compile(
    r"(?<![\w-])-(?:Xm[xs]\d+[kKmMgGtT]?|XX:(?:(?:Max|Initial)RAMPercentage=\d+(?:\.\d+)?|MaxRAM=\d+[kKmMgGtT]?))"
    r"(?![\w.%])"
)
"""java(1), "Extra Options" and "Advanced Runtime Options". A value that is no plain number is left out."""

_JAVA_OPTIONS = re.compile(r"JAVA.*OPT", re.IGNORECASE)
"""JAVA_OPTS, JAVA_TOOL_OPTIONS, JDK_JAVA_OPTIONS, _JAVA_OPTIONS."""

_set = msgspec.structs.force_setattr


def narrow_pod(pod: Pod) -> Pod:
    """Shared are label values, images, and the names of containers, nodes and namespaces."""
    _narrow_meta(pod.metadata)
    spec = pod.spec
    _set(spec, "node_name", intern(spec.node_name))
    claims: frozenset[str] = frozenset()
    if spec.volumes is not None:
        volumes = [volume for volume in spec.volumes if _is_claim(volume)]
        _set(spec, "volumes", volumes or None)
        if volumes:
            claims = frozenset([volume.name for volume in volumes])
    if spec.containers is not None:
        for container in spec.containers:
            _narrow_container(container, claims)
    if spec.init_containers is not None:
        for container in spec.init_containers:
            _narrow_container(container, claims)
    return pod


def _is_claim(volume: Volume) -> bool:
    return volume.persistent_volume_claim is not None or volume.ephemeral is not None


def _narrow_container(container: Container, claims: frozenset[str]) -> None:
    _set(container, "name", intern(container.name))
    _set(container, "image", intern(container.image))
    if container.volume_mounts is not None:
        _set(container, "volume_mounts", _of_claims(container.volume_mounts, claims))
    if container.volume_devices is not None:
        _set(container, "volume_devices", _of_claims(container.volume_devices, claims))
    if container.command is not None:
        _set(container, "command", _flags(container.command))
    if container.args is not None:
        _set(container, "args", _flags(container.args))
    if container.env is not None:
        _set(container, "env", _java_options(container.env))


def _of_claims(mounts: Sequence[VolumeMount], claims: frozenset[str]) -> list[VolumeMount] | None:
    return ([mount for mount in mounts if mount.name in claims] or None) if claims else None


def _flags(words: Iterable[str]) -> list[str] | None:
    """The heap flags in `words`, of which one may be a whole shell command."""
    found: list[str] = []
    for word in words:
        if "-X" in word:
            found += _HEAP_FLAG.findall(word)
    return found or None


def _java_options(variables: Iterable[EnvVar]) -> list[EnvVar] | None:
    found: list[EnvVar] = []
    for variable in variables:
        if "-X" in variable.value and _JAVA_OPTIONS.search(variable.name):
            flags = _flags((variable.value,))
            if flags:
                found.append(EnvVar(name=intern(variable.name), value=" ".join(flags)))
    return found or None


def narrow_claim(claim: PersistentVolumeClaim) -> PersistentVolumeClaim:
    _narrow_meta(claim.metadata)
    if claim.spec.storage_class_name:
        _set(claim.spec, "storage_class_name", intern(claim.spec.storage_class_name))
    return claim


def narrow_node(node: Node) -> Node:
    _narrow_meta(node.metadata)
    return node


def narrow_namespace(namespace: Namespace) -> Namespace:
    _narrow_meta(namespace.metadata)
    return namespace


def narrow_event(event: Event) -> Event:
    _narrow_meta(event.metadata)
    return event


def narrow_summary(summary: Summary) -> Summary:
    """Volumes without a claim, and pods without such volumes, are left out."""
    pods = []
    for pod in summary.pods or ():
        volumes = [volume for volume in pod.volume or () if volume.pvc_ref is not None]
        if volumes:
            _set(pod, "volume", volumes)
            pods.append(pod)
    _set(summary, "pods", pods or None)
    return summary


def _narrow_meta(meta: ObjectMeta) -> None:
    if meta.annotations:
        meta.annotations.pop(LAST_APPLIED, None)
    labels = meta.labels
    if labels:
        for key, value in labels.items():
            labels[key] = intern(value)
    _set(meta, "namespace", intern(meta.namespace))
