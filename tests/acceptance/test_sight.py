"""Unknown is not resolved: nodes that are silent, streams that are stale, clocks that jump. Rows of behaviours.md."""

from __future__ import annotations

from datetime import timedelta

from tests.support.objects import node
from tests.support.pods import backoff, dead, pod, status
from tests.support.timeline import Timeline, time
from watcher.model.kube import Pod
from watcher.model.observations import ClockJumped, Scope, StreamHealth

MINUTE = 60.0
HOUR = 3600.0
PODS = Scope(kind="Pod")


def looping() -> Pod:
    return pod("web-1", backoff(160, dead(1, at=-20), restarts=6))


def said(story: Timeline) -> list[tuple[str, str]]:
    return [one[1:] for one in story.heard]


def quiet_nodes() -> Timeline:
    """Without the alert about the node itself, so that nothing explains its pods."""
    return Timeline(without=("WorkloadDown", "NodeNotReady"))


def test_49_a_node_that_goes_away_resolves_nothing_and_is_not_repeated_and_is_closed_after_a_day() -> None:
    story = quiet_nodes().at(0).lists(node("n1"), kind="Node").lists(looping())
    story.at(600).sees(node("n1", ready="Unknown", changed=600))
    story.until(HOUR)
    (alert,) = story.player.view.alerts.rows.values()
    assert story.firing() == ["ContainerCrashLooping"]
    assert alert.unseen_since == time(600)
    story.until(23 * HOUR)
    assert said(story) == [("FIRST", "ContainerCrashLooping")]
    story.until(25 * HOUR)
    assert said(story)[1:] == [("ALL_ENDED", "-ContainerCrashLooping:unknown")]


def test_49_what_is_heard_of_again_is_repeated_again_and_ends_when_it_is_seen_to() -> None:
    story = quiet_nodes().at(0).lists(node("n1"), kind="Node").lists(looping())
    story.at(600).sees(node("n1", ready="Unknown", changed=600))
    story.until(13 * HOUR)
    story.at(13 * HOUR).sees(node("n1", changed=13 * HOUR))
    story.until(14 * HOUR)
    assert said(story) == [("FIRST", "ContainerCrashLooping"), ("REPEAT", "ContainerCrashLooping")]
    story.at(14 * HOUR).sees(pod("web-1", status(restarts=7, last=dead(1, at=13.5 * HOUR))))
    story.until(15 * HOUR)
    assert said(story)[-1] == ("ALL_ENDED", "-ContainerCrashLooping:recovered")


def test_49_a_hold_does_not_run_out_while_nobody_sees_the_container() -> None:
    """Ready for two of its ten minutes, then the node is silent: nothing was seen to be over."""
    story = quiet_nodes().at(0).lists(node("n1"), kind="Node").lists(looping())
    story.at(300).sees(pod("web-1", status(restarts=7, last=dead(1, at=290))))
    story.at(420).sees(node("n1", ready="Unknown", changed=420))
    story.until(5 * HOUR)
    assert said(story) == [("FIRST", "ContainerCrashLooping")]
    story.at(5 * HOUR).sees(node("n1", changed=5 * HOUR))
    story.until(6 * HOUR)
    assert story.heard[-1][1:] == ("ALL_ENDED", "-ContainerCrashLooping:recovered")
    assert story.heard[-1][0] >= 5 * HOUR + 10 * MINUTE


def test_49_a_for_does_not_run_out_while_nobody_sees_the_pod() -> None:
    story = quiet_nodes().at(0).lists(node("n1"), kind="Node").lists(pod("web-1"))
    story.at(60).sees(pod("web-1", status(ready=False), changed=60))
    story.at(120).sees(node("n1", ready="Unknown", changed=120))
    assert story.until(5 * HOUR) == []


def test_49_an_unseen_pod_survives_a_restart_of_watcher() -> None:
    story = quiet_nodes().at(0).lists(node("n1"), kind="Node").lists(looping())
    story.at(600).sees(node("n1", ready="Unknown", changed=600))
    story.until(HOUR)
    away = node("n1", ready="Unknown", changed=600)
    story.at(2 * HOUR).restarts(PODS, Scope(kind="Node")).lists(looping()).lists(away)
    story.until(23 * HOUR)
    assert said(story) == [("FIRST", "ContainerCrashLooping")]
    story.until(25 * HOUR)
    assert said(story)[1:] == [("ALL_ENDED", "-ContainerCrashLooping:unknown")]


def test_62_a_node_that_is_not_ready_is_one_alert_that_names_its_pods() -> None:
    pods = [pod(f"web-{n}", owner=f"Deployment/web{n % 30}") for n in range(40)]
    story = Timeline(without=()).at(0).lists(node("n1")).lists(*pods)
    story.at(100).sees(node("n1", ready="Unknown", changed=100))
    for n, one in enumerate(pods):
        owner = f"Deployment/web{n % 30}"
        story.at(101).sees(pod(one.metadata.name, status(ready=False), owner=owner, changed=100))
    assert story.until(3 * HOUR) == [(410, "FIRST", "NodeNotReady")]
    assert "web7 ×2" in str(story.sent[0])


