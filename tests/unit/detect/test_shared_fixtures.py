"""Every file of real objects is read; each broken pod among them gives its signals, and no healthy one gives any.

The files lie beside a checkout of the developers, not in it: without them these tests are skipped. A copy of those that
matter most is in tests/fixtures.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from tests.support.timeline import Timeline, time
from watcher.detect.failures import Left, failure
from watcher.detect.fields import common
from watcher.detect.pods import is_quiet, workload_of
from watcher.detect.signals import observe
from watcher.model.kube import Event, Node, PersistentVolumeClaim, Pod
from watcher.model.kubelet import Summary
from watcher.model.observations import ClaimSeen, NodeSeen, PodSeen
from watcher.source.reading import read

FIXTURES = Path(__file__).parents[4] / "shared" / "fixtures"
FILES = sorted(each.name for each in FIXTURES.glob("*.*") if each.suffix in (".json", ".yaml"))
LATER = 400 * 24 * 3600.0
"""Long after all that was recorded, so that no time of an object is ahead."""

pytestmark = pytest.mark.skipif(not FILES, reason="the fixtures are not beside this checkout")

CRASH = "CrashLooping"
DEATH = "ContainerTerminated"
NOT_READY = "PodNotReady"
LOOP = {NOT_READY, CRASH, DEATH}
FAILED = {DEATH, "PodFailed:exit"}
CREATION = {"PodPending:creation"}
NRI = {"e2e-container-creating": LOOP, "e2e-container-pending": {"PodPending:affinity"}}

EXPECTED: dict[str, dict[str, set[str]]] = {
    "kubelet_pods_nri_1_35.json": {
        "e2e-container-creating": LOOP,
        "e2e-failjob-28dqq": FAILED,
        "e2e-failjob-4kj9v": FAILED,
        "e2e-failjob-64h4g": FAILED,
        "e2e-failjob-p2w8g": FAILED,
    },
    "pod_containercreating_failedmount.json": {"troubleshoot-copyfromhost-4m79m-psdjm": CREATION},
    "pod_crashloop_2018.yaml": {"my-pod": LOOP},
    "pod_crashloop_cannotrun127.json": {"init-demo": {*LOOP, "ContainerNotStarting:command_not_found"}},
    "pod_crashloop_docker_2024.json": {"crashloop": LOOP},
    "pod_createcontainerconfigerror_missing_cm.json": {
        "dice-roller-bad-cm-855bf85464-mg6xb": {"ContainerNotStarting:missing_configmap"}
    },
    "pod_createcontainererror_docker.json": {"my-pod-0": {"ContainerNotStarting:runtime"}},
    "pod_errimagepull.json": {"no-image-deployment-849c4c4958-rxqmt": {"ImagePullFailing:tls"}},
    "pod_error_between_restarts.yaml": {"my-pod": LOOP},
    "pod_evicted_memory_handedited.yaml": {"evicted-pod": {"PodFailed:evicted"}},
    "pod_failed_error1_crio.json": {"default-2k58azz-backup-deletion-5rdw4": FAILED},
    "pod_failed_restart_never.yaml": {"my-pod": FAILED},
    "pod_imagepullbackoff_docker.yaml": {
        "guestbook-ui-errimagepullbackoff-66cfffb669-45w2j": {"ImagePullFailing:unknown"}
    },
    "pod_init_crashloop_crio.json": {"vsystem-867f4b77cc-pqcns": {*CREATION, CRASH, DEATH}},
    "pod_never_ready.yaml": {"slow-start-pod": {NOT_READY}},
    "pod_onfailure_crashloop.yaml": {"my-pod": LOOP},
    "pod_oomkilled_both_states_containerd.json": {
        "central-84bf956f94-bg6hr": {*LOOP, "OOMKilled"},
    },
    "pod_pending_node_affinity.json": {"kotsadm-b6cb54c8f-zgzrn": {"PodPending:affinity"}},
    "pod_pending_podinitializing_verrazzano.json": {"vmi-system-prometheus-0-7544644cdb-8pjwd": CREATION},
    "pod_pending_resources.json": {"pending-pod-resources-5fddcf7688-djjfc": {"PodPending:resources"}},
    "pod_podinitializing.yaml": {"image-pull-backoff": CREATION},
    "pod_podinitializing_crio.json": {
        "data-hub-flow-agent-1a3a7e88888b7fe0630189-qcwhm-547b57cc5fvmg8": CREATION,
    },
    "pod_pvc_mounted_failed_sched.json": {"e2e-container-pending": {"PodPending:affinity"}},
    "pod_running_not_ready.yaml": {"never-ready": {NOT_READY}},
    "pod_starterror128.yaml": {"run-migrations-jn647": {DEATH, "PodFailed:start_failed"}},
    "podlist_nri_1_31.yaml": {
        **NRI,
        "e2e-failjob-49k44": FAILED,
        "e2e-failjob-n77b7": FAILED,
        "e2e-failjob-qvft4": FAILED,
        "e2e-failjob-scthm": FAILED,
    },
    "podlist_nri_1_33.yaml": {
        **NRI,
        "e2e-failjob-4hk6r": FAILED,
        "e2e-failjob-gk6sb": FAILED,
        "e2e-failjob-td77b": FAILED,
        "e2e-failjob-wz7qf": FAILED,
    },
    "podlist_nri_1_35.yaml": {
        **NRI,
        "e2e-failjob-28dqq": FAILED,
        "e2e-failjob-4kj9v": FAILED,
        "e2e-failjob-64h4g": FAILED,
        "e2e-failjob-p2w8g": FAILED,
    },
    # The kubelet's own file of hosts could not be labelled for SELinux.
    "podlist_openshift_4_11.json": {f"my-pod-{n}": {"ContainerNotStarting:runtime"} for n in range(3)},
    "pods_init_containers_cri_edited.json": {"fake-pod-initializing": {CRASH, DEATH}},
}
"""By file and pod: what it must give at first sight; a pod that is not named here must give nothing. Occurrences of
long ago are told here too; whether they are worth an alert is the rules' affair."""

