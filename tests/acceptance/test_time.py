"""Time and repetition: behaviours 31 to 51."""

from __future__ import annotations

import pytest

from tests.support.pods import backoff, dead, pod, status
from tests.support.timeline import PODS, Timeline
from watcher.model.kube import Condition, Pod
from watcher.model.observations import Scope

HOUR = 3600
PAUSES = (0, 10, 20, 40, 80, 160, 300)
"""Between a death and the next start: the first restart comes at once (kubernetes-facts, section 1.8)."""


def crash_loop(
    story: Timeline, cycles: int, *, start: float, name: str = "web-1", code: int = 1, reason: str = ""
) -> float:
    """Play full cycles: running and ready for 5 s, terminated, back-off. Gives the second of the last back-off."""
    at = start
    for number in range(cycles):
        death = dead(1, at=at + 5)
        story.at(at).sees(pod(name, status(restarts=number, last=dead(1, at=at - 1) if number else None)))
        story.at(at + 5).sees(pod(name, status(restarts=number, terminated=death, ready=False)))
        pause = PAUSES[min(number, len(PAUSES) - 1)]
        if pause:
            story.at(at + 6).sees(pod(name, backoff(pause, death, restarts=number)))
        at += 6 + pause
    return at


def test_31_two_deaths_at_the_start_are_silent() -> None:
    story = Timeline().at(0).lists()
    crash_loop(story, 2, start=10)
    story.at(60).sees(pod("web-1", status(restarts=2, last=dead(1, at=40))))
    assert story.until(2 * HOUR) == []


def test_32_twenty_cycles_are_one_notification() -> None:
    story = Timeline().at(0).lists()
    end = crash_loop(story, 20, start=10)
    assert [said[1:] for said in story.until(end)] == [("FIRST", "ContainerCrashLooping")]
    (alert,) = story.player.view.alerts.rows.values()
    assert alert.count == 20
    assert alert.labels["severity"] == "warning"


def test_32_what_still_loops_is_repeated_only_by_repeat_interval() -> None:
    story = Timeline().at(0).lists()
    end = crash_loop(story, 150, start=10)
    assert end > 12 * HOUR
    heard = story.until(end)
    assert [said[1:] for said in heard] == [("FIRST", "ContainerCrashLooping"), ("REPEAT", "ContainerCrashLooping")]
    assert heard[1][0] - heard[0][0] == 12 * HOUR


def recovered(story: Timeline) -> float:
    end = crash_loop(story, 8, start=10)
    story.at(end).sees(pod("web-1", status(restarts=8, last=dead(1, at=end - 301))))
    return end


def test_33_ready_for_ten_minutes_is_one_resolved() -> None:
    story = Timeline().at(0).lists()
    end = recovered(story)
    heard = story.until(end + HOUR)
    assert [said[1:] for said in heard] == [
        ("FIRST", "ContainerCrashLooping"),
        ("ALL_ENDED", "-ContainerCrashLooping:recovered"),
    ]
    assert end + 600 <= heard[1][0] <= end + 600 + 300
    assert story.sent[1].status == "resolved"


def test_34_running_and_never_ready_is_not_resolved() -> None:
    story = Timeline().at(0).lists()
    end = crash_loop(story, 8, start=10)
    story.at(end).sees(pod("web-1", status(restarts=8, last=dead(1, at=end - 301), ready=False)))
    assert [said[1] for said in story.until(end + 10 * HOUR)] == ["FIRST"]
    assert "ContainerCrashLooping" in story.firing()


def test_35_the_same_crash_an_hour_later_is_a_new_alert() -> None:
    story = Timeline().at(0).lists()
    end = recovered(story)
    story.until(end + HOUR)
    again = end + 2 * HOUR
    for number in range(9, 13):
        death = dead(1, at=again + number * 10)
        story.at(again + number * 10).sees(pod("web-1", status(restarts=number, terminated=death, ready=False)))
    assert [said[1] for said in story.until(again + 10 * 60)] == ["FIRST", "ALL_ENDED", "FIRST"]


