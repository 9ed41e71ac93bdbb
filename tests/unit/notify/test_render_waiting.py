"""The words of what waits: containers that do not start, pods without a node or not ready, workloads that are down."""

from __future__ import annotations

import msgspec
import pytest

from tests.support.messages import at, ended, facts, told
from tests.support.troubles import (
    creation_signal,
    down,
    down_signal,
    not_ready_signal,
    not_starting,
    pending,
    pending_signal,
    start_signal,
)
from watcher.model.signals import PodPending
from watcher.model.state import EndReason

UNDO = "`kubectl -n shop rollout undo deployment/api`"
DESCRIBE = "`kubectl -n shop describe pod api-6d4cf-abcde`"


@pytest.mark.parametrize(
    ("fields", "lack", "next_step"),
    [
        ({}, "ConfigMap settings does not exist", f"create ConfigMap settings, or {UNDO}"),
        ({"workload_kind": "Job"}, "ConfigMap settings does not exist", f"{DESCRIBE}, create ConfigMap settings or"),
        ({"cause": "missing_secret", "missing": "db"}, "Secret db does not exist", f"create Secret db, or {UNDO}"),
        (
            {
                "cause": "missing_key",
                "missing": "db",
                "key": "password",
                "message": "couldn't find key password in Secret shop/db",
            },
            "Secret db has no key password",
            "`kubectl -n shop describe secret db`, and add the key",
        ),
        (
            {
                "cause": "missing_key",
                "missing": "settings",
                "key": "LEVEL",
                "message": "couldn't find key LEVEL in ConfigMap shop/settings",
            },
            "ConfigMap settings has no key LEVEL",
            "`kubectl -n shop describe configmap settings`, and add the key",
        ),
        (
            {
                "cause": "missing_key",
                "missing": "",
                "key": "tls.crt",
                "message": "references non-existent secret key: x",
            },
            "Secret has no key tls.crt",
            DESCRIBE,
        ),
    ],
    ids=["ConfigMap", "of a Job", "Secret", "key of a Secret", "key of a ConfigMap", "key, its Secret not named"],
)
def test_what_is_missing_is_named_in_title_and_sentence(fields: dict[str, str], lack: str, next_step: str) -> None:
    lines = told(facts([start_signal(**fields)], "ContainerNotStarting")).splitlines()
    assert lines[0] == f"🟠 api cannot start: {lack} — shop, prod-eu"
    assert lines[1] == f"Container `app` cannot be created: {lack}; tried for 6 min. 1 pod."
    assert lines[-1].startswith(f"Next: {next_step}")


@pytest.mark.parametrize(
    ("cause", "title", "sentence", "next_step"),
    [
        ("run_as_non_root", ": its image runs as root", "must not run as root, and its image does", f"{UNDO}, or set"),
        ("command_not_found", ": its command is not in", "cannot be started: its command is not in the image", UNDO),
        ("not_executable", ": its command cannot be run", "cannot be started: its command may not be run", UNDO),
        ("hook", ": a lifecycle hook failed", "cannot be started: a lifecycle hook failed", UNDO),
        ("volume", ": a volume cannot be mounted", "cannot be started: a volume cannot be mounted", DESCRIBE),
        ("name_in_use", ": its name is still in use", "cannot be created: its name is still in use", DESCRIBE),
        ("timeout", ": the container runtime does not answer", "cannot be started: the container runtime", DESCRIBE),
        ("runtime", ": the container runtime refuses it", "cannot be started: the container runtime refuses", UNDO),
        ("unknown", " —", "cannot be started; tried for 6 min", DESCRIBE),
        ("something_new", " —", "cannot be started; tried for 6 min", DESCRIBE),
    ],
)
def test_each_cause_of_a_failing_start_has_its_words(cause: str, title: str, sentence: str, next_step: str) -> None:
    signal = start_signal(cause=cause, missing="", reason="RunContainerError", message="what the runtime said")
    lines = told(facts([signal], "ContainerNotStarting")).splitlines()
    assert lines[0].startswith(f"🟠 api cannot start{title}")
    assert lines[1].startswith(f"Container `app` {sentence}")
    assert "kubelet says: RunContainerError: what the runtime said" in lines
    assert lines[-1].startswith(f"Next: {next_step}")


def test_a_start_that_failed_tells_its_exit_code_and_which_kind_of_container_it_is() -> None:
    signal = start_signal(cause="command_not_found", missing="", exit_code=127, container_kind="init")
    lines = told(facts([signal], "ContainerNotStarting")).splitlines()
    assert lines[1].startswith(
        "Init container `app` cannot be started: its command is not in the image (exit code 127);"
    )
    assert "Image `registry.example/api:1.4.2`" in lines


def test_the_end_of_a_failing_start_says_what_was_missing() -> None:
    over = ended(not_starting(), EndReason.RECOVERED)
    assert told(over).splitlines() == [
        "🟢 api has recovered — shop, prod-eu",
        "It could not start for 6 min (ConfigMap settings does not exist); 4 of 6 pods are ready.",
    ]


