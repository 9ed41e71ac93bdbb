"""Found by reading and by playing at random: troubles that change while something else is away or changes too."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.support.objects import claim, claiming, node
from tests.support.pods import backoff, dead, pod, status
from tests.support.timeline import RULES, Timeline, core, shipped_rules, time
from watcher.lib.yamlpos import load
from watcher.model.config import FirstStart, HintRule, Receiver, Secret, WebhookConfig
from watcher.model.kube import Pod
from watcher.model.observations import Forbidden, Scope, StreamHealth
from watcher.rules.compile import compile_rules

MINUTE = 60.0
HOUR = 3600.0
PODS = Scope(kind="Pod")
NODES = Scope(kind="Node")
CLAIMS = Scope(kind="PersistentVolumeClaim")
EVENTS = Scope(kind="Event")


def looping(name: str = "web-1", died: float = -20, **fields: Any) -> Pod:
    return pod(name, backoff(160, dead(1, at=died), restarts=6), **fields)


def unready(name: str, changed: float, **fields: Any) -> Pod:
    return pod(name, status(ready=False), changed=changed, **fields)


def said(story: Timeline) -> list[tuple[str, str]]:
    return [one[1:] for one in story.heard]


def all_alerts() -> Timeline:
    return Timeline(without=()).at(0)


# --- A workload that is down


def test_a_workload_whose_pod_was_moved_from_a_silent_node_is_up_again() -> None:
    story = all_alerts().lists(node("n1"), node("n2")).lists(looping())
    story.at(300).sees(node("n1", ready="Unknown", changed=300))
    story.at(700).deletes(looping()).sees(pod("web-2", node="n2"))
    story.until(HOUR)
    assert story.firing() == ["NodeNotReady"]
    assert said(story)[-1] == ("ALL_ENDED", "-WorkloadDown:recovered")


def test_a_workload_with_a_ready_pod_elsewhere_is_up_though_its_dead_pod_is_left_on_a_silent_node() -> None:
    story = all_alerts().lists(node("n1"), node("n2")).lists(looping())
    story.at(300).sees(node("n1", ready="Unknown", changed=300))
    story.at(700).sees(looping(deleting=700), pod("web-2", node="n2"))
    story.until(HOUR)
    assert ("ALL_ENDED", "-WorkloadDown:recovered") in said(story)


def test_a_workload_is_not_gone_because_its_pods_were_not_listed_yet_after_a_restart() -> None:
    story = all_alerts().lists(looping())
    story.until(600)
    story.at(700).restarts(PODS)
    story.at(900).takes(StreamHealth(at=time(900), scope=PODS, stale_since=time(700), reason="no answer"))
    story.until(2 * HOUR)
    assert story.firing() == ["ContainerCrashLooping", "WatcherBlind", "WorkloadDown"]
    story.at(2 * HOUR).lists(looping()).takes(StreamHealth(at=time(2 * HOUR), scope=PODS))
    story.until(3 * HOUR)
    assert story.firing() == ["ContainerCrashLooping", "WorkloadDown"]
    story.at(3 * HOUR).deletes(looping())
    story.until(4 * HOUR)
    assert story.firing() == []


def test_a_workload_that_is_down_is_not_up_by_a_new_pod_that_was_never_ready() -> None:
    story = all_alerts().lists(looping())
    story.at(301).sees(looping(deleting=301), unready("web-2", 301, created=301))
    story.at(330).deletes(looping())
    story.until(301 + 14 * MINUTE)
    assert story.firing() == ["WorkloadDown"]
    story.at(301 + 14 * MINUTE).sees(pod("web-2"))
    story.until(HOUR)
    assert said(story)[-1] == ("ALL_ENDED", "-WorkloadDown:recovered")


def test_a_workload_that_was_ready_for_a_minute_and_has_no_other_alert_stays_down() -> None:
    story = all_alerts().lists(looping())
    story.at(301).sees(looping(deleting=301), unready("web-2", 301, created=301))
    story.at(302).deletes(looping())
    story.at(600).sees(pod("web-2"))
    story.at(660).sees(unready("web-2", 660))
    story.until(660 + 14 * MINUTE)
    assert story.firing() == ["WorkloadDown"]


def test_61_a_pod_of_a_workload_that_is_down_may_be_replaced_without_an_end_in_between() -> None:
    story = all_alerts().lists(looping("db-0", owner="StatefulSet/db"))
    story.at(451).deletes(looping("db-0", owner="StatefulSet/db"))
    story.at(530).sees(looping("db-0", owner="StatefulSet/db", uid="new", died=529, created=460))
    story.until(HOUR)
    assert said(story) == [("FIRST", "ContainerCrashLooping"), ("NEW_ALERTS", "WorkloadDown")]


@pytest.mark.parametrize("restarted", [False, True], ids=["listed again", "after a restart"])
def test_a_workload_that_a_list_shows_to_be_down_is_down(restarted: bool) -> None:
    text = 'secret "x" not found'
    stuck = pod("web-1", status(waiting="CreateContainerConfigError", message=text), phase="Pending")
    story = all_alerts().lists(stuck, pod("web-2"))
    story.until(590)
    if restarted:
        story.at(600).restarts(PODS)
    story.at(600).lists(stuck, unready("web-2", 590))
    story.until(725)
    assert story.firing() == ["ContainerNotStarting", "WorkloadDown"]


# --- Failures, crash loops and what they explain


def test_a_failure_that_was_made_good_is_not_blamed_for_what_is_missing_later() -> None:
    """More failed pods than are judged one by one, so that they are judged again by a timer."""
    names = [str(n) for n in range(30)]
    story = Timeline().at(0).lists(*(pod(f"web-{n}") for n in names))
    for n in names:
        story.at(60).sees(pod(f"web-{n}", phase="Failed", reason="Evicted", no_statuses=True, changed=60))
    for n in names:
        story.at(90).sees(pod(f"new-{n}"))
    story.at(700).sees(unready("new-1", 700))
    story.until(900)
    assert said(story) == [("FIRST", "PodFailed"), ("ALL_ENDED", "-PodFailed:recovered")]


def test_a_crash_loop_is_over_when_its_container_has_completed() -> None:
    """A Job's container that succeeded at last, beside one that runs on."""

    def job(task: Any) -> Pod:
        return pod("job-1", task, status("proxy"), owner="Job/job", restart_policy="OnFailure", changed=0)

    story = Timeline().at(0).lists(job(backoff(80, dead(1, at=-5), restarts=4, name="task")))
    story.at(60).sees(job(status("task", terminated=dead(0, at=60), restarts=5, last=dead(1, at=-5))))
    story.until(HOUR)
    assert said(story)[1:] == [("ALL_ENDED", "-ContainerCrashLooping:recovered")]