SEQUENCES: dict[str, list[set[str]]] = {
    "seq_pod_completed_crashloop.json": [set(), CREATION, CREATION, LOOP, LOOP, LOOP],
    "seq_pod_completed_restart_never.json": [set(), CREATION, CREATION, set()],
    "seq_pod_create_success.json": [set(), CREATION, CREATION, set()],
    "seq_pod_imagepull_error.json": [
        set(), CREATION, CREATION, {"ImagePullFailing:not_found"}, {"ImagePullFailing:unknown"},
    ],
    "seq_pod_unready.json": [set(), CREATION, CREATION],
    "seq_pod_unscheduled.json": [set(), {"PodPending:resources"}],
}  # fmt: skip
"""Consecutive states of one pod, each looked at by itself."""


def pods_of(name: str) -> list[Pod]:
    return [seen.pod for seen in read([FIXTURES / name]) if isinstance(seen, PodSeen)]


def said(one: Pod) -> set[str]:
    """The signals of a pod that is seen for the first time, with their causes."""
    workload, _ = workload_of(one)
    about = common(one, workload, "c")
    found = observe(one, about, {}, time(LATER), True)
    signals: list[Any] = [*found.states, *found.occurrences]
    if one.status.phase == "Failed" and not is_quiet(one):
        story = Timeline().at(0).lists()
        story.at(LATER).sees(one)
        states = list(story.player.view.pods.rows.values())
        signals.append(failure(one, states[0], about, Left(0, states), time(LATER)))
    return {":".join(filter(None, (type(each).__name__, getattr(each, "cause", "")))) for each in signals}


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_read_without_error(name: str) -> None:
    assert all(seen.at is not None for seen in read([FIXTURES / name]))


@pytest.mark.parametrize("name", [name for name in FILES if name not in SEQUENCES])
def test_a_broken_pod_gives_its_signals_and_a_healthy_one_none(name: str) -> None:
    found = {one.metadata.name: signals for one in pods_of(name) if (signals := said(one))}
    assert found == EXPECTED.get(name, {})


@pytest.mark.parametrize(("name", "signals"), SEQUENCES.items(), ids=SEQUENCES)
def test_each_state_of_a_pod_gives_its_signals(name: str, signals: list[set[str]]) -> None:
    assert [said(one) for one in pods_of(name)] == signals


def test_the_tables_name_only_files_that_are_there() -> None:
    assert {*EXPECTED, *SEQUENCES} <= set(FILES)


def items(name: str) -> list[Any]:
    text = (FIXTURES / name).read_text()
    document: Any = json.loads(text) if name.endswith(".json") else list(yaml.safe_load_all(text))
    documents = document if isinstance(document, list) else [document]
    found = [item for each in documents for item in (each.get("items") or [each])]
    return json.loads(json.dumps(found, default=lambda moment: f"{moment:%Y-%m-%dT%H:%M:%SZ}"))  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("node")])
def test_every_node_is_read(name: str) -> None:
    nodes = [seen.node for seen in read([FIXTURES / name]) if isinstance(seen, NodeSeen)]
    assert [node.metadata.name for node in nodes] == [item["metadata"]["name"] for item in items(name)]
    for node in nodes:
        assert any(condition.type == "Ready" for condition in node.status.conditions or ())


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("pvc")])
def test_every_claim_is_read(name: str) -> None:
    claims = [seen.claim for seen in read([FIXTURES / name]) if isinstance(seen, ClaimSeen)]
    assert [claim.metadata.name for claim in claims] == [item["metadata"]["name"] for item in items(name)]
    assert {claim.status.phase for claim in claims} <= {"Bound", "Pending", "Lost"}


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("events")])
def test_every_event_can_be_read(name: str) -> None:
    events = [msgspec.convert(item, Event) for item in items(name)]
    assert events
    assert all(event.reason and event.newest is not None and event.times >= 1 for event in events)


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("stats")])
def test_every_summary_of_a_kubelet_can_be_read(name: str) -> None:
    summary = msgspec.json.decode((FIXTURES / name).read_bytes(), type=Summary)
    assert summary.node.node_name
    assert summary.pods


def test_the_claims_of_a_recorded_summary_have_their_usage() -> None:
    summary = msgspec.json.decode((FIXTURES / "stats_summary_pvcref_2020.json").read_bytes(), type=Summary)
    volumes = [volume for pod in summary.pods or () for volume in pod.volume or () if volume.pvc_ref is not None]
    assert volumes
    for volume in volumes:
        assert None not in (volume.capacity_bytes, volume.available_bytes, volume.used_bytes, volume.time)


def test_what_a_narrow_record_leaves_out_is_not_needed_to_read_it_again() -> None:
    for kind, name in ((Node, "node_notready_gke.yaml"), (PersistentVolumeClaim, "pvc_pending_2018.yaml")):
        (seen,) = (seen for seen in read([FIXTURES / name]) if isinstance(seen, NodeSeen | ClaimSeen))
        one: Any = seen.node if isinstance(seen, NodeSeen) else seen.claim
        assert msgspec.json.decode(msgspec.json.encode(one), type=kind) == one
