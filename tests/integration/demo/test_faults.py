"""Each fault, as a client meets it."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import msgspec
import pytest

from tests.integration.demo.conftest import Client, Stream
from watcher.demo import DemoCluster, pods
from watcher.demo.faults import Clear, DropWatches, Fail, ForgetHistory, Hang, Stall


def pod(name: str, namespace: str = "ns") -> dict[str, Any]:
    return pods.make(namespace, name)


async def test_dropped_watches_end_cleanly_after_what_has_happened(demo: DemoCluster, client: Client) -> None:
    async with client.watch() as stream:
        await demo.watched()
        demo.cluster.put(pod("a"))
        assert demo.faults.apply(DropWatches()) == 1
        assert await stream.words(1) == ["ADDED a"]
        assert await stream.event() is None


async def test_or_abruptly_with_a_reset(demo: DemoCluster, client: Client) -> None:
    async with client.watch() as stream:
        await demo.watched()
        await client.fault(fault="drop_watches", abrupt=True)
        with pytest.raises(aiohttp.ClientPayloadError, match="reset"):
            await stream.event()


async def test_a_fault_can_be_narrowed_to_a_kind_or_a_namespace(demo: DemoCluster, client: Client) -> None:
    async with (
        client.watch() as all_pods,
        client.watch("/api/v1/namespaces/a/pods") as one,
        client.watch("/api/v1/nodes"),
    ):
        await demo.watched(3)
        assert (await client.fault(fault="drop_watches", resource="pods", namespace="a"))["watches"] == 1
        assert await one.event() is None
        demo.cluster.put(pod("x", "a"))
        assert await all_pods.words(1) == ["ADDED x"]
        assert (await client.fault(fault="drop_watches", resource="nodes"))["watches"] == 1


async def test_a_stalled_watch_says_nothing_until_it_is_let_go(demo: DemoCluster, client: Client) -> None:
    demo.watch_options.bookmark_interval = 0.02
    async with client.watch(allowWatchBookmarks="true") as stream:
        await demo.watched()
        demo.faults.apply(Stall())
        demo.cluster.put(pod("a"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(_first_that_is_no_bookmark(stream), 0.2)
        demo.faults.apply(Clear())
        words = await stream.words(30)
        assert "ADDED a" in words


async def _first_that_is_no_bookmark(stream: Stream) -> None:
    while (await stream.event())[0] == "BOOKMARK":
        pass


async def test_a_line_is_cut_in_the_middle(demo: DemoCluster, client: Client) -> None:
    demo.cluster.put(pod("a"))
    async with client.watch() as stream:
        await stream.event()
        await client.fault(fault="cut_line")
        rest = await stream.rest()
        assert rest
        assert not rest.endswith(b"\n")
        with pytest.raises(msgspec.DecodeError):
            msgspec.json.decode(rest)


@pytest.mark.parametrize(
    ("fault", "begins"),
    [
        pytest.param({"fault": "garbage_line", "text": "<html>"}, b"<html>\n", id="no JSON"),
        pytest.param({"fault": "unknown_event", "type": "MOVED"}, b'{"type":"MOVED"', id="an unknown type"),
        pytest.param({"fault": "malformed_event"}, b'{"type":"MODIFIED","object":{"metadata":{"name":[', id="no pod"),
        pytest.param(
            {"fault": "big_event", "bytes": 1_200_000}, b'{"type":"MODIFIED","object":{"kind":"Pod"', id="big"
        ),
    ],
)
async def test_a_strange_line_comes_and_the_stream_goes_on(
    demo: DemoCluster, client: Client, fault: dict[str, Any], begins: bytes
) -> None:
    async with client.watch() as stream:
        await demo.watched()
        await client.fault(**fault)
        line = await stream.line()
        assert line.startswith(begins)
        assert len(line) > fault.get("bytes", 0)
        demo.cluster.put(pod("a"))
        assert await stream.words(1) == ["ADDED a"]


async def test_an_error_event_ends_the_watch(demo: DemoCluster, client: Client) -> None:
    async with client.watch() as stream:
        await demo.watched()
        await client.fault(fault="error_event", status=500)
        kind, status = await stream.event()
        assert (kind, status["code"], status["reason"]) == ("ERROR", 500, "InternalError")
        assert await stream.event() is None


async def test_an_old_event_goes_back_in_versions(demo: DemoCluster, client: Client) -> None:
    first = demo.cluster.put(pod("a"))
    async with client.watch() as stream:
        await stream.event()
        demo.cluster.put(pod("b"))
        await stream.event()
        await client.fault(fault="old_event")
        assert (await stream.event())[1]["metadata"]["resourceVersion"] == str(first)


async def test_an_old_event_needs_a_history(demo: DemoCluster, client: Client) -> None:
    async with client.watch() as stream:
        await demo.watched()
        await client.fault(fault="old_event")
        demo.cluster.put(pod("a"))
        assert await stream.words(1) == ["ADDED a"]


async def test_the_object_that_changed_last_is_added_again(demo: DemoCluster, client: Client) -> None:
    demo.cluster.put(pod("b"))
    version = demo.cluster.put(pod("a"))
    async with client.watch() as stream:
        assert await stream.words(2) == ["ADDED a", "ADDED b"]
        await client.fault(fault="repeat_added")
        kind, item = await stream.event()
        assert (kind, item["metadata"]["name"], item["metadata"]["resourceVersion"]) == ("ADDED", "a", str(version))


async def test_the_bookmark_that_ends_initial_events_comes_unasked(demo: DemoCluster, client: Client) -> None:
    async with client.watch() as stream:
        await demo.watched()
        await client.fault(fault="initial_end")
        kind, item = await stream.event()
        assert (kind, item["metadata"]["annotations"]) == ("BOOKMARK", {"k8s.io/initial-events-end": "true"})


async def test_watches_that_are_empty_end_at_once_as_often_as_asked(demo: DemoCluster, client: Client) -> None:
    demo.cluster.put(pod("a"))
    await client.fault(fault="empty_watch", times=1)
    async with client.watch() as stream:
        assert await stream.event() is None
    async with client.watch() as stream:
        assert await stream.words(1) == ["ADDED a"]


@pytest.mark.parametrize(
    ("fault", "status", "retry_after"),
    [
        pytest.param(Fail(status=429, retry_after=2, times=1), 429, "2", id="429 with Retry-After"),
        pytest.param(Fail(status=429, times=1), 429, None, id="429 without"),
        pytest.param(Fail(status=500, times=1), 500, None, id="500"),
        pytest.param(Fail(status=503, times=1), 503, None, id="503"),
        pytest.param(Fail(status=403, times=1), 403, None, id="403"),
    ],
)
async def test_requests_fail_as_often_as_asked(
    demo: DemoCluster, client: Client, fault: Fail, status: int, retry_after: str | None
) -> None:
    demo.faults.apply(fault)
    async with client.session.get(demo.url + "/api/v1/pods") as response:
        assert response.status == status
        assert response.headers.get("Retry-After") == retry_after
        assert (await response.json())["code"] == status
    assert (await client.call("/api/v1/pods"))[0] == 200


async def test_failures_count_only_requests_they_are_meant_for(demo: DemoCluster, client: Client) -> None:
    await client.fault(fault="fail", status=503, times=2, verb="watch", resource="pods", namespace="a")
    path = "/api/v1/namespaces/a/pods"
    assert (await client.call("/api/v1/nodes"))[0] == 200
    assert (await client.call(path))[0] == 200
    assert [(await client.call(path, watch="1"))[0] for _ in range(2)] == [503, 503]
    async with client.watch(path) as stream:
        assert stream.response.status == 200


async def test_failures_can_last_for_a_time(demo: DemoCluster, client: Client) -> None:
    await client.fault(fault="fail", status=500, seconds=0.2)
    assert (await client.call("/demo/faults"))[1]["active"][0]["fault"] == "fail"
    assert (await client.call("/api/v1/pods"))[0] == 500
    await asyncio.sleep(0.25)
    assert (await client.call("/api/v1/pods"))[0] == 200
    assert (await client.call("/demo/faults"))[1] == {"active": []}


async def test_401_whatever_the_token(client: Client) -> None:
    await client.fault(fault="unauthorized", times=1)
    assert (await client.call("/api/v1/pods"))[0] == 401
    assert (await client.call("/api/v1/pods"))[0] == 200


async def test_a_reset_instead_of_an_answer(client: Client) -> None:
    # Twice: aiohttp tries once more when a connection that it had used before turns out to be dead.
    await client.fault(fault="reset", times=2, verb="list")
    with pytest.raises((aiohttp.ClientOSError, aiohttp.ServerDisconnectedError)):
        await client.call("/api/v1/pods")


async def test_a_request_that_hangs_is_answered_when_the_fault_is_cleared(demo: DemoCluster, client: Client) -> None:
    demo.faults.apply(Hang(verb="list"))
    task = asyncio.create_task(client.call("/api/v1/pods"))
    done, _ = await asyncio.wait({task}, timeout=0.1)
    assert not done
    await client.fault(fault="clear")
    assert (await task)[0] == 200


async def test_slow_answers_are_whole(demo: DemoCluster, client: Client) -> None:
    demo.cluster.put(pod("a"))
    await client.fault(fault="slow", delay=0.05, bytes_per_second=50_000, times=1)
    assert await client.names() == ["a"]


async def test_forgotten_history_expires_watches_and_tokens_but_not_open_watches(
    demo: DemoCluster, client: Client
) -> None:
    for name in ("a", "b", "c"):
        demo.cluster.put(pod(name))
    _, page = await client.call("/api/v1/pods", limit="1")
    async with client.watch(resourceVersion=page["metadata"]["resourceVersion"]) as stream:
        await demo.watched()
        demo.cluster.put(pod("d"))
        demo.faults.apply(ForgetHistory())
        assert await stream.words(1) == ["ADDED d"]
        demo.cluster.put(pod("e"))
        assert await stream.words(1) == ["ADDED e"]
    assert (await client.call("/api/v1/pods", limit="1", continue_=page["metadata"]["continue"]))[0] == 410
    async with client.watch(resourceVersion=page["metadata"]["resourceVersion"]) as stream:
        assert (await stream.event())[1]["code"] == 410


async def test_forgetting_one_kind_leaves_the_others(demo: DemoCluster, client: Client) -> None:
    version = demo.cluster.put(pod("a"))
    demo.cluster.put(pod("b"))
    await client.fault(fault="forget_history", resource="nodes")
    async with client.watch(resourceVersion=str(version)) as stream:
        assert await stream.words(1) == ["ADDED b"]


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        pytest.param({"fault": "null_items"}, "null", id="null"),
        pytest.param({"fault": "malformed_item"}, "malformed", id="malformed"),
        pytest.param({"fault": "padded_item", "bytes": 300_000}, "long", id="long"),
        pytest.param({"fault": "rewind", "by": 1}, "behind", id="behind"),
    ],
)
async def test_lists_are_spoilt_once(demo: DemoCluster, client: Client, fault: dict[str, Any], check: str) -> None:
    demo.cluster.put(pod("a"))
    demo.cluster.put(pod("b"))
    await client.fault(**fault, times=1)
    _, document = await client.call("/api/v1/pods")
    found = {
        "null": document["items"] is None,
        "malformed": bool(document["items"]) and document["items"][0]["spec"] == [],
        "long": len(str(document)) > 300_000,
        "behind": document["metadata"]["resourceVersion"] == str(demo.cluster.version - 1),
    }
    assert [name for name, true in found.items() if true] == [check]
    assert await client.names() == ["a", "b"]


async def test_bookmarks_can_be_switched_off(demo: DemoCluster, client: Client) -> None:
    demo.watch_options.bookmark_interval = 0.02
    await client.fault(fault="bookmarks", on=False)
    async with client.watch(allowWatchBookmarks="true") as stream:
        await demo.watched()
        await asyncio.sleep(0.1)
        demo.cluster.put(pod("a"))
        assert await stream.words(1) == ["ADDED a"]


async def test_a_fault_that_does_not_exist_is_refused_with_the_reason(client: Client) -> None:
    status, answer = await client.call("/demo/faults", method="POST", body={"fault": "explode"})
    assert status == 400
    assert "explode" in answer["error"]
    assert (await client.call("/demo/nothing"))[0] == 404