def test_what_is_told_to_nobody_explains_nothing() -> None:
    """A rule of the user's own that only takes note of deaths."""
    text = "groups: [{name: mine, rules: [{alert: AnyDeath, signal: CrashLooping, labels: {severity: info}}]}]"
    mine, problems = compile_rules([load(text, str(RULES / "mine.yaml"))])
    assert not problems
    story = Timeline(rules=(*shipped_rules(), *mine)).at(0).lists(pod("web-1"))
    story.at(60).sees(pod("web-1", status(ready=False, restarts=1, last=dead(1, at=59)), changed=60))
    story.until(HOUR)
    assert said(story)[0] == ("FIRST", "PodNotReady")


# --- What is gone before anybody heard of it


def test_87_a_pod_that_is_gone_within_group_wait_is_not_told() -> None:
    story = Timeline().at(0).lists(pod("web-1"))
    story.at(100).sees(looping(died=90))
    story.at(105).deletes(looping()).sees(pod("web-2"))
    assert story.until(HOUR) == []


def test_42_a_pod_that_is_gone_within_group_wait_is_told_when_its_replacement_fails_too() -> None:
    story = Timeline().at(0).lists(pod("web-1"))
    story.at(100).sees(looping(died=90))
    story.at(105).deletes(looping())
    story.at(160).sees(looping("web-2", died=155))
    assert story.until(HOUR) == [(170, "FIRST", "ContainerCrashLooping")]


# --- Nodes and streams


@pytest.mark.parametrize("pods_first", [True, False], ids=["pods listed first", "nodes listed first"])
def test_49_a_day_unseen_is_a_day_whatever_restarts_lie_in_it(pods_first: bool) -> None:
    story = Timeline(without=("WorkloadDown", "NodeNotReady")).at(0).lists(node("n1")).lists(looping())
    story.at(600).deletes(node("n1"))
    story.at(20 * HOUR).restarts(PODS, NODES)
    if pods_first:
        story.lists(looping()).at(20 * HOUR + 1).lists(kind="Node")
    else:
        story.lists(kind="Node").at(20 * HOUR + 1).lists(looping())
    story.until(25 * HOUR)
    assert said(story)[1:] == [("ALL_ENDED", "-ContainerCrashLooping:unknown")]


