"""Small parts: the clock, the builder, access rules, statistics, recordings, faults as records."""

from __future__ import annotations

import asyncio
import gzip
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.unit.demo.stage import START, Stage, condition
from watcher.demo import pods
from watcher.demo.access import Access, Asked, Denied
from watcher.demo.clock import Driver, Timeline
from watcher.demo.containers import BackOff
from watcher.demo.faults import Fail, decode_fault
from watcher.demo.kubelet import GIB, Stats, Usage
from watcher.demo.model import Cluster
from watcher.demo.pods import Container, terminated, waiting
from watcher.demo.recordings import RecordingPlayer
from watcher.demo.status import ApiError


def test_what_is_due_happens_in_order_at_its_own_time() -> None:
    timeline = Timeline(START)
    seen: list[tuple[str, timedelta]] = []

    def note(name: str) -> None:
        seen.append((name, timeline.now() - START))

    def chain() -> None:
        note("chain")
        timeline.after(timedelta(seconds=1), lambda: note("link"))

    timeline.after(timedelta(seconds=5), lambda: note("late"))
    timeline.after(timedelta(seconds=2), chain)
    timeline.after(timedelta(seconds=2), lambda: note("same"))
    timeline.after(timedelta(seconds=3), lambda: note("cancelled")).cancel()
    timeline.advance(timedelta(seconds=10))
    assert [(name, span.seconds) for name, span in seen] == [("chain", 2), ("same", 2), ("link", 3), ("late", 5)]
    assert timeline.now() == START + timedelta(seconds=10)


def test_an_action_cannot_move_the_time() -> None:
    timeline = Timeline(START)
    timeline.after(timedelta(), lambda: timeline.advance(timedelta(seconds=1)))
    with pytest.raises(RuntimeError, match="cannot move the time"):
        timeline.advance(timedelta(seconds=1))


def test_the_time_can_be_set_only_before_anything_is_planned() -> None:
    timeline = Timeline(START)
    timeline.restart(START - timedelta(hours=1))
    timeline.after(timedelta(seconds=1), lambda: None)
    with pytest.raises(RuntimeError, match="before anything is planned"):
        timeline.restart(START)


@pytest.mark.looptime
async def test_a_driver_lets_the_time_pass_faster() -> None:
    timeline = Timeline(START)
    seen: list[timedelta] = []
    timeline.after(timedelta(minutes=1), lambda: seen.append(timeline.now() - START))
    task = asyncio.create_task(Driver(timeline, speed=60).run())
    await asyncio.sleep(0.5)
    assert seen == []
    timeline.after(timedelta(seconds=6), lambda: seen.append(timeline.now() - START))
    await asyncio.sleep(1)
    assert seen == [timedelta(seconds=36), timedelta(minutes=1)]
    assert timeline.now() - START == timedelta(seconds=90)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert timeline.now() - START == timedelta(seconds=90)


@pytest.mark.looptime
async def test_a_driven_time_that_is_advanced_by_hand_goes_on_from_there() -> None:
    timeline = Timeline(START)
    task = asyncio.create_task(Driver(timeline, speed=10).run())
    await asyncio.sleep(1)
    timeline.advance(timedelta(hours=1))
    await asyncio.sleep(1)
    assert timeline.now() - START == timedelta(hours=1, seconds=20)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_a_driver_needs_a_speed_above_0() -> None:
    with pytest.raises(ValueError, match="above 0"):
        Driver(Timeline(START), speed=0)


def test_a_back_off_doubles_to_its_limit_and_is_forgotten_after_ten_minutes() -> None:
    back_off = BackOff()
    now = START
    assert not back_off.blocks(now, now)
    spans = []
    for _ in range(7):
        back_off.next(now)
        spans.append(back_off.delay.seconds)
        assert back_off.blocks(now, now + back_off.delay - timedelta(seconds=1))
        assert not back_off.blocks(now, now + back_off.delay)
        now += back_off.delay
    assert spans == [10, 20, 40, 80, 160, 300, 300]
    now += timedelta(seconds=301)
    assert not back_off.blocks(now, now)
    back_off.next(now)
    assert back_off.delay == timedelta(seconds=10)


def test_the_builder_derives_phase_and_conditions_from_the_containers() -> None:
    crashing = pods.make("ns", "a", containers=[Container(state=waiting("CrashLoopBackOff"), restarts=2)])
    assert crashing["status"]["phase"] == "Running"
    assert condition(crashing, "Ready")["message"] == "containers with unready status: [app]"
    pulling = pods.make("ns", "b", containers=[Container(state=waiting("ErrImagePull", "text"))])
    assert pulling["status"]["phase"] == "Pending"
    assert "containerID" not in pulling["status"]["containerStatuses"][0]


