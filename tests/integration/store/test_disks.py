"""SQLite on a disk that is full, or in a file that is damaged: a message with what to do, and nothing half written."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.contract.store.examples import NOW, OPS, SECOND, decision, group, message, transition
from tests.contract.store.homes import sqlite_store
from tests.integration.store.conftest import MakeStore, leading
from watcher.model.changes import Changes
from watcher.ports import StoreError
from watcher.store.sql import SqlStore


def large(n: int) -> Changes:
    """Some 100 KB."""
    groups: dict[str, Any] = {f"g{i}": group(f"g{i}", route=f"{n}", labels={"x": "y" * 200}) for i in range(200)}
    return Changes(groups=groups, transitions=[transition(f"{n}" * 200)], outbox={f"m{n}": message(f"m{n}")})


async def seen(store: SqlStore) -> list[Any]:
    view, last = await store.load()
    return [*(table.rows for _, table in view.tables()), last, await store.transitions(10**6)]


# ---- a full disk ----


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "watcher", str(place)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("this user may not mount a small file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


async def until_full(store: SqlStore) -> tuple[int, StoreError]:
    """Commit until there is no room: how many commits were answered, and the error."""
    for n in range(200):
        try:
            await store.commit(large(n), NOW + n * SECOND)
        except StoreError as error:
            return n, error
    pytest.fail("there was room for everything")


async def test_a_full_disk_is_said_with_its_place_and_the_store_goes_on_when_there_is_room(
    small_disk: Path, make_store: MakeStore
) -> None:
    path = small_disk / "watcher.db"
    store = await leading(make_store, f"sqlite:///{path}")
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1024 * 1024))
    done, error = await until_full(store)
    assert f"the disk that holds {path} is full" in str(error)
    assert "make room, and it goes on by itself" in str(error)
    before = await seen(store)
    assert (await store.load())[1] == NOW + (done - 1) * SECOND
    with pytest.raises(StoreError, match="is full"):
        await store.commit(large(done), NOW + done * SECOND)
    assert await seen(store) == before
    ballast.unlink()
    await store.commit(large(done), NOW + done * SECOND)
    assert [len(row.why) for row in await store.transitions(1)] == [len(f"{done}" * 200)]
    after = await seen(store)
    await store.close()
    assert await seen(await leading(make_store, f"sqlite:///{path}")) == after


async def test_a_full_disk_at_the_first_start_is_said(small_disk: Path, make_store: MakeStore) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(2 * 1024 * 1024 - 16 * 1024))
    store = make_store(f"sqlite:///{small_disk / 'watcher.db'}")
    with pytest.raises(
        StoreError, match=r"could not be opened: (the disk that holds .*watcher\.db is full|.* disk full)"
    ):
        await store.open()
    ballast.unlink()
    await store.open()
    assert await store.last_commit() is None


async def test_a_file_that_may_not_grow_is_a_full_disk_too(sqlite_path: Path, make_store: MakeStore) -> None:
    """As under a quota, on every machine."""
    store = await leading(make_store, f"sqlite:///{sqlite_path}")
    pages = await store._database.write(lambda connection: connection.scalar(text("PRAGMA page_count")))
    await store._database.write(lambda connection: connection.execute(text(f"PRAGMA max_page_count = {pages + 60}")))
    done, error = await until_full(store)
    assert f"the disk that holds {sqlite_path} is full (database or disk is full)" in str(error)
    before = await seen(store)
    assert before[-2] == (NOW + (done - 1) * SECOND if done else None)
    await store._database.write(lambda connection: connection.execute(text("PRAGMA max_page_count = 100000")))
    await store.commit(large(done), NOW + done * SECOND)
    assert (await store.load())[1] == NOW + done * SECOND


# ---- a damaged file ----

ADVICE = r"the file .*watcher\.db is damaged .*move the file away together with its -wal and -shm"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed store of some 100 pages."""
    path = tmp_path_factory.mktemp("whole") / "watcher.db"

    async def fill() -> None:
        store = sqlite_store(path)
        await store.open()
        await store.take_over("one", "")
        for n in range(4):
            await store.commit(large(n), NOW + n * SECOND)
        await store.commit(Changes(decisions=[decision(str(n)) for n in range(50)]), NOW + 5 * SECOND)
        await store.close()

    asyncio.run(fill())
    return path


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(whole, tmp_path / "watcher.db"))