def test_62_a_node_that_comes_back_does_not_tell_of_pods_that_have_not_said_anything_yet() -> None:
    story = Timeline().at(0).lists(node("n1")).lists(pod("web-1"))
    story.at(100).sees(node("n1", ready="Unknown", changed=100), unready("web-1", 100))
    story.at(HOUR).sees(node("n1", changed=HOUR))
    story.at(HOUR + 15).sees(pod("web-1", changed=HOUR + 15))
    story.until(2 * HOUR)
    assert said(story) == [("FIRST", "NodeNotReady"), ("ALL_ENDED", "-NodeNotReady:recovered")]


def test_a_stream_that_was_stale_and_may_not_be_read_after_a_restart_is_no_longer_told() -> None:
    story = Timeline().at(0).lists(pod()).lists(node())
    story.at(600).takes(StreamHealth(at=time(600), scope=NODES, stale_since=time(400), reason="no answer"))
    story.until(700)
    story.at(800).restarts(PODS, NODES).lists(pod()).takes(Forbidden(at=time(800), scope=NODES))
    story.until(HOUR)
    assert said(story) == [("FIRST", "WatcherBlind"), ("ALL_ENDED", "-WatcherBlind:out_of_scope")]


def test_what_begins_after_the_first_start_is_news_though_the_last_list_was_forbidden() -> None:
    story = Timeline(first_start=FirstStart.SUMMARY).at(0).restarts(PODS, NODES, known=False).lists(pod("web-1"))
    story.at(1).takes(Forbidden(at=time(1), scope=NODES))
    story.at(HOUR).lists(pod("web-1"), looping("api-1", died=HOUR - 20, owner="Deployment/api"))
    story.until(2 * HOUR)
    assert said(story) == [("FIRST", "ContainerCrashLooping")]


def test_a_claim_is_not_bound_by_pods_that_were_not_listed_yet() -> None:
    """Its pods alone tell that it is waited for."""
    waits = claim("data", "Pending", annotations={}, storage_class="late")
    user = claiming(pod("web-1", phase="Pending", no_statuses=True, node=""), "data")
    story = Timeline().at(0).lists(user).lists(waits).lists(kind="Event")
    story.at(700).restarts(PODS, CLAIMS, EVENTS).lists(waits).lists(kind="Event")
    story.at(900).takes(StreamHealth(at=time(900), scope=PODS, stale_since=time(700), reason="no answer"))
    story.at(1000).sees(waits)
    story.until(HOUR)
    assert story.firing() == ["ClaimPending", "WatcherBlind"]
    story.at(HOUR).lists(pod("web-2"))
    story.until(2 * HOUR)
    assert ("ALL_ENDED", "-ClaimPending:recovered") in said(story)


def test_a_lost_claim_is_told_though_the_pods_are_not_listed() -> None:
    story = Timeline().at(0).restarts(PODS, CLAIMS, EVENTS).lists(claim("data", "Lost")).lists(kind="Event")
    story.at(200).takes(StreamHealth(at=time(200), scope=PODS, stale_since=time(0), reason="no answer"))
    story.until(HOUR)
    assert story.firing() == ["ClaimLost", "WatcherBlind"]


# --- Hints


def test_an_alert_whose_hinted_receiver_was_removed_goes_to_the_routes_receiver() -> None:
    def hook(name: str) -> Receiver:
        return Receiver(name=name, integrations=(("webhook_configs[0]", WebhookConfig(url=Secret("http://x"))),))

    one = looping()
    wish = {"watcher.io/receiver": "team"}
    one = msgspec.structs.replace(one, metadata=msgspec.structs.replace(one.metadata, annotations=wish))
    allowed = (HintRule(namespaces=("shop",), allow=frozenset({"receiver"})),)
    story = Timeline(hints=allowed, receivers=(hook("ops"), hook("team"))).at(0).lists(one)
    story.until(60)
    assert [message.receiver for message in story.sent] == ["team"]
    story.core = core(hints=allowed, receivers=(hook("ops"),))
    story.at(100).restarts(PODS).lists(one)
    story.until(HOUR)
    assert [message.receiver for message in story.sent] == ["team", "ops"]


# --- Many


def test_an_alert_of_very_many_pods_is_looked_at_once_in_a_second() -> None:
    """Each look is at all of its members, so that one for each change of each would cost the square of them."""
    names = [f"web-{n}" for n in range(120)]
    story = Timeline().at(0).lists(*(looping(name) for name in names))
    story.until(600)
    for n, name in enumerate(names):
        story.at(700 + n / 1000).deletes(looping(name))
        (alert,) = story.player.view.alerts.rows.values()
        assert alert.settle_at == time(701)
    story.until(HOUR)
    assert said(story) == [("FIRST", "ContainerCrashLooping"), ("ALL_ENDED", "-ContainerCrashLooping:deleted")]
