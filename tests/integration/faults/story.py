"""The story that every fault disturbs, and what it has to come to in the end.

Before the fault two pods crash-loop and the receiver has been told. During it one of the two is deleted, a third begins
to loop, a fourth is replaced under its name, a fifth goes, a sixth comes. In the end what is known is what is there,
and each beginning and each end was told once.
"""

from __future__ import annotations

from tests.integration.faults.world import World

HEALTHY = ("web-1", "web-2", "web-3", "swap-1", "gone-1", "late-1")
AT_FIRST = {"ContainerCrashLooping loop": 1, "ContainerCrashLooping doomed": 1}
IN_THE_END = {
    **AT_FIRST,
    "ContainerCrashLooping late": 1,
    "-ContainerCrashLooping doomed deleted": 1,
}


async def begin(world: World) -> None:
    """Until both loops are told."""
    for name in HEALTHY:
        world.put(name)
    world.put("loop-1", loops=True)
    world.put("doomed-1", loops=True)
    await world.start()
    await world.demo.watched(resource="pods")
    await world.seen()
    await world.passes(11)
    assert world.inbox.told() == AT_FIRST


def change(world: World) -> None:
    """What happens while the fault lasts."""
    world.delete("doomed-1")
    world.put("late-1", loops=True)
    world.delete("swap-1")
    world.put("swap-1", uid="uid-swap-1-again")
    world.delete("gone-1")
    world.put("new-1")


async def end(world: World) -> None:
    """What is known is what is there; nothing was told twice, and nothing is told later. The fault did happen."""
    await world.seen()
    await world.until(lambda: world.watcher.pods() == world.server())
    await world.passes(11, 130, 60, 310)
    assert world.inbox.told() == IN_THE_END
    assert world.watcher.pods() == world.server()
    assert world.watcher.writer.stats.set_aside == 0
    assert world.demo.faults.active() == []
