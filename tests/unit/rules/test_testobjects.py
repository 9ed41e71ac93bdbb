"""The short forms of claims, nodes, namespaces, events, samples and streams in rule tests."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from watcher.lib.yamlpos import load
from watcher.model.kube import Event, KubeObject, Namespace, Node, PersistentVolumeClaim, Pod
from watcher.model.kubelet import VolumeStats
from watcher.model.observations import (
    ClaimSeen,
    EventType,
    Input,
    Listing,
    NodeSeen,
    ObjectSeen,
    PodSeen,
    Scope,
    StatsSampled,
    StreamHealth,
    Synced,
    object_of,
)
from watcher.rules.testfile import RuleTest, parse_tests
from watcher.rules.testinputs import inputs
from watcher.rules.testpod import START

GI = 2**30


def time(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def parsed(observations: str) -> tuple[tuple[RuleTest, ...], list[str]]:
    text = f"rule_files: [x]\ntests: [{{name: a, observations: {observations}, expect: [{{at: 10m, firing: []}}]}}]"
    tests, problems = parse_tests(load(text, "t.yaml"))
    return tests, [str(problem) for problem in problems]


def told(observations: str) -> list[Input]:
    (test,), problems = parsed(observations)
    assert problems == []
    return inputs(test, _no_file)


def _no_file(name: str, item: Any) -> KubeObject:
    raise AssertionError(f"{name} {item} is not to be read")


def seen(text: str, at: str = "30s") -> Any:
    """The object that is written as `text`."""
    (one,) = (each for each in told(f"[{{at: {at}, {text}}}]") if not isinstance(each, Listing | Synced))
    return object_of(one) if isinstance(one, ObjectSeen) else one


def statuses(node: Node) -> dict[str, str]:
    return {each.type: each.status for each in node.status.conditions or ()}


# -- objects -----------------------------------------------------------------------------------------------------


def test_a_claim_has_sensible_defaults() -> None:
    claim: PersistentVolumeClaim = seen("claim: {name: data}")
    assert (claim.metadata.namespace, claim.metadata.uid) == ("default", "uid-default-data")
    assert (claim.status.phase, claim.spec.storage_class_name, claim.spec.volume_name) == (
        "Bound",
        "standard",
        "pv-data",
    )
    assert claim.status.capacity == {"storage": "10Gi"}
    assert claim.metadata.creation_timestamp == time(30)


def test_a_pending_claim_has_no_volume_and_no_capacity() -> None:
    claim: PersistentVolumeClaim = seen(
        "claim: {name: data, phase: Pending, storageClass: '', accessModes: [ReadWriteMany]}"
    )
    assert (claim.spec.storage_class_name, claim.spec.volume_name, claim.status.capacity) == ("", "", None)
    assert claim.spec.access_modes == ["ReadWriteMany"]


def test_a_lost_claim_names_the_volume_that_is_gone() -> None:
    claim: PersistentVolumeClaim = seen(
        "claim: {name: data, namespace: shop, phase: Lost, volume: pvc-1, deleting: true}"
    )
    assert (claim.status.phase, claim.spec.volume_name) == ("Lost", "pvc-1")
    assert claim.metadata.deletion_timestamp == time(30)


def test_a_node_is_ready_and_under_no_pressure_unless_it_is_said() -> None:
    node: Node = seen("node: {name: n1}")
    assert statuses(node) == {
        "Ready": "True",
        "MemoryPressure": "False",
        "DiskPressure": "False",
        "PIDPressure": "False",
    }
    assert (node.metadata.namespace, node.spec.unschedulable) == ("", None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("ready: false", {"Ready": "False", "DiskPressure": "False"}, id="not ready"),
        pytest.param("ready: Unknown", {"Ready": "Unknown", "DiskPressure": "Unknown"}, id="not heard of"),
        pytest.param("pressure: [DiskPressure]", {"Ready": "True", "DiskPressure": "True"}, id="pressure"),
        pytest.param("pressure: [NetworkUnavailable]", {"NetworkUnavailable": "True"}, id="network"),
        pytest.param("conditions: {KernelDeadlock: true}", {"KernelDeadlock": "True"}, id="another condition"),
    ],
)
def test_a_node_has_the_conditions_that_are_said(text: str, expected: dict[str, str]) -> None:
    assert expected.items() <= statuses(seen(f"node: {{name: n1, {text}}}")).items()


def test_the_trouble_of_a_node_began_when_it_is_said_or_first_shown() -> None:
    node: Node = seen("node: {name: n1, ready: false, since: -5m, cordoned: true, reason: KubeletNotReady, message: m}")
    ready, *others = node.status.conditions or []
    assert (ready.last_transition_time, ready.reason, ready.message) == (time(-300), "KubeletNotReady", "m")
    assert {each.last_transition_time for each in others} == {time(30)}
    assert node.spec.unschedulable
    later = told("[{at: 1m, node: {name: n1, ready: false}}, {at: 2m, node: {name: n1, ready: false}}]")
    nodes = [each.node for each in later if isinstance(each, NodeSeen)]
    assert [(node.status.conditions or [])[0].last_transition_time for node in nodes] == [time(60), time(60)]


def test_a_namespace_has_annotations_and_no_namespace() -> None:
    found: Namespace = seen("namespace: {name: shop, annotations: {watcher.io/mute-until: x}}")
    assert (found.metadata.name, found.metadata.namespace) == ("shop", "")
    assert found.metadata.annotations == {"watcher.io/mute-until": "x"}


@pytest.mark.parametrize(
    ("about", "namespace", "name", "home"),
    [
        ("PersistentVolumeClaim/data", "default", "data", "default"),
        ("PersistentVolumeClaim/shop/data", "shop", "data", "shop"),
        ("Node/n1", "", "n1", "default"),
    ],
)
def test_an_event_is_about_an_object(about: str, namespace: str, name: str, home: str) -> None:
    event: Event = seen(f"event: {{about: {about}, reason: R, message: m}}")
    involved = event.involved_object
    assert (involved.kind, involved.namespace, involved.name) == (about.partition("/")[0], namespace, name)
    assert (event.metadata.namespace, event.type, event.reason, event.message) == (home, "Warning", "R", "m")
    assert (event.newest, event.times) == (time(30), 1)


def test_an_event_seen_again_is_the_same_event() -> None:
    once, again = (
        object_of(each)
        for each in told(
            "[{at: 1m, event: {about: Node/n1, reason: R}}, {at: 2m, event: {about: Node/n1, reason: R, count: 2}}]"
        )
        if isinstance(each, ObjectSeen)
    )
    assert isinstance(again, Event)
    assert again.metadata.uid == once.metadata.uid
    assert (again.first_timestamp, again.newest, again.times) == (time(60), time(120), 2)


@pytest.mark.parametrize(
    ("form", "kind"),
    [("claim", PersistentVolumeClaim), ("node", Node), ("namespace", Namespace), ("event", Event), ("pod", Pod)],
)
def test_a_whole_object_is_taken_as_it_is(form: str, kind: type[KubeObject]) -> None:
    found = seen(f"{form}: {{kind: X, metadata: {{name: a, uid: u, resourceVersion: '7'}}}}")
    assert isinstance(found, kind)
    assert (found.metadata.name, found.metadata.resource_version) == ("a", "7")


# -- samples and streams -----------------------------------------------------------------------------------------


def volume(text: str) -> VolumeStats:
    sample: StatsSampled = seen(f"sample: {{volumes: {{data: {text}}}}}")
    ((found,),) = [pod.volume or [] for pod in sample.summary.pods or ()]
    return found


@pytest.mark.parametrize(
    ("text", "capacity", "available", "used"),
    [
        pytest.param("{used: 86%}", 10 * GI, 10 * GI - round(8.6 * GI), round(8.6 * GI), id="share"),
        pytest.param("{used: 8Gi}", 10 * GI, 2 * GI, 8 * GI, id="quantity"),
        pytest.param("{used: 8Gi, available: 1Gi}", 10 * GI, GI, 8 * GI, id="reserved blocks"),
        pytest.param("{available: 5%, capacity: 100Gi}", 100 * GI, 5 * GI, None, id="what is left"),
        pytest.param("{capacity: 1Gi}", GI, None, None, id="block volume"),
        pytest.param("{capacity: 0, used: 0}", 0, 0, 0, id="nothing"),
        pytest.param("{capacity: null, used: 1Gi}", None, None, GI, id="no capacity"),
    ],
)
def test_a_sample_tells_what_can_be_written(
    text: str, capacity: int | None, available: int | None, used: int | None
) -> None:
    found = volume(text)
    assert (found.capacity_bytes, found.available_bytes, found.used_bytes) == (capacity, available, used)
    assert found.time == time(30)


def test_a_sample_tells_inodes_where_they_are_said() -> None:
    found = volume("{used: 1%, inodesUsed: 97%}")
    assert (found.inodes, found.inodes_used, found.inodes_free) == (1_000_000, 970_000, 30_000)
    assert volume("{used: 1%}").inodes is None
    assert volume("{used: 1%, inodes: 200, inodesUsed: 50}").inodes_free == 150


def test_a_sample_names_node_pod_and_claim() -> None:
    sample: StatsSampled = seen(
        "sample: {node: n2, nodeFs: {used: 90%}, volumes: {shop/data: {used: 1%, pod: db-0}, "
        "shop/wal: {used: 2%, pod: db-0, at: 10s}, tmp: {used: 3%, claim: false}}}"
    )
    assert (sample.node, sample.summary.node.node_name, sample.at) == ("n2", "n2", time(30))
    assert sample.summary.node.fs is not None
    assert sample.summary.node.fs.available_bytes == GI
    first, second = sample.summary.pods or []
    assert (first.pod_ref.namespace, first.pod_ref.name, first.pod_ref.uid) == ("shop", "db-0", "uid-shop-db-0")
    data, wal = first.volume or []
    assert data.pvc_ref is not None
    assert (data.pvc_ref.namespace, data.pvc_ref.name, wal.time) == ("shop", "data", time(10))
    assert [each.pvc_ref for each in second.volume or ()] == [None]


def test_a_stream_is_stale_since_a_time_or_heard() -> None:
    assert seen("stream: {kind: Node, stale_since: 10s, reason: silence}") == StreamHealth(
        at=time(30), scope=Scope(kind="Node"), stale_since=time(10), reason="silence"
    )
    assert seen("stream: {kind: Pod, namespace: shop}").stale_since is None


# -- the time line -----------------------------------------------------------------------------------------------


def test_kinds_that_a_test_shows_are_listed_and_others_are_not_watched() -> None:
    found = told(
        "[{at: 1s, first_sight: true, pod: {name: a}}, {at: 2s, first_sight: true, claim: {name: data}}, "
        "{at: 5s, node: {name: n1}}]"
    )
    assert [each.scope.kind for each in found if isinstance(each, Listing)] == ["Node", "PersistentVolumeClaim", "Pod"]
    assert [each.scope.kind for each in found if isinstance(each, Synced)] == ["Node", "PersistentVolumeClaim", "Pod"]
    assert [type(each) for each in found if isinstance(each, ObjectSeen)] == [PodSeen, ClaimSeen, NodeSeen]
    assert [each.event for each in found if isinstance(each, ObjectSeen)] == [
        EventType.LISTED,
        EventType.LISTED,
        EventType.ADDED,
    ]
    assert [each.at for each in found if isinstance(each, Listing | Synced)] == [time(1)] * 3 + [time(2)] * 3


def test_pods_are_listed_also_where_a_test_shows_none() -> None:
    found = told("[{at: 5s, sample: {volumes: {data: {used: 1%}}}}]")
    assert [type(each) for each in found] == [Listing, Synced, StatsSampled]


@pytest.mark.parametrize(
    ("observations", "kind", "name"),
    [
        ("{at: 0s, claim: {name: a}}, {at: 1s, deleted: claim/a}", PersistentVolumeClaim, "a"),
        ("{at: 0s, claim: {name: a, namespace: shop}}, {at: 1s, deleted: claim/shop/a}", PersistentVolumeClaim, "a"),
        ("{at: 0s, node: {name: n1}}, {at: 1s, deleted: node/n1}", Node, "n1"),
        ("{at: 0s, namespace: {name: x}}, {at: 1s, deleted: namespace/x}", Namespace, "x"),
        ("{at: 0s, pod: {name: a, namespace: shop}}, {at: 1s, deleted: shop/a}", Pod, "a"),
        ("{at: 0s, pod: {name: a}}, {at: 1s, deleted: pod/default/a}", Pod, "a"),
    ],
)
def test_what_was_shown_can_be_deleted(observations: str, kind: type[KubeObject], name: str) -> None:
    gone = told(f"[{observations}]")[-1]
    assert isinstance(gone, ObjectSeen)
    assert gone.event == EventType.DELETED
    assert isinstance(object_of(gone), kind)
    assert object_of(gone).metadata.name == name


@pytest.mark.parametrize(
    ("observations", "expected"),
    [
        pytest.param(
            "[{at: 0s, claim: {name: a, phase: Bond}}]", "phase must be 'Pending', 'Bound' or 'Lost'", id="phase"
        ),
        pytest.param(
            "[{at: 0s, claim: {name: a, storage_class: x}}]", "unknown key storage_class", id="Kubernetes' word"
        ),
        pytest.param("[{at: 0s, node: {name: a, ready: maybe}}]", "ready must be 'True', 'False' or", id="readiness"),
        pytest.param(
            "[{at: 0s, node: {name: a, pressure: [Disk]}}]", "pressure[0] must be 'MemoryPressure',", id="pressure"
        ),
        pytest.param(
            "[{at: 0s, event: {about: data, reason: R}}]",
            "about must be Kind/name or Kind/namespace/name, such as PersistentVolumeClaim/data",
            id="about",
        ),
        pytest.param("[{at: 0s, event: {about: Node/n1}}]", "reason is missing", id="event without a reason"),
        pytest.param(
            "[{at: 0s, sample: {volumes: {data: {used: much}}}}]",
            "used must be a share such as 86% or a quantity such as 8Gi",
            id="amount",
        ),
        pytest.param(
            "[{at: 0s, sample: {volumes: {data: {used: 186%}}}}]",
            "used must be a share such as 86% or a quantity such as 8Gi",
            id="share",
        ),
        pytest.param(
            "[{at: 0s, sample: {volumes: {data: {capacity: 50%}}}}]",
            "capacity must be a quantity such as 10Gi",
            id="capacity",
        ),
        pytest.param("[{at: 0s, stream: {kind: Job}}]", "kind must be 'Pod',", id="kind of a stream"),
        pytest.param("[{at: 0s, claim: {metadata: {name: 3}}}]", "this is no claim: Expected `str`", id="whole object"),
        pytest.param(
            "[{at: 0s, pod: {name: a}, node: {name: b}}]",
            "an observation has one of pod, claim, node, namespace, event, sample, stream, file and deleted",
            id="two at once",
        ),
        pytest.param(
            "[{at: 0s, deleted: claim/a}]", "there is no claim default/a before this: nothing to delete", id="claim"
        ),
        pytest.param("[{at: 0s, deleted: node/a}]", "there is no node a before this: nothing to delete", id="node"),
        pytest.param(
            "[{at: 0s, first_sight: true, sample: {}}]",
            "what is there at first sight comes first, and is there",
            id="a sample at first sight",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(observations: str, expected: str) -> None:
    _, problems = parsed(observations)
    assert any(expected in problem and problem.startswith("t.yaml:2:") for problem in problems), problems
