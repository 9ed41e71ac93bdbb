"""The short form of pods in rule tests, and what follows from it as in Kubernetes."""

from datetime import datetime, timedelta
from typing import TypeVar

import pytest

from watcher.lib.yamlpos import load
from watcher.model.kube import Condition, ContainerStatus, ObjectMeta, Pod, StateTerminated
from watcher.rules.testfile import parse_tests
from watcher.rules.testpod import START

T = TypeVar("T")


def time(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def sole(values: list[T] | None) -> T:
    assert values is not None
    (value,) = values
    return value


def pods(observations: str) -> list[Pod]:
    """The pods of a test with these observations."""
    text = f"rule_files: [x]\ntests: [{{name: a, observations: {observations}, expect: [{{at: 10m, firing: []}}]}}]"
    (test,), problems = parse_tests(load(text, "t.yaml"))
    assert problems == []
    return [each.object for each in test.observations if isinstance(each.object, Pod)]


def pod(text: str) -> Pod:
    return pods(f"[{{at: 30s, pod: {text}}}]")[0]


def status(text: str) -> ContainerStatus:
    """The status of the container `app` that is written as `text`."""
    return sole(pod(f"{{name: web-1, containers: {{app: {text}}}}}").status.container_statuses)


def terminated(text: str) -> StateTerminated:
    state = status(text).state
    assert state is not None
    assert state.terminated is not None
    return state.terminated


def condition(found: Pod, kind: str) -> Condition:
    return next(each for each in found.status.conditions or () if each.type == kind)


def test_a_pod_has_sensible_defaults() -> None:
    found = pod("{name: web-1, owner: Deployment/web, containers: {app: {running: true}}}")
    meta = found.metadata
    assert (meta.namespace, meta.uid, meta.creation_timestamp) == ("default", "uid-default-web-1", time(30))
    owner = sole(meta.owner_references)
    assert (owner.kind, owner.controller) == ("ReplicaSet", True)
    assert owner.name == f"web-{(meta.labels or {})['pod-template-hash']}"
    assert (found.spec.node_name, found.spec.restart_policy, found.status.phase) == ("n1", "Always", "Running")
    assert condition(found, "Ready").status == "True"
    assert condition(found, "PodScheduled").status == "True"


@pytest.mark.parametrize(
    ("owner", "kind", "name"),
    [
        pytest.param("StatefulSet/db", "StatefulSet", "db", id="StatefulSet"),
        pytest.param("Job/import", "Job", "import", id="Job"),
        pytest.param("CronJob/backup", "Job", "backup-29000000", id="CronJob"),
        pytest.param("ReplicaSet/web-x", "ReplicaSet", "web-x", id="ReplicaSet"),
    ],
)
def test_an_owner_is_the_controller_that_kubernetes_would_name(owner: str, kind: str, name: str) -> None:
    found = sole(pod(f"{{name: a, owner: {owner}}}").metadata.owner_references)
    assert (found.kind, found.name) == (kind, name)


def test_a_pod_of_first_sight_is_older_than_the_test() -> None:
    (found,) = pods("[{at: 0s, first_sight: true, pod: {name: a}}]")
    assert found.metadata.creation_timestamp == time(-3600)


@pytest.mark.parametrize(
    ("text", "phase", "ready"),
    [
        pytest.param("{name: a, containers: {app: {running: true}}}", "Running", "True", id="running"),
        pytest.param("{name: a, containers: {app: {running: true, ready: false}}}", "Running", "False", id="not ready"),
        pytest.param("{name: a, containers: {app: {waiting: {}}}}", "Pending", "False", id="never started"),
        pytest.param(
            "{name: a, containers: {app: {waiting: {}, last: {exitCode: 1}}}}",
            "Running",
            "False",
            id="between restarts",
        ),
        pytest.param(
            "{name: a, containers: {app: {running: true}, b: {waiting: {}}}}", "Running", "False", id="one waits"
        ),
        pytest.param("{name: a, containers: {app: {terminated: {}}}}", "Running", "False", id="ended, Always"),
        pytest.param(
            "{name: a, restart_policy: Never, containers: {app: {terminated: {}}}}", "Succeeded", "False", id="done"
        ),
        pytest.param(
            "{name: a, restart_policy: Never, containers: {app: {terminated: {exitCode: 1}}}}",
            "Failed",
            "False",
            id="failed",
        ),
        pytest.param(
            "{name: a, restart_policy: OnFailure, containers: {app: {terminated: {exitCode: 1}}}}",
            "Running",
            "False",
            id="failed, OnFailure",
        ),
        pytest.param(
            "{name: a, init_containers: {i: {running: true}}, containers: {app: {waiting: {}}}}",
            "Pending",
            "False",
            id="init runs",
        ),
        pytest.param(
            "{name: a, init_containers: {i: {terminated: {}}}, containers: {app: {running: true}}}",
            "Running",
            "True",
            id="init done",
        ),
        pytest.param(
            "{name: a, restart_policy: Never, init_containers: {i: {terminated: {exitCode: 1}}},"
            " containers: {app: {waiting: {}}}}",
            "Failed",
            "False",
            id="init failed for good",
        ),
        pytest.param(
            "{name: a, init_containers: {i: {waiting: {}, restart_policy: Always, restarts: 3}},"
            " containers: {app: {running: true}}}",
            "Running",
            "False",
            id="sidecar down",
        ),
        pytest.param("{name: a}", "Pending", "False", id="nothing said"),
        pytest.param("{name: a, phase: Failed, reason: Evicted}", "Failed", "False", id="phase given"),
    ],
)
def test_phase_and_readiness_follow_from_the_containers(text: str, phase: str, ready: str) -> None:
    found = pod(text)
    assert (found.status.phase, condition(found, "Ready").status) == (phase, ready)


def test_conditions_may_be_given_short_or_long() -> None:
    found = pod(
        "{name: a, conditions: {Ready: false, DisruptionTarget: {status: true, reason: PreemptionByScheduler, at: 5s}}}"
    )
    assert condition(found, "Ready").status == "False"
    target = condition(found, "DisruptionTarget")
    assert (target.status, target.reason, target.last_transition_time) == ("True", "PreemptionByScheduler", time(5))


def test_a_condition_changes_when_its_value_does() -> None:
    running, ready = (
        "{name: a, containers: {app: {running: true, ready: false}}}",
        "{name: a, containers: {app: {running: true}}}",
    )
    found = pods(f"[{{at: 0s, pod: {running}}}, {{at: 5s, pod: {running}}}, {{at: 9s, pod: {ready}}}]")
    assert [condition(each, "Ready").last_transition_time for each in found] == [time(0), time(0), time(9)]


def test_a_death_is_at_the_time_it_was_seen_unless_it_says_when() -> None:
    assert terminated("{terminated: {exitCode: 1}}").finished_at == time(30)
    assert terminated("{terminated: {exitCode: 1, finishedAt: 10s}}").finished_at == time(10)
    assert terminated("{terminated: {exitCode: 1, finishedAt: -48h}}").finished_at == time(-48 * 3600)
    assert terminated("{terminated: {exitCode: 1, finishedAt: null}}").finished_at is None
    text = "{terminated: {exitCode: 1, finishedAt: '2026-01-01T00:00:07Z'}}"
    assert terminated(text).finished_at == time(7)


def test_how_long_it_ran_gives_when_it_started() -> None:
    assert terminated("{terminated: {exitCode: 1, ran: 20s}}").started_at == time(10)
    assert terminated("{terminated: {exitCode: 1}}").started_at is None


def test_one_death_seen_three_times_is_one_death() -> None:
    found = pods(
        "[{at: 0s, pod: {name: a, containers: {app: {terminated: {exitCode: 1}, restarts: 2}}}},"
        " {at: 1s, pod: {name: a, containers: {app: {waiting: {}, last: {exitCode: 1}, restarts: 2}}}},"
        " {at: 9s, pod: {name: a, containers: {app: {running: true, last: {exitCode: 1}, restarts: 3}}}}]"
    )
    deaths = []
    for each in found:
        container = sole(each.status.container_statuses)
        assert container.state is not None
        last = container.last_state.terminated if container.last_state is not None else None
        death = container.state.terminated or last
        assert death is not None
        deaths.append((death.container_id, death.finished_at))
    assert deaths == [("containerd://uid-default-a-app-2", time(0))] * 3


def test_a_pod_that_is_being_deleted_has_the_time_since_when() -> None:
    found = pods(
        "[{at: 0s, pod: {name: a}}, {at: 5s, pod: {name: a, deleting: true}}, {at: 9s, pod: {name: a, deleting: true}}]"
    )
    assert [each.metadata.deletion_timestamp for each in found] == [None, time(5), time(5)]


def test_limits_requests_and_images_are_in_the_specification() -> None:
    found = pod(
        "{name: a, containers: {app: {running: true, image: 'x:1', limits: {memory: 1Gi}, requests: {cpu: 1}}}}"
    )
    spec = sole(found.spec.containers)
    assert spec.image == "x:1"
    assert spec.resources is not None
    assert (spec.resources.limits, spec.resources.requests) == ({"memory": "1Gi"}, {"cpu": 1})
    assert status("{running: true}").image == "registry.example/app:1"


def test_a_kubernetes_object_is_used_as_it_stands() -> None:
    found = pod("{metadata: {name: a, namespace: b, uid: u, managedFields: []}, status: {phase: Running}}")
    assert found == Pod(metadata=ObjectMeta(name="a", namespace="b", uid="u"), status=found.status)
    assert found.status.phase == "Running"


# -- waiting for a node, claims, flags ---------------------------------------------------------------------------


def test_a_pod_that_cannot_be_scheduled_has_no_node_and_no_status_of_containers() -> None:
    found = pod("{name: a, unschedulable: 0/1 nodes are available, containers: {app: {}}}")
    scheduled = condition(found, "PodScheduled")
    assert (scheduled.status, scheduled.reason, scheduled.message) == (
        "False",
        "Unschedulable",
        "0/1 nodes are available",
    )
    assert (found.spec.node_name, found.status.phase, found.status.container_statuses) == ("", "Pending", None)
    assert [each.name for each in found.spec.containers or ()] == ["app"]


def test_a_pod_behind_a_scheduling_gate_waits() -> None:
    found = pod("{name: a, gated: true}")
    assert (condition(found, "PodScheduled").reason, found.status.phase) == ("SchedulingGated", "Pending")


def test_a_pod_declares_claims_and_its_first_container_mounts_them() -> None:
    found = pod(
        "{name: a, claims: [data], unmounted: [old], containers: {app: {running: true}, proxy: {running: true}}}"
    )
    claims = [each.persistent_volume_claim for each in found.spec.volumes or ()]
    assert [each.claim_name for each in claims if each is not None] == ["data", "old"]
    mounts = [[mount.name for mount in each.volume_mounts or ()] for each in found.spec.containers or ()]
    assert mounts == [["data"], []]


def test_a_pod_without_claims_has_no_volumes() -> None:
    found = pod("{name: a, containers: {app: {running: true}}}")
    assert found.spec.volumes is None
    assert sole(found.spec.containers).volume_mounts is None


def test_a_pod_that_is_not_ready_names_its_containers_as_the_kubelet_does() -> None:
    ready = condition(pod("{name: a, containers: {app: {running: true, ready: false}, b: {running: true}}}"), "Ready")
    assert (ready.reason, ready.message) == ("ContainersNotReady", "containers with unready status: [app]")


def test_a_container_has_the_flags_that_are_written() -> None:
    container = sole(
        pod("{name: a, containers: {app: {command: [-Xmx1g], args: [b], env: {JAVA_OPTS: c}}}}").spec.containers
    )
    assert (container.command, container.args) == (["-Xmx1g"], ["b"])
    assert [(each.name, each.value) for each in container.env or ()] == [("JAVA_OPTS", "c")]