def test_62_what_was_told_before_is_not_ended_by_the_node() -> None:
    story = Timeline().at(0).lists(node("n1")).lists(looping())
    story.at(60).sees(node("n1", ready="Unknown", changed=60))
    story.until(3 * HOUR)
    assert said(story) == [("FIRST", "ContainerCrashLooping"), ("FIRST", "NodeNotReady")]


def test_48_a_clock_that_jumps_an_hour_forward_fires_and_ends_nothing() -> None:
    story = Timeline().at(0).lists(looping(), pod("api-1", owner="Deployment/api"))
    story.at(60).sees(pod("web-1", status(restarts=7, last=dead(1, at=50))))
    story.at(61).sees(pod("api-1", status(ready=False), owner="Deployment/api", changed=61))
    story.takes(ClockJumped(at=time(HOUR + 62), since=time(62)))
    story.until(HOUR + 62 + 9 * MINUTE)
    assert said(story) == [("FIRST", "ContainerCrashLooping")]
    heard = story.until(3 * HOUR)
    begin, end = (one[0] for one in heard[1:])
    assert {one[2] for one in heard[1:]} == {"-ContainerCrashLooping:recovered", "PodNotReady"}
    assert begin >= HOUR + 660
    assert end >= HOUR + 61 + 15 * MINUTE


def test_48_a_slow_loop_is_not_ended_by_a_jump_over_its_deaths() -> None:
    story = Timeline().at(0).lists(pod("web-1"))
    for n in range(1, 6):
        at = n * 12 * MINUTE
        story.at(at).sees(pod("web-1", status(restarts=n, last=dead(1, at=at, ran=700))))
    story.until(5 * 12 * MINUTE + 60)
    assert said(story) == [("FIRST", "ContainerRestartingOften")]
    now = 5 * 12 * MINUTE + 61
    story.takes(ClockJumped(at=time(now + 3 * HOUR), since=time(now)))
    story.until(now + 4 * HOUR)
    assert said(story) == [("FIRST", "ContainerRestartingOften")]


def test_a_stale_stream_is_told_and_what_it_shows_is_neither_ended_nor_repeated() -> None:
    story = Timeline().at(0).lists(looping())
    story.at(600).takes(StreamHealth(at=time(600), scope=PODS, stale_since=time(420), reason="no answer"))
    story.until(20 * HOUR)
    assert said(story) == [("FIRST", "ContainerCrashLooping"), ("FIRST", "WatcherBlind"), ("REPEAT", "WatcherBlind")]
    story.at(20 * HOUR).takes(StreamHealth(at=time(20 * HOUR), scope=PODS)).lists(looping())
    story.until(20.5 * HOUR)
    assert said(story)[3:] == [("ALL_ENDED", "-WatcherBlind:recovered"), ("REPEAT", "ContainerCrashLooping")]


def test_an_oom_kill_is_not_over_by_an_hour_in_which_nobody_looked() -> None:
    story = Timeline().at(0).lists(pod("web-1"))
    story.at(10).sees(pod("web-1", status(restarts=1, last=dead(137, "OOMKilled", at=9))))
    story.at(600).takes(StreamHealth(at=time(600), scope=PODS, stale_since=time(420), reason="no answer"))
    story.until(5 * HOUR)
    assert said(story) == [("FIRST", "ContainerOOMKilled"), ("FIRST", "WatcherBlind")]
    story.at(5 * HOUR).takes(StreamHealth(at=time(5 * HOUR), scope=PODS))
    story.until(6 * HOUR)
    assert ("ALL_ENDED", "-ContainerOOMKilled:recovered") in said(story)


def test_a_stream_that_never_comes_does_not_keep_the_others_waiting() -> None:
    nodes = Scope(kind="Node")
    story = Timeline().at(0).restarts(PODS, nodes, known=False).lists(looping())
    assert story.until(60) == []
    story.at(180).takes(StreamHealth(at=time(180), scope=nodes, stale_since=time(0), reason="connection refused"))
    heard = story.until(HOUR)
    assert {one[2] for one in heard} == {"ContainerCrashLooping", "WatcherBlind"}


def test_a_stream_that_works_again_before_anybody_said_so_is_not_stale() -> None:
    story = Timeline().at(0).lists(pod("web-1"))
    story.at(600).takes(StreamHealth(at=time(600), scope=PODS, stale_since=time(420), reason="no answer"))
    story.at(605).lists(pod("web-1")).takes(StreamHealth(at=time(605) + timedelta(seconds=1), scope=PODS))
    assert story.until(HOUR) == []
