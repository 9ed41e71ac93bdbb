"""Two replicas, and trouble for whoever leads: nothing is lost, nothing told twice but what was in flight, and never
two write. `python -m benchmarks.failover` is the long form, with Kubernetes' own times."""

from __future__ import annotations

import pytest

from benchmarks.failover import SHORT, run
from tests.support.postgres import PostgresServer


@pytest.mark.postgres
async def test_ten_troubles_of_the_leader_lose_nothing(
    postgres: PostgresServer, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = await run(SHORT, postgres)
    with capsys.disabled():
        print(f"\n{outcome}")
    assert outcome.good, outcome
