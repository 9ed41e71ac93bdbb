"""List + watch of every kind, what may not be read, a queue that is full, and what a list cannot be read of."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec
import pytest

from tests.integration.source.harness import SHORT, Memory, SystemClock, names, pod, until
from watcher.demo import DemoCluster
from watcher.demo.faults import DropWatches, Fail, ForgetHistory, MalformedItem
from watcher.model.kube import Event, Namespace, Node, PersistentVolumeClaim
from watcher.model.observations import Forbidden, Input, Scope, Seen, Synced, object_of
from watcher.source.client import KubeClient
from watcher.source.kube import ListWatch

Watching = Callable[..., ListWatch]


def thing(kind: str, name: str, namespace: str = "", **more: object) -> dict[str, object]:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"kind": kind, "metadata": metadata, **more}


def warning(name: str, about: str, namespace: str = "default", kind: str = "Warning") -> dict[str, object]:
    return thing("Event", name, namespace, type=kind, involvedObject={"kind": about, "name": "x"}, reason="R")


OBJECTS = {
    "Node": (thing("Node", "node-1", spec={"unschedulable": True}), Node, "nodes"),
    "PersistentVolumeClaim": (
        thing("PersistentVolumeClaim", "data", "shop", status={"phase": "Bound"}),
        PersistentVolumeClaim,
        "persistentvolumeclaims",
    ),
    "Namespace": (thing("Namespace", "shop", status={"phase": "Active"}), Namespace, "namespaces"),
    "Event": (warning("e1", "Node"), Event, "events"),
}


@pytest.mark.parametrize(("item", "record", "resource"), OBJECTS.values(), ids=OBJECTS.keys())
async def test_each_kind_is_listed_and_watched(
    demo: DemoCluster,
    watching: Watching,
    intake: Memory,
    item: dict[str, object],
    record: type[object],
    resource: str,
) -> None:
    kind = record.__name__
    demo.cluster.put(item)
    stream = watching(Scope(kind=kind))
    await demo.watched(resource=resource)
    metadata = item["metadata"]
    assert isinstance(metadata, dict)
    demo.cluster.put(item | {"metadata": metadata | {"labels": {"changed": "yes"}}})
    demo.cluster.delete(kind, metadata.get("namespace", ""), metadata["name"])

    await until(lambda: any(word.startswith("DELETED") for word in intake.words()))
    words = [word.split()[0] for word in intake.words() if word.endswith(metadata["name"])]
    assert words == ["LISTED", "MODIFIED", "DELETED"]
    seen = [observation for observation in intake.seen if isinstance(observation, Seen)]
    assert {type(object_of(one)) for one in seen} == {record}
    assert {one.scope for one in seen} == {Scope(kind=kind)}
    assert not stream.stats.errors
    assert not stream.stats.skipped


async def test_of_namespaces_only_metadata_is_asked_for(demo: DemoCluster, watching: Watching, intake: Memory) -> None:
    demo.cluster.put(thing("Namespace", "shop", status={"phase": "Active"}))
    stream = watching(Scope(kind="Namespace"))
    await demo.watched(resource="namespaces")
    asked = {seen.verb: seen.headers["accept"] for seen in demo.requests if seen.resource == "namespaces"}
    assert asked == {
        "list": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json",
        "watch": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json",
    }
    assert stream.stats.synced


async def test_of_events_only_warnings_that_are_not_about_pods_are_asked_for(
    demo: DemoCluster, watching: Watching, intake: Memory
) -> None:
    for item in (warning("oom", "Node"), warning("backoff", "Pod"), warning("ready", "Node", kind="Normal")):
        demo.cluster.put(item)
    demo.cluster.put(warning("elsewhere", "PersistentVolumeClaim", "ci"))
    watching(Scope(kind="Event"), msgspec.structs.replace(SHORT, exclude_namespaces=("ci",)))
    await demo.watched(resource="events")
    demo.cluster.put(warning("failed", "PersistentVolumeClaim", "shop"))
    demo.cluster.put(warning("killing", "Pod", "shop"))

    await until(lambda: "ADDED failed" in intake.words())
    assert intake.words() == ["LISTING", "LISTED oom", "SYNCED", "ADDED failed"]


@pytest.mark.parametrize(
    ("kind", "left"),
    [("PersistentVolumeClaim", {("shop", "data")}), ("Namespace", {("", "shop")}), ("Node", {("", "ci")})],
)
async def test_excluded_namespaces_are_left_out_of_each_kind(
    demo: DemoCluster, watching: Watching, intake: Memory, kind: str, left: set[tuple[str, str]]
) -> None:
    for namespace in ("shop", "ci"):
        demo.cluster.put(thing("PersistentVolumeClaim", "data", namespace))
        demo.cluster.put(thing("Namespace", namespace))
    demo.cluster.put(thing("Node", "ci"))
    stream = watching(Scope(kind=kind), msgspec.structs.replace(SHORT, exclude_namespaces=("ci",)))
    await until(lambda: stream.stats.synced)
    assert left <= intake.known.keys()
    assert not {("ci", "data"), ("", "ci")} & (intake.known.keys() - left)


@pytest.mark.parametrize(
    ("kind", "known"), [("PersistentVolumeClaim", {("shop", "data")}), ("Namespace", {("", "shop")})]
)
async def test_a_scope_of_one_namespace_holds_only_that(
    demo: DemoCluster, watching: Watching, intake: Memory, kind: str, known: set[tuple[str, str]]
) -> None:
    for namespace in ("shop", "ci"):
        demo.cluster.put(thing("PersistentVolumeClaim", "data", namespace))
        demo.cluster.put(thing("Namespace", namespace))
    stream = watching(Scope(kind=kind, namespace="shop"))
    await until(lambda: stream.stats.synced)
    assert intake.known.keys() == known


# ---- what may not be read ----


async def test_what_is_forbidden_is_named_once_with_what_is_missing_and_the_rest_goes_on(
    demo: DemoCluster, watching: Watching, intake: Memory, caplog: pytest.LogCaptureFixture
) -> None:
    demo.cluster.put(pod("web-1"))
    demo.access.deny(resource="nodes")
    nodes, pods = watching(Scope(kind="Node")), watching()
    await until(lambda: demo.counts["list", "nodes"] >= 3)
    await until(lambda: pods.stats.synced)

    told = [record for record in caplog.records if getattr(record, "event", "") == "watch.forbidden"]
    assert [(record.levelname, getattr(record, "missing", "")) for record in told] == [("WARNING", "list nodes")]
    assert [type(one) for one in intake.seen].count(Forbidden) == 1
    assert nodes.stats.forbidden_since is not None
    assert not nodes.stats.synced
    assert not pods.stats.forbidden


async def test_what_is_forbidden_later_says_since_when_and_is_listed_anew_when_it_is_allowed(
    demo: DemoCluster, watching: Watching, intake: Memory
) -> None:
    demo.cluster.put(thing("Node", "node-1"))
    stream = watching(Scope(kind="Node"))
    await demo.watched(resource="nodes")
    before = SystemClock().now()
    demo.access.deny(resource="nodes")
    demo.faults.apply(DropWatches())
    await until(lambda: stream.stats.forbidden)
    assert stream.stats.synced
    assert stream.stats.forbidden_since is not None
    assert stream.stats.forbidden_since >= before

    demo.access.denied.clear()
    await until(lambda: stream.stats.lists == 2 and stream.stats.watching)
    assert not stream.stats.forbidden
    assert intake.words() == ["LISTING", "LISTED node-1", "SYNCED", "FORBIDDEN", "LISTING", "LISTED node-1", "SYNCED"]


async def test_a_scope_that_can_be_listed_and_not_watched_counts_as_forbidden_until_it_can_be_watched(
    demo: DemoCluster, watching: Watching, intake: Memory, caplog: pytest.LogCaptureFixture
) -> None:
    demo.cluster.put(thing("Node", "node-1"))
    demo.access.deny(resource="nodes", verb="watch")
    stream = watching(Scope(kind="Node"))
    await until(lambda: demo.counts["watch", "nodes"] >= 4)
    assert stream.stats.forbidden
    assert intake.words() == ["LISTING", "LISTED node-1", "SYNCED", "FORBIDDEN"]
    told = [getattr(record, "missing", "") for record in caplog.records if record.levelno == logging.WARNING]
    assert told == ["watch nodes"]

    demo.faults.apply(ForgetHistory())
    demo.access.denied.clear()
    await until(lambda: stream.stats.watching)
    assert not stream.stats.forbidden
    assert intake.words()[-3:] == ["LISTING", "LISTED node-1", "SYNCED"]


# ---- a queue that is full ----


async def test_a_full_queue_gives_the_watch_up_and_goes_on_where_it_was_when_there_is_room(
    demo: DemoCluster, watching: Watching, intake: Memory
) -> None:
    demo.cluster.put(pod("web-1"))
    demo.cluster.put(pod("web-2"))
    stream = watching()
    await demo.watched(resource="pods")
    intake.full = True
    demo.cluster.put(pod("web-1", phase="Failed"))
    demo.cluster.delete("Pod", "shop", "web-2")
    await until(lambda: intake.asked_for_room == 1)
    assert stream.stats.errors == {"overflow": 1}
    assert not stream.stats.watching
    assert demo.counts["list", "pods"] == 1

    intake.full = False
    await until(lambda: intake.versions == names(demo))
    assert intake.words()[4:] == ["MODIFIED web-1", "DELETED web-2"]
    assert stream.stats.lists == 1


async def test_who_taps_a_stream_sees_what_the_intake_has_taken(
    demo: DemoCluster, client: KubeClient, intake: Memory
) -> None:
    tapped: list[Input] = []
    demo.cluster.put(thing("Node", "node-1"))
    settings = msgspec.structs.replace(SHORT, watch_least=timedelta(seconds=1), watch_most=timedelta(seconds=1))
    stream = ListWatch(client, Scope(kind="Node"), intake, SystemClock(), settings, tap=tapped.append)
    await stream.step()
    assert tapped == intake.seen
    assert intake.words() == ["LISTING", "LISTED node-1", "SYNCED"]


# ---- lists that cannot be read as a whole ----


async def test_an_object_that_is_there_and_cannot_be_read_is_not_taken_for_gone(
    demo: DemoCluster, watching: Watching, intake: Memory
) -> None:
    demo.cluster.put(pod("web-1"))
    demo.cluster.put(pod("web-2"))
    stream = watching()
    await demo.watched(resource="pods")
    demo.cluster.put(pod("web-2") | {"spec": {"containers": "none"}})
    await until(lambda: stream.stats.skipped["bad_object"] == 1)
    demo.faults.apply(Fail(verb="watch", times=1, status=410))
    demo.faults.apply(DropWatches())

    await until(lambda: stream.stats.lists == 2)
    assert [one.complete for one in intake.seen if isinstance(one, Synced)] == [True, False]
    assert ("shop", "web-2") in intake.known


async def test_an_item_that_is_no_object_costs_a_list_nothing(
    demo: DemoCluster, watching: Watching, intake: Memory
) -> None:
    demo.cluster.put(pod("web-1"))
    demo.faults.apply(MalformedItem(times=1))
    stream = watching()
    await until(lambda: stream.stats.synced)
    assert [one.complete for one in intake.seen if isinstance(one, Synced)] == [True]


# ---- what answers say beside ----


class AnHourAhead(SystemClock):
    def now(self) -> datetime:
        return super().now() + timedelta(hours=1)


async def test_the_servers_clock_is_compared_with_ours(demo: DemoCluster, client: KubeClient, intake: Memory) -> None:
    ahead = AnHourAhead()
    stream = ListWatch(client, Scope(kind="Node"), intake, ahead, SHORT)
    demo.faults.apply(Fail(verb="watch", times=1))
    await stream.step()
    assert stream.stats.server_offset is not None
    assert -3660 < stream.stats.server_offset < -3590


PAUSES = {
    "429 in the header": Fail(verb="list", times=1, status=429, retry_after=30),
    "503 in the header": Fail(verb="list", times=1, status=503, retry_after=30),
    "504 in the header": Fail(verb="list", times=1, status=504, retry_after=30),
}


@pytest.mark.parametrize("fault", PAUSES.values(), ids=PAUSES.keys())
async def test_the_pause_that_the_server_names_is_taken(
    demo: DemoCluster, client: KubeClient, intake: Memory, fault: Fail
) -> None:
    demo.faults.apply(fault)
    stream = ListWatch(client, Scope(kind="Node"), intake, SystemClock(), SHORT)
    assert await stream.step() == 30.0
    assert stream.stats.errors == {"retry_after": 1}


async def test_a_bookmark_that_ends_initial_events_is_a_bookmark(
    demo: DemoCluster, watching: Watching, intake: Memory
) -> None:
    stream = watching()
    await demo.watched(resource="pods")
    annotated = b'{"type":"BOOKMARK","object":{"kind":"Pod","metadata":{"resourceVersion":"%d",' % demo.cluster.version
    for watch in demo.api.watches:
        watch.inject(annotated + b'"annotations":{"k8s.io/initial-events-end":"true"}}}}\n')
    demo.cluster.put(pod("web-1"))
    await until(lambda: "ADDED web-1" in intake.words())
    assert stream.stats.bookmarks == 1
    assert not stream.stats.skipped
