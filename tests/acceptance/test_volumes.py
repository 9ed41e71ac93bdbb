"""Claims that fill up, through the whole pipeline with the shipped rules (behaviours 66-76 and 80)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from tests.support.objects import claim, claiming, node
from tests.support.pods import pod, status
from tests.support.timeline import PODS, Timeline, time
from tests.support.volumes import GIB, measured, mounts, summary, volume
from watcher.model.config import FirstStart
from watcher.model.kubelet import FsStats
from watcher.model.observations import Ended, Scope, StatsSampled
from watcher.model.signals import VolumeUsage
from watcher.model.state import Alert

MINUTE, HOUR = 60.0, 3600.0
KEY = ("shop", "data-db-0", "")


def sampled(line: Timeline, begin: float, end: float, percent: Callable[[float], float], **fields: Any) -> None:
    """A sample every minute; `percent` of the minutes since `begin`."""
    at = begin
    while at <= end:
        line.at(at).sample("n1", measured(percent=percent((at - begin) / MINUTE), **fields))
        at += MINUTE


def lead(line: Timeline, alertname: str) -> VolumeUsage:
    signal = alert(line, alertname).lead
    assert isinstance(signal, VolumeUsage)
    return signal


def alert(line: Timeline, alertname: str) -> Alert:
    return next(a for a in line.player.view.alerts.rows.values() if a.key.alertname == alertname)


def told(line: Timeline) -> list[tuple[str, str]]:
    return [(reason, what) for _, reason, what in line.heard]


def test_66_usage_that_swings_about_the_limit_is_one_alert() -> None:
    line = Timeline()
    sampled(line, 0, HOUR, lambda minute: 84 if int(minute) % 4 < 2 else 86)
    assert told(line) == [("FIRST", "VolumeFillingUp")]
    sampled(line, HOUR + MINUTE, 2 * HOUR, lambda _: 79)
    assert told(line) == [("FIRST", "VolumeFillingUp"), ("ALL_ENDED", "-VolumeFillingUp:recovered")]


def test_67_86_percent_for_less_than_for_is_silent() -> None:
    line = Timeline().at(0).sample("n1", measured(percent=84))
    line.at(60).sample("n1", measured(percent=86))
    line.at(119).sample("n1", measured(percent=84))
    line.at(180).sample("n1", measured(percent=84))
    assert line.until(400) == []


def test_68_a_claim_on_two_nodes_is_one_subject_and_the_newest_sample_counts() -> None:
    line = Timeline()
    for minute in range(30):
        at = minute * MINUTE
        line.at(at + 5).sample("n1", measured(percent=50, at=at - 10))
        line.at(at + 10).sample("n2", measured(percent=99, at=at - 40))
    assert line.until(30 * MINUTE) == []
    row = line.player.view.volumes.rows[KEY]
    assert [reading.node for reading in row.readings] == ["n1", "n2"]


def test_68_on_a_tie_the_larger_use_counts() -> None:
    line = Timeline()
    for minute in range(5):
        at = minute * MINUTE
        line.at(at + 5).sample("n1", measured(percent=96, at=at))
        line.at(at + 10).sample("n2", measured(percent=94, at=at))
    line.until(5 * MINUTE)
    assert line.firing() == ["VolumeFillingUp", "VolumeNearlyFull"]
    assert len(line.player.view.members.rows) == 2
    assert lead(line, "VolumeNearlyFull").used_percent == pytest.approx(96)


def test_69_a_block_volume_has_a_capacity_and_no_use_and_gives_no_signal() -> None:
    line = Timeline().at(0).sample("n1", measured(available=None, percent=0))
    assert line.until(HOUR) == []
    assert not line.player.view.volumes.rows


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        pytest.param({"claim": ""}, "no_claim", id="no pvcRef"),
        pytest.param({"capacity": 0, "available": 0}, "no_capacity", id="capacity 0"),
        pytest.param({"capacity": None, "available": 5}, "no_capacity", id="no capacity"),
        pytest.param({"available": None}, "no_available", id="nothing available told"),
        pytest.param({"at": -301}, "stale", id="sample older than 5 m"),
    ],
)
def test_70_what_cannot_be_used_is_ignored_and_counted(fields: dict[str, Any], reason: str) -> None:
    line = Timeline()
    one = StatsSampled(at=time(0), node="n1", summary=measured(**({"percent": 99} | fields)))
    assert line.player.changes([one], time(0)).refused == {reason: 1}
    assert not line.player.view.volumes.rows


def test_70_a_sample_of_exactly_five_minutes_counts_and_one_of_the_future_is_of_now() -> None:
    line = Timeline().at(0).sample("n1", measured("old", 10, at=-300)).sample("n2", measured("early", 10, at=90))
    rows = line.player.view.volumes.rows
    assert rows["shop", "old", ""].readings[0].at == time(-300)
    assert rows["shop", "early", ""].readings[0].at == time(0)


def test_71_bytes_are_fine_and_inodes_are_used_up() -> None:
    line = Timeline()
    sampled(line, 0, 5 * MINUTE, lambda _: 20, inodes_percent=97)
    assert told(line) == [("FIRST", "VolumeInodesFillingUp")]
    sampled(line, 6 * MINUTE, 20 * MINUTE, lambda _: 20, inodes_percent=50)
    assert told(line)[-1] == ("ALL_ENDED", "-VolumeInodesFillingUp:recovered")


@pytest.mark.parametrize("inodes", [pytest.param(None, id="not told"), pytest.param(0, id="btrfs tells 0")])
def test_71_inodes_that_are_not_known_are_not_zero(inodes: int | None) -> None:
    line = Timeline()
    sampled(line, 0, 5 * MINUTE, lambda _: 96, inodes=inodes)
    assert line.firing() == ["VolumeFillingUp", "VolumeNearlyFull"]
    assert lead(line, "VolumeNearlyFull").inodes_used_percent is None


def test_72_percent_is_of_what_can_be_written() -> None:
    line = Timeline()
    sampled(line, 0, 3 * MINUTE, lambda _: 86, reserved=GIB)
    signal = lead(line, "VolumeFillingUp")
    assert signal.used_percent == pytest.approx(86)
    assert signal.used_bytes is not None
    assert signal.used_bytes < 8 * GIB


def filling(line: Timeline, hours: float, *, left: float = 13 * GIB, capacity: float = 22.5 * GIB) -> None:
    """1 GiB an hour, a sample a minute."""
    for minute in range(int(hours * 60) + 1):
        available = int(left - minute * GIB / 60)
        line.at(minute * MINUTE).sample("n1", measured(capacity=int(capacity), available=available))


def test_73_filling_at_a_steady_rate_says_when_it_is_full() -> None:
    line = Timeline()
    filling(line, 4)
    line.until(4 * HOUR + 60)
    assert told(line) == [("FIRST", "VolumeWillFill")]
    assert 3.5 * HOUR <= line.heard[0][0] <= 3.6 * HOUR
    signal = lead(line, "VolumeWillFill")
    assert signal.used_percent == pytest.approx(60)
    assert signal.full_in_seconds == pytest.approx(9 * HOUR, rel=0.01)
    assert signal.bytes_per_hour == pytest.approx(GIB, rel=0.01)
    assert signal.trend_seconds == pytest.approx(4 * HOUR, abs=300)


def test_73_it_ends_half_an_hour_after_the_fill_has() -> None:
    line = Timeline()
    filling(line, 4)
    for minute in range(241, 420):
        line.at(minute * MINUTE).sample("n1", measured(capacity=int(22.5 * GIB), available=9 * GIB))
    assert told(line) == [("FIRST", "VolumeWillFill"), ("ALL_ENDED", "-VolumeWillFill:recovered")]


@pytest.mark.parametrize(
    "percent",
    [
        pytest.param(lambda minute: 60.0, id="flat"),
        pytest.param(lambda minute: 60 + (int(minute) * 7919 % 100) / 20, id="noise"),
        pytest.param(lambda minute: 40 + minute % 90 / 3, id="log rotation every 90 minutes"),
        pytest.param(lambda minute: max(50.0, 75 - minute / 20), id="shrinking"),
        pytest.param(lambda minute: 60 + minute / 1000, id="full in weeks"),
        pytest.param(lambda minute: min(70.0, 30 + minute / 3), id="filled for two hours, then no more"),
    ],
)
def test_73_what_does_not_fill_within_a_day_is_silent(percent: Callable[[float], float]) -> None:
    line = Timeline()
    sampled(line, 0, 9 * HOUR, percent)
    assert line.heard == []


def test_a_volume_that_is_full_within_four_hours_is_critical_from_90_percent_on() -> None:
    line = Timeline()
    filling(line, 2, left=4 * GIB, capacity=24 * GIB)
    line.until(2 * HOUR + 30)
    assert line.firing() == ["VolumeFillingUp", "VolumeNearlyFull"]
    assert told(line)[-1][1] == "VolumeNearlyFull"


def test_a_volume_that_stays_at_91_percent_is_no_more_than_a_warning() -> None:
    line = Timeline()
    sampled(line, 0, 2 * HOUR, lambda _: 91)
    assert line.firing() == ["VolumeFillingUp"]


def test_74_a_claim_that_grows_ends_its_alert_and_begins_a_new_trend() -> None:
    line = Timeline()
    filling(line, 4, left=5.4 * GIB, capacity=10 * GIB)
    assert line.firing() == ["VolumeFillingUp", "VolumeWillFill"]
    for minute in range(241, 300):
        grown = measured(capacity=20 * GIB, available=int(11.5 * GIB - (minute - 240) * GIB / 60))
        line.at(minute * MINUTE).sample("n1", grown)
    assert line.firing() == []
    assert [what for _, what in told(line)][-2:] == [
        "VolumeWillFill, -VolumeFillingUp:recovered",
        "-VolumeWillFill:recovered",
    ]
    assert len(line.player.view.volumes.rows[KEY].buckets) == 12 * 12


def test_75_a_node_that_is_gone_leaves_the_alert_and_says_since_when() -> None:
    line = Timeline().at(0).lists(claiming(pod("db-0"), "data-db-0"))
    sampled(line, 0, 5 * MINUTE, lambda _: 97)
    assert told(line) == [("FIRST", "VolumeNearlyFull")]
    line.until(23 * HOUR)
    assert "VolumeNearlyFull" in line.firing()
    assert told(line) == [("FIRST", "VolumeNearlyFull")]
    assert {m.unseen_since for m in line.player.view.members.rows.values()} == {time(5 * MINUTE)}
    line.until(25 * HOUR)
    assert told(line)[-1][1].endswith(":unknown")
    assert line.firing() == []


def test_75_without_pods_that_are_watched_a_silent_kubelet_is_no_idle_claim() -> None:
    line = Timeline()
    sampled(line, 0, 5 * MINUTE, lambda _: 97)
    line.until(3 * HOUR)
    assert "VolumeNearlyFull" in line.firing()


def test_75_a_pod_whose_numbers_freeze_is_not_seen_and_goes_on_when_they_move_again() -> None:
    line = Timeline()
    sampled(line, 0, 5 * MINUTE, lambda _: 97)
    for minute in range(6, 40):
        line.at(minute * MINUTE).sample("n1", measured(percent=97, at=5 * MINUTE))
    assert {m.unseen_since for m in line.player.view.members.rows.values()} == {time(5 * MINUTE)}
    line.at(40 * MINUTE).sample("n1", measured(percent=97))
    assert {m.unseen_since for m in line.player.view.members.rows.values()} == {None}
    assert told(line) == [("FIRST", "VolumeNearlyFull")]


def job(phase: str = "Running", *claims: str) -> Any:
    made = pod("load-1", status(), owner="Job/load", phase=phase, restart_policy="Never")
    return claiming(made, *claims)


def of_job(*volumes: Any) -> Any:
    return summary(mounts("load-1", *volumes)) if volumes else summary(mounts("other"))


@pytest.mark.parametrize(
    ("watched", "claims", "sampled_on"),
    [
        pytest.param(True, ["data-db-0"], True, id="pods are watched"),
        pytest.param(False, [], True, id="only kubelets tell"),
        pytest.param(True, ["data-db-0"], False, id="its node went with it"),
        pytest.param(True, [], False, id="only the kubelet told which pod it was"),
    ],
)
def test_76_a_claim_whose_job_has_finished_is_idle_and_closed_after_an_hour(
    watched: bool, claims: list[str], sampled_on: bool
) -> None:
    line = Timeline()
    if watched:
        line.at(0).lists(job("Running", *claims))
    for minute in range(10):
        line.at(minute * MINUTE).sample("n1", of_job(volume("data-db-0", 97)))
    if watched:
        line.at(10 * MINUTE - 30).sees(job("Succeeded", *claims))
    for minute in range(10, 68) if sampled_on else ():
        line.at(minute * MINUTE).sample("n1", of_job())
    line.until(68 * MINUTE)
    assert line.firing() == ["VolumeFillingUp", "VolumeNearlyFull"]
    for minute in range(69, 80) if sampled_on else ():
        line.at(minute * MINUTE).sample("n1", of_job())
    line.until(80 * MINUTE)
    assert line.firing() == []
    assert told(line) == [("FIRST", "VolumeNearlyFull"), ("ALL_ENDED", "-VolumeNearlyFull:idle")]


def test_76_a_claim_that_is_mounted_again_within_the_hour_goes_on() -> None:
    line = Timeline()
    for minute in range(10):
        line.at(minute * MINUTE).sample("n1", of_job(volume("data-db-0", 97)))
    for minute in range(10, 60):
        line.at(minute * MINUTE).sample("n1", of_job())
    for minute in range(60, 120):
        line.at(minute * MINUTE).sample("n2", of_job(volume("data-db-0", 97)))
    assert told(line) == [("FIRST", "VolumeNearlyFull")]


def test_76_a_running_pod_that_its_kubelet_does_not_list_is_not_idle() -> None:
    line = Timeline().at(0).lists(claiming(pod("db-0"), "data-db-0"))
    sampled(line, 0, 5 * MINUTE, lambda _: 97)
    for minute in range(6, 120):
        line.at(minute * MINUTE).sample("n1", of_job())
    assert "VolumeNearlyFull" in line.firing()
    assert all(m.unseen_since == time(5 * MINUTE) for m in line.player.view.members.rows.values())


DISK = 100 * GIB


def local_paths(percent: float, count: int = 40, *, drift: int = 0) -> Any:
    """Claims that are folders of the node's disk."""
    available = round(DISK * (1 - percent / 100))
    pods = [mounts(f"p{n}", volume(f"c{n:02}", capacity=DISK, available=available - drift)) for n in range(count)]
    return summary(*pods, disk=FsStats(capacity_bytes=DISK, available_bytes=available, inodes=655_360, inodes_free=9))


