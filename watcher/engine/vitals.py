"""Whether the loops do their work: what the heartbeat asks before it is sent. It looks at them and changes nothing."""

from __future__ import annotations

from datetime import timedelta

from watcher.engine.dispatch import Dispatcher
from watcher.engine.queue import IntakeQueue
from watcher.engine.writer import Writer
from watcher.model.observations import Scope
from watcher.ports import Clock

WRITER_WITHIN = timedelta(seconds=60)
"""A step takes milliseconds; the first list of 150,000 pods is many steps of a second at most."""
DELIVER_WITHIN = timedelta(minutes=5)
"""A receiver that is down so long is one that people should hear of from elsewhere."""


class Writing:
    """Whether the writer moves while there is something to do. Ask it about once a minute, or oftener."""

    def __init__(self, writer: Writer, queue: IntakeQueue, clock: Clock) -> None:
        self._writer = writer
        self._queue = queue
        self._clock = clock
        self._batches = -1
        self._since: float | None = None
        """Something waited since then and no batch was finished; None: nothing waits."""

    def trouble(self) -> str:
        now, batches = self._clock.monotonic(), self._writer.stats.batches
        if not (self._writer.busy or len(self._queue)):
            self._since = None
        elif self._since is None or batches != self._batches:
            self._since = now
        self._batches = batches
        if self._writer.stats.store_failing:
            return "the store does not answer"
        if self._since is not None and now - self._since >= WRITER_WITHIN.total_seconds():
            return "nothing was judged for a minute, though something waits"
        return ""


def undelivered(dispatcher: Dispatcher, clock: Clock) -> str:
    """A message that should have gone long ago. (A worker that dies ends the process: they share a task group.)"""
    oldest = dispatcher.oldest()
    late = oldest is not None and clock.now() - oldest > DELIVER_WITHIN
    return "a message could not be delivered for more than 5 minutes" if late else ""


PLURAL = {
    "Pod": "pods",
    "PersistentVolumeClaim": "claims",
    "Node": "nodes",
    "Namespace": "namespaces",
    "Event": "events",
}


def words(scope: Scope) -> str:
    """`pods of the namespace shop`."""
    kind = PLURAL.get(scope.kind, scope.kind)
    if scope.kind in ("Node", "Namespace"):
        return kind
    return f"{kind} of the namespace {scope.namespace}" if scope.namespace else f"{kind} of the cluster"
