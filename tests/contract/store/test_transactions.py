"""A commit happens wholly or not at all, for those who read beside it too."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from tests.contract.store.examples import (
    NOW,
    SECOND,
    attempt,
    decision,
    finished,
    group,
    none_of_each,
    one_of_each,
    transition,
)
from tests.contract.store.homes import AnyStore, Home
from watcher.model.changes import Changes
from watcher.model.state import Decision, Meta, OutboxRow

NO_ROW = cast(Any, object())
"""What makes a commit fail in the store itself, wherever it stands."""


async def everything(store: AnyStore) -> list[Any]:
    view, last_commit = await store.load()
    state = [table.rows for _, table in view.tables()]
    return [
        *state,
        view.meta,
        last_commit,
        await store.transitions(100),
        await store.decisions(100),
        await store.messages(100),
        await store.attempts("m"),
    ]


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param({"outbox": {"x": cast(OutboxRow, NO_ROW)}}, id="outbox"),
        pytest.param({"finished": [cast(OutboxRow, NO_ROW)]}, id="finished"),
        pytest.param({"decisions": [decision("new"), cast(Decision, NO_ROW)]}, id="decisions"),
    ],
)
async def test_a_commit_that_fails_changes_nothing(home: Home, broken: dict[str, Any]) -> None:
    store = await home.open()
    before = Changes(
        **one_of_each(), meta=Meta(now=NOW), decisions=[decision("old")], attempts=[attempt("m")], transitions=[]
    )
    await store.commit(before, NOW)
    stored = await everything(store)
    fields = none_of_each() | {
        "groups": {"new": group("new")},
        "meta": Meta(now=NOW + SECOND),
        "finished": [finished("m")],
        "transitions": [transition("new")],
        "decisions": [decision("old"), decision("new")],
        "attempts": [attempt("m")],
    }
    with pytest.raises(Exception, match="object"):
        await store.commit(Changes(**fields | broken), NOW + SECOND)
    assert await everything(store) == stored
    assert await everything(await home.open()) == stored


async def test_a_store_works_on_after_a_commit_that_failed(store: AnyStore) -> None:
    with pytest.raises(Exception, match="object"):
        await store.commit(Changes(decisions=[cast(Decision, NO_ROW)]), NOW)
    await store.commit(Changes(**one_of_each()), NOW)
    assert set((await store.load())[0].groups.rows) == {"g"}


async def test_a_reader_sees_only_whole_commits_while_the_writer_goes_on(store: AnyStore) -> None:
    done = asyncio.Event()

    async def read() -> list[int]:
        seen: list[int] = []
        while not done.is_set():
            view, last_commit = await store.load()
            names = {row.route for row in view.groups.rows.values()}
            assert len(names) <= 1, "rows of two commits at once"
            if last_commit is not None:
                assert {str((last_commit - NOW).seconds)} == names
                seen.append((last_commit - NOW).seconds)
            await asyncio.sleep(0)
        return seen

    async def write() -> None:
        for nth in range(30):
            groups = {id: group(id, route=str(nth)) for id in ("a", "b", "c")}
            await store.commit(Changes(groups=dict(groups), transitions=[transition(str(nth))]), NOW + nth * SECOND)
            await asyncio.sleep(0)
        done.set()

    one, other, _ = await asyncio.gather(read(), read(), write())
    for seen in (one, other):
        assert seen == sorted(seen), "a reader went back in time"
        assert len(set(seen)) > 1, "a reader had to wait for the writer to end"


async def test_commits_that_are_asked_for_at_once_all_happen(store: AnyStore) -> None:
    await asyncio.gather(*(store.commit(Changes(groups={f"g{n}": group(f"g{n}")}), NOW) for n in range(20)))
    assert len((await store.load())[0].groups.rows) == 20