def test_80_forty_local_path_claims_are_one_alert_of_their_nodes_disk() -> None:
    line = Timeline().at(0).lists(node("n1"))
    for minute in range(10):
        line.at(minute * MINUTE).sample("n1", local_paths(90, drift=10 * 1024**2))
    assert told(line) == [("FIRST", "VolumeFillingUp")]
    fired = alert(line, "VolumeFillingUp")
    assert (fired.key.node, fired.key.claim, fired.key.namespace) == ("n1", "", "")
    signal = lead(line, "VolumeFillingUp")
    assert signal.claims == tuple(f"shop/c{n:02}" for n in range(40))
    assert "n1" in line.sent[0].title
    assert all(name in str(line.sent[0]) for name in ("c00", "c01", "c39"))


def test_80_a_claim_with_a_disk_of_its_own_beside_them_is_a_subject_of_its_own() -> None:
    shared = local_paths(50, 2)
    own = mounts("db-0", volume("data-db-0", 97))
    both = msgspec.structs.replace(shared, pods=[*shared.pods, own])
    line = Timeline()
    for minute in range(5):
        line.at(minute * MINUTE).sample("n1", both)
    assert {a.key.claim for a in line.player.view.alerts.rows.values()} == {"data-db-0"}
    assert set(line.player.view.volumes.rows) == {KEY, ("", "", "n1")}


