"""Restarts with another configuration, odd objects, and what must not be judged differently afterwards."""

from __future__ import annotations

from typing import Any

import msgspec

from tests.acceptance.test_many import broken
from tests.acceptance.test_time import looping
from tests.support.pods import backoff, dead, pod, status
from tests.support.timeline import PODS, Timeline, core, done, time
from watcher.model.config import FirstStart
from watcher.model.kube import ContainerStateKube, ContainerStatus, Pod, PodStatus
from watcher.model.observations import Scope, Started, Synced
from watcher.pipeline import next_wake
from watcher.replay.player import Player

HOUR = 3600
FIRST = ("FIRST", "ContainerCrashLooping")


def said(story: Timeline) -> list[tuple[str, str]]:
    return [(reason, alerts) for _, reason, alerts in story.heard]


def evicted(name: str, **fields: Any) -> Pod:
    return pod(name, phase="Failed", reason="Evicted", no_statuses=True, **fields)


# --- the summary of the first start, with several scopes


def test_the_summary_names_what_every_namespace_had_broken() -> None:
    a, b = Scope(kind="Pod", namespace="a"), Scope(kind="Pod", namespace="b")
    story = Timeline(first_start=FirstStart.SUMMARY).at(0).restarts(a, b, known=False)
    story.at(1).lists(broken("a", 1), namespace="a")
    story.at(5).lists(broken("b", 2), namespace="b")
    story.until(HOUR)
    assert [reason for reason, _ in said(story)] == ["BASELINE"]
    assert sorted(alert.labels["namespace"] for alert in story.sent[0].alerts) == ["a", "b"]


def test_the_summary_survives_a_kill_before_it_was_grouped() -> None:
    story = Timeline(first_start=FirstStart.SUMMARY).at(0).lists(broken("shop", 1))
    story.at(30).restarts().lists(broken("shop", 1))
    story.until(HOUR)
    assert [reason for reason, _ in said(story)] == ["BASELINE"]


def test_a_new_rule_is_a_base_line_in_every_namespace() -> None:
    a, b = Scope(kind="Pod", namespace="a"), Scope(kind="Pod", namespace="b")
    story = Timeline(first_start=FirstStart.SUMMARY, without=("WorkloadDown", "ContainerCrashLooping")).at(0)
    story.restarts(a, b, known=False).lists(broken("a", 1), namespace="a").lists(broken("b", 2), namespace="b")
    story.until(60)
    story.player.core = core(first_start=FirstStart.SUMMARY)
    story.core = story.player.core
    story.at(HOUR).restarts(a, b).lists(broken("a", 1), namespace="a").lists(broken("b", 2), namespace="b")
    story.until(2 * HOUR)
    assert [reason for reason, _ in said(story)] == ["BASELINE"]
    assert len(story.sent[0].alerts) == 2


# --- rules that are gone


def test_a_rule_that_was_removed_closes_its_alerts() -> None:
    story = Timeline().at(0).lists(looping("web-1"))
    story.until(60)
    story.core = core(without=("WorkloadDown", "PodNotReady", "ContainerCrashLooping"))
    story.at(HOUR).restarts().lists(looping("web-1"))
    story.until(2 * HOUR)
    assert said(story) == [FIRST, ("ALL_ENDED", "-ContainerCrashLooping:rule_removed")]


def test_a_removed_rule_and_a_pod_that_is_being_deleted_do_not_stop_the_start() -> None:
    story = Timeline().at(0).lists(looping("web-1"))
    story.until(60)
    story.core = core(without=("WorkloadDown", "PodNotReady", "ContainerCrashLooping"))
    going = pod("web-1", backoff(160, dead(1, at=-20), restarts=6), deleting=HOUR - 5)
    story.at(HOUR).restarts().lists(going)
    story.until(2 * HOUR)
    assert story.player.view.scopes.rows[PODS].synced
    assert said(story)[-1][0] == "ALL_ENDED"


def test_a_removed_oom_rule_no_longer_explains_a_crash_loop() -> None:
    story = Timeline().at(0).lists(looping("web-1", code=137, reason="OOMKilled"))
    story.until(60)
    assert said(story) == [("FIRST", "ContainerOOMKilled")]
    story.core = core(without=("WorkloadDown", "PodNotReady", "ContainerOOMKilled"))
    story.at(600).restarts().lists(looping("web-1", code=137, reason="OOMKilled"))
    story.until(1000)
    assert {alert for _, alert in said(story)[1:]} == {"ContainerCrashLooping, -ContainerOOMKilled:rule_removed"}