def test_the_builder_names_instances_so_that_a_sequence_of_pods_fits_together() -> None:
    def status(restarts: int, state: dict[str, object], last: dict[str, object]) -> Any:
        pod = pods.make("ns", "a", containers=[Container(restarts=restarts, state=state, last=last)])
        return pod["status"]["containerStatuses"][0]

    dead = status(1, terminated(1), terminated(1))
    backing_off = status(1, waiting("CrashLoopBackOff"), terminated(1))
    running = status(2, {}, terminated(1))
    death = dead["state"]["terminated"]["containerID"]
    assert backing_off["lastState"]["terminated"]["containerID"] == death
    assert running["lastState"]["terminated"]["containerID"] == death
    assert running["containerID"] != death


def test_owners_are_written_as_controllers_write_them() -> None:
    pod = pods.make("ns", "web-1", owner="Deployment/web")
    (reference,) = pod["metadata"]["ownerReferences"]
    assert reference["kind"] == "ReplicaSet"
    assert reference["name"] == "web-" + pod["metadata"]["labels"]["pod-template-hash"]
    job = pods.make("ns", "nightly-1", owner="Job/nightly-29384")
    assert job["metadata"]["ownerReferences"][0]["apiVersion"] == "batch/v1"
    assert job["metadata"]["labels"]["job-name"] == "nightly-29384"
    assert "ownerReferences" not in pods.make("ns", "bare")["metadata"]


@pytest.mark.parametrize("size", [4_000, 10_000, 45_000])
def test_padded_pods_have_the_size_asked_for(size: int) -> None:
    assert abs(len(msgspec.json.encode(pods.padded(size))) - size) < 64


@pytest.mark.parametrize(
    ("rule", "asked", "covered"),
    [
        pytest.param(Denied(resource="nodes"), Asked(verb="list", resource="nodes"), True, id="resource"),
        pytest.param(Denied(verb="watch"), Asked(verb="list", resource="nodes"), False, id="another verb"),
        pytest.param(
            Denied(resource="pods"), Asked(verb="get", resource="pods", subresource="log"), False, id="log is apart"
        ),
        pytest.param(
            Denied(resource="pods", subresource="log"),
            Asked(verb="get", resource="pods", subresource="log"),
            True,
            id="log denied",
        ),
        pytest.param(
            Denied(resource="pods", scope="cluster"), Asked(verb="list", resource="pods"), True, id="cluster scope"
        ),
        pytest.param(
            Denied(resource="pods", scope="cluster"),
            Asked(verb="list", resource="pods", namespace="a"),
            False,
            id="one namespace stays allowed",
        ),
        pytest.param(
            Denied(resource="pods", scope="namespace", namespace="a"),
            Asked(verb="list", resource="pods", namespace="a"),
            True,
            id="one namespace denied",
        ),
        pytest.param(
            Denied(resource="pods", namespace="a"), Asked(verb="list", resource="pods"), False, id="not the cluster"
        ),
    ],
)
def test_what_a_denied_rule_covers(rule: Denied, asked: Asked, covered: bool) -> None:
    access = Access()
    access.denied.append(rule)
    assert access.allows(asked) != covered


def test_a_denied_request_reads_as_the_api_server_says_it() -> None:
    access = Access()
    access.deny(resource="nodes")
    with pytest.raises(ApiError) as caught:
        access.authorize(Asked(verb="list", resource="nodes"))
    assert caught.value.status["message"] == (
        'nodes is forbidden: User "system:serviceaccount:watcher:watcher" cannot list resource "nodes" '
        'in API group "" at the cluster scope'
    )


def test_a_claim_fills_evenly() -> None:
    usage = Usage(capacity=100 * GIB, used=50 * GIB, reserved=10 * GIB)
    moving = usage.moving(90, START, timedelta(hours=1))
    assert moving.used_at(START - timedelta(hours=1)) == 50 * GIB
    assert moving.used_at(START + timedelta(minutes=30)) == (50 + 81) * GIB // 2
    assert moving.used_at(START + timedelta(hours=2)) == 81 * GIB