def test_every_cause_of_the_scheduler_is_told_with_its_numbers_the_leading_one_first() -> None:
    lines = told(pending()).splitlines()
    assert lines[0] == "🟠 api cannot be scheduled: no node has room for it — shop, prod-eu"
    assert lines[1] == "Its pods have waited for a node since 13:56 (6 min). 2 of 3 pods; 1 is ready."
    assert lines[2] == (
        "scheduler says: room (4 nodes: insufficient memory) · taints (1 node: untolerated taint {gpu: })"
    )


@pytest.mark.parametrize(
    ("cause", "title", "advice"),
    [
        ("taint", "it does not tolerate the nodes' taints", "add a toleration, or free a node"),
        ("affinity", "no node fits its affinity", "loosen its affinity, or label a node"),
        ("node_selector", "no node fits its node selector", "correct its node selector, or label a node"),
        ("unbound_claim", "a claim of it is not bound", "see why its claim is not bound"),
        ("volume_zone", "its volume is in another zone", "add a node in the volume's zone"),
        ("ports", "its host ports are taken", "drop the host port, or add a node"),
        ("topology", "no node fits its topology spread", "loosen its topology spread, or add nodes"),
        ("too_many_pods", "the nodes have as many pods as they may", "add a node"),
        ("no_nodes", "there are no nodes", "add a node"),
    ],
)
def test_each_cause_of_waiting_for_a_node_has_its_title_and_advice(cause: str, title: str, advice: str) -> None:
    lines = told(facts([pending_signal(cause=cause, causes={cause: "5 nodes: so"})], "PodPending")).splitlines()
    assert lines[0] == f"🟠 api cannot be scheduled: {title} — shop, prod-eu"
    assert lines[-1] == f"Next: {DESCRIBE}, {advice}"


def test_a_scheduler_whose_words_are_not_understood_is_quoted() -> None:
    signal = pending_signal(cause="unknown", causes={}, message="the moon is full")
    lines = told(facts([signal], "PodPending")).splitlines()
    assert lines[0] == "🟠 api cannot be scheduled — shop, prod-eu"
    assert "scheduler says: the moon is full" in lines


@pytest.mark.parametrize(
    ("signal", "said"),
    [
        (creation_signal(), []),
        (
            creation_signal(message="the kubelet has not reported yet"),
            ["kubelet says: ContainerCreating: the kubelet has not reported yet"],
        ),
    ],
    ids=["no text", "a text"],
)
def test_a_creation_that_is_stuck_says_only_what_tells_something(signal: PodPending, said: list[str]) -> None:
    lines = told(facts([signal], "PodPending")).splitlines()
    assert lines[0] == "🟠 api is stuck in creation — shop, prod-eu"
    assert [line for line in lines if " says: " in line] == said


@pytest.mark.parametrize(
    ("containers", "reason", "sentence"),
    [
        (("app",), "ContainersNotReady", "Container `app` runs and has not been ready since 13:46 (16 min)."),
        (("app", "proxy"), "ContainersNotReady", "Containers app, proxy run and have not been ready since 13:46"),
        ((), "ReadinessGatesNotReady", "Its containers are ready, and a readiness gate of the pod has not been since"),
        ((), "", "The pod runs and has not been ready since 13:46 (16 min)."),
    ],
    ids=["one", "two", "a gate", "not told"],
)
def test_what_is_not_ready_is_named_with_its_time(containers: tuple[str, ...], reason: str, sentence: str) -> None:
    signal = not_ready_signal(containers=containers, reason=reason, message="words of the condition")
    lines = told(facts([signal], "PodNotReady")).splitlines()
    assert lines[1].startswith(sentence)
    assert ("kubelet says: words of the condition" in lines) is not bool(containers)


@pytest.mark.parametrize(
    ("fields", "title", "sentence"),
    [
        ({}, "is down: none of its 12 pods is ready", "0 of 12 pods ready since 14:00 (2 min 30 s), 3 of them fail."),
        ({"pods": 1, "failing_pods": 1}, "is down: its only pod is not ready", "0 of 1 pod ready since 14:00"),
        (
            {"failing_pods": 1},
            "is down: none of its 12 pods is ready",
            "0 of 12 pods ready since 14:00 (2 min 30 s), 1",
        ),
        ({"pods": 0, "failing_pods": 0}, "is down: it has no pods", "0 of 0 pods ready since 14:00 (2 min 30 s)."),
        ({"ready_pods": 2}, "comes back: 2 of 12 pods ready again", "2 of 12 pods ready since 14:00"),
    ],
    ids=["all", "the only one", "one fails", "no pods", "some are back"],
)
def test_a_workload_that_is_down_says_how_many_of_how_many(fields: dict[str, int], title: str, sentence: str) -> None:
    lines = told(facts([down_signal(**fields)], "WorkloadDown", severity="critical")).splitlines()
    assert lines[0] == f"🔴 checkout {title} — shop, prod-eu"
    assert lines[1].startswith(sentence)


def test_a_workload_that_is_down_names_the_alerts_behind_it() -> None:
    assert "Because of: ContainerCrashLooping (checkout crash-loops); ImagePullFailing" in told(down()).splitlines()
    assert "Because of" not in told(facts([down_signal(causes=())], "WorkloadDown"))
    over = ended(msgspec.structs.replace(down(), causes=()), EndReason.RECOVERED, at("14:12:00"), pods_ready=3)
    assert told(over).splitlines()[1] == "None of its pods was ready for 12 min; 3 of 12 pods are ready."
