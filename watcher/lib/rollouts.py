"""A rollout that is under suspicion, in words for a message."""

from __future__ import annotations

from watcher.lib.durations import in_words
from watcher.model.evidence import Rollout


def rollout_words(rollout: Rollout) -> str:
    """`40 s after Deployment api revision 17: image 1.2.3 -> 1.2.4`.

    What happened stands before it, as in `first crash 40 s after …`.
    """
    revision = f" revision {rollout.revision}" if rollout.revision is not None else " was rolled out"
    changes = f": {', '.join(rollout.changes)}" if rollout.changes else ""
    return f"{in_words(rollout.after)} after {rollout.kind} {rollout.name}{revision}{changes}"