def test_80_the_disk_of_a_node_is_idle_when_no_claim_is_on_it_any_more() -> None:
    line = Timeline()
    for minute in range(5):
        line.at(minute * MINUTE).sample("n1", local_paths(90))
    for minute in range(5, 90):
        line.at(minute * MINUTE).sample("n1", local_paths(90, 0))
    assert told(line)[-1] == ("ALL_ENDED", "-VolumeFillingUp:idle")


def test_what_is_full_at_first_sight_is_the_baseline_and_what_fills_later_is_news() -> None:
    line = Timeline(first_start=FirstStart.SUMMARY).at(0).lists(pod("web-1"))
    for minute in range(30):
        line.at(minute * MINUTE + 20).sample("n1", measured("old", 97))
        line.at(minute * MINUTE + 30).sample("n2", measured("new", 50 if minute < 3 else 96))
    assert [what for _, what in told(line)] == ["VolumeNearlyFull"]
    assert {a.key.claim: a.baseline for a in line.player.view.alerts.rows.values()} == {"old": True, "new": False}


def test_a_claim_that_comes_full_long_after_the_first_sample_is_news() -> None:
    line = Timeline(first_start=FirstStart.SUMMARY).at(0).lists(pod("web-1"))
    line.at(20).sample("n1", measured("old", 50))
    for minute in range(60, 70):
        line.at(minute * MINUTE).sample("n2", measured("restored", 97))
    assert told(line) == [("FIRST", "VolumeNearlyFull")]