def test_36_deaths_that_only_the_restart_count_tells_of_are_counted() -> None:
    story = Timeline().at(0).lists(pod())
    for number in (1, 2, 3):
        story.at(number * 100).sees(pod("web-1", status(restarts=number, last=dead(1, at=number * 100 - 2))))
        if number == 2:
            story.until(250)
            assert story.firing() == []
    assert story.until(400) == [(310, "FIRST", "ContainerCrashLooping")]
    assert story.player.view.histories.rows[("uid-web-1", "app")].deaths == 3


def test_37_slow_deaths_are_told_as_restarting_often() -> None:
    story = Timeline().at(0).lists(pod())
    for number in range(1, 16):
        at = number * 720
        story.at(at).sees(pod("web-1", status(restarts=number, last=dead(1, at=at - 1, ran=710))))
    heard = story.until(3 * HOUR)
    assert heard == [(5 * 720 + 10, "FIRST", "ContainerRestartingOften")]


def test_38_a_restart_count_that_falls_is_a_new_pod() -> None:
    story = Timeline().at(0).lists(pod("db-0", status(restarts=7, last=dead(1, at=-HOUR)), owner="StatefulSet/db"))
    story.at(60).sees(pod("db-0", uid="uid-new", owner="StatefulSet/db"))
    assert story.until(HOUR) == []
    assert list(story.player.view.pods.rows) == ["uid-new"]
    assert story.player.view.histories.rows == {}


def test_39_two_restarts_between_two_looks_count_twice() -> None:
    story = Timeline().at(0).lists(pod()).at(60).sees(pod("web-1", status(restarts=2, last=dead(1, at=58))))
    story.until(61)
    history = story.player.view.histories.rows[("uid-web-1", "app")]
    assert (history.deaths, [death.ran_seconds for death in history.recent]) == (2, [None, 5.0])


def test_40_a_restart_of_all_containers_on_request_is_silent() -> None:
    story = Timeline().at(0).lists(pod())
    asked = Condition(type="AllContainersRestarting", status="True")
    for number in range(1, 5):
        story.at(number * 60).sees(pod("web-1", status(restarts=number), conditions=(asked,)))
    assert story.until(HOUR) == []


def looping(name: str, *, at: float = -20, code: int = 1, reason: str = "", restarts: int = 6) -> Pod:
    return pod(name, backoff(160, dead(code, reason, at=at, instance=f"containerd://{name}-{at}"), restarts=restarts))


def test_41_a_deleted_pod_with_a_healthy_replacement_ends_the_alert() -> None:
    story = Timeline().at(0).lists(looping("web-1"))
    story.at(60).sees(pod("web-2")).deletes(looping("web-1"))
    assert story.until(HOUR) == [
        (10, "FIRST", "ContainerCrashLooping"),
        (310, "ALL_ENDED", "-ContainerCrashLooping:recovered"),
    ]


def test_41_a_deleted_workload_ends_as_deleted() -> None:
    story = Timeline().at(0).lists(looping("web-1")).at(60).deletes(looping("web-1"))
    assert story.until(HOUR)[-1] == (310, "ALL_ENDED", "-ContainerCrashLooping:deleted")


def test_42_a_replacement_that_crashes_the_same_way_carries_the_alert_on() -> None:
    story = Timeline().at(0).lists(looping("web-1")).at(60).deletes(looping("web-1"))
    story.at(170).sees(looping("web-2", at=165))
    assert story.until(HOUR) == [(10, "FIRST", "ContainerCrashLooping")]
    assert story.firing() == ["ContainerCrashLooping"]


def test_42_a_replacement_that_cannot_pull_either_carries_the_alert_on() -> None:
    def pulling(name: str) -> Pod:
        return pod(name, status(waiting="ErrImagePull", message="x:9: not found"), phase="Pending")

    story = Timeline().at(0).lists(pulling("web-1")).at(60).deletes(pulling("web-1")).at(100).sees(pulling("web-2"))
    assert story.until(HOUR) == [(10, "FIRST", "ImagePullFailing")]


def test_43_a_restart_of_watcher_in_the_middle_is_silent() -> None:
    story = Timeline().at(0).lists()
    end = crash_loop(story, 8, start=10)
    story.until(end)
    told = list(story.heard)
    story.at(end + 30).restarts().lists(looping("web-1", at=end + 20, restarts=8))
    assert story.until(end + HOUR) == told


