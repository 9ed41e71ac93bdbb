"""An hour of cluster life with every fault at random ends with the alerts of an undisturbed hour.

500 pods here; `python -m benchmarks.hour` lives the same with 10,000.
"""

from __future__ import annotations

from benchmarks.hour import AT_ONCE, LASTING, Plan, differences, lives


async def test_the_alerts_after_a_disturbed_hour_are_those_of_an_undisturbed_one() -> None:
    plan = Plan(pods=500, seed=5)
    calm = await lives(plan, disturbed=False)
    disturbed = await lives(plan, disturbed=True)

    assert calm.well
    assert disturbed.well
    assert len(calm.firing) >= 10, "an hour without alerts would show nothing"
    assert disturbed.faults.total() >= 40
    assert {"killed", "database"} < disturbed.faults.keys()
    assert len(disturbed.faults) >= (len(AT_ONCE) + len(LASTING)) // 2
    assert differences(calm, disturbed) == []