def overwrite(path: Path, start: int, length: int, seed: int = 1) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(random.Random(seed).randbytes(length))


@pytest.mark.parametrize(
    ("start", "length"),
    [
        pytest.param(0, 100, id="its header"),
        pytest.param(16, 32, id="a part of its header"),
        pytest.param(4096, 4096, id="its first table"),
        pytest.param(100_000, 50_000, id="its middle"),
    ],
)
async def test_a_file_that_was_damaged_while_watcher_was_away_is_refused_with_advice(
    copy: Path, make_store: MakeStore, start: int, length: int
) -> None:
    overwrite(copy, start, length)
    damaged = copy.read_bytes()
    store = make_store(f"sqlite:///{copy}")
    with pytest.raises(StoreError, match=ADVICE):
        await store.open()
    await store.close()
    assert copy.read_bytes() == damaged, "it is left as it was found"


async def test_a_file_that_was_cut_off_is_refused_with_advice(copy: Path, make_store: MakeStore) -> None:
    with copy.open("r+b") as file:
        file.truncate(copy.stat().st_size // 2)
    with pytest.raises(StoreError, match=ADVICE):
        await make_store(f"sqlite:///{copy}").open()


async def test_moved_away_as_advised_the_next_start_begins_anew(copy: Path, make_store: MakeStore) -> None:
    overwrite(copy, 100_000, 50_000)
    with pytest.raises(StoreError):
        await make_store(f"sqlite:///{copy}").open()
    for path in copy.parent.glob("watcher.db*"):
        if not path.name.endswith(".lock"):
            path.rename(path.with_name(f"damaged-{path.name}"))
    store = await leading(make_store, f"sqlite:///{copy}")
    assert (await store.load())[1] is None


async def test_a_file_that_is_damaged_while_watcher_runs_is_an_error_with_advice_and_no_crash(
    copy: Path, make_store: MakeStore
) -> None:
    store = await leading(make_store, f"sqlite:///{copy}")
    with closing(sqlite3.connect(copy)) as beside:
        beside.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    overwrite(copy, 4096, copy.stat().st_size - 4096)
    with pytest.raises(StoreError, match=ADVICE):
        await store.load()
    with pytest.raises(StoreError, match=ADVICE):
        await store.commit(large(9), NOW)
    with pytest.raises(StoreError, match=ADVICE):
        await store.lease(OPS, NOW, NOW + SECOND, 10)


@pytest.mark.parametrize("seed", range(20))
async def test_whatever_is_damaged_is_a_store_error_or_does_no_harm(
    copy: Path, make_store: MakeStore, seed: int
) -> None:
    """A few bytes anywhere: SQLite may not notice those in a row, and then they are no JSON any more, or no text."""
    chance = random.Random(seed)
    for _ in range(3):
        overwrite(copy, chance.randrange(copy.stat().st_size - 64), chance.randrange(1, 64), seed)
    store = make_store(f"sqlite:///{copy}")
    try:
        await store.open()
        await store.take_over("one", "")
        await store.load()
        await store.transitions(100)
        await store.decisions(100)
        await store.messages(100)
        await store.commit(large(9), NOW + 9 * SECOND)
    except StoreError:
        return
    assert (await store.load())[1] == NOW + 9 * SECOND


async def test_a_time_that_is_none_any_more_is_a_store_error(copy: Path, make_store: MakeStore) -> None:
    store = await leading(make_store, f"sqlite:///{copy}")
    with closing(sqlite3.connect(copy)) as beside:
        beside.execute("UPDATE meta SET last_commit = '2026-11-20 10:00:l'")
        beside.commit()
    with pytest.raises(StoreError, match="this version of Watcher cannot read"):
        await store.load()


async def test_names_of_tables_that_are_no_text_any_more_are_a_store_error(copy: Path, make_store: MakeStore) -> None:
    content = copy.read_bytes()
    copy.write_bytes(content.replace(b"CREATE INDEX ix_outbox", b"CREATE IN\xba\xbaX ix_outbox"))
    with pytest.raises(StoreError, match="could not be opened"):
        await make_store(f"sqlite:///{copy}").open()
