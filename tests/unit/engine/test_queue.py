"""The intake queue: it coalesces per object, keeps what must be judged by itself, and never grows without end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.pods import backoff, dead, pod, status
from tests.support.timeline import PODS, START, core, done, time
from watcher.engine.queue import IntakeQueue
from watcher.model.changes import View
from watcher.model.delivery import Delivered
from watcher.model.kube import ContainerStatus, Node, ObjectMeta, Pod, StateTerminated
from watcher.model.kubelet import Summary
from watcher.model.observations import (
    ClockJumped,
    DeliveryDone,
    Ended,
    EventType,
    Forbidden,
    Input,
    Listing,
    NodeSeen,
    PodSeen,
    Scope,
    Started,
    StatsSampled,
    StreamHealth,
    Synced,
)
from watcher.pipeline import handle

SHOP = Scope(kind="Pod", namespace="shop")


def sees(one: Pod, event: EventType = EventType.MODIFIED, scope: Scope = PODS) -> PodSeen:
    return PodSeen(at=START, event=event, scope=scope, pod=one)


def version(name: str, number: int, **fields: Any) -> Pod:
    """Versions of one pod that differ, and of which none tells of a death."""
    return pod(name, status(ready=bool(number % 2)), changed=number, **fields)


def offered(*inputs: Input, capacity: int = 100) -> tuple[IntakeQueue, list[Input]]:
    queue = IntakeQueue(capacity)
    for one in inputs:
        assert queue.offer(one) or isinstance(one, PodSeen)
    return queue, taken(queue)


def taken(queue: IntakeQueue) -> list[Input]:
    return done(queue.take(10_000, 0)) if len(queue) else []


def test_the_newest_version_takes_the_place_of_the_one_that_waits() -> None:
    first, other, second = version("a", 1), version("b", 1), version("a", 2)
    queue, out = offered(sees(first), sees(other), sees(second))
    assert out == [sees(second), sees(other)]
    assert queue.coalesced == 1


def test_a_pod_that_was_added_and_changed_is_still_added() -> None:
    _, out = offered(sees(version("a", 1), EventType.ADDED), sees(version("a", 2)))
    assert out == [sees(version("a", 2), EventType.ADDED)]


def test_what_was_taken_is_not_changed_any_more() -> None:
    queue = IntakeQueue()
    queue.offer(sees(version("a", 1)))
    assert taken(queue) == [sees(version("a", 1))]
    queue.offer(sees(version("a", 2)))
    assert taken(queue) == [sees(version("a", 2))]
    assert queue.coalesced == 0


@pytest.mark.parametrize(
    "between",
    [
        Listing(at=START, scope=PODS),
        Synced(at=START, scope=PODS),
        Forbidden(at=START, scope=PODS),
        StreamHealth(at=START, scope=PODS),
        Started(at=START),
        Ended(at=START),
        ClockJumped(at=START, since=START),
        sees(version("a", 5), EventType.DELETED),
        sees(version("a", 5), EventType.LISTED),
        sees(version("a", 5, uid="another")),
    ],
    ids=lambda one: type(one).__name__ + str(getattr(one, "event", "")),
)
def test_no_version_passes_what_orders(between: Input) -> None:
    _, out = offered(sees(version("a", 1)), between, sees(version("a", 2)))
    assert out == [sees(version("a", 1)), between, sees(version("a", 2))]


@pytest.mark.parametrize(
    "between",
    [
        DeliveryDone(at=START, message_id="m", outcome=Delivered()),
        sees(version("b", 1), EventType.DELETED),
        Listing(at=START, scope=SHOP),
        Synced(at=START, scope=Scope(kind="Node")),
    ],
    ids=["delivery", "another pod deleted", "another scope listed", "another kind synced"],
)
def test_what_concerns_others_does_not_hinder(between: Input) -> None:
    _, out = offered(sees(version("a", 1)), between, sees(version("a", 2)))
    assert out == [sees(version("a", 2)), between]


def test_objects_of_two_scopes_are_kept_apart() -> None:
    _, out = offered(sees(version("a", 1)), sees(version("a", 2), scope=SHOP))
    assert len(out) == 2


def test_a_listed_object_is_not_replaced_by_what_comes_after_its_list() -> None:
    _, out = offered(sees(version("a", 1), EventType.LISTED), sees(version("a", 2)), sees(version("a", 3)))
    assert out == [sees(version("a", 1), EventType.LISTED), sees(version("a", 3))]


FIRST, SECOND = dead(1, at=-60), dead(137, "OOMKilled", at=-20)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (pod("a", status(terminated=FIRST)), pod("a", status(restarts=1, terminated=SECOND, last=FIRST))),
        (pod("a", status(restarts=1, last=FIRST)), pod("a", backoff(10, SECOND, restarts=1))),
        (pod("a", status(restarts=1, last=FIRST)), pod("a", status(restarts=2, last=SECOND))),
        (pod("a", status(restarts=1, last=FIRST)), pod("a", status(restarts=3, last=FIRST))),
        (pod("a", status(restarts=3, last=FIRST)), pod("a", status())),
        (pod("a", status()), pod("a", status(restarts=1, last=FIRST))),
        (pod("a", status(terminated=FIRST)), pod("a", status(terminated=FIRST), no_statuses=True)),
        (pod("a", status(terminated=FIRST)), pod("a", status(terminated=FIRST), deleting=0)),
        (
            pod("a", status(waiting="CrashLoopBackOff", restarts=1, last=FIRST)),
            pod("a", status(restarts=1, last=FIRST)),
        ),
        (
            pod("a", status(waiting="ErrImagePull", message="manifest unknown")),
            pod("a", status(waiting="ImagePullBackOff", message='Back-off pulling image "x"')),
        ),
    ],
    ids=[
        "a second death",
        "a second death, in back-off",
        "a second death, running again",
        "deaths that nobody saw",
        "a restart count that fell",
        "the version before the first death",
        "statuses that vanished",
        "a death before the deletion",
        "out of back-off without a restart",
        "the cause of a failure to pull",
    ],
)
def test_a_version_is_kept_that_tells_what_the_next_does_not(older: Pod, newer: Pod) -> None:
    queue, out = offered(sees(older), sees(newer))
    assert out == [sees(older), sees(newer)]
    assert queue.coalesced == 0


def test_one_death_is_one_version_whatever_the_kubelet_says_of_it() -> None:
    died, waits = status(terminated=FIRST), backoff(10, FIRST, restarts=0)
    runs = status(restarts=1, last=FIRST)
    _, out = offered(*(sees(pod("a", one)) for one in (died, waits, runs, msgspec.structs.replace(runs, ready=False))))
    assert [one.pod.status.container_statuses[0].restart_count for one in out] == [1]  # type: ignore[union-attr,index]


def test_nodes_and_samples_coalesce_too() -> None:
    scope = Scope(kind="Node")

    def node(label: str) -> NodeSeen:
        meta = ObjectMeta(name="n1", uid="u1", labels={"v": label})
        return NodeSeen(at=START, event=EventType.MODIFIED, scope=scope, node=Node(metadata=meta))

    samples = [StatsSampled(at=time(second), node="n1", summary=Summary()) for second in (1, 2)]
    _, out = offered(node("1"), samples[0], node("2"), samples[1])
    assert out == [node("2"), samples[1]]


def test_a_full_queue_refuses_another_object_and_still_takes_newer_versions() -> None:
    queue = IntakeQueue(2)
    assert queue.offer(sees(version("a", 1)))
    assert queue.offer(sees(version("b", 1)))
    assert not queue.offer(sees(version("c", 1)))
    assert queue.offer(sees(version("a", 2)))
    assert (len(queue), queue.refused, queue.coalesced) == (2, 1, 1)


async def test_room_is_there_when_half_of_it_is_taken() -> None:
    queue = IntakeQueue(4)
    for name in "abcd":
        assert queue.offer(sees(version(name, 1)))
    waiting = asyncio.create_task(queue.room())
    await queue.take(1, None)
    await asyncio.sleep(0)
    assert not waiting.done()
    await queue.take(1, None)
    await waiting
    await queue.room()


async def test_a_list_waits_while_the_queue_is_full_and_nothing_else_does() -> None:
    queue = IntakeQueue(2)
    await queue.put(sees(version("a", 1), EventType.LISTED))
    await queue.put(sees(version("b", 1), EventType.LISTED))
    listing = asyncio.create_task(queue.put(sees(version("c", 1), EventType.LISTED)))
    await asyncio.sleep(0)
    assert not listing.done()
    await queue.put(DeliveryDone(at=START, message_id="m", outcome=Delivered()))
    assert len(queue) == 3
    await queue.take(2, None)
    await listing
    assert len(queue) == 2


async def test_taking_waits_for_the_first_and_gives_up_in_time() -> None:
    queue = IntakeQueue()
    assert await queue.take(10, 0.001) == []
    waiting = asyncio.create_task(queue.take(10, None))
    await asyncio.sleep(0)
    queue.offer(sees(version("a", 1)))
    assert len(await waiting) == 1


async def test_at_most_as_many_are_taken_as_asked_for() -> None:
    queue = IntakeQueue()
    for name in "abc":
        queue.offer(sees(version(name, 1)))
    assert len(await queue.take(2, None)) == 2
    assert len(await queue.take(2, None)) == 1


# ---- a backlog changes what is judged when, never what is known or counted ----


class Life:
    """A container's life, version by version: restart counts and deaths as a kubelet reports them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.born = 0
        self._begin()

    def _begin(self) -> None:
        self.uid = f"{self.name}-{self.born}"
        self.restarts = 0
        self.last: StateTerminated | None = None
        self.down = False

    def next(self, step: str, second: int) -> PodSeen:
        if step == "vanish":
            gone = self._seen(status(), EventType.DELETED)
            self.born += 1
            self._begin()
            return gone
        if step == "die" and not self.down:
            former, self.last, self.down = self.last, self._death(second), True
            return self._seen(status(terminated=self.last, restarts=self.restarts, last=former))
        if step == "skip":
            self.last, self.restarts, self.down = self._death(second), self.restarts + 2, False
        elif step == "collect":
            self.last, self.restarts, self.down = None, 0, False
        elif step == "run" and self.down:
            self.restarts, self.down = self.restarts + 1, False
        elif self.last is not None and self.down:
            return self._seen(backoff(10, self.last, restarts=self.restarts))
        return self._seen(status(restarts=self.restarts, last=self.last, ready=step != "run"))

    def _death(self, second: int) -> StateTerminated:
        return dead(1, at=second, ran=2, instance=f"{self.uid}/{second}")

    def _seen(self, one: ContainerStatus, event: EventType = EventType.MODIFIED) -> PodSeen:
        return sees(pod(self.name, one, uid=self.uid), event)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.sampled_from(["die", "die", "wait", "run", "ready", "skip", "collect", "vanish"]),
        st.booleans(),
    ),
    max_size=40,
)
CORE = core()


