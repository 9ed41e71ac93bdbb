"""Bytes of the API server into records: what is read, what is skipped, what is never kept."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.model.observations import EventType
from watcher.source.decode import (
    BROKEN,
    DECODERS,
    Bookmark,
    Change,
    Skipped,
    decode_pod,
    decode_status,
)
from watcher.source.errors import Status, Undecodable
from watcher.source.kinds import KINDS, newest_time
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
