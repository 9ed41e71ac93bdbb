"""OOM kills: which deaths are one, and of what kind. Never from exit code 137 alone.

Only the runtime's reason `OOMKilled` tells (kubernetes-facts, section 1.5); the code says what became of the
container. Where the node itself ran out of memory, the runtime says only Error and 137, as for any SIGKILL: the
kubelet's event SystemOOM about the node, within seconds of the death, makes it an OOM kill (k8s#53669). A pod that the
kubelet evicts for memory was killed for memory too (evictions.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from watcher.detect.evictions import Eviction
from watcher.detect.pods import moment
from watcher.model.kube import StateTerminated
from watcher.model.signals import OomClass

SIGTERM_EXIT = 143
SIGKILL_EXIT = 137

NODE_OOM_REASON: Final = "SystemOOM"
"""Of the kubelet's event about its node: `System OOM encountered, victim process: P, pid: N`."""
NODE_OOM_WITHIN: Final = timedelta(seconds=10)


def oom_class(terminated: StateTerminated | None) -> str:
    """The kind of OOM kill that a death was; empty if it was none."""
    if terminated is None or terminated.reason != "OOMKilled":
        return ""
    if terminated.exit_code in (0, SIGTERM_EXIT):
        return OomClass.CHILD_GRACEFUL.value
    if terminated.exit_code == SIGKILL_EXIT:
        return OomClass.MAIN_PROCESS.value
    return OomClass.CHILD_THEN_EXIT.value


def oom_kind(terminated: StateTerminated | None, ooms: Sequence[datetime]) -> str:
    """The kind of OOM kill that a death was, where it is known when its node ran out of memory; empty if none."""
    return oom_class(terminated) or (OomClass.NODE.value if is_node_oom(terminated, ooms) else "")


def is_node_oom(terminated: StateTerminated | None, ooms: Sequence[datetime]) -> bool:
    """Whether a death by SIGKILL is one that the node's kernel chose. `ooms`: when its node ran out of memory."""
    if terminated is None or terminated.reason != "Error" or terminated.exit_code != SIGKILL_EXIT:
        return False
    finished = moment(terminated.finished_at)
    return finished is not None and any(abs(oom - finished) <= NODE_OOM_WITHIN for oom in ooms)


def is_eviction_for_memory(eviction: Eviction) -> bool:
    return eviction.resource == "memory"