def test_a_summary_lists_claims_and_other_volumes_of_running_pods_only() -> None:
    stage = Stage()
    stage.stats.claims["ns", "data"] = Usage(capacity=20 * GIB, used=5 * GIB, reserved=GIB)
    volumes = [pods.claim_volume("data", "data"), pods.claim_volume("other", "unmeasured")]
    stage.cluster.put(pods.make("ns", "db-0", node="n1", volumes=volumes))
    stage.cluster.put(pods.make("ns", "db-1", node="n1", volumes=volumes, containers=[Container(state=waiting("x"))]))
    stage.cluster.put(pods.make("ns", "db-2", node="n2", volumes=volumes))
    (pod,) = stage.stats.summary("n1")["pods"]
    assert pod["podRef"]["name"] == "db-0"
    data, token = pod["volume"]
    assert data["pvcRef"] == {"name": "data", "namespace": "ns"}
    assert data["availableBytes"] == 14 * GIB
    assert data["usedBytes"] + data["availableBytes"] < data["capacityBytes"]
    assert data["time"] < stage.stats.summary("n1")["node"]["cpu"]["time"]
    assert "pvcRef" not in token


def recording(path: Path, *lines: object) -> Path:
    text = "\n".join(json.dumps(line) for line in ({"recording": 1, "cluster": "c"}, *lines)) + "\n"
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")
    return path


def pod(name: str, phase: str = "Running", namespace: str = "ns") -> dict[str, object]:
    return {"metadata": {"name": name, "namespace": namespace, "uid": name}, "status": {"phase": phase}}


LINES = (
    {"at": "2026-11-20T10:00:00.100Z", "kind": "Pod", "event": "LISTED", "object": pod("a")},
    {"at": "2026-11-20T10:00:00.100Z", "kind": "Pod", "event": "LISTED", "object": pod("b")},
    {"at": "2026-11-20T10:00:00.100Z", "kind": "Pod", "event": "SYNCED"},
    {"at": "2026-11-20T10:00:05Z", "kind": "Pod", "event": "MODIFIED", "object": pod("a", "Failed")},
    {"at": "2026-11-20T10:00:06Z", "kind": "Alert", "event": "POSTED", "object": []},
    {"at": "2026-11-20T10:00:07Z", "kind": "StatsSummary", "event": "SAMPLED", "node": "n1", "object": {"node": {}}},
    {"at": "2026-11-20T10:00:08Z", "kind": "Pod", "event": "DELETED", "object": pod("b")},
    {"at": "2026-11-20T10:00:20Z", "kind": "Pod", "event": "LISTING"},
    {"at": "2026-11-20T10:00:20Z", "kind": "Pod", "event": "LISTED", "object": pod("c")},
    {"at": "2026-11-20T10:00:20Z", "kind": "Pod", "event": "SYNCED", "scope": {"namespace": "other"}},
    {"at": "2026-11-20T10:00:30Z", "kind": "Pod", "event": "SYNCED"},
    {"at": "2026-11-20T10:01:00Z", "event": "ENDED"},
)


@pytest.mark.parametrize("name", ["plain.jsonl", "packed.jsonl.gz"])
def test_a_recording_happens_again_in_its_own_times(tmp_path: Path, name: str) -> None:
    timeline = Timeline(START)
    cluster = Cluster(timeline)
    stats = Stats(cluster)
    player = RecordingPlayer(cluster, stats, recording(tmp_path / name, *LINES))
    timeline.restart(player.started_at)
    player.begin()

    def state() -> dict[str, str]:
        return {item["metadata"]["name"]: item["status"]["phase"] for item in cluster.list("Pod")}

    assert state() == {"a": "Running", "b": "Running"}
    timeline.advance(timedelta(seconds=6))
    assert state() == {"a": "Failed", "b": "Running"}
    timeline.advance(timedelta(seconds=6))
    assert state() == {"a": "Failed"}
    assert stats.summary("n1") == {"node": {}}
    timeline.advance(timedelta(seconds=10))
    assert state() == {"a": "Failed", "c": "Running"}
    timeline.advance(timedelta(seconds=10))
    assert state() == {}
    assert not player.ended
    timeline.advance(timedelta(minutes=1))
    assert player.ended
    assert player.skipped == {"Alert": 1, "ENDED": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param('{"at":"x"}\n', ":1: not a recording", id="no header"),
        pytest.param('{"recording":1}\n{"at"\n', ":2: not a line of a recording", id="a broken line"),
        pytest.param('{"recording":1}\n', "has no observation", id="empty"),
    ],
)
def test_what_is_no_recording_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(text, encoding="utf-8")
    cluster = Cluster(Timeline(START))
    with pytest.raises(ValueError, match=message):
        RecordingPlayer(cluster, Stats(cluster), path)


def test_faults_are_read_from_json_and_wrong_ones_refused() -> None:
    assert decode_fault(b'{"fault":"fail","status":429,"retry_after":2,"times":3,"verb":"list"}') == Fail(
        status=429, retry_after=2, times=3, verb="list"
    )
    with pytest.raises(msgspec.ValidationError, match="unknown field `tmes`"):
        decode_fault(b'{"fault":"fail","tmes":3}')
