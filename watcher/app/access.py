"""What the access given to Watcher does not allow, and what does not work because of that: in the log once at the
start, and in the readiness detail as long as it is so.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from datetime import timedelta

from watcher.engine.vitals import words
from watcher.model.observations import Scope
from watcher.source.streams import StreamStats

log = logging.getLogger("watcher.access")

WITHIN = timedelta(seconds=60)
"""A list of the largest cluster is over by then; a stream that has still not answered has its own lines in the log."""
LOOK = 0.2

LOSES = {
    "Pod": "no alerts about them",
    "PersistentVolumeClaim": "no alerts about claims that wait, are lost or are not mounted",
    "Node": "no node alerts, no volume usage from kubelets",
    "Namespace": "no hints by annotations of namespaces",
    "Event": "no causes from events for claims and nodes",
}


def missing(streams: Sequence[StreamStats]) -> Iterator[tuple[Scope, str]]:
    """(scope, sentence) of each that may not be read."""
    for stats in streams:
        if stats.forbidden:
            yield stats.scope, f"{words(stats.scope)} may not be read (403): {LOSES.get(stats.scope.kind, 'not seen')}"


async def report(streams: Sequence[StreamStats], namespaces: Sequence[str]) -> None:
    """One line about everything that is refused, once all streams know where they stand."""
    try:
        async with asyncio.timeout(WITHIN.total_seconds()):
            while not all(stats.synced or stats.forbidden for stats in streams):  # noqa: ASYNC110 - they tell nobody
                await asyncio.sleep(LOOK)
    except TimeoutError:
        pass
    found = list(missing(streams))
    if not found:
        return
    # Roles of namespaces cannot hold what has no namespace: whoever names namespaces has chosen that.
    chosen = bool(namespaces) and all(scope.kind in ("Node", "Namespace") for scope, _ in found)
    log.log(
        logging.INFO if chosen else logging.WARNING,
        "not everything may be read; the rest goes on",
        extra={"event": "access.missing", "missing": "; ".join(sentence for _, sentence in found)},
    )
