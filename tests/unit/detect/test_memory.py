"""Which deaths are an OOM kill: the runtime's word alone tells, never the exit code."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from watcher.detect.memory import is_node_oom, oom_class
from watcher.model.kube import StateTerminated


@pytest.mark.parametrize(
    ("reason", "code", "kind"),
    [
        ("OOMKilled", 137, "main_process"),
        ("OOMKilled", 0, "child_graceful"),
        ("OOMKilled", 143, "child_graceful"),
        ("OOMKilled", 1, "child_then_exit"),
        ("OOMKilled", 2, "child_then_exit"),
        ("Error", 137, ""),
        ("ContainerStatusUnknown", 137, ""),
        ("Completed", 0, ""),
        ("", 137, ""),
        ("oomkilled", 137, ""),
    ],
)
def test_only_the_reason_tells_of_an_oom_kill(reason: str, code: int, kind: str) -> None:
    assert oom_class(StateTerminated(reason=reason, exit_code=code)) == kind


def test_no_death_is_no_oom_kill() -> None:
    assert oom_class(None) == ""


DIED = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
KILLED = StateTerminated(reason="Error", exit_code=137, finished_at=DIED)


@pytest.mark.parametrize(("seconds", "expected"), [(-11, False), (-10, True), (0, True), (10, True), (11, False)])
def test_a_kill_within_ten_seconds_of_an_oom_of_the_node_is_one(seconds: int, expected: bool) -> None:
    assert is_node_oom(KILLED, [DIED + timedelta(seconds=seconds)]) is expected
    assert is_node_oom(KILLED, [DIED - timedelta(hours=1), DIED + timedelta(seconds=seconds)]) is expected


@pytest.mark.parametrize(
    "terminated",
    [
        None,
        StateTerminated(reason="Error", exit_code=1, finished_at=DIED),
        StateTerminated(reason="Completed", exit_code=0, finished_at=DIED),
        StateTerminated(reason="OOMKilled", exit_code=137, finished_at=DIED),
        StateTerminated(reason="ContainerStatusUnknown", exit_code=137, finished_at=DIED),
        StateTerminated(reason="Error", exit_code=137),
        StateTerminated(reason="Error", exit_code=137, finished_at=datetime(1, 1, 1, tzinfo=UTC)),
    ],
    ids=["no death", "exit 1", "exit 0", "the container's own OOM", "unknown", "no time", "Go's zero time"],
)
def test_another_death_is_none_of_the_nodes_oom_kills(terminated: StateTerminated | None) -> None:
    assert not is_node_oom(terminated, [DIED])


def test_a_kill_without_an_oom_of_the_node_is_never_one() -> None:
    assert not is_node_oom(KILLED, [])
