"""Which deaths are an OOM kill: the runtime's word alone tells, never the exit code."""

from __future__ import annotations

import pytest

from watcher.detect.memory import oom_class
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
