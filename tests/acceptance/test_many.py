"""Many at once: behaviours 54 to 65, and the first start."""

from __future__ import annotations

from tests.acceptance.test_time import looping
from tests.support.pods import backoff, dead, pod, status
from tests.support.timeline import Timeline
from watcher.model.config import FirstStart
from watcher.model.kube import Pod

HOUR = 3600


def test_54_three_pods_of_one_deployment_are_one_alert_with_three_members() -> None:
    story = Timeline().at(0).lists()
    for number in range(3):
        story.at(number * 3).sees(looping(f"web-{number}", at=number * 3 - 1))
    assert story.until(60) == [(10, "FIRST", "ContainerCrashLooping")]
    assert len(story.sent[0].alerts[0].members) == 3


def test_55_one_of_a_hundred_and_later_all_is_one_more_message() -> None:
    names = [f"web-{number}" for number in range(100)]
    story = Timeline().at(0).lists(looping(names[0]), *(pod(name) for name in names[1:]))
    for number, name in enumerate(names[1:]):
        at = 1811 + number
        story.at(at).sees(looping(name, at=at - 1))
    assert story.until(HOUR) == [(10, "FIRST", "ContainerCrashLooping"), (2110, "GREW", "ContainerCrashLooping")]
    assert "100 of 100" in story.sent[1].title


def test_56_two_containers_that_fail_differently_are_both_named() -> None:
    oom = backoff(160, dead(137, "OOMKilled", at=-20), restarts=6, name="cache")
    loop = backoff(160, dead(1, at=-20), restarts=6, name="app")
    story = Timeline().at(0).lists(pod("web-1", loop, oom))
    ((at, reason, alerts),) = story.until(60)
    assert (at, reason, sorted(alerts.split(", "))) == (10, "FIRST", ["ContainerCrashLooping", "ContainerOOMKilled"])
    containers = {alert.labels["alertname"]: alert.labels["container"] for alert in story.sent[0].alerts}
    assert containers == {"ContainerCrashLooping": "app", "ContainerOOMKilled": "cache"}


def test_57_a_sidecar_that_restarted_long_ago_is_not_blamed() -> None:
    loop = backoff(160, dead(1, at=-20), restarts=6, name="app")
    proxy = status("proxy", restarts=4, last=dead(1, at=-9 * HOUR))
    story = Timeline().at(0).lists(pod("web-1", loop, proxy))
    story.until(60)
    assert [alert.labels["container"] for alert in story.sent[0].alerts] == ["app"]
    assert "proxy" not in story.sent[0].text


def test_58_an_oom_kill_of_one_replica_does_not_hide_the_crash_loop_of_all() -> None:
    names = [f"web-{number}" for number in range(20)]
    story = Timeline().at(0).lists(*(pod(name) for name in names))
    story.at(1).sees(looping(names[0], at=0, code=137, reason="OOMKilled", restarts=3))
    story.until(120)
    assert story.heard == [(11, "FIRST", "ContainerOOMKilled")]
    for number, name in enumerate(names):
        at = 300 + number
        story.at(at).sees(looping(name, at=at - 1, restarts=7))
    heard = story.until(700)
    assert heard[1][1] == "NEW_ALERTS"
    assert "ContainerCrashLooping" in heard[1][2]


def test_60_an_oom_kill_after_a_told_crash_loop_is_told_and_ends_nothing() -> None:
    story = Timeline().at(0).lists(looping("web-1"))
    story.until(60)
    story.at(200).sees(looping("web-1", at=199, code=137, reason="OOMKilled", restarts=7))
    heard = story.until(500)
    assert [said[1:] for said in heard] == [("FIRST", "ContainerCrashLooping"), ("NEW_ALERTS", "ContainerOOMKilled")]
    assert story.firing() == ["ContainerOOMKilled"]
    assert "ContainerCrashLooping" in {key.alertname for key in story.player.view.alerts.rows}
    story.at(600).sees(pod("web-1", status(restarts=8, last=dead(137, "OOMKilled", at=199))))
    ends = [said[2] for said in story.until(3 * HOUR)[2:]]
    assert ends == ["ContainerOOMKilled, -ContainerCrashLooping:recovered", "-ContainerOOMKilled:recovered"]


def broken(namespace: str, number: int) -> Pod:
    death = dead(1, at=-20)
    return pod(f"w{number}-1", backoff(160, death, restarts=6), namespace=namespace, owner=f"StatefulSet/w{number}")


def test_64_the_first_start_is_one_summary() -> None:
    story = Timeline(first_start=FirstStart.SUMMARY).at(0).lists(*(broken("shop", number) for number in range(300)))
    heard = story.until(HOUR)
    assert [(at, reason) for at, reason, _ in heard] == [(10, "BASELINE")]
    assert len(story.sent[0].alerts) == 300
    assert "300" in story.sent[0].title
    assert len(story.firing()) == 300


def test_64_a_baseline_alert_that_heals_and_breaks_again_is_told() -> None:
    story = Timeline(first_start=FirstStart.SUMMARY).at(0).lists(broken("shop", 1))
    story.until(60)
    healthy = pod("w1-1", status(restarts=7, last=dead(1, at=50)), namespace="shop", owner="StatefulSet/w1")
    story.at(100).sees(healthy)
    story.until(HOUR)
    for number in (8, 9, 10):
        death = dead(1, at=HOUR + number)
        again = pod("w1-1", status(restarts=number, last=death), namespace="shop", owner="StatefulSet/w1")
        story.at(HOUR + number).sees(again)
    heard = story.until(2 * HOUR - 60)
    assert [said[1:] for said in heard][:3] == [
        ("BASELINE", "ContainerCrashLooping"),
        ("ALL_ENDED", "-ContainerCrashLooping:recovered"),
        ("FIRST", "ContainerCrashLooping"),
    ]


def test_a_silent_first_start_tells_nothing_of_what_was_broken() -> None:
    story = Timeline(first_start=FirstStart.SILENT).at(0).lists(broken("shop", 1))
    assert story.until(HOUR) == []
    assert story.firing() == ["ContainerCrashLooping"]


def test_what_a_baseline_summary_told_is_not_repeated() -> None:
    story = Timeline(first_start=FirstStart.SUMMARY).at(0).lists(broken("shop", 1))
    assert [said[1] for said in story.until(30 * HOUR)] == ["BASELINE"]


def test_65_a_rollout_carries_the_alert_on() -> None:
    story = Timeline().at(0).lists(looping("web-a"), looping("web-b"))
    story.at(60).sees(looping("web-c", at=59)).deletes(looping("web-a"))
    story.at(90).sees(looping("web-d", at=89)).deletes(looping("web-b"))
    assert story.until(HOUR) == [(10, "FIRST", "ContainerCrashLooping")]
    alerts = {key.alertname: alert for key, alert in story.player.view.alerts.rows.items()}
    assert alerts["ContainerCrashLooping"].starts_at.minute == 0


def test_87_what_comes_and_goes_within_group_wait_is_not_told() -> None:
    def pulling() -> Pod:
        return pod("web-1", status(waiting="ErrImagePull", message="x:9: not found"), phase="Pending")

    story = Timeline().at(0).lists().at(1).sees(pulling()).at(4).sees(pod("web-1"))
    assert story.until(HOUR) == []
    assert story.held("ImagePullFailing") == ["it ended before anybody was told of it"]
