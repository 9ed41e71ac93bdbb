"""Every kind that is watched comes out of every fault with the right set of objects."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.integration.faults.world import START, World
from watcher.demo.clock import rfc3339
from watcher.demo.faults import (
    CutLine,
    DropWatches,
    ErrorEvent,
    Fail,
    ForgetHistory,
    MalformedEvent,
    MalformedItem,
    OldEvent,
    RepeatAdded,
    UnknownEvent,
)
from watcher.model.observations import Scope

KINDS = ("Pod", "PersistentVolumeClaim", "Node", "Namespace", "Event")
CREATED = rfc3339(START - timedelta(hours=1))


def thing(kind: str, name: str, uid: str = "") -> dict[str, Any]:
    """An object with which nothing is wrong."""
    meta = {"name": name, "uid": uid or f"uid-{kind}-{name}", "creationTimestamp": CREATED}
    if kind in ("PersistentVolumeClaim", "Event"):
        meta["namespace"] = "shop"
    return {"kind": kind, "metadata": meta, **_more(kind, name)}


def _more(kind: str, name: str) -> dict[str, Any]:
    match kind:
        case "PersistentVolumeClaim":
            return {"spec": {"accessModes": ["ReadWriteOnce"]}, "status": {"phase": "Bound"}}
        case "Node":
            return {"spec": {}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
        case "Event":
            about = {"kind": "PersistentVolumeClaim", "namespace": "shop", "name": name}
            return {"involvedObject": about, "type": "Warning", "reason": "ProvisioningFailed", "message": "no"}
        case _:
            return {}


def on_server(world: World, kind: str) -> set[tuple[str, str]]:
    metas = [item["metadata"] for item in world.demo.cluster.list(kind)]
    return {(meta["name"], meta["uid"]) for meta in metas}


def known(world: World, kind: str) -> set[tuple[str, str]]:
    view = world.watcher.writer.view
    match kind:
        case "Pod":
            return {(row.name, row.uid) for row in view.pods.rows.values()}
        case "PersistentVolumeClaim":
            metas = [row.claim.metadata for row in view.claims.rows.values()]
        case "Node":
            metas = [row.node.metadata for row in view.nodes.rows.values() if not row.gone]
        case _:
            metas = [row.namespace.metadata for row in view.namespaces.rows.values()]
    return {(meta.name, meta.uid) for meta in metas}


def agrees(world: World) -> bool:
    return all(known(world, kind) == on_server(world, kind) for kind in KINDS if kind != "Event")


async def begin(world: World) -> None:
    world.scopes = tuple(Scope(kind=kind) for kind in KINDS)
    for kind in KINDS[1:]:
        for name in ("stays", "goes", "is-replaced", "changes"):
            world.demo.cluster.put(thing(kind, name))
    world.put("loop-1", loops=True)
    await world.start()
    await world.demo.watched(len(KINDS))
    await world.until(lambda: agrees(world))
    await world.passes(11)


def change(world: World) -> None:
    cluster = world.demo.cluster
    for kind in KINDS[1:]:
        namespace = "shop" if kind in ("PersistentVolumeClaim", "Event") else ""
        cluster.delete(kind, namespace, "goes")
        cluster.delete(kind, namespace, "is-replaced")
        cluster.put(thing(kind, "is-replaced", uid=f"uid-{kind}-again"))
        cluster.put(thing(kind, "comes"))
        cluster.apply(kind, namespace, "changes", {"metadata": {"annotations": {"a": "b"}}})


def expired(world: World) -> None:
    with world.away():
        change(world)
        world.demo.faults.apply(ForgetHistory())


def dropped(world: World) -> None:
    world.demo.faults.apply(DropWatches(abrupt=True))
    change(world)


def server_error(world: World) -> None:
    world.demo.faults.apply(ErrorEvent(status=500))
    change(world)


def cut(world: World) -> None:
    world.demo.faults.apply(CutLine())
    change(world)


def odd(world: World) -> None:
    world.demo.faults.apply(UnknownEvent())
    world.demo.faults.apply(MalformedEvent())
    world.demo.faults.apply(RepeatAdded())
    change(world)


def backwards(world: World) -> None:
    world.demo.faults.apply(OldEvent())
    change(world)


def spoilt_list(world: World) -> None:
    world.demo.faults.apply(MalformedItem(times=len(KINDS)))
    world.demo.faults.apply(Fail(verb="watch", status=410, times=len(KINDS)))
    world.demo.faults.apply(DropWatches(abrupt=True))
    change(world)


FAULTS: dict[str, Callable[[World], None]] = {
    "no fault": change,
    "expired while away": expired,
    "connections reset": dropped,
    "ERROR 500": server_error,
    "cut inside of a line": cut,
    "odd lines": odd,
    "versions that go backwards": backwards,
    "a bad object in each list": spoilt_list,
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
async def test_every_kind_is_known_in_the_end(world: World, fault: Callable[[World], None]) -> None:
    await begin(world)
    fault(world)
    await world.until(lambda: agrees(world))
    await world.passes(11, 130, 310)
    assert agrees(world)
    assert world.inbox.told() == {"ContainerCrashLooping loop": 1}
    assert world.watcher.writer.stats.set_aside == 0


@pytest.mark.parametrize("kind", KINDS[1:])
async def test_a_kind_that_may_not_be_read_costs_nothing_else(world: World, kind: str) -> None:
    plural = {"PersistentVolumeClaim": "persistentvolumeclaims"}.get(kind, kind.lower() + "s")
    world.demo.access.deny(resource=plural)
    world.scopes = tuple(Scope(kind=each) for each in KINDS)
    world.put("loop-1", loops=True)
    await world.start()
    await world.demo.watched(len(KINDS) - 1)
    await world.seen()
    await world.passes(11)
    assert world.inbox.told() == {"ContainerCrashLooping loop": 1}
    forbidden = [stream.stats.scope.kind for stream in world.watcher.streams if stream.stats.forbidden]
    assert forbidden == [kind]
