"""What of the history somebody asks for, and its lines."""

from __future__ import annotations

from datetime import datetime

import msgspec

from watcher.model.identity import AlertKey
from watcher.model.state import Decision, Transition


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """All of it must fit; what is empty fits everything. Times count on both ends."""

    alerts: frozenset[AlertKey] | None = None
    """One of these."""
    alertname: str = ""
    namespace: str = ""
    workload: str = ""
    name: str = ""
    """Of a workload or a claim, or of a pod that it says something of."""
    node: str = ""
    receiver: str = ""
    """Of decisions."""
    verdict: str = ""
    begin: datetime | None = None
    end: datetime | None = None
    before: int | None = None
    """A cursor: lines with a smaller number."""

    @property
    def words(self) -> tuple[str, ...]:
        """Texts that must stand in the key of an alert, besides what `fits` looks at."""
        given = (self.alertname, self.namespace, self.workload, self.node)
        return tuple(each for each in given if each)

    def fits(self, key: AlertKey | None, subject: str = "") -> bool:
        """`subject`: of a transition, `namespace/pod/container`."""
        if self.alerts is not None and key not in self.alerts:
            return False
        if key is None:
            return not (self.words or self.name)
        pod = subject.split("/")[1] if subject.count("/") else ""
        return (
            self.alertname in ("", key.alertname)
            and self.namespace in ("", key.namespace)
            and self.workload in ("", key.workload)
            and self.node in ("", key.node)
            and (not self.name or self.name in (key.workload, key.claim, key.pod, pod))
        )


class TransitionLine(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    """Grows with time; the cursor."""
    transition: Transition


class DecisionLine(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    decision: Decision
    count: int = 1
    """How often the same was decided, up to `last_at`."""
    last_at: datetime
