"""OOM kills: which deaths are one, and of what kind. Never from exit code 137 alone.

Only the runtime's reason `OOMKilled` tells (kubernetes-facts, section 1.5); the code says what became of the
container. Kills by the node itself and evictions come with the issue on detection: they need the node's events.
"""

from __future__ import annotations

from watcher.model.kube import StateTerminated
from watcher.model.signals import OomClass

SIGTERM_EXIT = 143
SIGKILL_EXIT = 137


def oom_class(terminated: StateTerminated | None) -> str:
    """The kind of OOM kill that a death was; empty if it was none."""
    if terminated is None or terminated.reason != "OOMKilled":
        return ""
    if terminated.exit_code in (0, SIGTERM_EXIT):
        return OomClass.CHILD_GRACEFUL.value
    if terminated.exit_code == SIGKILL_EXIT:
        return OomClass.MAIN_PROCESS.value
    return OomClass.CHILD_THEN_EXIT.value
