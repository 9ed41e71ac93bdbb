"""Hints: what the team that owns a workload says by annotations, and what is wrong with some of them."""

from __future__ import annotations

from datetime import datetime

import msgspec

PREFIX = "watcher.io/"

RUNBOOK, IGNORE, RECEIVER, MUTE_UNTIL = "runbook", "ignore", "receiver", "mute-until"
ALLOWABLE = (IGNORE, RECEIVER, MUTE_UNTIL)
"""Hints that count only where the configuration allows them; a runbook counts everywhere."""

ALL = "all"
"""The value of `watcher.io/ignore` that means every signal."""


class Mistake(msgspec.Struct, frozen=True, kw_only=True, order=True, gc=False):
    """An annotation that does not do what its author meant. Texts are cleaned, redacted and short."""

    namespace: str
    object: str
    """`Deployment api`, `Namespace shop`."""
    annotation: str
    problem: str
    """What is wrong and what to write, a sentence without a full stop."""


class Hints(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What holds for one workload now. Empty values: no such hint."""

    runbook: str = ""
    ignore: frozenset[str] = frozenset()
    """Names of signals and alerts, or the one word `all`."""
    ignored_by: str = ""
    """The hint behind `ignore`, as in `applied`; it is not in there, since it changes no message but those it stops."""
    receiver: str = ""
    mute_until: datetime | None = None
    """In the future, UTC."""
    applied: tuple[str, ...] = ()
    """Hints that change messages, `watcher.io/receiver=shop on Deployment api`."""
    mistakes: tuple[Mistake, ...] = ()

    def ignores(self, signal: str, alertname: str) -> bool:
        """Whether the alert `alertname` by this signal is none of the owner's business."""
        return not self.ignore.isdisjoint((ALL, signal, alertname))