def test_after_a_restart_a_known_alert_is_silent_and_nothing_is_unseen_before_kubelets_could_answer() -> None:
    line = Timeline().at(0).lists(claiming(pod("db-0"), "data-db-0"))
    sampled(line, 0, 5 * MINUTE, lambda _: 97)
    line.at(3 * HOUR).restarts(PODS).lists(claiming(pod("db-0"), "data-db-0"))
    line.until(3 * HOUR + 30)
    assert {m.unseen_since for m in line.player.view.members.rows.values()} == {None}
    sampled(line, 3 * HOUR + 60, 4 * HOUR, lambda _: 97)
    assert told(line) == [("FIRST", "VolumeNearlyFull")]


def test_before_the_streams_are_listed_nothing_is_judged() -> None:
    line = Timeline().at(0).restarts(Scope(kind="Pod"))
    sampled(line, 10, 300, lambda _: 99)
    assert not line.player.view.members.rows
    line.at(310).lists(pod("web-1")).at(320).sample("n1", measured(percent=99))
    assert line.player.view.members.rows


def test_a_claim_made_anew_under_its_name_begins_anew() -> None:
    line = Timeline().at(0).lists(claim("data-db-0"))
    filling(line, 4, left=5.4 * GIB, capacity=10 * GIB)
    line.at(4 * HOUR + 10).sees(claim("data-db-0", uid="another"))
    line.at(4 * HOUR + 60).sample("n1", measured(percent=10))
    assert line.firing() == []
    assert len(line.player.view.volumes.rows[KEY].buckets) == 12


