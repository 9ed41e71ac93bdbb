"""Faults of the watch. Each ends with the right set of objects and with nothing told twice."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from tests.integration.faults.story import begin, change, end
from tests.integration.faults.world import World
from watcher.demo.faults import (
    CutLine,
    DropWatches,
    EmptyWatch,
    ErrorEvent,
    Fail,
    Fault,
    ForgetHistory,
    GarbageLine,
    Hang,
    InitialEnd,
    MalformedEvent,
    OldEvent,
    RepeatAdded,
    Reset,
    SetBookmarks,
    Stall,
    UnknownEvent,
)

QUICK = {"silence": timedelta(milliseconds=250)}
"""A silence that a test can wait for."""


async def test_without_a_fault(world: World) -> None:
    await begin(world)
    change(world)
    await end(world)
    assert world.errors() == {}
    assert world.requests("watch") == 1


@pytest.mark.parametrize("as_http", [True, False], ids=["as HTTP 410", "as an ERROR event"])
async def test_a_version_that_expired_while_away(world: World, as_http: bool) -> None:
    world.demo.watch_options.expired_as_http = as_http
    await begin(world)
    with world.away():
        change(world)
        world.demo.faults.apply(ForgetHistory())
    await end(world)
    assert world.errors()["expired"] == 1
    assert world.watcher.stream.stats.lists == 2


async def test_versions_that_expire_again_and_again(world: World) -> None:
    await begin(world)
    world.demo.faults.apply(Fail(verb="watch", status=410, times=6))
    world.demo.faults.apply(DropWatches(abrupt=True))
    change(world)
    await world.until(lambda: world.errors()["expired"] == 6)
    await end(world)
    assert world.watcher.stream.stats.lists == 7


ENDINGS: dict[str, tuple[Fault, str]] = {
    "ERROR 500": (ErrorEvent(status=500), "api"),
    "ERROR 429": (ErrorEvent(status=429), "api"),
    "a clean end": (DropWatches(), ""),
    "a reset": (DropWatches(abrupt=True), "connection"),
    "an end inside of a line": (CutLine(), ""),
}


@pytest.mark.parametrize(("fault", "error"), ENDINGS.values(), ids=ENDINGS.keys())
async def test_a_watch_that_ends(world: World, fault: Fault, error: str) -> None:
    await begin(world)
    assert world.demo.faults.apply(fault) == 1
    change(world)
    await end(world)
    assert world.requests("watch") >= 2
    assert world.watcher.stream.stats.lists == 1, "no list is needed"
    assert not error or world.errors().total() >= 1


async def test_a_version_that_is_too_large_for_the_server(world: World) -> None:
    await begin(world)
    too_large = "Too large resource version: 1100, current: 1010"
    world.demo.faults.apply(Fail(verb="watch", status=504, message=too_large, times=2))
    world.demo.faults.apply(DropWatches(abrupt=True))
    change(world)
    await end(world)
    assert world.errors()["too_large_version"] == 2


async def test_watches_that_end_at_once(world: World) -> None:
    world.settings = msgspec.structs.replace(world.settings, short_watch=timedelta(seconds=20))
    await begin(world)
    world.demo.faults.apply(EmptyWatch(times=8))
    world.demo.faults.apply(DropWatches(abrupt=True))
    change(world)
    await world.until(lambda: world.errors()["short_watch"] >= 8)
    await end(world)
    assert world.watcher.stream.stats.lists == 1


async def test_a_connection_that_is_half_open(world: World) -> None:
    world.settings = msgspec.structs.replace(world.settings, **QUICK)
    world.demo.watch_options.bookmark_interval = 0.05
    await begin(world)
    assert world.demo.faults.apply(Stall()) == 1
    change(world)
    await end(world)
    assert world.errors()["timeout"] == 1


async def test_a_watch_that_is_never_answered(world: World) -> None:
    world.settings = msgspec.structs.replace(world.settings, **QUICK)
    world.demo.watch_options.bookmark_interval = 0.05
    await begin(world)
    world.demo.faults.apply(Hang(verb="watch", times=1))
    world.demo.faults.apply(DropWatches(abrupt=True))
    change(world)
    await end(world)
    assert world.errors()["timeout"] >= 1


async def test_a_watch_of_bookmarks_alone(world: World) -> None:
    world.settings = msgspec.structs.replace(world.settings, **QUICK)
    world.demo.watch_options.bookmark_interval = 0.02
    await begin(world)
    asked = world.requests("watch")
    heard = world.watcher.stream.stats.bookmarks
    await world.until(lambda: world.watcher.stream.stats.bookmarks >= heard + 30)
    assert world.requests("watch") == asked, "bookmarks are a sign of life"
    change(world)
    await end(world)
    assert world.errors() == {}


async def test_a_bookmark_that_ends_a_list_nobody_asked_for(world: World) -> None:
    await begin(world)
    heard = world.watcher.stream.stats.bookmarks
    world.demo.faults.apply(InitialEnd())
    await world.until(lambda: world.watcher.stream.stats.bookmarks == heard + 1)
    change(world)
    await end(world)


async def test_a_server_without_bookmarks(world: World) -> None:
    world.demo.faults.apply(SetBookmarks(on=False))
    await begin(world)
    change(world)
    await end(world)
    assert world.watcher.stream.stats.bookmarks == 0


@pytest.mark.parametrize("retry_after", [1.0, None], ids=["with Retry-After", "without"])
async def test_too_many_requests(world: World, retry_after: float | None) -> None:
    await begin(world)
    world.demo.faults.apply(Fail(verb="watch", status=429, retry_after=retry_after, times=1 if retry_after else 4))
    world.demo.faults.apply(DropWatches(abrupt=True))
    change(world)
    await end(world)
    assert world.errors()["retry_after" if retry_after else "api"] >= 1


async def test_a_version_that_goes_backwards(world: World) -> None:
    await begin(world)
    assert world.demo.faults.apply(OldEvent()) == 1
    change(world)
    await end(world)
    assert world.errors()["went_backwards"] == 1


async def test_a_pod_that_another_one_replaced_under_its_name_while_away(world: World) -> None:
    await begin(world)
    with world.away():
        world.delete("loop-1")
        world.put("loop-1", loops=True, uid="uid-loop-1-again")
    await world.seen()
    await world.passes(11, 130, 310)
    assert ("shop", "loop-1", "uid-loop-1-again") in world.watcher.pods()
    assert ("shop", "loop-1", "uid-loop-1") not in world.watcher.pods()
    assert world.inbox.told()["ContainerCrashLooping loop"] == 1, "the replacement fails the same way: it goes on"
    assert world.inbox.told()["-ContainerCrashLooping loop deleted"] == 0


async def test_a_pod_that_vanished_while_away_and_out_of_the_history(world: World) -> None:
    await begin(world)
    with world.away():
        world.delete("loop-1")
        world.demo.faults.apply(ForgetHistory())
    await world.seen()
    await world.passes(11, 130, 310)
    assert world.watcher.pods() == world.server()
    assert world.inbox.told()["-ContainerCrashLooping loop deleted"] == 1


async def test_an_object_that_is_added_twice(world: World) -> None:
    await begin(world)
    world.put("loop-1", loops=True, restarts=7)
    before = world.watcher.stream.stats.events
    assert world.demo.faults.apply(RepeatAdded()) == 1
    await world.until(lambda: world.watcher.stream.stats.events >= before + 2)
    change(world)
    await end(world)
    assert world.errors() == {}


ODD: dict[str, tuple[Fault, str]] = {
    "an event of an unknown type": (UnknownEvent(), "unknown_type"),
    "an object that is none": (MalformedEvent(), "bad_object"),
    "a line that is no JSON": (GarbageLine(), "bad_line"),
}


@pytest.mark.parametrize(("fault", "reason"), ODD.values(), ids=ODD.keys())
async def test_one_odd_line_in_a_good_stream(world: World, fault: Fault, reason: str) -> None:
    await begin(world)
    assert world.demo.faults.apply(fault) == 1
    change(world)
    await end(world)
    assert world.watcher.stream.stats.skipped[reason] == 1
    assert world.requests("watch") == 1


async def test_an_object_of_a_megabyte(world: World) -> None:
    await begin(world)
    world.demo.cluster.apply("Pod", "shop", "web-1", {"metadata": {"annotations": {"big": "x" * 1_000_000}}})
    change(world)
    await end(world)
    assert world.errors() == {}


async def test_a_line_of_five_megabytes(world: World) -> None:
    await begin(world)
    world.demo.cluster.apply("Pod", "shop", "web-1", {"metadata": {"annotations": {"big": "x" * 5_000_000}}})
    change(world)
    await end(world)
    assert world.errors()["line_too_long"] == 1


async def test_compression_is_refused_where_it_would_lose_events(world: World) -> None:
    world.demo.watch_options.watch_list = True
    world.demo.watch_options.gzip_members = True
    await begin(world)
    with world.away():
        change(world)
    await end(world)
    asked = {seen.headers["accept-encoding"] for seen in world.demo.requests if seen.resource == "pods"}
    assert asked == {"identity"}


async def test_a_connection_that_is_reset_before_the_answer(world: World) -> None:
    await begin(world)
    world.demo.faults.apply(Reset(times=3))
    world.demo.faults.apply(DropWatches(abrupt=True))
    change(world)
    await end(world)
