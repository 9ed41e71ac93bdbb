"""The cluster's objects, versions and history."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest

from watcher.demo import pods
from watcher.demo.clock import Timeline
from watcher.demo.model import Cluster, merge
from watcher.demo.status import ApiError
from watcher.demo.store import Encoded


def pod(name: str, **labels: str) -> dict[str, Any]:
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": name, "namespace": "ns", "labels": labels},
        "spec": {"containers": []},
    }


def test_versions_are_shared_by_all_kinds_and_only_grow() -> None:
    cluster = Cluster(Timeline())
    versions = [cluster.put(pod("a")), cluster.put({"kind": "Namespace", "metadata": {"name": "ns"}})]
    versions += [cluster.put(pod("a", app="x")), cluster.delete("Pod", "ns", "a")]
    assert versions == sorted(set(versions))
    assert cluster.version == versions[-1]


def test_a_put_that_changes_nothing_writes_nothing() -> None:
    cluster = Cluster(Timeline())
    first = cluster.put(pod("a"))
    assert cluster.put(pod("a")) == first
    assert len(cluster.store("Pod").changes) == 1


def test_a_put_keeps_the_uid_and_the_time_of_creation() -> None:
    cluster = Cluster(Timeline())
    cluster.put(pod("a"))
    before = cluster.get("Pod", "ns", "a")
    cluster.put(pod("a", app="x"))
    after = cluster.get("Pod", "ns", "a")
    assert before is not None
    assert after is not None
    for field in ("uid", "creationTimestamp"):
        assert before["metadata"][field] == after["metadata"][field]


def test_an_object_of_another_uid_under_the_same_name_is_a_deletion_and_a_creation() -> None:
    cluster = Cluster(Timeline())
    first, second = pod("a"), pod("a")
    first["metadata"]["uid"], second["metadata"]["uid"] = "one", "two"
    cluster.put(first)
    cluster.put(second)
    changes = [(c.event, c.stored.item["metadata"]["uid"]) for c in cluster.store("Pod").changes]
    assert changes == [("ADDED", "one"), ("DELETED", "one"), ("ADDED", "two")]


def test_what_a_reader_changes_in_its_copy_stays_with_the_reader() -> None:
    cluster = Cluster(Timeline())
    mine = pod("a")
    cluster.put(mine)
    mine["metadata"]["labels"]["late"] = "x"
    copy = cluster.get("Pod", "ns", "a")
    assert copy is not None
    copy["spec"]["containers"].append({"name": "x"})
    again = cluster.get("Pod", "ns", "a")
    assert again is not None
    assert again["spec"]["containers"] == []
    assert again["metadata"]["labels"] == {}


def test_a_deleted_event_carries_the_last_object_under_the_version_of_the_deletion() -> None:
    cluster = Cluster(Timeline())
    cluster.put(pod("a", app="x"))
    version = cluster.delete("Pod", "ns", "a")
    line = msgspec.json.decode(cluster.store("Pod").changes[-1].line)
    assert line["type"] == "DELETED"
    assert line["object"]["metadata"]["resourceVersion"] == str(version)
    assert line["object"]["metadata"]["labels"] == {"app": "x"}
    assert line["object"]["kind"] == "Pod"


def test_bytes_made_beforehand_are_stored_under_a_new_version_each_time() -> None:
    cluster = Cluster(Timeline())
    encoded = Encoded.of(pod("a"))
    for _ in range(2):
        cluster.put_encoded("Pod", ("ns", "a"), encoded)
    found = cluster.get("Pod", "ns", "a")
    assert found is not None
    assert found["metadata"]["resourceVersion"] == str(cluster.version)
    assert [c.event for c in cluster.store("Pod").changes] == ["ADDED", "MODIFIED"]


def test_text_that_looks_like_the_version_mark_inside_an_object_does_no_harm() -> None:
    cluster = Cluster(Timeline())
    item = pod("a", note="@@resourceVersion@@x")
    cluster.put(item)
    found = cluster.get("Pod", "ns", "a")
    assert found is not None
    assert found["metadata"]["labels"]["note"] == "@@resourceVersion@@x"


def test_an_update_needs_the_present_version_or_none() -> None:
    cluster = Cluster(Timeline())
    cluster.put(pod("a"))
    found = cluster.get("Pod", "ns", "a")
    assert found is not None
    cluster.put(pod("a", app="x"))
    with pytest.raises(ApiError) as caught:
        cluster.update(found)
    assert caught.value.code == 409
    assert "the object has been modified" in caught.value.status["message"]
    del found["metadata"]["resourceVersion"]
    cluster.update(found)


def test_apply_creates_and_merges() -> None:
    cluster = Cluster(Timeline())
    cluster.apply("Pod", "ns", "a", {"spec": {"nodeName": "n1", "priority": 1}})
    cluster.apply("Pod", "ns", "a", {"spec": {"nodeName": "n2", "priority": None}})
    found = cluster.get("Pod", "ns", "a")
    assert found is not None
    assert found["spec"] == {"nodeName": "n2"}


def test_a_merge_patch_replaces_lists_and_removes_by_null() -> None:
    base = {"a": [1, 2], "b": {"c": 1, "d": 2}}
    assert merge(base, {"a": [3], "b": {"c": None}, "e": {"f": None, "g": 1}}) == {
        "a": [3],
        "b": {"d": 2},
        "e": {"g": 1},
    }


def test_the_history_is_bounded_and_its_floor_is_the_newest_forgotten_version() -> None:
    cluster = Cluster(Timeline(), window=50)
    for index in range(500):
        cluster.put(pod("a", n=str(index)))
    store = cluster.store("Pod")
    assert 50 <= len(store.changes) <= 100
    assert store.floor == store.changes[0].version - 1
    assert store.end == 500


def test_the_state_of_any_version_in_the_history_can_be_had() -> None:
    cluster = Cluster(Timeline())
    versions = []
    for name, event in itertools.product("ab", ("put", "change", "delete")):
        if event == "delete":
            cluster.delete("Pod", "ns", name)
        else:
            cluster.put(pod(name, event=event))
        versions.append((cluster.version, [s.raw for s in cluster.store("Pod").current()]))
    for version, raw in versions:
        past = cluster.store("Pod").as_of(version)
        assert past is not None
        assert [stored.raw for stored in past] == raw
    assert cluster.store("Pod").as_of(cluster.store("Pod").floor - 1) is None


def test_deleting_what_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError, match="ns/a"):
        Cluster(Timeline()).delete("Pod", "ns", "a")


def test_a_batch_of_encoded_pods_shares_its_long_end() -> None:
    batch = pods.encoded_batch(3, 10_000)
    assert len({id(encoded.tail) for _, encoded in batch}) == 1
    for (namespace, name), encoded in batch:
        item = msgspec.json.decode(encoded.at(7))
        assert (item["metadata"]["namespace"], item["metadata"]["name"]) == (namespace, name)
        assert item["metadata"]["resourceVersion"] == "7"
        assert 9_500 < len(encoded.at(7)) < 10_500
    assert len({msgspec.json.decode(encoded.at(1))["metadata"]["uid"] for _, encoded in batch}) == 3
