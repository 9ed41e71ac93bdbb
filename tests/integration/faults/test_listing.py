"""Faults of lists, and of what we may read. Each ends with the right set of objects and with nothing told twice."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.integration.faults.story import HEALTHY, IN_THE_END, begin, change, end
from tests.integration.faults.world import World
from tests.integration.source.harness import SystemClock
from watcher.demo.faults import (
    DropWatches,
    Fail,
    ForgetHistory,
    MalformedItem,
    NullItems,
    PaddedItem,
    Rewind,
    Slow,
)
from watcher.model.observations import EventType, PodSeen
from watcher.source.client import connect


def list_again(world: World) -> None:
    """The next watch is answered 410."""
    world.demo.faults.apply(Fail(verb="watch", status=410, times=1))
    world.demo.faults.apply(DropWatches(abrupt=True))


async def test_a_continue_token_that_expires_on_the_third_page(world: World) -> None:
    await begin(world)
    lists = world.requests("list")
    forgotten: list[int] = []

    def forget(one: object) -> None:
        listed = isinstance(one, PodSeen) and one.event is EventType.LISTED
        if listed and not forgotten and world.requests("list") == lists + 2:
            forgotten.append(1)
            world.demo.faults.apply(ForgetHistory())

    world.watcher.stream._tap = forget
    list_again(world)
    change(world)
    await end(world)
    assert forgotten
    assert world.errors()["expired"] == 2, "the watch's, and the token's"
    assert world.watcher.stream.stats.lists == 2, "one that was begun was never complete"


async def test_a_page_that_fails(world: World) -> None:
    await begin(world)
    world.demo.faults.apply(Fail(verb="list", status=503, times=3))
    list_again(world)
    change(world)
    await end(world)


async def test_a_list_of_null(world: World) -> None:
    world.demo.faults.apply(NullItems(times=1))
    await world.start()
    await world.demo.watched(resource="pods")
    for name in HEALTHY:
        world.put(name)
    await world.seen()
    assert world.watcher.pods() == world.server()


async def test_statuses_that_are_null_say_nothing(world: World) -> None:
    """Go writes null for an empty list: a kubelet that has just begun reports no containers."""
    await begin(world)
    item = world.demo.cluster.get("Pod", "shop", "loop-1")
    assert item is not None
    item["status"] |= {"containerStatuses": None, "conditions": None, "initContainerStatuses": None}
    item["metadata"] |= {"labels": None, "annotations": None}
    world.demo.cluster.put(item)
    change(world)
    await end(world)


async def test_one_bad_object_in_a_good_list(world: World) -> None:
    await begin(world)
    world.demo.faults.apply(MalformedItem(times=1))
    list_again(world)
    change(world)
    await end(world)
    assert world.watcher.stream.stats.skipped["bad_object"] == 1


async def test_an_object_of_a_megabyte_in_a_list(world: World) -> None:
    await begin(world)
    world.demo.faults.apply(PaddedItem(times=1, bytes=1_000_000))
    list_again(world)
    change(world)
    await end(world)


async def test_a_list_of_a_server_that_is_behind(world: World) -> None:
    """It shows the past; the watch from there shows the rest, and nothing of it is new."""
    await begin(world)
    world.demo.faults.apply(Rewind(times=3, by=2))
    list_again(world)
    change(world)
    await end(world)


async def test_a_list_that_comes_slowly(world: World) -> None:
    await begin(world)
    world.demo.faults.apply(Slow(verb="list", delay=0.05, times=3, bytes_per_second=100_000))
    list_again(world)
    change(world)
    await end(world)


async def test_a_namespace_that_goes_with_all_its_pods(world: World) -> None:
    await begin(world)
    for number in range(5):
        world.demo.cluster.put({**world.demo.cluster.list("Pod")[0], **_other(number)})
    with world.away():
        for number in range(5):
            world.demo.cluster.delete("Pod", "doomed", f"web-{number}")
        change(world)
        world.demo.faults.apply(ForgetHistory())
    await end(world)


def _other(number: int) -> dict[str, object]:
    return {"metadata": {"namespace": "doomed", "name": f"web-{number}", "uid": f"uid-doomed-{number}"}}


# ---- what we may read ----


class Later(SystemClock):
    """Credentials are read again at most every ten seconds."""

    ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


async def test_a_token_that_is_refused_until_a_new_one_is_there(world: World, tmp_path: Path) -> None:
    token, path = tmp_path / "token", world.demo.kubeconfig(tmp_path / "with-token")
    document = yaml.safe_load(path.read_text())
    document["users"][0]["user"] = {"tokenFile": str(token)}
    path.write_text(yaml.safe_dump(document))
    token.write_text("first")
    world.demo.access.tokens = {"first"}
    await world.client.close()
    clock = Later()
    world.client = await connect(clock, str(path))
    await begin(world)

    world.demo.access.tokens = {"second"}
    world.demo.faults.apply(DropWatches(abrupt=True))
    change(world)
    await world.until(lambda: world.errors()["unauthorized"] >= 2)
    assert not any(told.startswith("-") for told in world.inbox.told())
    token.write_text("second")
    clock.ahead = 11
    await end(world)


async def test_pods_that_may_not_be_read_for_a_while(world: World) -> None:
    await begin(world)
    world.demo.access.deny(resource="pods")
    world.demo.faults.apply(DropWatches(abrupt=True))
    change(world)
    await world.until(lambda: world.errors()["forbidden"] >= 3)
    await world.passes(60)
    assert set(world.inbox.told()) < set(IN_THE_END), "what may not be read is not gone"
    assert not any(told.startswith("-") for told in world.inbox.told())
    world.demo.access.denied.clear()
    await end(world)


async def test_a_watch_that_is_forbidden_while_lists_are_not(world: World) -> None:
    await begin(world)
    world.demo.access.deny(resource="pods", verb="watch")
    world.demo.faults.apply(DropWatches(abrupt=True))
    change(world)
    await world.until(lambda: world.errors()["forbidden"] >= 2)
    world.demo.access.denied.clear()
    await end(world)
