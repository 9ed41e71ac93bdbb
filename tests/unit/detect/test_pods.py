"""What a pod is: its workload, its readiness, whether its troubles count, when it failed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from tests.support.pods import dead, pod, status
from tests.support.timeline import START, time
from watcher.detect.pods import containers, failed_at, is_ending, is_quiet, is_ready, moment, real, workload_of
from watcher.model.identity import Workload
from watcher.model.kube import Condition, ObjectMeta, OwnerReference, Pod, PodStatus, StateTerminated

ZERO = datetime(1, 1, 1, tzinfo=UTC)


def owned(*owners: OwnerReference, labels: dict[str, str] | None = None) -> Pod:
    return Pod(metadata=ObjectMeta(name="p-1", namespace="shop", labels=labels, owner_references=list(owners)))


def by(kind: str, name: str, *, controller: bool | None = True, uid: str = "u") -> OwnerReference:
    return OwnerReference(kind=kind, name=name, uid=uid, controller=controller)


@pytest.mark.parametrize(
    ("one", "workload", "owner"),
    [
        (owned(by("ReplicaSet", "web-6d4cf"), labels={"pod-template-hash": "6d4cf"}), ("Deployment", "web"), "u"),
        (owned(by("ReplicaSet", "web-6d4cf"), labels={"pod-template-hash": "x"}), ("ReplicaSet", "web-6d4cf"), "u"),
        (owned(by("ReplicaSet", "web-6d4cf")), ("ReplicaSet", "web-6d4cf"), "u"),
        (owned(by("ReplicaSet", "web-"), labels={"pod-template-hash": ""}), ("ReplicaSet", "web-"), "u"),
        (owned(by("StatefulSet", "db")), ("StatefulSet", "db"), "u"),
        (owned(by("DaemonSet", "log")), ("DaemonSet", "log"), "u"),
        (owned(by("Job", "backup-29087640")), ("CronJob", "backup"), "u"),
        (owned(by("Job", "backup-1700000000")), ("CronJob", "backup"), "u"),
        (owned(by("Job", "import-2024")), ("Job", "import-2024"), "u"),
        (owned(by("Rollout", "web", uid="")), ("Rollout", "web"), "web"),
        (owned(by("Node", "n1")), ("Pod", "p-1"), ""),
        (owned(), ("Pod", "p-1"), ""),
        (owned(by("ReplicaSet", "web-1", controller=None)), ("Pod", "p-1"), ""),
        (owned(by("Other", "o", controller=False), by("DaemonSet", "log")), ("DaemonSet", "log"), "u"),
        (Pod(), ("Pod", ""), ""),
    ],
    ids=[
        "deployment", "hash of another", "no hash", "empty hash", "stateful set", "daemon set", "cron job by minutes",
        "cron job by seconds", "job with a short number", "custom, no uid", "mirror pod", "bare", "no controller",
        "second owner", "empty",
    ],
)  # fmt: skip
def test_a_pod_belongs_to_the_workload_that_people_name(one: Pod, workload: tuple[str, str], owner: str) -> None:
    namespace = one.metadata.namespace
    assert workload_of(one) == (Workload(namespace, *workload), owner)


def test_null_lists_are_empty_lists() -> None:
    text = (
        b'{"metadata":{"name":"a","labels":null,"ownerReferences":null},"spec":{"containers":null,"initContainers":null},'
        b'"status":{"conditions":null,"containerStatuses":null,"initContainerStatuses":null}}'
    )
    one = msgspec.json.decode(text, type=Pod)
    assert containers(one) == []
    assert not is_ready(one)
    assert not is_quiet(one)
    assert not is_ending(one)
    assert workload_of(one)[0].name == "a"


def test_init_containers_come_first_and_a_sidecar_is_told_from_them() -> None:
    one = pod("p", status("app"), init=(status("migrate"), status("proxy")), sidecars=("proxy",))
    assert [(view.status.name, view.kind) for view in containers(one)] == [
        ("migrate", "init"),
        ("proxy", "sidecar"),
        ("app", "app"),
    ]


def test_a_status_without_its_specification_is_a_container_still() -> None:
    one = pod()
    bare = msgspec.structs.replace(one, spec=msgspec.structs.replace(one.spec, containers=None))
    (view,) = containers(bare)
    assert (view.kind, view.spec.name, view.spec.image) == ("app", "app", "registry.example/app:1.0")


def test_a_pod_that_is_being_deleted_is_not_ready() -> None:
    assert is_ready(pod())
    assert not is_ready(pod(deleting=5))


@pytest.mark.parametrize(
    ("fields", "quiet"),
    [
        ({}, False),
        ({"deleting": 5}, True),
        ({"phase": "Succeeded"}, True),
        ({"phase": "Failed"}, False),
        ({"conditions": (Condition(type="AllContainersRestarting", status="True"),)}, True),
        ({"conditions": (Condition(type="AllContainersRestarting", status="False"),)}, False),
        ({"conditions": (Condition(type="DisruptionTarget", status="True", reason="PreemptionByScheduler"),)}, True),
        ({"conditions": (Condition(type="DisruptionTarget", status="True"),)}, True),
        ({"conditions": (Condition(type="DisruptionTarget", status="False", reason="DeletionByPodGC"),)}, False),
        ({"conditions": (Condition(type="DisruptionTarget", status="True", reason="DeletionByTaintManager"),)}, False),
        ({"conditions": (Condition(type="DisruptionTarget", status="True", reason="TerminationByKubelet"),)}, False),
    ],
    ids=[
        "running", "deleted", "succeeded", "failed", "all restarting", "restarted", "preempted", "no reason",
        "not disrupted", "dead node", "evicted by the kubelet",
    ],
)  # fmt: skip
def test_what_dies_on_purpose_is_nobodys_trouble(fields: dict[str, Any], quiet: bool) -> None:
    assert is_quiet(pod(**fields)) is quiet


def test_a_phantom_is_no_termination() -> None:
    """A pod deleted while it waited shows `terminated` with exit code 0, no times and no reason."""
    assert real(None) is None
    assert real(StateTerminated()) is None
    assert real(StateTerminated(finished_at=ZERO)) is None
    assert real(StateTerminated(reason="ContainerStatusUnknown", exit_code=137)) is not None
    assert real(StateTerminated(finished_at=START)) is not None


def test_gos_zero_time_is_no_time() -> None:
    assert moment(ZERO) is None
    assert moment(None) is None
    assert moment(START) == START


def failed(*conditions: Condition, created: float | None = -60, **fields: Any) -> Pod:
    one = pod("p", phase="Failed", **fields)
    meta = msgspec.structs.replace(one.metadata, creation_timestamp=None if created is None else time(created))
    known = PodStatus(
        phase="Failed",
        conditions=list(conditions),
        container_statuses=one.status.container_statuses if "no_statuses" not in fields else None,
    )
    return msgspec.structs.replace(one, metadata=meta, status=known)


def changed(at: float) -> Condition:
    return Condition(type="Ready", status="False", last_transition_time=time(at))


def test_a_pod_failed_when_its_last_container_finished() -> None:
    one = pod("p", status(terminated=dead(1, at=10)), status("b", terminated=dead(0, at=20)), phase="Failed")
    assert failed_at(one, time(60), True) == time(20)


def test_a_pod_without_containers_failed_when_its_newest_condition_changed() -> None:
    assert failed_at(failed(changed(5), changed(9), no_statuses=True), time(60), True) == time(9)


def test_a_failed_pod_that_tells_no_time_failed_when_it_was_seen_or_made() -> None:
    bare = failed(Condition(type="Ready", last_transition_time=ZERO), no_statuses=True)
    assert failed_at(bare, time(60), False) == time(60)
    assert failed_at(bare, time(60), True) == time(-60)
    assert failed_at(failed(no_statuses=True, created=None), time(60), True) == time(60)


def test_a_clock_ahead_of_ours_makes_no_failure_of_the_future() -> None:
    assert failed_at(failed(changed(9000), no_statuses=True), time(60), True) == time(60)