# --- scopes


def test_serving_without_a_cluster_waits_for_no_stream() -> None:
    story = Timeline().at(0).lists(looping("web-1"))
    view, since = done(story.store.load())
    story.player = Player(story.core)
    story.player.view = view
    story.at(5).takes(Started(at=time(5), since=since, scopes=()))
    assert next_wake(view) is not None
    assert [reason for reason, _ in said(story)] == []
    story.until(60)
    assert said(story) == [FIRST]
    story.at(70).restarts().lists(pod("web-1"))
    assert story.player.view.scopes.rows[PODS].known


def test_what_is_no_longer_watched_is_closed_as_out_of_scope() -> None:
    story = Timeline().at(0).lists(broken("a", 1), broken("b", 2))
    story.until(60)
    only = Scope(kind="Pod", namespace="a")
    story.at(HOUR).restarts(only).lists(broken("a", 1), namespace="a")
    story.until(2 * HOUR)
    assert said(story)[-1] == ("ALL_ENDED", "-ContainerCrashLooping:out_of_scope")
    assert story.sent[-1].alerts[0].labels["namespace"] == "b"
    assert {history.namespace for history in story.player.view.histories.rows.values()} == {"a"}


# --- failed pods


def test_a_failed_pod_is_over_when_its_replacement_is_ready_also_after_a_restart() -> None:
    failed = evicted("web-1", changed=20)
    story = Timeline().at(0).lists(pod("web-1")).at(20).sees(failed)
    story.at(500).sees(looping("api-1", at=499))
    story.until(600)
    story.at(600).restarts().lists(failed, looping("api-1", at=499))
    story.at(700).sees(pod("web-2"))
    story.until(1500)
    assert "-PodFailed:recovered" in said(story)[-1][1]


def test_the_patience_with_a_job_survives_a_restart() -> None:
    run: dict[str, Any] = {"owner": "Job/import", "restart_policy": "Never"}
    story = Timeline().at(0).lists(pod("import-1", **run))
    failed = pod("import-1", status(terminated=dead(1, at=20), ready=False), phase="Failed", **run)
    story.at(20).sees(failed).at(250).sees(looping("web-1", at=249))
    story.until(290)
    story.at(300).restarts().lists(failed, looping("web-1", at=249))
    story.until(HOUR)
    assert said(story) == [FIRST, ("FIRST", "PodFailed")]


def test_a_corpse_is_not_blamed_for_a_later_blip() -> None:
    """Three ready pods, one evicted and replaced; when another is unready for a while, the corpse is no news."""
    failed = evicted("web-1", changed=20)
    story = Timeline().at(0).lists(pod("web-1"), pod("web-2"), pod("web-3"))
    story.at(20).sees(failed).at(100).sees(pod("web-4"))
    story.until(600)
    before = said(story)
    assert before[0] == ("FIRST", "PodFailed")
    story.at(1000).sees(pod("web-2", status(ready=False)))
    story.until(1200)
    story.at(1200).sees(pod("web-2"))
    assert [one[1:] for one in story.until(HOUR)] == before


# --- odd objects


def test_a_pod_without_container_statuses_has_not_recovered() -> None:
    """Nothing was seen of the container: that is not health."""
    bare = pod("web-1", backoff(160, dead(1, at=-20), restarts=6), no_statuses=True)
    story = Timeline().at(0).lists(looping("web-1")).at(60).sees(bare)
    story.until(2 * HOUR)
    assert said(story) == [FIRST]
    assert story.firing() == ["ContainerCrashLooping"]


def test_a_restart_count_that_falls_to_nothing_has_not_recovered() -> None:
    """A node that restarted has forgotten its containers; the pod comes up, not ready, with no restarts."""
    story = Timeline().at(0).lists()
    for number in range(1, 4):
        death = dead(1, at=number * 10)
        story.at(number * 10).sees(pod("web-1", status(restarts=number - 1, terminated=death, ready=False)))
    story.until(60)
    again = pod("web-1", status(ready=False))
    story.at(100).sees(again).at(200).sees(pod("web-1", status(ready=False), changed=-2000))
    story.until(2 * HOUR)
    assert said(story) == [FIRST]


def test_an_empty_pod_is_silent() -> None:
    story = Timeline().at(0).lists(Pod()).at(10).sees(Pod()).deletes(Pod())
    assert story.until(HOUR) == []
    assert story.player.view.pods.rows == {}


