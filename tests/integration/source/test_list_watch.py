"""List + watch against the emulated API server, and what it does when that server fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest

from tests.integration.source.harness import SHORT, Memory, SystemClock, names, pod, until
from watcher.demo import DemoCluster
from watcher.demo.faults import (
    BigEvent,
    CutLine,
    DropWatches,
    ErrorEvent,
    Fail,
    Fault,
    ForgetHistory,
    GarbageLine,
    MalformedEvent,
    MalformedItem,
    NullItems,
    OldEvent,
    Reset,
    SetBookmarks,
    Stall,
    UnknownEvent,
)
from watcher.model.observations import Forbidden, Scope
from watcher.source.client import KubeClient
from watcher.source.kube import ListWatch

Watching = Callable[..., ListWatch]

PATIENT = msgspec.structs.replace(SHORT, backoff_first=timedelta(hours=1), backoff_most=timedelta(hours=1))
"""Once it waits, no test sees the end of it."""


async def same(demo: DemoCluster, intake: Memory, namespace: str = "") -> None:
    """What is known is what the server has, in the same versions."""
    await until(lambda: intake.versions == names(demo, namespace))


def lists(demo: DemoCluster) -> int:
    return demo.api.counts["list", "pods"]


def watches(demo: DemoCluster) -> int:
    return demo.api.counts["watch", "pods"]


async def test_what_exists_is_listed_in_pages_and_then_synced(
    demo: DemoCluster, watching: Watching, intake: Memory
) -> None:
    for number in range(7):
        demo.cluster.put(pod(f"web-{number}"))

    stream = watching()
    await until(lambda: stream.stats.synced)

    assert intake.words() == ["LISTING", *(f"LISTED web-{number}" for number in range(7)), "SYNCED"]
    assert lists(demo) == 3
    assert stream.stats.lists == 1
    assert {getattr(seen, "scope", None) for seen in intake.seen} == {Scope(kind="Pod")}


async def test_what_happens_after_the_list_is_seen_in_order(
    demo: DemoCluster, watching: Watching, intake: Memory
) -> None:
    demo.cluster.put(pod("web-1"))
    watching()
    await demo.watched(resource="pods")

    demo.cluster.put(pod("web-2"))
    demo.cluster.put(pod("web-1", phase="Failed"))
    demo.cluster.delete("Pod", "shop", "web-2")

    await until(lambda: len(intake.seen) == 6)
    assert intake.words()[3:] == ["ADDED web-2", "MODIFIED web-1", "DELETED web-2"]
    await same(demo, intake)


async def test_nothing_is_lost_between_the_list_and_the_watch(
    demo: DemoCluster, watching: Watching, intake: Memory
) -> None:
    for number in range(20):
        demo.cluster.put(pod(f"web-{number:02}"))
    watching()
    await until(lambda: lists(demo) >= 2)
    demo.cluster.delete("Pod", "shop", "web-00")
    demo.cluster.put(pod("web-19", phase="Failed"))

    await demo.watched(resource="pods")
    await same(demo, intake)


async def test_a_scope_of_one_namespace_asks_only_for_that_namespace(
    demo: DemoCluster, watching: Watching, intake: Memory
) -> None:
    demo.access.deny(resource="pods", scope="cluster")
    demo.cluster.put(pod("web-1"))
    demo.cluster.put(pod("other", namespace="billing"))
    stream = watching(Scope(kind="Pod", namespace="shop"))
    await until(lambda: stream.stats.synced)

    await same(demo, intake, "shop")
    assert intake.words() == ["LISTING", "LISTED web-1", "SYNCED"]


async def test_excluded_namespaces_are_left_out_by_the_server(
    demo: DemoCluster, watching: Watching, intake: Memory
) -> None:
    for namespace in ("shop", "kube-system", "ci"):
        demo.cluster.put(pod("web", namespace=namespace))
    settings = msgspec.structs.replace(SHORT, exclude_namespaces=("kube-system", "ci"))
    watching(settings=settings)
    await demo.watched(resource="pods")
    demo.cluster.put(pod("web", namespace="ci", phase="Failed"))
    demo.cluster.put(pod("web", namespace="shop", phase="Failed"))

    await until(lambda: intake.versions == names(demo, "shop"))
    assert intake.words() == ["LISTING", "LISTED web", "SYNCED", "MODIFIED web"]


async def test_watches_ask_for_bookmarks_an_end_and_no_compression(demo: DemoCluster, watching: Watching) -> None:
    watching()
    await demo.watched(resource="pods")

    request = next(seen for seen in demo.api.requests if seen.verb == "watch")
    assert request.query["allowWatchBookmarks"] == "true"
    assert 30 <= int(request.query["timeoutSeconds"]) <= 40
    assert request.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("items", [NullItems(times=1), None], ids=["null", "empty"])
async def test_an_empty_list_is_synced(
    demo: DemoCluster, watching: Watching, intake: Memory, items: NullItems | None
) -> None:
    if items is not None:
        demo.faults.apply(items)
    stream = watching()
    await until(lambda: stream.stats.synced)
    assert intake.words() == ["LISTING", "SYNCED"]


INTERRUPTIONS = {
    "clean end": DropWatches(),
    "reset connection": DropWatches(abrupt=True),
    "cut line": CutLine(),
    "internal error as an event": ErrorEvent(status=500),
    "too many requests as an event": ErrorEvent(status=429),
}


@pytest.mark.parametrize("fault", INTERRUPTIONS.values(), ids=INTERRUPTIONS.keys())
async def test_an_interrupted_watch_goes_on_where_it_was_without_a_list(
    demo: DemoCluster, watching: Watching, intake: Memory, fault: Fault
) -> None:
    for number in range(3):
        demo.cluster.put(pod(f"web-{number}"))
    watching()
    await demo.watched(resource="pods")
    demo.cluster.put(pod("web-0", phase="Failed"))
    await same(demo, intake)

    assert demo.faults.apply(fault) == 1
    demo.cluster.delete("Pod", "shop", "web-1")
    demo.cluster.put(pod("web-3"))

    await until(lambda: watches(demo) >= 2)
    await same(demo, intake)
    assert lists(demo) == 1


EXPIRED = {"as an ERROR event": False, "as HTTP 410": True}


@pytest.mark.parametrize("as_http", EXPIRED.values(), ids=EXPIRED.keys())
async def test_an_expired_version_makes_a_new_list_that_shows_what_vanished(
    demo: DemoCluster, watching: Watching, intake: Memory, as_http: bool
) -> None:
    demo.watch_options.expired_as_http = as_http
    demo.cluster.put(pod("web-1"))
    demo.cluster.put(pod("web-2"))
    stream = watching()
    await demo.watched(resource="pods")
    demo.faults.apply(Fail(verb="watch", times=1, status=500))
    demo.faults.apply(DropWatches(abrupt=True))
    demo.cluster.delete("Pod", "shop", "web-1")
    demo.cluster.put(pod("web-3"))
    demo.faults.apply(ForgetHistory())

    await until(lambda: stream.stats.lists == 2)
    await same(demo, intake)
    assert intake.words()[-4:] == ["LISTING", "LISTED web-2", "LISTED web-3", "SYNCED"]
    assert stream.stats.errors["expired"] == 1


async def test_versions_that_expire_again_and_again_are_asked_for_with_pauses(
    demo: DemoCluster, watching: Watching
) -> None:
    stream = watching(settings=PATIENT)
    demo.faults.apply(Fail(verb="watch", status=410))

    await until(lambda: stream.stats.errors["expired"] == 2)
    await asyncio.sleep(0.05)
    assert stream.stats.errors["expired"] == 2
    assert lists(demo) == 2


async def test_server_errors_in_a_row_make_the_version_suspect(
    demo: DemoCluster, watching: Watching, intake: Memory
) -> None:
    demo.cluster.put(pod("web-1"))
    demo.faults.apply(Fail(verb="watch", times=SHORT.relist_after, status=500))
    stream = watching()

    await until(lambda: stream.stats.watching)
    assert stream.stats.errors == {"api": SHORT.relist_after}
    assert stream.stats.lists == 2
    await same(demo, intake)


async def test_a_version_of_the_future_makes_a_list_after_a_pause(
    demo: DemoCluster, watching: Watching, intake: Memory
) -> None:
    demo.cluster.put(pod("web-1"))
    too_large = Fail(verb="watch", times=1, status=504, message="Too large resource version: 9, current: 5")
    demo.faults.apply(too_large)
    stream = watching()

    await until(lambda: stream.stats.lists == 2)
    assert stream.stats.errors == {"too_large_version": 1}
    await same(demo, intake)


async def test_an_expired_continue_token_begins_the_list_anew(
    demo: DemoCluster, watching: Watching, intake: Memory
) -> None:
    for number in range(9):
        demo.cluster.put(pod(f"web-{number}"))
    intake.after(4, lambda: demo.faults.apply(ForgetHistory()))
    watching()

    await demo.watched(resource="pods")
    await same(demo, intake)
    assert intake.words().count("LISTING") == 2
    assert intake.words().count("SYNCED") == 1


FAILED_PAGES = {"503": Fail(verb="list", times=2, status=503), "reset": Reset(verb="list", times=2)}


@pytest.mark.parametrize("fault", FAILED_PAGES.values(), ids=FAILED_PAGES.keys())
async def test_a_page_that_fails_is_asked_for_again_and_the_list_goes_on(
    demo: DemoCluster, watching: Watching, intake: Memory, fault: Fault
) -> None:
    for number in range(9):
        demo.cluster.put(pod(f"web-{number}"))
    intake.after(4, lambda: demo.faults.apply(fault))
    stream = watching()

    await until(lambda: stream.stats.synced)
    assert intake.words() == ["LISTING", *(f"LISTED web-{number}" for number in range(9)), "SYNCED"]
    assert stream.stats.errors


async def test_silence_is_noticed_and_the_connection_made_anew(
    demo: DemoCluster, watching: Watching, intake: Memory
) -> None:
    demo.cluster.put(pod("web-1"))
    stream = watching(settings=msgspec.structs.replace(SHORT, silence=timedelta(milliseconds=150)))
    await demo.watched(resource="pods")
    demo.faults.apply(Stall())
    demo.cluster.put(pod("web-1", phase="Failed"))

    await same(demo, intake)
    assert stream.stats.errors["timeout"] >= 1
    assert lists(demo) == 1


async def test_bookmarks_keep_a_quiet_stream_alive_and_move_its_version(
    demo: DemoCluster, watching: Watching, intake: Memory
) -> None:
    demo.cluster.put(pod("web-1"))
    demo.watch_options.bookmark_interval = 0.05
    stream = watching(settings=msgspec.structs.replace(SHORT, silence=timedelta(milliseconds=400)))
    await demo.watched(resource="pods")
    demo.cluster.skip_versions(50)

    await until(lambda: stream.stats.bookmarks >= 12)
    assert not stream.stats.errors
    demo.faults.apply(DropWatches())
    await until(lambda: watches(demo) == 2)
    asked = [seen.query["resourceVersion"] for seen in demo.api.requests if seen.verb == "watch"]
    assert asked[1] == str(demo.cluster.version)


async def test_a_server_without_bookmarks_is_watched_too(demo: DemoCluster, watching: Watching, intake: Memory) -> None:
    demo.faults.apply(SetBookmarks(on=False))
    watching()
    await demo.watched(resource="pods")
    demo.cluster.put(pod("web-1"))
    await same(demo, intake)


async def test_retry_after_is_kept_to(demo: DemoCluster, watching: Watching, intake: Memory) -> None:
    demo.faults.apply(Fail(verb="list", times=1, status=429, retry_after=1))
    begun = asyncio.get_running_loop().time()
    stream = watching()

    await until(lambda: stream.stats.synced)
    assert asyncio.get_running_loop().time() - begun >= 1.0
    assert stream.stats.errors == {"retry_after": 1}


async def test_watches_that_end_at_once_are_not_asked_for_without_pause(demo: DemoCluster, watching: Watching) -> None:
    settings = msgspec.structs.replace(PATIENT, short_watch=timedelta(seconds=20))
    stream = watching(settings=settings)
    await demo.watched(resource="pods")
    demo.faults.apply(DropWatches())

    await until(lambda: stream.stats.errors["short_watch"] == 1)
    await asyncio.sleep(0.05)
    assert watches(demo) == 1


ODD_LINES = {
    "object of the wrong shape": (MalformedEvent(), "bad_object"),
    "unknown type": (UnknownEvent(), "unknown_type"),
    "no JSON": (GarbageLine(), "bad_line"),
}


@pytest.mark.parametrize(("fault", "reason"), ODD_LINES.values(), ids=ODD_LINES.keys())
async def test_one_odd_line_is_skipped_and_counted_and_the_stream_goes_on(
    demo: DemoCluster, watching: Watching, intake: Memory, fault: Fault, reason: str
) -> None:
    demo.cluster.put(pod("web-1"))
    stream = watching()
    await demo.watched(resource="pods")
    demo.faults.apply(fault)
    demo.cluster.put(pod("web-2"))

    await same(demo, intake)
    assert stream.stats.skipped == {reason: 1}
    assert watches(demo) == 1


async def test_one_broken_item_of_a_list_is_skipped_and_counted(
    demo: DemoCluster, watching: Watching, intake: Memory
) -> None:
    demo.cluster.put(pod("web-1"))
    demo.cluster.put(pod("web-2"))
    demo.faults.apply(MalformedItem(times=1))
    stream = watching()

    await until(lambda: stream.stats.synced)
    await same(demo, intake)
    assert stream.stats.skipped == {"bad_object": 1}


async def test_an_object_of_a_megabyte_passes(demo: DemoCluster, watching: Watching, intake: Memory) -> None:
    watching()
    await demo.watched(resource="pods")
    large = pod("large")
    large["metadata"] = {"name": "large", "namespace": "shop", "annotations": {"padding": "x" * 1_400_000}}
    demo.cluster.put(large)
    await same(demo, intake)


async def test_a_line_beyond_the_buffer_makes_a_list(demo: DemoCluster, watching: Watching, intake: Memory) -> None:
    demo.cluster.put(pod("web-1"))
    stream = watching()
    await demo.watched(resource="pods")
    demo.faults.apply(BigEvent(bytes=5_000_000))

    await until(lambda: stream.stats.lists == 2)
    await same(demo, intake)
    assert stream.stats.errors == {"line_too_long": 1}


async def test_a_version_that_goes_backwards_makes_a_list_and_is_not_delivered(
    demo: DemoCluster, watching: Watching, intake: Memory
) -> None:
    demo.cluster.put(pod("gone"))
    demo.cluster.put(pod("web-1"))
    demo.cluster.delete("Pod", "shop", "gone")
    stream = watching()
    await demo.watched(resource="pods")
    demo.faults.apply(OldEvent())

    await until(lambda: stream.stats.lists == 2)
    await same(demo, intake)
    assert "ADDED gone" not in intake.words()
    assert stream.stats.errors == {"went_backwards": 1}


async def test_a_pod_replaced_under_its_name_while_away_is_seen_by_its_new_uid(
    demo: DemoCluster, watching: Watching, intake: Memory
) -> None:
    demo.cluster.put(pod("db-0"))
    before = demo.cluster.get("Pod", "shop", "db-0")
    stream = watching()
    await demo.watched(resource="pods")
    demo.faults.apply(Fail(verb="watch", times=1, status=503))
    demo.faults.apply(DropWatches(abrupt=True))
    demo.cluster.delete("Pod", "shop", "db-0")
    demo.cluster.put(pod("db-0"))
    demo.faults.apply(ForgetHistory())

    await until(lambda: stream.stats.lists == 2)
    await same(demo, intake)
    assert before is not None
    assert intake.known["shop", "db-0"].metadata.uid != before["metadata"]["uid"]


async def test_forbidden_is_told_once_retried_slowly_and_healed_by_a_list(
    demo: DemoCluster, watching: Watching, intake: Memory
) -> None:
    demo.cluster.put(pod("web-1"))
    demo.access.deny(resource="pods")
    stream = watching()
    await until(lambda: lists(demo) >= 3)
    assert intake.words() == ["FORBIDDEN"]
    assert stream.stats.forbidden
    refusal = intake.seen[0]
    assert isinstance(refusal, Forbidden)
    assert 'cannot list resource "pods"' in refusal.message

    demo.access.denied.clear()
    await same(demo, intake)
    assert intake.words() == ["FORBIDDEN", "LISTING", "LISTED web-1", "SYNCED"]
    assert not stream.stats.forbidden


async def test_a_change_is_logged_once_and_its_end_once(
    demo: DemoCluster, watching: Watching, intake: Memory, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="watcher.source.kube")
    demo.faults.apply(Fail(verb="list", times=5, status=503))
    stream = watching()
    await until(lambda: stream.stats.synced)

    events = [getattr(record, "event", "") for record in caplog.records]
    assert events == ["watch.api", "watch.recovered", "list.done"]


async def test_last_heard_moves_with_what_is_heard(demo: DemoCluster, watching: Watching) -> None:
    stream = watching()
    assert stream.stats.last_heard is None
    await demo.watched(resource="pods")
    await until(lambda: stream.stats.watching)
    first = stream.stats.last_heard
    assert first is not None
    await asyncio.sleep(0.01)
    demo.cluster.put(pod("web-1"))
    await until(lambda: stream.stats.events == 1)
    assert stream.stats.last_heard > first


WAITS = {
    "in a watch": None,
    "in a back-off": Fail(status=500),
    "in a pause that the server named": Fail(status=429, retry_after=60),
    "in a request": Reset(),
}


@pytest.mark.parametrize("fault", WAITS.values(), ids=WAITS.keys())
async def test_a_stream_can_be_cancelled_at_once(
    demo: DemoCluster, client: KubeClient, intake: Memory, fault: Fault | None
) -> None:
    if fault is not None:
        demo.faults.apply(fault)
    stream = ListWatch(client, Scope(kind="Pod"), intake, SystemClock(), PATIENT)
    task = asyncio.create_task(stream.run())
    await until(lambda: stream.stats.watching if fault is None else stream.stats.errors)

    task.cancel()
    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await task
    await until(lambda: not demo.api.watches)
