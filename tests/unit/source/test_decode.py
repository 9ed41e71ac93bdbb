"""Bytes of the API server into records: what is read, what is skipped, what is never kept."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.model.observations import EventType, Scope, object_of, seen_as
from watcher.source.decode import (
    DECODERS,
    Bookmark,
    Change,
    Skipped,
    decode_pod,
    decode_status,
)
from watcher.source.errors import Status, Undecodable
from watcher.source.kinds import newest_time
from watcher.source.narrow import LAST_APPLIED

decode_page = DECODERS["Pod"].page
decode_watch_line = DECODERS["Pod"].line

FIXTURES = Path(__file__).parents[2] / "fixtures"


def line(kind: str, item: object) -> bytes:
    return json.dumps({"type": kind, "object": item}).encode() + b"\n"


def pod(**metadata: object) -> dict[str, object]:
    return {"kind": "Pod", "metadata": {"name": "web-1", "namespace": "shop", "resourceVersion": "7", **metadata}}


@pytest.mark.parametrize("event", ["ADDED", "MODIFIED", "DELETED"])
def test_a_change_is_a_pod_and_its_event(event: str) -> None:
    item = decode_watch_line(line(event, pod()))
    assert isinstance(item, Change)
    assert item.event is EventType(event)
    assert (item.object.metadata.namespace, item.object.metadata.name) == ("shop", "web-1")


def test_the_type_may_come_after_the_object() -> None:
    item = decode_watch_line(b'{"object":{"metadata":{"name":"web-1"}},"type":"ADDED"}\n')
    assert isinstance(item, Change)


def test_a_bookmark_is_no_pod() -> None:
    assert decode_watch_line(line("BOOKMARK", pod(resourceVersion="9"))) == Bookmark(version="9")


def test_an_error_event_is_its_status() -> None:
    status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old", "metadata": {}}
    assert decode_watch_line(line("ERROR", status)) == Status(code=410, reason="Expired", message="too old")


def test_an_error_event_without_a_status_is_an_error_all_the_same() -> None:
    item = decode_watch_line(line("ERROR", "no idea"))
    assert isinstance(item, Status)
    assert item.code == 500


SKIPPED = {
    "unknown type": (line("RELOCATED", pod()), "unknown_type", "7"),
    "object of another shape": (line("MODIFIED", pod(labels=["a"])), "bad_object", "7"),
    "no version to be had": (line("MODIFIED", {"metadata": {"name": 3, "resourceVersion": 4}}), "bad_object", ""),
    "no object": (b'{"type":"ADDED"}\n', "bad_object", ""),
    "no JSON": (b"upstream connect error\n", "bad_line", ""),
    "half a line": (b'{"type":"MODIFIED","object":{"kind":"Pod"\n', "bad_line", ""),
    "bytes that are no UTF-8": (b'{"type":"ADDED","object":{"metadata":{"name":"\xff"}}}\n', "bad_object", ""),
    "nested beyond reason": (b'{"type":"ADDED","object":' + b"[" * 20_000 + b"\n", "bad_line", ""),
    "a list": (b"[1,2]\n", "bad_line", ""),
}


@pytest.mark.parametrize(("raw", "reason", "version"), SKIPPED.values(), ids=SKIPPED.keys())
def test_what_cannot_be_read_is_skipped_with_the_reason(raw: bytes, reason: str, version: str) -> None:
    item = decode_watch_line(raw)
    assert isinstance(item, Skipped)
    assert (item.reason, item.version) == (reason, version)
    assert item.detail


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_line_at_all_raises(raw: bytes) -> None:
    assert decode_watch_line(raw) is not None


def test_a_list_gives_its_own_version_and_token() -> None:
    page = decode_page(b'{"metadata":{"resourceVersion":"12","continue":"abc"},"items":[{"metadata":{"name":"a"}}]}')
    assert (page.version, page.token) == ("12", "abc")
    assert [item.metadata.name for item in page.objects] == ["a"]


def test_a_list_of_null_is_empty() -> None:
    page = decode_page(b'{"metadata":{"resourceVersion":"12","continue":null},"items":null}')
    assert (page.objects, page.skipped, page.token) == ([], [], "")


def test_one_bad_item_does_not_cost_the_others() -> None:
    page = decode_page(b'{"metadata":{},"items":[{"metadata":{"name":"a"}},{"metadata":7},{"metadata":{"name":"b"}}]}')
    assert [item.metadata.name for item in page.objects] == ["a", "b"]
    assert [skipped.reason for skipped in page.skipped] == ["bad_object"]


@pytest.mark.parametrize("body", [b"<html>", b"", b'{"items":{}}', b'{"metadata":{"resourceVersion":"1"'])
def test_what_is_no_list_is_undecodable(body: bytes) -> None:
    with pytest.raises(Undecodable, match="the list is not readable"):
        decode_page(body)


def test_null_lists_and_maps_and_unknown_fields_are_read() -> None:
    raw = b"""{"metadata":{"name":"a","labels":null,"annotations":null,"ownerReferences":null,"later":{"x":[1]}},
               "spec":{"containers":null,"initContainers":null,"new":true},
               "status":{"conditions":null,"containerStatuses":null,"initContainerStatuses":null}}"""
    assert decode_pod(raw).status.container_statuses is None


def test_the_manifest_that_was_applied_last_is_never_kept() -> None:
    kept = decode_pod(json.dumps(pod(annotations={LAST_APPLIED: '{"env":"s3cret"}', "team": "shop"})).encode())
    assert kept.metadata.annotations == {"team": "shop"}
    assert b"s3cret" not in msgspec.json.encode(kept)


def test_environment_values_are_never_kept() -> None:
    item = pod() | {"spec": {"containers": [{"name": "app", "env": [{"name": "PASSWORD", "value": "s3cret"}]}]}}
    assert b"s3cret" not in msgspec.json.encode(decode_pod(json.dumps(item).encode()))


def container(**fields: object) -> dict[str, Any]:
    """What is kept of a container of a pod, as a recording would hold it."""
    mine = {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data-0"}}]}
    item = pod() | {"spec": mine | {"containers": [{"name": "app", **fields}], "initContainers": [fields]}}
    kept = json.loads(msgspec.json.encode(decode_pod(json.dumps(item).encode())))
    first = kept["spec"]["initContainers"][0]
    assert {key: value for key, value in kept["spec"]["containers"][0].items() if key != "name"} == first
    return dict(first)


HEAP_FLAGS = {
    "in the arguments": ({"args": ["-Xmx512m", "-jar", "app.jar"]}, {"args": ["-Xmx512m"]}),
    "in a shell's command": (
        {"command": ["sh", "-c", 'exec java -Xms256M "-Xmx1g" -Dpassword=s3cret -jar app.jar']},
        {"command": ["-Xms256M", "-Xmx1g"]},
    ),
    "as percentages": (
        {"args": ["-XX:MaxRAMPercentage=75.0", "-XX:InitialRAMPercentage=50", "-XX:MaxRAM=2g", "-XX:+UseG1GC"]},
        {"args": ["-XX:MaxRAMPercentage=75.0", "-XX:InitialRAMPercentage=50", "-XX:MaxRAM=2g"]},
    ),
    "in variables of a JVM": (
        {
            "env": [
                {"name": "JAVA_TOOL_OPTIONS", "value": "-Xmx3g -Dtoken=s3cret"},
                {"name": "my_java_opts", "value": "-Xms1g"},
                {"name": "_JAVA_OPTIONS", "value": "-Dtoken=s3cret"},
                {"name": "JAVA_HOME", "value": "-Xmx9g"},
                {"name": "PASSWORD", "value": "-Xmx9g"},
            ]
        },
        {"env": [{"name": "JAVA_TOOL_OPTIONS", "value": "-Xmx3g"}, {"name": "my_java_opts", "value": "-Xms1g"}]},
    ),
    "variables from elsewhere": (
        {"env": [{"name": "JAVA_OPTS", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}]},
        {},
    ),
    "no number": ({"args": ["-Xmx$(HEAP)", "-Xmx512mb", "-Xmxs3cret", "--x-Xmx1g"]}, {}),
    "nothing at all": ({"args": None, "command": None, "env": None}, {}),
}


@pytest.mark.parametrize(("given", "kept"), HEAP_FLAGS.values(), ids=HEAP_FLAGS.keys())
def test_of_commands_arguments_and_variables_only_heap_flags_are_kept(
    given: dict[str, object], kept: dict[str, object]
) -> None:
    assert container(**given) == kept


@given(st.text(max_size=60), st.text(max_size=60))
def test_whatever_survives_of_a_variable_is_heap_flags(name: str, value: str) -> None:
    kept = container(env=[{"name": f"JAVA{name}OPT", "value": f"-Xmx1g {value}"}], args=[value])
    words = [word for variable in kept.get("env", ()) for word in variable["value"].split()]
    for word in (*words, *kept.get("args", ())):
        assert word.startswith(("-Xm", "-XX:"))
        assert word[-1] in "0123456789kKmMgGtT"


def test_of_mounts_and_devices_only_claims_are_kept() -> None:
    mounts = [{"name": "data", "mountPath": "/data"}, {"name": "token", "mountPath": "/var/run"}]
    assert container(volumeMounts=mounts, volumeDevices=mounts) == {
        "volumeMounts": [{"name": "data"}],
        "volumeDevices": [{"name": "data"}],
    }
    assert container(volumeMounts=mounts[1:], volumeDevices=None) == {}


def test_of_volumes_only_claims_are_kept() -> None:
    volumes = [
        {"name": "config", "configMap": {"name": "c"}},
        {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}},
        {"name": "data", "persistentVolumeClaim": {"claimName": "data-0"}},
    ]
    spec = decode_pod(json.dumps(pod() | {"spec": {"volumes": volumes}}).encode()).spec
    assert [volume.name for volume in spec.volumes or ()] == ["scratch", "data"]
    spec = decode_pod(json.dumps(pod() | {"spec": {"volumes": volumes[:1]}}).encode()).spec
    assert spec.volumes is None


def test_narrowing_again_changes_nothing() -> None:
    path = FIXTURES / "pod_oomkilled_both_states_containerd.json"
    once = msgspec.json.encode(decode_pod(path.read_bytes()))
    assert msgspec.json.encode(decode_pod(once)) == once


def test_odd_fields_of_a_large_pod_are_read() -> None:
    item = pod(annotations={"padding": "x" * 45_000}) | {
        "spec": {
            "volumes": None,
            "containers": [
                {
                    "name": "app",
                    "args": None,
                    "env": [{"name": "A"}, {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                    "resources": {"limits": {"cpu": 2, "memory": 1.5e9}, "requests": None},
                    "volumeMounts": None,
                }
            ],
        }
    }
    spec = decode_pod(json.dumps(item).encode()).spec
    assert (spec.containers or [])[0].env is None


# ---- the other kinds ----

OTHERS = ["PersistentVolumeClaim", "Node", "Namespace", "Event"]


@pytest.mark.parametrize("kind", OTHERS)
def test_each_kind_is_read_from_lists_and_watches_and_becomes_its_input(kind: str) -> None:
    decoder, item = DECODERS[kind], {"metadata": {"name": "it", "annotations": {LAST_APPLIED: "s3cret"}}}
    listed = decoder.page(json.dumps({"metadata": {"resourceVersion": "5"}, "items": [item, 7]}).encode())
    change = decoder.line(line("MODIFIED", item))
    assert isinstance(change, Change)
    assert [change.object] == listed.objects
    assert type(change.object).__name__ == kind
    assert change.object.metadata.annotations == {}
    assert [skipped.reason for skipped in listed.skipped] == ["bad_object"]
    seen = seen_as(datetime(2026, 11, 20, tzinfo=UTC), EventType.ADDED, Scope(kind=kind), change.object)
    assert object_of(seen) is change.object


@pytest.mark.parametrize(("item", "named"), [({"metadata": {"name": "a"}, "spec": 3}, True), ({"spec": 3}, False)])
def test_a_bad_item_that_has_a_name_is_told_from_what_is_no_object(item: object, named: bool) -> None:
    page = decode_page(json.dumps({"metadata": {}, "items": [item]}).encode())
    assert [skipped.named for skipped in page.skipped] == [named]


def test_times_with_microseconds_and_null_ones_of_events_are_read() -> None:
    item = {
        "metadata": {"name": "e", "creationTimestamp": "2026-11-20T10:00:00Z"},
        "involvedObject": {"kind": "Node", "name": "n1"},
        "eventTime": "2026-11-20T10:00:01.123456Z",
        "firstTimestamp": None,
        "lastTimestamp": None,
        "count": None,
        "series": {"count": 4, "lastObservedTime": "2026-11-20T10:00:09.000001Z"},
    }
    change = DECODERS["Event"].line(line("ADDED", item))
    assert isinstance(change, Change)
    assert newest_time(change.object) == datetime(2026, 11, 20, 10, 0, 9, 1, tzinfo=UTC)


def test_equal_pods_share_their_texts() -> None:
    item = pod(labels={"app.kubernetes.io/name": "checkout-service"}) | {
        "spec": {"nodeName": "node-17.example", "containers": [{"name": "app", "image": "registry.example/app:1"}]}
    }
    raw = json.dumps(item).encode()
    one, two = decode_pod(raw), decode_pod(raw)
    assert one.spec.node_name is two.spec.node_name
    assert (one.metadata.labels or {})["app.kubernetes.io/name"] is (two.metadata.labels or {})[
        "app.kubernetes.io/name"
    ]
    assert (one.spec.containers or [])[0].image is (two.spec.containers or [])[0].image


def test_the_newest_time_of_a_pod_is_found_wherever_it_is() -> None:
    item = decode_pod((FIXTURES / "pod_oomkilled_both_states_containerd.json").read_bytes())
    assert newest_time(item) == datetime(2023, 1, 12, 22, 35, 34, tzinfo=UTC)


def test_a_pod_without_times_tells_none() -> None:
    assert newest_time(decode_pod(b'{"metadata":{"name":"a"}}')) is None


def test_a_failed_answer_of_a_proxy_keeps_the_beginning_of_its_text() -> None:
    status = decode_status(b"<html>\n <h1>502  Bad Gateway</h1>" + b"x" * 1000, 502)
    assert status.code == 502
    assert status.message.startswith("<html> <h1>502 Bad Gateway</h1>")
    assert len(status.message) <= 300
