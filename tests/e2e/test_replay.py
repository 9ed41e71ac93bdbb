"""`watcher replay` over what people have: real objects, a real cluster's pods, kubectl's own streams."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from watcher.demo import DemoCluster, DemoOptions

FIXTURES = Path(__file__).parents[1] / "fixtures"
SHARED = Path(__file__).parents[3] / "shared" / "fixtures"


def replay(*arguments: str | Path) -> list[dict[str, Any]]:
    """What `watcher replay --format json` prints; two runs print the same."""
    command = [sys.executable, "-m", "watcher", "replay", "--format", "json", *map(str, arguments)]
    first = subprocess.run(command, capture_output=True, text=True, check=True)
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == first.stdout
    return [json.loads(line) for line in first.stdout.splitlines()]


def heard(notifications: list[dict[str, Any]]) -> list[tuple[str, str, list[str]]]:
    return [
        (n["reason"], n["title"], sorted(alert["labels"]["alertname"] for alert in n["alerts"])) for n in notifications
    ]


def test_an_image_that_cannot_be_pulled_is_told_in_full() -> None:
    (notification,) = replay(FIXTURES / "seq_pod_imagepull_error.json")
    assert {key: notification[key] for key in ("at", "receiver", "status", "reason", "title", "groupLabels")} == {
        "at": "2019-06-25T19:59:08.000Z",
        "receiver": "default",
        "status": "firing",
        "reason": "FIRST",
        "title": "🟠 foo cannot start: image tag not found — default",
        "groupLabels": {"namespace": "default", "workload": "foo", "workload_kind": "Pod"},
    }
    (alert,) = notification["alerts"]
    assert alert["labels"] == {
        "alertname": "ImagePullFailing",
        "container": "nginx",
        "namespace": "default",
        "severity": "warning",
        "workload": "foo",
        "workload_kind": "Pod",
    }
    assert (alert["status"], alert["endsAt"], alert["endReason"]) == ("firing", None, None)
    (member,) = alert["members"]
    assert (member["pod"], member["container"], member["cause"]) == ("foo", "nginx", "not_found")


@pytest.mark.parametrize("name", ["seq_pod_create_success.json", "seq_pod_completed_restart_never.json"])
def test_sequences_without_trouble_are_silent(name: str) -> None:
    assert replay(FIXTURES / name, "--until", "1h") == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param(
            "seq_pod_create_success.json",
            "0 notifications; seen: 1 pod; from 2019-06-25 04:55:12Z to 2019-06-25 04:55:15Z; 0 alerts open at the end",
            id="all is well",
        ),
        pytest.param(
            "seq_pod_unscheduled.json",
            "0 notifications; seen: 1 pod; 2019-06-25 20:35:02Z; 0 alerts open at the end, "
            "1 condition not yet true for as long as the rule wants",
            id="what has not lasted long enough",
        ),
    ],
)
def test_that_nothing_is_told_is_said_with_what_was_seen(name: str, said: str) -> None:
    command = [sys.executable, "-m", "watcher", "replay", str(FIXTURES / name)]
    (line,) = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert line == said


def test_a_pod_that_no_node_has_room_for_is_told_after_five_minutes() -> None:
    found = replay(FIXTURES / "seq_pod_unscheduled.json", "--until", "1h")
    assert heard(found) == [("FIRST", "🟠 foo is not scheduled: no node has room for it — default", ["PodPending"])]


def test_a_real_oom_kill_is_told() -> None:
    found = replay(FIXTURES / "pod_oomkilled_both_states_containerd.json")
    assert heard(found) == [("FIRST", "🟠 central is OOM-killed — stackrox", ["ContainerOOMKilled"])]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the large fixtures are not in a user's checkout")
def test_of_the_pods_of_a_real_cluster_only_the_broken_ones_are_told() -> None:
    """Three pods of it cannot be created; the other 93 are well."""
    found = replay(SHARED / "podlist_openshift_4_11.json", "--until", "1h")
    assert [alerts for _, _, alerts in heard(found)] == [["ContainerNotStarting"]] * 3


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
async def test_a_stream_recorded_with_kubectl_replays(tmp_path: Path) -> None:
    recording = tmp_path / "pods.json"
    async with DemoCluster(DemoOptions(speed=60)) as demo:
        await demo.play("crashloop")
        kubeconfig = demo.kubeconfig(tmp_path / "kubeconfig")
        with recording.open("wb") as output:
            kubectl = await asyncio.create_subprocess_exec(
                "kubectl", "--kubeconfig", str(kubeconfig), "get", "pods", "-A", "-o", "json", "--watch",
                "--output-watch-events", stdout=output,
            )  # fmt: skip
            await asyncio.sleep(8)
            kubectl.terminate()
            await kubectl.wait()
    found = await asyncio.to_thread(replay, recording, "--until", "1m")
    assert [(reason, alerts) for reason, _, alerts in heard(found)] == [
        ("FIRST", ["ContainerCrashLooping"]),
        ("NEW_ALERTS", ["WorkloadDown"]),
    ]


def test_the_cluster_of_a_recording_is_the_label_unless_the_configuration_has_one(tmp_path: Path) -> None:
    pod = json.loads((FIXTURES / "pod_oomkilled_both_states_containerd.json").read_text())
    lines = [
        {"recording": 1, "cluster": "prod-eu", "started_at": "2023-01-12T22:35:00Z"},
        {"at": "2023-01-12T22:35:44Z", "kind": "Pod", "event": "LISTED", "object": pod},
        {"at": "2023-01-12T22:35:44Z", "kind": "Pod", "event": "SYNCED"},
        {"at": "2023-01-12T22:36:44Z", "event": "ENDED"},
    ]
    (tmp_path / "r.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "config.yaml").write_text("cluster: other\nreceivers: [{name: default, console_configs: [{}]}]\n")
    plain = replay(tmp_path / "r.jsonl")
    configured = replay(tmp_path / "r.jsonl", "--config", tmp_path / "config.yaml")
    assert [n["groupLabels"]["cluster"] for n in (*plain, *configured)] == ["prod-eu", "other"]
