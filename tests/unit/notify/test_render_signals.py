"""The words of each kind of trouble."""

from __future__ import annotations

from typing import cast

import pytest

from tests.support.messages import (
    at,
    crash_signal,
    death_signal,
    facts,
    failed_signal,
    image_signal,
    oom_signal,
    text,
    told,
)
from watcher.model.signals import AnySignal, Signal

# ---- the words of single signals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("signal", "title", "sentence"),
    [
        (
            crash_signal(exit_code=0, reason="Completed"),
            "checkout exits with 0 in a loop",
            "Container `app` exits with 0 (no error) after about 4 s, and is started again each time;",
        ),
        (
            crash_signal(exit_code=137, container_kind="init", container="migrate"),
            "checkout crash-loops",
            "Init container `migrate` exits with 137 (killed) after about 4 s;",
        ),
        (
            crash_signal(exit_code=139, container_kind="sidecar", container="proxy"),
            "checkout crash-loops",
            "Sidecar `proxy` exits with 139 (segmentation fault) after about 4 s;",
        ),
        (
            crash_signal(exit_code=128, reason="StartError"),
            "checkout crash-loops",
            "Container `app` cannot be started (StartError, exit code 128);",
        ),
        (
            crash_signal(exit_code=137, reason="ContainerStatusUnknown", ran_seconds=None),
            "checkout crash-loops",
            "Container `app` was lost, how it ended is not known;",
        ),
        (
            crash_signal(exit_code=None, reason="", ran_seconds=None),
            "checkout crash-loops",
            "Container `app` dies;",
        ),
        (
            crash_signal(min_ran_seconds_6h=700.0, ran_seconds=720.0),
            "checkout restarts often",
            "Container `app` exits with 1 (application error) after about 12 min;",
        ),
    ],
    ids=["exit 0", "init container", "sidecar", "not started", "lost", "unknown exit", "long lives"],
)
def test_a_crash_loop_reads_its_exit_in_words(signal: object, title: str, sentence: str) -> None:
    assert isinstance(signal, type(crash_signal()))
    lines = told(facts([signal], "ContainerCrashLooping", counts=[7])).splitlines()
    assert lines[0] == f"🟠 {title} — shop, prod-eu"
    assert lines[1].startswith(f"{sentence} 7 times in 12 min.")


def test_exit_137_without_the_word_of_the_runtime_is_never_called_a_lack_of_memory() -> None:
    words = told(facts([crash_signal(exit_code=137)], "ContainerCrashLooping")).lower()
    assert "oom" not in words
    assert "memory" not in words


@pytest.mark.parametrize(
    ("signal", "sentence"),
    [
        (
            oom_signal(oom_class="node"),
            "Container `app` was killed at 14:02:11 after running 3 min because its node ran out of memory.",
        ),
        (
            oom_signal(oom_class="child_then_exit", exit_code=1),
            "Container `app` had a process killed at 14:02:11 after running 3 min for using more than its 512 Mi limit"
            " and then exited with 1.",
        ),
        (
            oom_signal(oom_class="child_graceful", exit_code=0),
            "Container `app` had a process killed at 14:02:11 after running 3 min for using more than its 512 Mi limit;"
            " its own stop was graceful.",
        ),
        (
            oom_signal(memory_limit_bytes=None, limits={}, ran_seconds=None),
            "Container `app` was killed at 14:02:11 for lack of memory.",
        ),
    ],
    ids=["node", "child then exit", "child graceful", "no limit known"],
)
def test_an_oom_kill_says_only_what_is_known_of_it(signal: object, sentence: str) -> None:
    assert isinstance(signal, type(oom_signal()))
    assert told(facts([signal], "ContainerOOMKilled")).splitlines()[1] == sentence + " 1 pod."


