"""Workloads that are down: none of their pods is ready, and one fails by an alert of its own. Rows of behaviours.md."""

from __future__ import annotations

from tests.support.pods import backoff, dead, pod, status
from tests.support.timeline import Timeline
from watcher.model.config import FirstStart
from watcher.model.kube import Pod
from watcher.model.signals import WorkloadDown

HOUR = 3600.0


def whole() -> Timeline:
    return Timeline(without=())


def looping(name: str, *, at: float = -20, restarts: int = 6) -> Pod:
    return pod(name, backoff(160, dead(1, at=at), restarts=restarts))


def healed(name: str, *, at: float) -> Pod:
    return pod(name, status(restarts=7, last=dead(1, at=at)))


def cycles(story: Timeline, *, begin: float, end: float, ready_for: float = 20) -> float:
    """One pod that is ready for a while, dies, and waits 5 min: until `end`."""
    at, restarts = begin, 6
    while at < end:
        restarts += 1
        story.at(at).sees(pod("web-1", status(restarts=restarts, last=dead(1, at=at - 300))))
        died = dead(1, at=at + ready_for, ran=ready_for)
        story.at(at + ready_for).sees(pod("web-1", status(restarts=restarts, terminated=died, ready=False)))
        story.at(at + ready_for + 1).sees(pod("web-1", backoff(300, died, restarts=restarts)))
        at += ready_for + 300
    return at


def test_a_workload_whose_only_pod_crashes_is_down_two_minutes_after_it_was_told_why() -> None:
    story = whole().at(0).lists().at(1).sees(looping("web-1"))
    assert story.until(1000) == [
        (11, "FIRST", "ContainerCrashLooping"),
        (311, "NEW_ALERTS", "WorkloadDown"),
    ]
    (down,) = (a for a in story.player.view.alerts.rows.values() if a.key.alertname == "WorkloadDown")
    assert (down.starts_at - down.since).total_seconds() == 120
    assert isinstance(down.lead, WorkloadDown)
    assert (down.lead.pods, down.lead.ready_pods, down.lead.causes) == (1, 0, ("ContainerCrashLooping",))


def test_one_ready_pod_is_enough() -> None:
    story = whole().at(0).lists(pod("web-0")).at(1).sees(looping("web-1"))
    assert story.until(HOUR) == [(11, "FIRST", "ContainerCrashLooping")]


def test_61_a_single_replica_that_is_ready_for_seconds_in_each_cycle_does_not_flap() -> None:
    story = whole().at(0).lists(pod("web-1")).at(1).sees(looping("web-1", at=1))
    end = cycles(story, begin=161, end=2 * HOUR)
    heard = story.until(end)
    firsts = [said for said in heard if "-" not in said[2]]
    assert firsts[0][2] == "ContainerCrashLooping"
    assert [said[2] for said in heard if "WorkloadDown" in said[2]] == ["WorkloadDown"]
    assert not [said for said in heard if "recovered" in said[2]]


def test_61_ten_minutes_of_readiness_end_it() -> None:
    story = whole().at(0).lists(pod("web-1")).at(1).sees(looping("web-1", at=1))
    story.until(1000)
    story.at(1000).sees(healed("web-1", at=990))
    heard = story.until(2 * HOUR)
    ended = " ".join(said[2] for said in heard[2:])
    assert ended.count("-WorkloadDown:recovered") == 1
    assert ended.count("-ContainerCrashLooping:recovered") == 1
    assert heard[2][0] >= 1600


def test_a_workload_that_is_up_again_before_anybody_was_told_is_no_news() -> None:
    """Down from 121 s on, ready from 200 s on, and the group speaks at 311 s."""
    story = whole().at(0).lists().at(1).sees(looping("web-1"))
    story.until(200)
    story.at(200).sees(healed("web-1", at=190))
    story.until(2 * HOUR)
    assert [said[1:] for said in story.heard] == [
        ("FIRST", "ContainerCrashLooping"),
        ("ALL_ENDED", "-ContainerCrashLooping:recovered"),
    ]
    assert "a pod is ready again, and nobody was told that none was; told if that does not last" in story.held(
        "WorkloadDown"
    )


def test_a_workload_that_is_down_again_within_its_hold_is_told() -> None:
    story = whole().at(0).lists().at(1).sees(looping("web-1"))
    story.until(200)
    story.at(200).sees(healed("web-1", at=190)).at(320).sees(looping("web-1", at=319, restarts=8))
    story.until(1000)
    assert [said[1:] for said in story.heard] == [("FIRST", "ContainerCrashLooping"), ("NEW_ALERTS", "WorkloadDown")]


def test_a_failure_that_is_not_told_of_takes_no_workload_down() -> None:
    """Info is nobody's business, and what is pending has not failed yet."""
    gone = pod("web-1", status(waiting="ContainerCreating"), phase="Pending", created=0)
    story = whole().at(0).lists().at(1).sees(gone)
    assert story.until(14 * 60) == []
    assert "WorkloadDown" in story.until(HOUR)[-1][2]


def test_a_workload_that_is_gone_is_not_recovered() -> None:
    story = whole().at(0).lists().at(1).sees(looping("web-1"))
    story.until(1000)
    story.at(1000).deletes(looping("web-1"))
    heard = story.until(HOUR)
    assert "-WorkloadDown:deleted" in heard[-1][2]
    assert "recovered" not in heard[-1][2]


def test_a_rollout_of_a_workload_that_is_down_carries_the_alert_on() -> None:
    story = whole().at(0).lists().at(1).sees(looping("web-1"))
    story.until(1000)
    story.at(1000).deletes(looping("web-1")).at(1030).sees(looping("web-2", at=1029))
    story.until(2 * HOUR)
    assert [said[1] for said in story.heard] == ["FIRST", "NEW_ALERTS"]


def test_a_failed_job_is_no_workload_that_is_down() -> None:
    failed = pod(
        "import-1", status(terminated=dead(1, at=20), ready=False), phase="Failed", owner="Job/import",
        restart_policy="Never",
    )  # fmt: skip
    story = whole().at(0).lists().at(20).sees(failed)
    assert [said[2] for said in story.until(2 * HOUR)][:1] == ["PodFailed"]
    assert not [said for said in story.heard if "WorkloadDown" in said[2]]


def test_what_follows_from_a_baseline_belongs_to_it() -> None:
    story = Timeline(without=(), first_start=FirstStart.SUMMARY).at(0).lists(looping("web-1"))
    assert [said[1] for said in story.until(2 * HOUR)] == ["BASELINE"]
    assert "WorkloadDown" in story.firing()


def test_a_workload_that_came_back_while_watcher_was_down_is_not_told_to_be_down() -> None:
    story = whole().at(0).lists().at(1).sees(looping("web-1"))
    story.until(60)
    story.at(600).restarts().lists(healed("web-1", at=300))
    story.until(2 * HOUR)
    assert not [said for said in story.heard if "WorkloadDown" in said[2] and "-" not in said[2]]
