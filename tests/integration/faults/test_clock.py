"""The machine's clock is set while alerts are open: nothing begins, ends or is told by it, and nothing stands still."""

from __future__ import annotations

import pytest

from tests.integration.faults.story import AT_FIRST, begin, change, end
from tests.integration.faults.world import World
from watcher.model.observations import ClockJumped, Input

HOUR = 3600


@pytest.mark.parametrize("seconds", [HOUR, 30 * 24 * HOUR, 90], ids=["an hour", "a month", "90 seconds"])
async def test_a_clock_that_jumps_forwards(world: World, seconds: float) -> None:
    await begin(world)
    taken: list[Input] = []
    world.watcher.writer.record = taken.extend
    world.hand.set(seconds)
    await world.until(lambda: world.watcher.writer.stats.clock_jumps == 1)
    await world.passes(0)
    assert world.inbox.told() == AT_FIRST, "nothing is told by a jump"
    assert isinstance(taken[0], ClockJumped), "it is an input, and recorded"
    change(world)
    await end(world)


async def test_a_clock_that_is_set_back(world: World) -> None:
    await begin(world)
    world.hand.set(-HOUR)
    change(world)
    await end(world)
    assert world.watcher.writer.stats.clock_jumps == 0
    assert world.watcher.writer.stats.clock_behind_seconds == pytest.approx(HOUR, abs=1)


async def test_a_clock_that_was_set_back_while_watcher_was_down(world: World) -> None:
    await begin(world)
    await world.watcher.kill()
    world.hand.set(-HOUR)
    change(world)
    await world.start()
    await end(world)
    assert world.watcher.writer.stats.clock_jumps == 0