def test_a_well_volume_is_stored_once_in_five_minutes() -> None:
    line = Timeline().at(0).sample("n1", measured(percent=50, at=0))
    durable = 0
    for minute in range(1, 31):
        at = time(minute * MINUTE)
        one = StatsSampled(at=at, node="n1", summary=measured(percent=50, at=minute * MINUTE))
        durable += line.player.changes([one], at).durable
    assert durable == 6


def test_a_volume_that_nothing_measures_any_more_is_forgotten() -> None:
    line = Timeline().at(0).sample("n1", measured(percent=50))
    line.until(11 * HOUR)
    assert line.player.view.volumes.rows
    line.until(20 * HOUR)
    assert not line.player.view.volumes.rows


def test_one_batch_or_many_give_the_same_answer() -> None:
    line = Timeline().at(0).lists(job("Running", "data-db-0"), node("n1"))
    for minute in range(40):
        line.at(minute * MINUTE).sample("n1", of_job(volume("data-db-0", 84 + minute % 15)))
        line.at(minute * MINUTE + 7).sample("n2", measured(percent=80 + minute % 11, at=minute * MINUTE - 20))
        line.at(minute * MINUTE + 9).sample("n3", local_paths(80 + minute % 17, 3))
    line.at(41 * MINUTE).sees(job("Succeeded", "data-db-0"))
    line.until(4 * HOUR)
    assert len(line.heard) > 3
    whole = Timeline().takes(*line.inputs, Ended(at=time(4 * HOUR)))
    assert whole.heard == line.heard
    assert whole.player.view.volumes.rows == line.player.view.volumes.rows
