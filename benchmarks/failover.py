"""What changes of the leader lose: two replicas on one Postgres and one API server, and trouble for whoever leads.

    python -m benchmarks.failover [TROUBLES]

Two real processes, a real Postgres server, the emulated API server, and five local receivers. The leader is killed,
stopped (SIGSTOP) for a while and continued, cut off from the API server (which hangs for it alone) or from the
database, or told to end, one after the other, while workloads break and heal steadily (as in `kills.py`). How long the
other took to take over is when the database has its epoch. What they are made of is in
`replicas.py`. `tests/e2e/test_failover.py` runs the short form, with a shorter Lease.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from benchmarks.replicas import Plan, Trouble, World
from benchmarks.verdict import Book
from tests.support.postgres import PostgresServer, started
from watcher.demo import DemoCluster

LONG = Plan(troubles=50, workloads=40, cycles=6, lease=(15, 10, 2), stopped_for=60)
SHORT = Plan(troubles=10, workloads=8, cycles=4, lease=(3, 2, 0.4), stopped_for=9, drain_within=60)


class Outcome(msgspec.Struct, kw_only=True):
    troubles: int
    receivers: int
    due: int
    lost: int
    gave_way: int
    messages: int
    repeated: int
    most_repeats: int
    """Of one message, because of one trouble."""
    unexplained: int
    told_again: int
    out_of_order: int
    owed: int
    takeovers: dict[str, list[float]]
    """By trouble: seconds until the other had taken over."""
    limit: float
    """Seconds that a take-over may last."""
    epochs: int
    """How often the leader changed, by the database."""
    shared_epochs: int
    """Epochs in which more than one process wrote."""
    seconds: float
    missing: list[str]

    @property
    def good(self) -> bool:
        wrong = (self.lost, self.unexplained, self.told_again, self.out_of_order, self.owed, self.shared_epochs)
        slow = any(took > self.limit for took in itertools.chain(*self.takeovers.values()))
        quick = all(took < 3.0 for took in self.takeovers.get(Trouble.ENDED, ()))
        return not any(wrong) and not slow and quick and self.most_repeats <= 1 and self.messages > 0

    def __str__(self) -> str:
        times = "; ".join(
            f"{name}: {len(all)} times, {sorted(all)[len(all) // 2]:.1f} s in the middle, {max(all):.1f} s at most"
            for name, all in self.takeovers.items()
        )
        return (
            f"{self.troubles} troubles, {self.due} pieces of news due at {self.receivers} receivers: {self.lost} lost, "
            f"{self.gave_way} gave way; {self.messages} messages heard, {self.repeated} repeated by troubles (at most "
            f"{self.most_repeats} of one and a trouble), {self.unexplained} otherwise; {self.told_again} ends told "
            f"again; {self.out_of_order} out of order; {self.owed} owed at the end; {self.epochs} leaders, "
            f"{self.shared_epochs} epochs with two writers; {self.seconds:.0f} s\ntaken over after {times}"
            + "".join(f"\nlost: {one}" for one in self.missing)
        )


async def play(world: World) -> None:
    plan = world.plan
    world.demo.world.add_node("node-1")
    for number in range(plan.workloads):
        world.put(number, broken=False)
    each = plan.lease[0] + 3 + plan.stopped_for / 5
    lull = plan.troubles * each / plan.cycles / 2 / 1.2
    lives = [asyncio.create_task(world.live(number, lull)) for number in range(plan.workloads)]
    looks = asyncio.create_task(world.look())
    try:
        for _, trouble in zip(range(plan.troubles), itertools.cycle(Trouble), strict=False):
            await world.make_trouble(trouble)
        for receiver in world.receivers:
            receiver.calm = True
        with contextlib.suppress(TimeoutError):
            # A workload may have to break and to heal once more, each after 1.4 lulls.
            async with asyncio.timeout(plan.drain_within + 3 * lull):
                await asyncio.gather(*lives)
                while await world.truth.owed():
                    await asyncio.sleep(0.3)
    finally:
        for task in (looks, *lives):
            task.cancel()
        await asyncio.gather(looks, *lives, return_exceptions=True)
    await world.truth.look()


async def judged(world: World, seconds: float) -> Outcome:
    books = [Book(receiver, world.times) for receiver in world.receivers]
    due = [(name, began, ended) for name, all in world.truth.began.items() for began in all for ended in (False, True)]
    fates = Counter(book.fate(*news) for book in books for news in due)
    never = world.plan.workloads * world.plan.cycles * 2 - world.steps
    epochs, shared = await world.shared_epochs()
    return Outcome(
        troubles=world.plan.troubles,
        receivers=len(books),
        due=sum(fates.values()) + never * len(books),
        lost=fates["lost"] + never * len(books),
        gave_way=fates["gave way"],
        messages=sum(bool(one.pieces) for receiver in world.receivers for one in receiver.heard),
        repeated=sum(sum(book.by_kill.values()) for book in books),
        most_repeats=max((count for book in books for count in book.by_kill.values()), default=0),
        unexplained=sum(book.unexplained for book in books),
        told_again=sum(book.told_again for book in books),
        out_of_order=sum(book.out_of_order for book in books),
        owed=await world.truth.owed(),
        takeovers=world.takeovers,
        limit=world.plan.lease[0] + 5,
        epochs=epochs,
        shared_epochs=shared,
        seconds=seconds,
        missing=_missing(books, due),
    )


def _missing(books: Sequence[Book], due: Sequence[tuple[str, datetime, bool]]) -> list[str]:
    return [
        f"{book.name} {name} {began} {'end' if ended else 'firing'}"
        for book in books
        for name, began, ended in due
        if book.fate(name, began, ended) == "lost"
    ]


async def run(plan: Plan, server: PostgresServer) -> Outcome:
    now = asyncio.get_running_loop().time
    begun = now()
    with tempfile.TemporaryDirectory() as folder:
        async with DemoCluster() as demo, World(plan, Path(folder), demo, server).running() as world:
            await play(world)
            return await judged(world, now() - begun)


def main() -> int:
    plan = LONG
    if len(sys.argv) > 1:
        plan = msgspec.structs.replace(plan, troubles=int(sys.argv[1]))
    server = started()
    try:
        outcome = asyncio.run(run(plan, server))
    finally:
        server.remove()
    print(outcome)
    return 0 if outcome.good else 1


if __name__ == "__main__":
    sys.exit(main())