@pytest.mark.parametrize(
    ("cause", "title", "next_step"),
    [
        ("unauthorized", "no right to pull the image", "describe pod worker-5f7b6-aaaaa`, check the pull secret"),
        ("denied", "image does not exist or may not be pulled", "rollout undo deployment/worker`, or correct"),
        ("rate_limited", "the registry's rate limit is reached", "aaaaa`, pull with a login, or from a mirror"),
        ("platform", "the image is not built for its node", "rollout undo deployment/worker`, or build"),
        ("unknown", "the image cannot be pulled", "Next: `kubectl -n shop describe pod worker-5f7b6-aaaaa`"),
        ("something_new", "the image cannot be pulled", "Next: `kubectl -n shop describe pod worker-5f7b6-aaaaa`"),
    ],
)
def test_each_cause_of_a_failing_pull_has_its_title_and_its_next_step(cause: str, title: str, next_step: str) -> None:
    lines = told(facts([image_signal(cause=cause)], "ImagePullFailing")).splitlines()
    assert lines[0] == f"🟠 worker cannot start: {title} — shop, prod-eu"
    assert next_step in lines[-1]


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (
            'failed to pull and unpack image "registry.example/worker:9.9.9": failed to resolve reference '
            '"registry.example/worker:9.9.9": registry.example/worker:9.9.9: not found',
            "registry says: not found",
        ),
        (
            "rpc error: code = Unknown desc = Error response from daemon: manifest for worker:9 not found: "
            "manifest unknown: manifest unknown",
            "registry says: manifest for worker:9 not found: manifest unknown",
        ),
        (
            'Back-off pulling image "registry.example/worker:9.9.9": ErrImagePull: rpc error: code = NotFound desc = '
            "reading manifest 9.9.9 in registry.example/worker: manifest unknown",
            "registry says: reading manifest 9.9.9 in registry.example/worker: manifest unknown",
        ),
        ('Back-off pulling image "registry.example/worker:9.9.9"', None),
        ("", None),
    ],
    ids=["containerd", "docker", "new kubelet", "only the pause", "nothing"],
)
def test_the_registrys_words_come_without_their_wrapping(message: str, said: str | None) -> None:
    lines = told(facts([image_signal(message=message)], "ImagePullFailing")).splitlines()
    assert [line for line in lines if " says: " in line] == ([said] if said else [])


@pytest.mark.parametrize(
    ("signals", "title", "sentence"),
    [
        (
            [failed_signal()],
            "import failed with exit code 1 (application error)",
            "The pod failed at 14:00:00: container `main` exited with 1 (application error).",
        ),
        (
            [failed_signal(cause="start_failed", reason="StartError", exit_code=128)],
            "import failed: it could not be started",
            "The pod failed at 14:00:00: container `main` could not be started (StartError, exit code 128).",
        ),
        (
            [failed_signal(cause="deadline", reason="DeadlineExceeded", container="", exit_code=None)],
            "import ran longer than its deadline",
            "The pod ran longer than its deadline at 14:00:00.",
        ),
        (
            [
                failed_signal(f"web-{n}", f"14:0{n}:00", cause="evicted", container="", exit_code=None)
                for n in (2, 1, 0)
            ],
            "3 pods of import were evicted",
            "3 pods were evicted in 2 min, the last at 14:02:00.",
        ),
    ],
    ids=["own exit", "not started", "deadline", "three evicted"],
)
def test_a_failed_pod_says_how_it_failed(signals: list[object], title: str, sentence: str) -> None:
    typed = [signal for signal in signals if isinstance(signal, type(failed_signal()))]
    lines = told(facts(typed, "PodFailed")).splitlines()
    assert lines[0] == f"🟠 {title} — shop, prod-eu"
    assert lines[1] == sentence


def test_a_failed_pod_says_how_many_of_its_workload_are_ready() -> None:
    web = failed_signal("web-1", workload="web", workload_kind="Deployment", cause="evicted", container="")
    sentences = [
        told(facts([web], "PodFailed", pods_total=total, pods_ready=ready)).splitlines()[1].partition(". ")[2]
        for total, ready in ((3, 2), (3, 3), (3, 0), (1, 0), (0, 0))
    ]
    assert sentences == [
        "2 of 3 pods are ready.",
        "All its 3 pods are ready.",
        "None of its 3 pods is ready.",
        "Its only pod is not ready.",
        "",
    ]


def test_the_kubelets_words_about_an_evicted_pod_are_shown() -> None:
    message = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 80Mi."
    lines = told(facts([failed_signal(cause="evicted", reason="Evicted", message=message)], "PodFailed")).splitlines()
    assert f"kubelet says: Evicted: {message}" in lines
    assert lines[-1] == "Next: `kubectl describe node n7`"


def test_single_deaths_are_told_as_such() -> None:
    lines = told(facts([death_signal()], "SomeRule")).splitlines()
    assert lines[0] == "🟠 api exited with 139 (segmentation fault) — shop, prod-eu"
    assert lines[1] == (
        "Container `app` exited with 139 (segmentation fault) at 14:02:11 after running 1 min 1 s. 1 pod."
    )


def test_a_signal_without_words_of_its_own_is_told_by_its_rule_and_place() -> None:
    class Strange(Signal, frozen=True, kw_only=True, tag="Strange"):
        pass

    strange = cast(
        AnySignal,
        Strange(namespace="shop", workload_kind="Deployment", workload="api", pod="api-1-abcde", since=at("13:50:30")),
    )
    assert told(facts([strange], "SomethingOdd", pods_total=2, pods_ready=2)) == text(
        """
        🟠 api: SomethingOdd — shop
        1 of 2 pods.
        Deployment api · namespace shop · since 13:50 UTC · warning
        abcde
        """
    )
