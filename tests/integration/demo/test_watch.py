"""WATCH over real HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from tests.integration.demo.conftest import Client
from watcher.demo import DemoCluster, DemoOptions, pods
from watcher.demo.faults import Slow

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


def pod(name: str, namespace: str = "ns", **labels: str) -> dict[str, Any]:
    return pods.make(namespace, name, labels=labels or {"app": "x"})


async def test_without_a_version_a_watch_begins_with_what_there_is(demo: DemoCluster, client: Client) -> None:
    demo.cluster.put(pod("a"))
    demo.cluster.put(pod("b"))
    async with client.watch() as stream:
        assert await stream.words(2) == ["ADDED a", "ADDED b"]
        demo.cluster.put(pod("b", app="y"))
        demo.cluster.delete("Pod", "ns", "a")
        assert await stream.words(2) == ["MODIFIED b", "DELETED a"]


async def test_from_a_version_it_tells_only_what_came_after(demo: DemoCluster, client: Client) -> None:
    version = demo.cluster.put(pod("a"))
    demo.cluster.put(pod("b"))
    async with client.watch(resourceVersion=str(version)) as stream:
        kind, item = await stream.event()
        assert (kind, item["metadata"]["name"], item["kind"]) == ("ADDED", "b", "Pod")
        assert item["metadata"]["resourceVersion"] == str(version + 1)


async def test_list_then_watch_misses_and_repeats_nothing(demo: DemoCluster, client: Client) -> None:
    seen: set[str] = set()
    demo.cluster.put(pod("before"))
    _, document = await client.call("/api/v1/pods")
    seen.update(item["metadata"]["name"] for item in document["items"])
    demo.cluster.put(pod("between"))
    async with client.watch(resourceVersion=document["metadata"]["resourceVersion"]) as stream:
        assert await stream.words(1) == ["ADDED between"]
        demo.cluster.put(pod("after"))
        assert await stream.words(1) == ["ADDED after"]


async def test_a_watch_of_a_namespace_or_a_name_sees_only_that(demo: DemoCluster, client: Client) -> None:
    async with (
        client.watch("/api/v1/namespaces/a/pods") as one,
        client.watch(fieldSelector="metadata.name=x") as two,
        client.watch("/api/v1/namespaces/b/pods/x") as three,
    ):
        for namespace, name in (("a", "y"), ("b", "x"), ("a", "x")):
            demo.cluster.put(pod(name, namespace))
        assert await one.words(2) == ["ADDED y", "ADDED x"]
        assert [item["metadata"]["namespace"] for _, item in [await two.event(), await two.event()]] == ["b", "a"]
        assert (await three.event())[1]["metadata"]["namespace"] == "b"


async def test_an_object_that_leaves_a_selector_is_deleted_with_its_previous_state(
    demo: DemoCluster, client: Client
) -> None:
    demo.cluster.put(pod("a", app="web"))
    async with client.watch(labelSelector="app=web") as stream:
        assert await stream.words(1) == ["ADDED a"]
        version = demo.cluster.put(pod("a", app="other"))
        kind, item = await stream.event()
        assert (kind, item["metadata"]["labels"]) == ("DELETED", {"app": "web"})
        assert item["metadata"]["resourceVersion"] == str(version)
        demo.cluster.put(pod("a", app="third"))
        demo.cluster.put(pod("a", app="web"))
        assert await stream.words(1) == ["ADDED a"]


async def test_a_version_that_left_the_history_is_an_error_event_after_200(demo: DemoCluster, client: Client) -> None:
    version = demo.cluster.put(pod("a"))
    demo.cluster.put(pod("b"))
    demo.cluster.forget_history()
    async with client.watch(resourceVersion=str(version)) as stream:
        assert stream.response.status == 200
        kind, status = await stream.event()
        assert (kind, status["code"], status["reason"]) == ("ERROR", 410, "Expired")
        assert status["message"] == f"too old resource version: {version} ({demo.cluster.version})"
        assert await stream.event() is None


async def test_or_a_real_410_where_it_is_asked_for(demo: DemoCluster, client: Client) -> None:
    demo.watch_options.expired_as_http = True
    demo.cluster.put(pod("a"))
    status, body = await client.call("/api/v1/pods", watch="1", resourceVersion="5")
    assert (status, body["reason"]) == (410, "Expired")


async def test_a_version_from_the_future_is_an_error_event(demo: DemoCluster, client: Client) -> None:
    async with client.watch(resourceVersion="999999") as stream:
        kind, status = await stream.event()
        assert (kind, status["code"], status["details"]["retryAfterSeconds"]) == ("ERROR", 504, 1)


@pytest.mark.parametrize(
    ("query", "code", "words"),
    [
        pytest.param({"sendInitialEvents": "true"}, 422, "WatchList feature gate", id="initial events"),
        pytest.param({"resourceVersionMatch": "NotOlderThan"}, 422, "unless sendInitialEvents", id="a match"),
        pytest.param({"resourceVersion": "None"}, 400, "invalid syntax", id="a version that is no number"),
    ],
)
async def test_what_a_watch_may_not_ask(client: Client, query: dict[str, str], code: int, words: str) -> None:
    status, body = await client.call("/api/v1/pods", watch="1", **query)
    assert status == code
    assert words in body["message"]


async def test_with_the_gate_on_initial_events_end_with_an_annotated_bookmark(
    demo: DemoCluster, client: Client
) -> None:
    demo.watch_options.watch_list = True
    demo.cluster.put(pod("a"))
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    async with client.watch(**query) as stream:
        assert await stream.words(1) == ["ADDED a"]
        kind, item = await stream.event()
        assert kind == "BOOKMARK"
        assert item["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert item["metadata"]["resourceVersion"] == str(demo.cluster.version)
        demo.cluster.put(pod("b"))
        assert await stream.words(1) == ["ADDED b"]


async def test_compressed_initial_lists_have_one_gzip_member_for_each_flush(demo: DemoCluster, client: Client) -> None:
    demo.watch_options.watch_list = True
    demo.watch_options.gzip_members = True
    demo.cluster.put(pod("a"))
    parameters = {"watch": "1", "sendInitialEvents": "true", "allowWatchBookmarks": "true"}
    headers = {"Accept-Encoding": "gzip"}
    async with client.session.get(demo.url + "/api/v1/pods", params=parameters, headers=headers) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        assert (await response.content.readline()).startswith(b'{"type":"ADDED"')
        await response.content.readline()
        demo.cluster.put(pod("b"))
        assert (await response.content.readline()).startswith(b'{"type":"ADDED"')


async def test_bookmarks_come_at_the_interval_and_only_when_asked_for(demo: DemoCluster, client: Client) -> None:
    demo.watch_options.bookmark_interval = 0.05
    demo.cluster.put(pod("a"))
    async with client.watch(allowWatchBookmarks="true") as with_marks, client.watch() as without:
        assert await with_marks.words(1) == ["ADDED a"]
        for _ in range(2):
            kind, item = await with_marks.event()
            assert kind == "BOOKMARK"
            assert item["metadata"]["resourceVersion"] == str(demo.cluster.version)
            assert item["kind"] == "Pod"
            assert "name" not in item["metadata"]
        demo.cluster.put(pod("b"))
        assert await without.words(2) == ["ADDED a", "ADDED b"]


async def test_a_watch_ends_at_its_deadline_with_a_bookmark_two_seconds_before(
    demo: DemoCluster, client: Client
) -> None:
    async with client.watch(allowWatchBookmarks="true", timeoutSeconds="3") as stream:
        assert await stream.words(1) == ["BOOKMARK"]
        assert await stream.event() is None


async def test_a_client_that_reads_too_slowly_is_closed_with_a_clean_end() -> None:
    import aiohttp

    async with DemoCluster(DemoOptions(manual=True, window=20)) as demo, aiohttp.ClientSession() as session:
        client = Client(demo, session)
        big = pods.padded(200_000)
        demo.cluster.put(big)
        async with client.watch() as stream:
            await stream.event()
            for index in range(400):
                big["metadata"]["labels"]["n"] = str(index)
                demo.cluster.put(big)
                await asyncio.sleep(0)
            lines = [line for line in (await stream.rest()).split(b"\n") if line]
        assert 0 < len(lines) < 400
        assert all(msgspec.json.decode(line)["type"] == "MODIFIED" for line in lines)


async def test_clients_that_leave_are_forgotten_without_another_change(demo: DemoCluster, client: Client) -> None:
    async with client.watch():
        await demo.watched()
    for _ in range(200):
        if not demo.api.watches:
            break
        await asyncio.sleep(0.01)
    assert not demo.api.watches
    assert not demo.cluster.store("Pod").watchers


async def test_an_event_is_encoded_once_for_all_watchers(demo: DemoCluster, client: Client) -> None:
    async with client.watch() as one, client.watch() as two, client.watch("/api/v1/namespaces/ns/pods") as three:
        await demo.watched(3)
        demo.cluster.put(pod("a"))
        lines = {await stream.line() for stream in (one, two, three)}
        assert len(lines) == 1
        (change,) = demo.cluster.store("Pod").changes
        assert change._line is not None
        assert lines == {change.line}


async def test_a_slow_connection_delivers_all_the_same(demo: DemoCluster, client: Client) -> None:
    demo.cluster.put(pod("a"))
    demo.faults.apply(Slow(verb="watch", bytes_per_second=20_000))
    async with client.watch() as stream:
        assert await stream.words(1) == ["ADDED a"]


async def test_tables_are_watched_row_by_row_and_name_their_columns_once(demo: DemoCluster, client: Client) -> None:
    demo.cluster.put(pod("a"))
    async with client.watch(accept=TABLE) as stream:
        kind, table = await stream.event()
        assert (kind, table["kind"]) == ("ADDED", "Table")
        assert table["columnDefinitions"][0]["name"] == "Name"
        assert table["rows"][0]["cells"][:4] == ["a", "1/1", "Running", "0"]
        assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
        demo.cluster.delete("Pod", "ns", "a")
        kind, table = await stream.event()
        assert (kind, table["columnDefinitions"]) == ("DELETED", [])


async def test_many_events_reach_many_watchers_whole_and_in_order(demo: DemoCluster, client: Client) -> None:
    batch = pods.encoded_batch(200, 2_000)
    async with client.watch() as one, client.watch("/api/v1/namespaces/bench/pods") as two:
        await demo.watched(2)
        for key, encoded in batch * 5:
            demo.cluster.put_encoded("Pod", key, encoded)
        await demo.settled()
        for stream in (one, two):
            versions = [int((await stream.event())[1]["metadata"]["resourceVersion"]) for _ in range(1000)]
            assert versions == list(range(demo.cluster.version - 999, demo.cluster.version + 1))
