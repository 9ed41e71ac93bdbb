"""Stores on a disk and the processes around them: one that is killed, and one too many."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.contract.store.examples import NOW, SECOND
from tests.contract.store.homes import sqlite_store
from watcher.ports import StoreError

ROOT = Path(__file__).parents[3]


@asynccontextmanager
async def committer(path: Path) -> AsyncIterator[Process]:
    """A process that holds the store and commits, until the block ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.contract.store.committer", str(path), cwd=ROOT, stdout=PIPE
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"open\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def killed_after(path: Path, commits: int) -> int:
    """Kill a process in the middle of its commits: the number of the last commit that it knew to be done."""
    async with committer(path) as process:
        assert process.stdout is not None
        for _ in range(commits):
            await process.stdout.readline()
        process.kill()
        rest, _ = await process.communicate()
    whole = rest.decode().split("\n")[:-1]
    return int(whole[-1]) if whole else commits - 1


@pytest.mark.parametrize("commits", [1, 7, 40])
async def test_a_killed_process_leaves_whole_commits_and_none_that_it_answered_is_lost(
    tmp_path: Path, commits: int
) -> None:
    path = tmp_path / "watcher.db"
    answered = await killed_after(path, commits)
    store = sqlite_store(path)
    await store.open()
    try:
        view, last_commit = await store.load()
        assert last_commit is not None
        last = int((last_commit - NOW) / SECOND)
        assert last in (answered, answered + 1)
        assert [row.route for row in view.groups.rows.values()] == [str(last)] * 10
        assert set(view.outbox.rows) == {f"m{n}" for n in range(last + 1)}
        assert [int(row.why) for row in await store.transitions(last + 2)] == list(range(last, -1, -1))
    finally:
        await store.close()


async def test_a_second_process_is_refused_with_advice_until_the_first_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "watcher.db"
    store = sqlite_store(path)
    async with committer(path):
        with pytest.raises(StoreError, match=r"Another Watcher uses the store .*watcher\.db: stop it first"):
            await store.open()
    await store.open()
    await store.close()


async def test_a_store_that_was_closed_lets_the_next_one_in(tmp_path: Path) -> None:
    one, other = sqlite_store(tmp_path / "watcher.db"), sqlite_store(tmp_path / "watcher.db")
    await one.open()
    with pytest.raises(StoreError, match="Another Watcher"):
        await other.open()
    await one.close()
    await other.open()
    await other.close()
