"""What is accepted now and judged by a later commit: kept until then, and taken out with it."""

from __future__ import annotations

from typing import Any, cast

import pytest

from tests.contract.store.examples import NOW, SECOND, group
from tests.contract.store.homes import AnyStore, Home
from watcher.model.changes import Changes
from watcher.model.state import OutboxRow


async def test_what_was_accepted_waits_in_its_order_also_for_the_next_process(home: Home) -> None:
    store = await home.open()
    assert await store.accepted() == []
    bodies = [b"[]", '[{"é": "\\u0000"}]'.encode(), b"\x00\xff no text", b""]
    numbers = [await store.accept(body, NOW + n * SECOND) for n, body in enumerate(bodies)]
    assert numbers == sorted(set(numbers))
    expected = [(number, NOW + n * SECOND, bodies[n]) for n, number in enumerate(numbers)]
    assert list(await store.accepted()) == expected
    assert list(await (await home.open()).accepted()) == expected


async def test_a_commit_forgets_what_it_judges_and_nothing_else(home: Home) -> None:
    store = await home.open()
    one, two, three = [await store.accept(body, NOW) for body in (b"1", b"2", b"3")]
    await store.commit(Changes(groups={"g": group("g")}, accepted=(one, three)), NOW)
    assert [row[0] for row in await store.accepted()] == [two]
    await store.commit(Changes(accepted=(two,)), NOW)
    assert await (await home.open()).accepted() == []


async def test_a_commit_that_fails_forgets_nothing(store: AnyStore) -> None:
    number = await store.accept(b"1", NOW)
    broken = cast(OutboxRow, cast(Any, object()))
    with pytest.raises(Exception, match="object"):
        await store.commit(Changes(accepted=(number,), outbox={"x": broken}), NOW)
    assert [row[0] for row in await store.accepted()] == [number]


async def test_a_number_is_never_given_again(home: Home) -> None:
    store = await home.open()
    last = await store.accept(b"1", NOW)
    for _ in range(3):
        await store.commit(Changes(accepted=(last,)), NOW)
        store = await home.open()
        last, before = await store.accept(b"1", NOW), last
        assert last > before


async def test_forgetting_what_is_not_there_is_no_error(store: AnyStore) -> None:
    await store.commit(Changes(accepted=(1, 99)), NOW)
    assert await store.accepted() == []


async def test_accepting_is_no_commit(home: Home) -> None:
    store = await home.open()
    await store.accept(b"1", NOW)
    view, last_commit = await store.load()
    assert (last_commit, await store.last_commit(), list(view.groups.rows)) == (None, None, [])
    await store.commit(Changes(), NOW)
    await store.accept(b"2", NOW + SECOND)
    assert await store.last_commit() == NOW


def test_forgetting_is_durable() -> None:
    assert Changes(accepted=(1,)).durable
    assert not Changes().durable
