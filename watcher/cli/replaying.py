"""What a replay has looked at, in one line: so that no notifications can be told from nothing read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from watcher.model.changes import View
from watcher.model.observations import ClaimSeen, Input, NodeSeen, PodSeen
from watcher.model.state import MemberState


class Looked:
    """Counts what passes by."""

    def __init__(self) -> None:
        self._uids: dict[str, set[str]] = {"pod": set(), "claim": set(), "node": set()}
        self._first: datetime | None = None
        self._last: datetime | None = None

    def through(self, inputs: Iterable[Input]) -> Iterator[Input]:
        for one in inputs:
            self._first = self._first or one.at
            self._last = one.at
            match one:
                case PodSeen():
                    self._uids["pod"].add(one.pod.metadata.uid)
                case ClaimSeen():
                    self._uids["claim"].add(one.claim.metadata.uid)
                case NodeSeen():
                    self._uids["node"].add(one.node.metadata.uid)
            yield one

    def sentence(self, view: View) -> str:
        """`view`: as it is at the end."""
        if self._first is None or self._last is None:
            return "nothing was in what was read"
        seen = [_counted(len(uids), kind) for kind, uids in self._uids.items() if uids] or ["no objects"]
        span = f"from {_time(self._first)} to {_time(self._last)}" if self._first < self._last else _time(self._first)
        alerts = [alert for alert in view.alerts.rows.values() if alert.ends_at is None]
        waiting = sum(1 for member in view.members.rows.values() if member.state is MemberState.PENDING)
        state = f"{_counted(len(alerts), 'alert')} open at the end"
        more = f", {_counted(waiting, 'condition')} not yet true for as long as the rule wants" if waiting else ""
        return f"seen: {', '.join(seen)}; {span}; {state}{more}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}Z"