@pytest.mark.parametrize("moment", [5, 12], ids=["inside group_wait", "after the message"])
def test_43_a_restart_loses_no_timer_of_a_group(moment: float) -> None:
    story = Timeline().at(0).lists(looping("web-1")).at(moment).restarts().lists(looping("web-1"))
    assert [said[1] for said in story.until(HOUR)] == ["FIRST"]


def test_44_a_crash_loop_that_began_while_watcher_was_down_is_told() -> None:
    story = Timeline().at(0).lists(pod())
    story.at(HOUR).restarts().lists(looping("web-1", at=HOUR - 20))
    assert story.until(2 * HOUR) == [(HOUR + 10, "FIRST", "ContainerCrashLooping")]


def test_3_two_deaths_while_watcher_was_down_are_history() -> None:
    story = Timeline().at(0).lists(pod("web-1", status(restarts=3, last=dead(1, at=-HOUR))))
    story.at(HOUR).restarts().lists(pod("web-1", status(restarts=5, last=dead(1, at=HOUR - 900))))
    assert story.until(2 * HOUR) == []
    history = story.player.view.histories.rows[("uid-web-1", "app")]
    assert (history.deaths, len(history.recent)) == (5, 2)


def test_45_a_crash_loop_that_was_over_before_watcher_came_back_is_ended() -> None:
    story = Timeline().at(0).lists(looping("web-1"))
    story.until(60)
    story.at(HOUR).restarts().lists(pod("web-1", status(restarts=7, last=dead(1, at=200))))
    heard = story.until(2 * HOUR)
    assert [said[1:] for said in heard] == [
        ("FIRST", "ContainerCrashLooping"),
        ("ALL_ENDED", "-ContainerCrashLooping:recovered"),
    ]


def test_46_a_timer_that_ran_out_while_watcher_was_down_does_not_fire_for_what_has_healed() -> None:
    """With an image that the network withholds: for is 5 m."""
    pulling = pod(
        "web-1", status(waiting="ErrImagePull", message="dial tcp 10.0.0.1:443: i/o timeout"), phase="Pending"
    )
    story = Timeline().at(0).lists(pulling)
    story.until(60)
    assert [member.state for member in story.player.view.members.rows.values()] == ["pending"]
    story.at(20 * 60).restarts().lists(pod("web-1"))
    assert story.until(HOUR) == []


def test_50_a_new_list_that_shows_the_pod_healthy_ends_the_alert_after_its_hold() -> None:
    story = Timeline().at(0).lists(looping("web-1"))
    story.at(100).lists(pod("web-1", status(restarts=7, last=dead(1, at=90))))
    heard = story.until(2 * HOUR)
    assert [said[1:] for said in heard] == [
        ("FIRST", "ContainerCrashLooping"),
        ("ALL_ENDED", "-ContainerCrashLooping:recovered"),
    ]
    assert heard[1][0] >= 700


def test_51_a_list_of_one_namespace_leaves_another_untouched() -> None:
    def loop(namespace: str) -> Pod:
        death = dead(1, at=-20)
        return pod(f"{namespace}-1", backoff(160, death, restarts=6), namespace=namespace)

    story = Timeline().at(0).lists(loop("a"), namespace="a").lists(loop("b"), namespace="b")
    story.until(60)
    story.at(100).lists(namespace="a")
    heard = story.until(HOUR)
    assert [said[1:] for said in heard] == [
        ("FIRST", "ContainerCrashLooping"),
        ("FIRST", "ContainerCrashLooping"),
        ("ALL_ENDED", "-ContainerCrashLooping:deleted"),
    ]
    assert [alert.labels["namespace"] for alert in story.sent[-1].alerts] == ["a"]
    assert story.firing() == ["ContainerCrashLooping"]


def test_nothing_is_judged_before_every_scope_has_synced() -> None:
    first, second = Scope(kind="Pod", namespace="a"), Scope(kind="Pod", namespace="b")
    death = dead(1, at=-20)
    story = Timeline().at(0).restarts(first, second, known=False)
    story.lists(pod("a-1", backoff(160, death, restarts=6), namespace="a"), namespace="a")
    assert story.until(100) == []
    story.at(200).lists(namespace="b")
    assert [said[1] for said in story.until(300)] == ["FIRST"]
    assert PODS not in story.player.view.scopes.rows
