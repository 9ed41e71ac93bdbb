"""What the core is told in a rule test: lists of what is there at first sight, then changes, in the order of the test.

Pods are always watched. Another kind is watched in a test that shows such an object, as in a recording: a kind that has
no line is not watched, and nothing waits for it. What explains comes before what it explains, pods last.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from watcher.model.kube import Event, KubeObject, Namespace, Node, PersistentVolumeClaim, Pod
from watcher.model.observations import EventType, Input, Listing, ObjectSeen, Scope, StreamHealth, Synced, seen_as
from watcher.rules.testfile import FORMS, Observation, RuleTest, Target
from watcher.rules.testpod import START

ReadObject = Callable[[str, int | str | None], KubeObject]
"""Gives the object for an observation's `file` and `item`."""

_KINDS: Final[tuple[type[KubeObject], ...]] = (Namespace, Node, PersistentVolumeClaim, Event, Pod)
SCOPES: Final = {kind: Scope(kind=kind.__name__) for kind in _KINDS}


class _Told(msgspec.Struct):
    """What a test has shown so far."""

    read: ReadObject
    known: dict[Target, KubeObject]


def inputs(test: RuleTest, read: ReadObject) -> list[Input]:
    """What the core is told, in order. Raises LookupError where something is deleted that was never seen."""
    first = [each for each in test.observations if each.first_sight]
    told = _Told(read=read, known={})
    listed = [_seen(each, told) for each in first]
    later = [_seen(each, told) for each in test.observations[len(first) :]]
    watched = {Scope(kind="Pod")} | {
        one.scope for one in (*listed, *later) if isinstance(one, ObjectSeen | StreamHealth)
    }
    scopes = [scope for scope in SCOPES.values() if scope in watched]
    begun, done = (first[0].at, first[-1].at) if first else (START, START)
    return [
        *(Listing(at=begun, scope=scope) for scope in scopes),
        *listed,
        *(Synced(at=done, scope=scope) for scope in scopes),
        *later,
    ]


def _seen(observation: Observation, told: _Told) -> Input:
    """The input for one observation."""
    if observation.told is not None:
        return observation.told
    gone = observation.deleted
    if gone is not None:
        if gone not in told.known:
            raise LookupError(f"there is no {gone} to delete")
        return _shown(observation, EventType.DELETED, told.known.pop(gone))
    found = observation.object or told.read(observation.file, observation.item)
    target = _target(found)
    before = told.known.get(target)
    told.known[target] = found
    if observation.first_sight:
        return _shown(observation, EventType.LISTED, found)
    same = before is not None and before.metadata.uid == found.metadata.uid
    return _shown(observation, EventType.MODIFIED if same else EventType.ADDED, found)


def _target(found: KubeObject) -> Target:
    form = next(form for form, each in FORMS.items() if isinstance(found, each.type))
    return Target(form, found.metadata.namespace, found.metadata.name)


def _shown(observation: Observation, event: EventType, found: KubeObject) -> ObjectSeen:
    return seen_as(observation.at, event, SCOPES[type(found)], found)
