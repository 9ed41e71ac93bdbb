"""Events as a recorder writes them; logs as a kubelet serves them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.unit.demo.stage import START, Stage
from watcher.demo import pods
from watcher.demo.events import Note
from watcher.demo.pods import Container, terminated, waiting
from watcher.demo.status import ApiError

CRASHING = (
    "workloads: [{pod: ns/web, image: 'r/web:1', does: {crash: {exit: 1, after: 3s, logs: [starting, 'no db']}}}]"
)


def test_the_same_event_again_is_a_higher_count() -> None:
    stage = Stage(CRASHING)
    stage.run(120)
    (event,) = stage.events("BackOff")
    assert event["count"] == 4
    assert event["firstTimestamp"] < event["lastTimestamp"]
    assert event["type"] == "Warning"
    assert event["involvedObject"]["fieldPath"] == "spec.containers{app}"
    assert event["source"]["component"] == "kubelet"
    assert event["source"]["host"].startswith("node-")
    assert event["message"].startswith("Back-off restarting failed container app in pod web_ns(")
    changes = [c.event for c in stage.cluster.store("Event").changes if c.stored.item["reason"] == "BackOff"]
    assert changes == ["ADDED", "MODIFIED", "MODIFIED", "MODIFIED"]


def test_the_scheduler_writes_the_new_style_without_counts() -> None:
    stage = Stage(CRASHING)
    stage.run(1)
    (event,) = stage.events("Scheduled")
    assert event["firstTimestamp"] is None
    assert event["lastTimestamp"] is None
    assert event["eventTime"] == "2026-11-20T10:00:00.230000Z"
    assert "count" not in event
    assert event["source"] == {}


def test_an_object_may_cause_25_events_and_then_one_in_five_minutes() -> None:
    stage = Stage()
    about = pods.make("ns", "web")
    for index in range(40):
        stage.world.events.record(about, Note(reason="Noise", message=str(index)))
    assert len(stage.events("Noise")) == 25
    stage.run(600)
    for index in range(40, 50):
        stage.world.events.record(about, Note(reason="Noise", message=str(index)))
    assert len(stage.events("Noise")) == 27
    other = pods.make("ns", "other")
    stage.world.events.record(other, Note(reason="Noise", message="x"))
    assert len(stage.events("Noise")) == 28


def test_events_end_an_hour_after_their_last_change() -> None:
    stage = Stage()
    stage.world.events.record(pods.make("ns", "web"), Note(reason="Once", message="x"))
    stage.run(3500)
    assert stage.events("Once")
    stage.run(1000)
    assert not stage.events("Once")
    stage.world.events.record(pods.make("ns", "web"), Note(reason="Once", message="x"))
    assert stage.events("Once")[0]["count"] == 1


def test_an_event_about_a_node_is_in_the_default_namespace() -> None:
    stage = Stage("timeline: [{at: 10s, node_down: node-1}]")
    stage.run(11)
    (event,) = stage.events("NodeNotReady")
    assert event["metadata"]["namespace"] == "default"
    assert event["involvedObject"]["kind"] == "Node"


def read(stage: Stage, **query: str) -> str:
    return stage.logs.read("ns", "web", query).decode()


def refusal(stage: Stage, **query: str) -> tuple[int, str]:
    with pytest.raises(ApiError) as caught:
        stage.logs.read("ns", "web", query)
    return caught.value.code, caught.value.status["message"]


def test_previous_is_the_log_of_the_instance_in_last_state() -> None:
    stage = Stage(CRASHING)
    stage.run(3.5)
    assert read(stage) == "starting\nno db\n"
    assert refusal(stage, previous="true") == (400, 'previous terminated container "app" in pod "web" not found')
    stage.run(20)
    assert read(stage, previous="true") == "starting\nno db\n"
    assert read(stage) == read(stage, previous="true")


def test_logs_of_instances_that_no_status_names_are_forgotten() -> None:
    stage = Stage(CRASHING)
    stage.run(3600)
    assert len(stage.logs._lines) <= 2


def test_tail_limit_and_timestamps() -> None:
    stage = Stage()
    stage.cluster.put(pods.make("ns", "web"))
    identity = stage.cluster.list("Pod")[0]["status"]["containerStatuses"][0]["containerID"]
    for minute, line in enumerate(["one", "two", "three"]):
        stage.logs.write(identity, [line], START + timedelta(minutes=minute))
    stage.run(180)
    assert read(stage, tailLines="2") == "two\nthree\n"
    assert read(stage, tailLines="0") == ""
    assert read(stage, limitBytes="5") == "one\nt"
    assert read(stage, tailLines="1", timestamps="true") == "2026-11-20T10:02:00.000000000Z three\n"
    assert read(stage, sinceSeconds="90") == "three\n"
    assert read(stage, sinceTime="2026-11-20T10:01:00Z") == "two\nthree\n"


def broken(**fields: Any) -> Stage:
    stage = Stage()
    stage.cluster.put(pods.make("ns", "web", **fields))
    return stage


def test_a_pod_with_several_containers_needs_a_name() -> None:
    stage = broken(containers=[Container(), Container(name="two"), Container(name="i", kind="init")])
    words = (
        "a container name must be specified for pod web, choose one of: [app two] or one of the init containers: [i]"
    )
    assert refusal(stage) == (400, words)
    assert refusal(stage, container="x") == (400, "container x is not valid for pod web")
    assert read(stage, container="two") == ""


@pytest.mark.parametrize(
    ("container", "message"),
    [
        pytest.param(Container(state=waiting("ContainerCreating")), "is waiting to start: ContainerCreating", id="new"),
        pytest.param(
            Container(state=waiting("ImagePullBackOff")),
            "is waiting to start: trying and failing to pull image",
            id="image",
        ),
        pytest.param(
            Container(state={"terminated": {"exitCode": 0, "containerID": ""}}), "is terminated", id="never ran"
        ),
    ],
)
def test_a_container_without_a_log_says_why(container: Container, message: str) -> None:
    assert refusal(broken(containers=[container])) == (400, f'container "app" in pod "web" {message}')


def test_a_dead_container_in_back_off_shows_its_last_log() -> None:
    stage = broken(containers=[Container(state=waiting("CrashLoopBackOff"), last=terminated(1), restarts=2)])
    last = stage.cluster.list("Pod")[0]["status"]["containerStatuses"][0]["lastState"]["terminated"]["containerID"]
    stage.logs.write(last, ["bye"])
    assert read(stage) == "bye\n"


def test_the_log_of_a_pod_that_is_not_there_is_404() -> None:
    assert refusal(Stage()) == (404, 'pods "web" not found')
