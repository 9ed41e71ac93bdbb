"""Which observation may take the place of an older one that still waits: one that tells everything the older did.

Of most objects the newest version tells all. A pod's tells less when a death, or the cause of a failure to pull, was
shown only by the older one: such a version is kept, so that a backlog changes what is judged when, and never how
many deaths are counted. How deaths are read out of a pod is `detect`'s knowledge and is asked of it.
"""

from __future__ import annotations

import msgspec

from watcher.detect import images
from watcher.detect.containers import death_id, deaths_so_far, last_death, waiting
from watcher.detect.pods import containers, is_ending, is_quiet
from watcher.model.kube import Pod
from watcher.model.observations import EventType, Input, ObjectSeen, object_of


def merged(older: Input, newer: Input) -> Input | None:
    """What stands for both; None where the older has to be judged by itself. Both are of one scope and name."""
    if not (isinstance(older, ObjectSeen) and isinstance(newer, ObjectSeen)):
        return newer
    before, after = object_of(older), object_of(newer)
    if before.metadata.uid != after.metadata.uid:
        return None
    if isinstance(before, Pod) and isinstance(after, Pod) and not tells_as_much(before, after):
        return None
    if older.event is EventType.ADDED:
        return msgspec.structs.replace(newer, event=EventType.ADDED)
    return newer


def tells_as_much(older: Pod, newer: Pod) -> bool:
    """Whether nothing is lost when the older version is never judged.

    The deaths have to be the same ones, and have to count the same way: what dies in a pod that is deleted or
    disrupted on purpose is not counted, so the version before that is needed. A version from before a death is kept
    too: a restart count may have fallen (a node's containers were collected), which only the lower one shows.
    """
    if _deaths(older) != _deaths(newer):
        return False
    if _manner(older) != _manner(newer):
        return False
    if older.status.phase == "Failed" and newer.status.phase != "Failed":
        return False
    return _causes(older) <= _causes(newer) or not _waits_without_cause(newer)


def _deaths(pod: Pod) -> list[tuple[str, int, str]]:
    """Of every container that ever died: how often, and the identity of the last death."""
    told = [(view.status.name, deaths_so_far(view, pod), death_id(last_death(view))) for view in containers(pod)]
    return [one for one in told if one[1] or one[2]]


def _manner(pod: Pod) -> tuple[bool, bool]:
    """What decides whether a death in it counts; that of a sidecar does not once the app containers have ended."""
    return is_quiet(pod), any(view.kind == "sidecar" for view in containers(pod)) and is_ending(pod)


def _causes(pod: Pod) -> set[str]:
    """Containers whose image cannot be had and that say why."""
    return {
        view.status.name for view in containers(pod) if (state := waiting(view)) and _cause(state.reason, state.message)
    }


def _waits_without_cause(pod: Pod) -> bool:
    """A container waits for its image, or for a reason that decides nothing, and does not say why."""
    states = (waiting(view) for view in containers(pod))
    return any(
        state is not None
        and (state.reason in images.REASONS or state.reason in images.UNDECIDED)
        and not _cause(state.reason, state.message)
        for state in states
    )


def _cause(reason: str, message: str) -> bool:
    return reason in images.REASONS and images.cause_text(message) != ""
