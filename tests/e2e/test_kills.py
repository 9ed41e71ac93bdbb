"""`kill -9` at any instant: what was decided is delivered after the restart, at most one message repeated per kill."""

from __future__ import annotations

from benchmarks.kills import run


async def test_twenty_kills_lose_nothing() -> None:
    outcome = await run(20)
    assert (outcome.lost, outcome.out_of_order) == (0, 0)
    assert outcome.repeated <= outcome.kills
