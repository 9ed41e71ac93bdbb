"""The current state: what is committed is what is loaded, in this process and in the next."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.contract.store import examples
from tests.contract.store.examples import KEY, NOW, SCOPE, SECOND, group, none_of_each, one_of_each
from tests.contract.store.homes import AnyStore, Home
from tests.contract.store.records import changes
from watcher.model.changes import Changes, View
from watcher.model.identity import AlertKey, Workload
from watcher.model.remembered import PodState, ScopeState
from watcher.model.state import Alert, Group, Meta, OutboxRow

TABLES = ("scopes", "histories", "volumes", "members", "alerts", "groups", "told", "outbox")


def rows(view: View) -> dict[str, Any]:
    """Everything in a view that a store keeps."""
    kept: dict[str, Any] = {name: dict(getattr(view, name).rows) for name in TABLES}
    kept["scopes"] = {
        scope: ScopeState(scope=scope, known=row.known, forbidden=row.forbidden)
        for scope, row in kept["scopes"].items()
    }
    return kept | {"meta": view.meta}


@st.composite
def lives(draw: st.DrawFn) -> list[Changes]:
    """Commits in their order; each but the first may also drop rows that are there."""
    commits: list[Changes] = []
    view = View()
    for made in draw(st.lists(changes(), min_size=1, max_size=3)):
        for name in TABLES[:-1]:
            there = list(getattr(view, name).rows)
            gone = draw(st.lists(st.sampled_from(there), max_size=2)) if there else []
            setattr(made, name, dict.fromkeys(gone) | getattr(made, name))
        view.apply(made)
        commits.append(made)
    return commits


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        # What makes homes remembers nothing: each example has one of its own.
        HealthCheck.function_scoped_fixture,
    ],
)
@given(commits=lives())
def test_what_is_loaded_equals_the_view_that_had_the_same_changes_applied(
    new_home: Callable[[], Home], commits: list[Changes]
) -> None:
    asyncio.run(_lives_are_kept(new_home(), commits))


async def _lives_are_kept(home: Home, commits: list[Changes]) -> None:
    expected = View()
    try:
        store = await home.open()
        for nth, commit in enumerate(commits):
            await store.commit(commit, NOW + nth * SECOND)
            expected.apply(commit)
        view, last_commit = await (store := await home.open()).load()
        assert rows(view) == rows(expected)
        assert last_commit == NOW + (len(commits) - 1) * SECOND
        await _history_is_kept(store, commits)
    finally:
        await home.leave()


async def _history_is_kept(store: AnyStore, commits: Sequence[Changes]) -> None:
    transitions = [row for commit in commits for row in commit.transitions]
    assert list(await store.transitions(100)) == transitions[::-1]
    assert sum(count for _, count in await store.decisions(100)) == sum(len(commit.decisions) for commit in commits)
    attempts = [row for commit in commits for row in commit.attempts]
    for id in {row.message for row in attempts}:
        assert list(await store.attempts(id)) == [row for row in attempts if row.message == id]
    messages = _messages(commits)
    assert await store.messages(100) == sorted(messages, key=lambda row: (row.created_at, row.id), reverse=True)


def _messages(commits: Sequence[Changes]) -> list[OutboxRow]:
    messages: dict[str, OutboxRow] = {}
    for commit in commits:
        messages |= {row.id: row for row in commit.finished}
        messages |= {id: row for id, row in commit.outbox.items() if row is not None}
    return list(messages.values())


async def test_a_new_store_is_empty_and_has_no_last_commit(home: Home) -> None:
    view, last_commit = await (await home.open()).load()
    assert rows(view) == rows(View())
    assert last_commit is None


async def test_every_commit_tells_its_time_also_one_without_rows(home: Home) -> None:
    store = await home.open()
    await store.commit(Changes(meta=Meta(now=NOW, rules=("pods/0",))), NOW)
    await store.commit(Changes(), NOW + SECOND)
    view, last_commit = await (await home.open()).load()
    assert last_commit == NOW + SECOND
    assert view.meta == Meta(now=NOW, rules=("pods/0",))


async def test_a_commit_that_speaks_of_no_meta_row_can_be_the_first(home: Home) -> None:
    await (await home.open()).commit(Changes(groups={"g": group("g")}), NOW)
    view, _ = await (await home.open()).load()
    assert view.meta == Meta()


async def test_of_a_scope_only_known_and_forbidden_outlive_the_process(home: Home) -> None:
    scope = ScopeState(scope=SCOPE, known=True, forbidden=True, synced=True, listing=True, generation=7)
    await (await home.open()).commit(Changes(scopes={SCOPE: scope}), NOW)
    view, _ = await (await home.open()).load()
    assert view.scopes.rows == {SCOPE: ScopeState(scope=SCOPE, known=True, forbidden=True)}


async def test_pods_are_not_stored(home: Home) -> None:
    pod = PodState(
        uid="u1", namespace="shop", name="web-1", workload=Workload("shop", "Pod", "web-1"), scope=SCOPE, generation=1
    )
    await (await home.open()).commit(Changes(pods={"u1": pod}), NOW)
    view, _ = await (await home.open()).load()
    assert not view.pods.rows


@pytest.mark.parametrize("name", TABLES)
async def test_a_row_that_was_dropped_is_gone_and_the_others_stay(home: Home, name: str) -> None:
    store = await home.open()
    filled = one_of_each()
    await store.commit(Changes(**filled), NOW)
    await store.commit(Changes(**{name: none_of_each()[name]}), NOW)
    view, _ = await (await home.open()).load()
    assert {table: getattr(view, table).rows for table in TABLES} == filled | {name: {}}


async def test_dropping_a_row_that_is_not_there_is_no_error(store: AnyStore) -> None:
    await store.commit(Changes(**none_of_each()), NOW)
    view, _ = await store.load()
    assert rows(view) == rows(View())


async def test_rows_whose_keys_differ_only_in_where_a_text_ends_stay_apart(home: Home) -> None:
    one = one_of_each()["alerts"][KEY]
    keys = [
        AlertKey(alertname="a|b", cluster="c"),
        AlertKey(alertname="a", cluster="b|c"),
        AlertKey(alertname="a", cluster="b", namespace="c"),
        AlertKey(alertname='a","b', namespace="c"),
    ]
    alerts: dict[AlertKey, Alert | None] = {key: replace(one, key=key) for key in keys}
    await (await home.open()).commit(Changes(alerts=alerts), NOW)
    view, _ = await (await home.open()).load()
    assert view.alerts.rows == alerts


async def test_a_loaded_view_is_the_callers_own(store: AnyStore) -> None:
    await store.commit(Changes(**one_of_each()), NOW)
    view, _ = await store.load()
    view.apply(Changes(**none_of_each()))
    again, _ = await store.load()
    assert {name: getattr(again, name).rows for name in TABLES} == one_of_each()


async def test_a_loaded_view_has_its_timers(home: Home) -> None:
    await (await home.open()).commit(Changes(groups={"g": group("g", due=NOW + SECOND)}), NOW)
    view, _ = await (await home.open()).load()
    assert view.next_due() == NOW + SECOND


async def test_many_rows_in_one_commit_are_all_kept(home: Home) -> None:
    groups: dict[str, Group | None] = {f"g{n}": group(f"g{n}") for n in range(2500)}
    decisions = [examples.decision(group=id) for id in groups]
    await (await home.open()).commit(Changes(groups=groups, decisions=decisions), NOW)
    store = await home.open()
    await store.commit(Changes(decisions=decisions), NOW)
    view, _ = await store.load()
    assert view.groups.rows == groups
    assert Counter(count for _, count in await store.decisions(5000)) == {2: 2500}
