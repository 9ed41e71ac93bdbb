"""What may not be read is named once, all of it in one line, with what does not work because of it."""

from __future__ import annotations

import asyncio
import logging

import pytest

from tests.support.clocks import BEGIN
from watcher.app.access import LOSES, missing, report
from watcher.app.watching import scopes
from watcher.model.config import WatchConfig
from watcher.model.observations import Scope
from watcher.source.streams import StreamStats


def streams(*namespaces: str, forbidden: tuple[str, ...] = ()) -> list[StreamStats]:
    made = [StreamStats(scope) for scope in scopes(WatchConfig(namespaces=namespaces))]
    for stats in made:
        stats.forbidden_since = BEGIN if stats.scope.kind in forbidden else None
        stats.synced = not stats.forbidden
    return made


def test_all_kinds_are_watched_in_the_whole_cluster() -> None:
    kinds = ("Pod", "PersistentVolumeClaim", "Event", "Node", "Namespace")
    assert scopes(WatchConfig()) == tuple(Scope(kind=kind) for kind in kinds)


def test_within_namespaces_each_has_its_own_scopes_and_what_has_no_namespace_is_asked_for_once() -> None:
    assert [(scope.kind, scope.namespace) for scope in scopes(WatchConfig(namespaces=("a", "b")))] == [
        ("Pod", "a"),
        ("Pod", "b"),
        ("PersistentVolumeClaim", "a"),
        ("PersistentVolumeClaim", "b"),
        ("Event", "a"),
        ("Event", "b"),
        ("Node", ""),
        ("Namespace", ""),
    ]


def test_what_is_lost_is_said_for_every_kind() -> None:
    assert set(LOSES) == {scope.kind for scope in scopes(WatchConfig())}


def test_what_may_not_be_read_is_named_with_what_it_costs() -> None:
    assert [sentence for _, sentence in missing(streams(forbidden=("Node",)))] == [
        "nodes may not be read (403): no node alerts, no volume usage from kubelets"
    ]


async def test_one_line_names_everything_that_may_not_be_read(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await report(streams(forbidden=("Node", "PersistentVolumeClaim")), ())
    [record] = caplog.records
    assert (record.levelname, record.__dict__["event"]) == ("WARNING", "access.missing")
    assert record.__dict__["missing"] == (
        "claims of the cluster may not be read (403): no alerts about claims that wait, are lost or are not mounted; "
        "nodes may not be read (403): no node alerts, no volume usage from kubelets"
    )


async def test_roles_of_namespaces_without_nodes_are_as_wanted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await report(streams("shop", forbidden=("Node", "Namespace")), ["shop"])
    assert [record.levelname for record in caplog.records] == ["INFO"]
    await report(streams("shop", forbidden=("Node", "Namespace", "Pod")), ["shop"])
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING"]


async def test_the_line_waits_until_every_stream_knows_where_it_stands(caplog: pytest.LogCaptureFixture) -> None:
    late = streams(forbidden=("Node",))
    late[0].synced = False
    waiting = asyncio.create_task(report(late, ()))
    await asyncio.sleep(0.01)
    assert not caplog.records
    late[0].forbidden_since = BEGIN
    await waiting
    assert "pods of the cluster" in caplog.records[0].__dict__["missing"]


async def test_nothing_is_said_where_everything_may_be_read(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await report(streams(), ())
    assert not caplog.records
