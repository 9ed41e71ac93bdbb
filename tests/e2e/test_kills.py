"""`kill -9` at any instant, and receivers that fail: what was decided is delivered, at most repeated once per kill."""

from __future__ import annotations

from benchmarks.kills import SHORT, run


async def test_twenty_kills_lose_nothing() -> None:
    outcome = await run(SHORT)
    print(outcome)
    assert outcome.good, outcome