def judged(batches: Sequence[Sequence[Input]]) -> View:
    view = View()
    now = START
    for batch in batches:
        now = time((now - START).total_seconds() + 1)
        view.apply(handle(CORE, view, [msgspec.structs.replace(one, at=now) for one in batch], now))
    return view


def facts(view: View) -> object:
    histories = sorted((row.uid, row.deaths, len(row.recent)) for row in view.histories.rows.values())
    return sorted(view.pods.rows), histories


def batched(steps: Sequence[tuple[str, str, bool]], feed: Callable[[IntakeQueue, Input], object]) -> list[list[Input]]:
    """What the core is given when the writer takes a batch where the third value says so."""
    lives = {"a": Life("a"), "b": Life("b")}
    queue = IntakeQueue()
    result: list[list[Input]] = [[Synced(at=START, scope=PODS)]]
    for second, (name, step, takes) in enumerate(steps):
        feed(queue, lives[name].next(step, second))
        if takes:
            result.append(taken(queue))
    return [*result, taken(queue)]


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_coalescing_changes_neither_what_is_known_nor_how_many_deaths_are_counted(
    steps: list[tuple[str, str, bool]],
) -> None:
    coalesced = batched(steps, lambda queue, one: queue.offer(one))
    plain = batched(steps, lambda queue, one: done(queue.put(one)))
    assert facts(judged(coalesced)) == facts(judged(plain))
