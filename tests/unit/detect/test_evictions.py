"""What the kubelet's words about an eviction tell."""

from __future__ import annotations

import pytest

from watcher.detect.evictions import Eviction, classify
from watcher.detect.memory import is_eviction_for_memory

KAFKA = (
    "The node was low on resource: ephemeral-storage. Threshold quantity: 2126213140, available: 1884540Ki. Container "
    "kafka was using 3264Ki, request is 0, has larger consumption of ephemeral-storage. "
)
TEXTS: list[tuple[str, Eviction]] = [
    (KAFKA, Eviction(cause="node_low", resource="ephemeral-storage", container="kafka", used="3264Ki")),
    (
        "The node was low on resource: memory. Threshold quantity: 750Mi, available: 179968Ki. ",
        Eviction(cause="node_low", resource="memory"),
    ),
    (
        "The node was low on resource: memory. Container proxy was using 900Ki, which exceeds its request of 0. "
        "Container api was using 2Gi, which exceeds its request of 1Gi. ",
        Eviction(cause="node_low", resource="memory", container="api", used="2Gi"),
    ),
    ("The node was low on resource: [DiskPressure]. ", Eviction(cause="node_low", resource="ephemeral-storage")),
    ("The node was low on resource: nodefs.", Eviction(cause="node_low", resource="ephemeral-storage")),
    ("The node was low on resource: inodes. ", Eviction(cause="node_low", resource="inodes")),
    ("The node was low on resource: hugepages-2Mi. ", Eviction(cause="node_low", resource="hugepages-2Mi")),
    ("The node was low on resource: pids. ", Eviction(cause="node_low", resource="pids")),
    (
        "Pod was rejected: The node had condition: [DiskPressure]. ",
        Eviction(cause="node_condition", resource="ephemeral-storage"),
    ),
    ("The node had condition: [MemoryPressure]. ", Eviction(cause="node_condition", resource="memory")),
    ("The node had condition: [PIDPressure]. ", Eviction(cause="node_condition", resource="pids")),
    (
        'Usage of EmptyDir volume "cache" exceeds the limit "1Gi". ',
        Eviction(cause="empty_dir_limit", resource="ephemeral-storage"),
    ),
    (
        "Pod ephemeral local storage usage exceeds the total limit of containers 2Gi. ",
        Eviction(cause="pod_limit", resource="ephemeral-storage"),
    ),
    (
        'Container app exceeded its local ephemeral storage limit "500Mi". ',
        Eviction(cause="container_limit", resource="ephemeral-storage", container="app"),
    ),
    ("Preempted in order to admit critical pod", Eviction(cause="preempted")),
    ("the cluster was tired", Eviction(cause="unknown")),
    ("", Eviction(cause="unknown")),
]


@pytest.mark.parametrize(("text", "expected"), TEXTS, ids=[text[:70] for text, _ in TEXTS])
def test_an_eviction_tells_its_cause_and_the_container_that_used_most(text: str, expected: Eviction) -> None:
    assert classify(text) == expected


def test_only_an_eviction_for_memory_is_one_for_memory() -> None:
    assert [is_eviction_for_memory(eviction) for _, eviction in TEXTS].count(True) == 3