def test_a_pod_without_uid_is_known_by_its_name() -> None:
    one = looping("web-1")
    bare = msgspec.structs.replace(one, metadata=msgspec.structs.replace(one.metadata, uid=""))
    story = Timeline().at(0).lists(bare)
    story.until(60)
    assert said(story) == [FIRST]
    story.deletes(bare)
    story.until(HOUR)
    assert said(story)[-1] == ("ALL_ENDED", "-ContainerCrashLooping:deleted")
    assert story.player.view.histories.rows == {}


def test_a_failed_pod_without_any_time_is_told() -> None:
    story = Timeline().at(0).lists(pod("web-1"))
    one = pod("web-1", phase="Failed", reason="NodeLost")
    status_ = PodStatus(phase="Failed", reason="NodeLost", conditions=None, container_statuses=None)
    story.at(30).sees(msgspec.structs.replace(one, status=status_))
    story.until(120)
    assert said(story) == [("FIRST", "PodFailed")]


def test_a_state_of_which_nothing_is_set_is_silent() -> None:
    blank = ContainerStatus(name="app", state=ContainerStateKube())
    story = Timeline().at(0).lists(pod()).at(30).sees(pod("web-1", blank))
    assert story.until(600) == []


def test_a_list_without_a_pod_in_it_twice_says_nothing_twice() -> None:
    story = Timeline().at(0).lists(looping("web-1"), looping("web-1"))
    story.at(60).takes(Synced(at=time(60), scope=PODS, complete=False))
    assert [one[1:] for one in story.until(HOUR)] == [FIRST]


def test_a_crash_loop_is_told_when_the_oom_kill_that_explained_it_is_over() -> None:
    """The OOM alert goes on for another pod; the loop of the first one has no cause any more."""

    def oomed(name: str, at: float) -> Pod:
        return looping(name, at=at, code=137, reason="OOMKilled")

    story = Timeline().at(0).lists(oomed("web-1", -1), pod("web-2"), pod("web-3"), pod("web-4"))
    story.at(1800).sees(pod("web-2", status(restarts=1, last=dead(137, "OOMKilled", at=1799))))
    story.until(1900)
    assert said(story) == [("FIRST", "ContainerOOMKilled")]
    story.until(2 * HOUR)
    told = [(at, alerts) for at, _, alerts in story.heard if "ContainerCrashLooping" in alerts]
    assert told
    assert told[0][0] <= HOUR + 300


def test_a_restart_tells_the_same_as_a_new_list_would() -> None:
    """Whatever the instant in which Watcher is killed."""
    for cut in (5, 21, 31, 111, 305, 330, 601, 900):
        assert _played(cut, restarts=True) == _played(cut, restarts=False), cut


def _played(cut: float, *, restarts: bool) -> list[tuple[float, str, str]]:
    pods = {name: pod(name, owner=f"Deployment/{name[:-2]}") for name in ("web-1", "evi-1", "img-1")}
    story = Timeline().at(0).lists(*pods.values())
    image = status(waiting="ErrImagePull", message="x: not found")
    steps = [
        (20, looping("web-1", at=19)),
        (100, pod("img-1", image, phase="Pending", owner="Deployment/img")),
        (300, evicted("evi-1", owner="Deployment/evi", changed=300)),
        (320, looping("web-2", at=319, code=137, reason="OOMKilled")),
        (600, pod("evi-2", owner="Deployment/evi")),
        (700, healed_at(690)),
        (1000, pod("img-1", owner="Deployment/img")),
    ]
    listed = False
    for at, one in steps:
        if at > cut and not listed:
            listed = True
            story.until(cut)
            if restarts:
                story.at(cut).restarts()
            story.at(cut).lists(*pods.values())
        story.at(at).sees(one)
        pods[one.metadata.name] = one
    return story.until(3 * HOUR)


def healed_at(at: float) -> Pod:
    return pod("web-1", status(restarts=7, last=dead(1, at=at)))


def test_evidence_that_was_asked_for_and_never_came_is_asked_for_again() -> None:
    story = Timeline().at(0).lists(looping("web-1"))
    story.until(60)
    before = next(iter(story.player.view.alerts.rows.values()))
    story.at(HOUR).restarts().lists(looping("web-1"))
    story.until(HOUR + 1)
    after = story.player.view.alerts.rows[before.key]
    assert before.evidence_asked is not None
    assert after.evidence_asked is not None
    assert after.evidence_asked > before.evidence_asked
    assert [said[1] for said in story.heard] == ["FIRST"]
