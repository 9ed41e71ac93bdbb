"""What is taken from a kubelet's summary, and what is remembered of a volume."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.support.timeline import time
from tests.support.volumes import GIB, mounts, summary, volume
from watcher.detect.volumes import Sample, measured, on_disk, sample_of, usage
from watcher.model.kubelet import Summary
from watcher.model.observations import StatsSampled
from watcher.model.remembered import Reading, VolumeHistory

FIXTURE = Path(__file__).parents[2] / "fixtures" / "stats_summary_pvcref_2020.json"
DATA = ("shop", "data")


def sample(*pods: Any, at: float = 0) -> Sample:
    return sample_of(StatsSampled(at=time(at), node="n1", summary=summary(*pods)), time(at))


def reading(node: str = "n1", at: float = 0, **fields: Any) -> Reading:
    return Reading(**{"node": node, "at": time(at), "capacity": 100, "available": 50, **fields})


def row(*readings: Reading, **fields: Any) -> VolumeHistory:
    return VolumeHistory(namespace="shop", claim="data", since=time(0), readings=readings, **fields)


def test_a_real_summary_is_read_and_its_one_claim_found() -> None:
    made = msgspec.json.decode(FIXTURE.read_bytes(), type=Summary)
    assert made.node.fs is not None
    assert made.node.fs.time is not None
    at = made.node.fs.time + timedelta(seconds=5)
    found = sample_of(StatsSampled(at=at, node="n1", summary=made), at)
    assert list(found.mounts) == [("olly", "grafana")]
    mount = found.mounts["olly", "grafana"]
    assert mount.pods == ("grafana-7db5dff8ff-vwrnf",)
    assert mount.reading is not None
    begun = VolumeHistory(namespace="olly", claim="grafana", since=at)
    signal = usage(measured(begun, mount.reading, at), {"cluster": "c"}, at)
    assert signal.used_percent == pytest.approx(100 * (1 - 684947668992 / 686179352576))
    assert signal.used_bytes == 1110048768, "which is less: 121 MB are reserved"
    assert signal.inodes_used_percent == pytest.approx(0.0448, abs=1e-4)
    assert set(found.refused) == {"no_claim"}
    assert not on_disk(mount.reading, found.disk, known=False)


def test_of_two_pods_on_one_node_the_newest_reading_counts_and_both_are_named() -> None:
    found = sample(
        mounts("a", volume("data", 50, at=-20)), mounts("b", volume("data", 60, at=-10)), mounts("b", volume("x", 1))
    )
    mount = found.mounts[DATA]
    assert mount.reading is not None
    assert mount.reading.available == pytest.approx(4 * GIB)
    assert mount.pods == ("a", "b")


def test_a_claim_whose_numbers_are_missing_is_mounted_all_the_same() -> None:
    found = sample(mounts("a", volume("data", available=None)))
    assert found.mounts[DATA].reading is None
    assert found.mounts[DATA].pods == ("a",)


def test_more_available_than_there_is_is_nothing_used() -> None:
    found = sample(mounts("a", volume("data", available=20 * GIB)))
    made = found.mounts[DATA].reading
    assert made is not None
    assert usage(measured(row(), made, time(0)), {}, time(0)).used_percent == 0


@pytest.mark.parametrize(
    ("readings", "leads"),
    [
        pytest.param((reading("n1", 0), reading("n2", 10)), "n2", id="the newest"),
        pytest.param((reading("n1", 10), reading("n2", 10, available=40)), "n2", id="on a tie the larger use"),
        pytest.param((reading("n1", 10, available=40), reading("n2", 10)), "n1", id="in either order"),
        pytest.param((reading("n1", 0), reading("n1", -50)), "n1", id="one node's numbers do not go back"),
    ],
)
def test_of_several_nodes_one_reading_leads(readings: tuple[Reading, ...], leads: str) -> None:
    after = row()
    for one in readings:
        after = measured(after, one, time(10))
    assert after.readings[0] == max(readings, key=lambda r: (r.at, -r.available))
    assert after.readings[0].node == leads


def test_a_node_of_which_nothing_was_heard_for_five_minutes_leads_no_more() -> None:
    after = measured(row(reading("n1", 0)), reading("n2", -30), time(299))
    assert [one.node for one in after.readings] == ["n1", "n2"]
    after = measured(row(reading("n1", 0)), reading("n2", 100), time(301))
    assert [one.node for one in after.readings] == ["n2"]


@pytest.mark.parametrize(
    ("capacity", "kept"),
    [pytest.param(100_500, True, id="ZFS moves a little"), pytest.param(110_000, False, id="resized")],
)
def test_another_capacity_begins_a_new_trend(capacity: int, kept: bool) -> None:
    before = measured(row(), reading(capacity=100_000), time(0))
    after = measured(before, reading(at=600, capacity=capacity), time(600))
    assert after.buckets.startswith(before.buckets) is kept


@pytest.mark.parametrize(
    ("disk", "known", "expected"),
    [
        pytest.param(None, True, False, id="a node that tells nothing of its disk"),
        pytest.param(reading(available=500, capacity=1000), False, True, id="the same numbers"),
        pytest.param(reading(available=508, capacity=1000), False, True, id="a moment apart"),
        pytest.param(reading(available=530, capacity=1000), False, False, id="another use"),
        pytest.param(reading(available=530, capacity=1000), True, True, id="a burst of writes between the two"),
        pytest.param(reading(available=500, capacity=1001), False, False, id="another capacity"),
        pytest.param(reading(available=500, capacity=1000, inodes=7), False, True, id="inodes that one does not tell"),
    ],
)
def test_a_claim_with_the_numbers_of_its_nodes_disk_is_on_it(disk: Reading | None, known: bool, expected: bool) -> None:
    assert on_disk(reading(available=500, capacity=1000), disk, known) is expected


def test_other_inodes_are_another_disk() -> None:
    assert not on_disk(reading(inodes=8), reading(inodes=7), known=False)
