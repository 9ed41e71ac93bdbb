"""What is SQLite's own: the file, its settings, and failures that come from below."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import StatementError

from tests.contract.store.examples import NOW, OPS, SECOND, attempt, group, message, transition
from tests.contract.store.homes import sqlite_store
from tests.unit.store.conftest import MakeStore
from watcher.model.changes import Changes
from watcher.ports import Fenced, StoreError
from watcher.settings import shipped
from watcher.store.sql import SqlStore

ROOT = Path(__file__).parents[3]


def at_url(url: str) -> SqlStore:
    return SqlStore(url, shipped.directory("alembic"), owner="one", lease_for=timedelta(seconds=30))


class Hold:
    """A transaction that stays open until it is released."""

    def __init__(self) -> None:
        self._begun = threading.Event()
        self._released = threading.Event()
        self.ended = False

    def __call__(self, connection: Connection) -> None:
        self._begun.set()
        assert self._released.wait(60)
        self.ended = True

    async def begun(self) -> None:
        assert await asyncio.to_thread(self._begun.wait, 60)

    def release(self) -> None:
        self._released.set()


@pytest.fixture
def beside(path: Path, store: SqlStore) -> Iterator[sqlite3.Connection]:
    """A person's own connection to the file of an open store."""
    with closing(sqlite3.connect(path)) as connection:
        yield connection


@pytest.mark.parametrize(
    ("url", "says"),
    [
        pytest.param("watcher.db", "is no URL", id="a bare file name"),
        pytest.param("mysql://u:secret@h/db", "cannot store in mysql", id="another database"),
        pytest.param("sqlite://", "must name a file", id="no file"),
        pytest.param("sqlite:///:memory:", "must name a file", id="memory"),
        pytest.param("sqlite:///file:x?mode=memory&uri=true", "must name a file", id="a URI"),
    ],
)
def test_a_url_that_cannot_be_a_store_is_refused_without_its_password(url: str, says: str) -> None:
    with pytest.raises(StoreError, match=says) as refused:
        at_url(url)
    assert "secret" not in str(refused.value)


def test_a_url_may_name_the_driver(path: Path) -> None:
    at_url(f"sqlite+pysqlite:///{path}")


async def test_the_directory_of_the_file_is_made(tmp_path: Path) -> None:
    store = sqlite_store(tmp_path / "a" / "b" / "watcher.db")
    await store.open()
    await store.close()
    assert (tmp_path / "a" / "b" / "watcher.db").is_file()


async def test_the_file_is_for_its_owner_alone(path: Path, store: SqlStore) -> None:
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("name", "says"),
    [
        pytest.param("folder", "cannot be written .Is a directory", id="the file is a directory"),
        pytest.param("file/watcher.db", "directory .*/file cannot be made", id="the directory is a file"),
        pytest.param("file/sub/watcher.db", "directory .* cannot be made", id="a directory above is a file"),
        pytest.param("file", "file is not a database", id="the file is something else"),
    ],
)
async def test_a_place_that_cannot_be_used_is_an_error_that_names_it(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("This is a letter to my mother, not a database." * 50)
    store = sqlite_store(tmp_path / name)
    with pytest.raises(StoreError, match=says):
        await store.open()
    await store.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_directory_without_the_right_to_write_is_an_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match=r"cannot be written .Permission denied"):
        await sqlite_store(tmp_path / "watcher.db").open()


async def test_a_store_that_is_not_open_says_so(path: Path) -> None:
    with pytest.raises(StoreError, match="not open"):
        await sqlite_store(path).load()


async def test_opening_and_closing_twice_does_no_harm(store: SqlStore) -> None:
    await store.open()
    await store.close()
    await store.close()
    await store.open()
    await store.commit(Changes(), NOW)


async def test_the_writer_waits_for_the_disk_and_the_reader_cannot_write(store: SqlStore) -> None:
    def pragmas(connection: Connection) -> list[object]:
        names = ("journal_mode", "synchronous", "busy_timeout", "query_only")
        return [connection.scalar(text(f"PRAGMA {name}")) for name in names]

    assert await store._database.write(pragmas) == ["wal", 2, 5000, 0]
    assert await store._database.migrate(pragmas) == ["wal", 2, 5000, 0]
    assert (await store._database.read(pragmas))[-1] == 1


async def test_a_commit_holds_the_file_from_its_beginning(store: SqlStore, beside: sqlite3.Connection) -> None:
    """One that began as a reader would fail, without any waiting, if somebody wrote before its own first write."""
    beside.execute("PRAGMA busy_timeout = 0")
    hold = Hold()
    writing = asyncio.create_task(store._database.write(hold))
    await hold.begun()
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        beside.execute("BEGIN IMMEDIATE")
    hold.release()
    await writing


async def test_a_commit_that_the_database_refuses_is_a_store_error_and_changes_nothing(
    store: SqlStore, beside: sqlite3.Connection
) -> None:
    beside.execute("CREATE TRIGGER no BEFORE INSERT ON attempts BEGIN SELECT raise(ABORT, 'the disk is on fire'); END")
    changes = Changes(groups={"g": group("g")}, transitions=[transition("t")], attempts=[attempt("m")])
    with pytest.raises(StoreError, match="could not be written: the disk is on fire") as failed:
        await store.commit(changes, NOW)
    assert failed.value.__cause__ is not None
    view, last_commit = await store.load()
    assert (view.groups.rows, last_commit, await store.transitions(1)) == ({}, None, [])
    beside.execute("DROP TRIGGER no")
    await store.commit(changes, NOW)
    assert set((await store.load())[0].groups.rows) == {"g"}


async def test_an_error_tells_nothing_of_the_rows(store: SqlStore, beside: sqlite3.Connection) -> None:
    beside.execute("DROP TABLE transitions")
    with pytest.raises(StoreError, match="no such table: transitions") as failed:
        await store.commit(Changes(transitions=[transition("a secret")]), NOW)
    assert "a secret" not in f"{failed.value} {failed.value.__cause__}"


async def test_a_time_without_a_zone_is_a_mistake_that_trying_again_does_not_heal(store: SqlStore) -> None:
    with pytest.raises(StatementError, match="without a zone"):
        await store.commit(Changes(), datetime(2026, 11, 20))  # noqa: DTZ001


async def test_a_writer_that_waits_too_long_for_another_gives_up_and_may_try_again(
    path: Path, make_store: MakeStore
) -> None:
    store = make_store("?timeout=0.05")
    await store.open()
    await store.take_over("one", "")
    with closing(sqlite3.connect(path, isolation_level=None)) as beside:
        beside.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="database is locked"):
            await store.commit(Changes(), NOW)
        assert (await store.load())[1] is None, "readers do not wait"
        beside.execute("ROLLBACK")
    await store.commit(Changes(), NOW)


async def test_a_row_that_cannot_be_read_is_a_store_error(store: SqlStore, beside: sqlite3.Connection) -> None:
    await store.commit(Changes(groups={"g": group("g")}), NOW)
    beside.execute("UPDATE groups SET body = '{}'")
    beside.commit()
    with pytest.raises(StoreError, match="this version of Watcher cannot read"):
        await store.load()


@pytest.mark.parametrize("turns", range(0, 24, 3))
async def test_a_commit_that_is_cancelled_at_any_point_is_whole_or_nothing(store: SqlStore, turns: int) -> None:
    await store.commit(Changes(groups={"old": group("old")}), NOW)
    changes = Changes(groups={"old": None, "new": group("new")}, outbox={"m": message("m")})
    task = asyncio.create_task(store.commit(changes, NOW + SECOND))
    for _ in range(turns):
        await asyncio.sleep(0.0005)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    view, last_commit = await store.load()
    state = (set(view.groups.rows), set(view.outbox.rows), last_commit)
    assert state in (({"old"}, set(), NOW), ({"new"}, {"m"}, NOW + SECOND))
    await store.commit(Changes(), NOW + 2 * SECOND)


async def test_a_transaction_whose_waiter_was_cancelled_ends_before_the_next_one_begins(store: SqlStore) -> None:
    hold = Hold()
    writing = asyncio.create_task(store._database.write(hold))
    await hold.begun()
    writing.cancel()
    await asyncio.wait([writing])
    assert writing.cancelled()
    following = asyncio.create_task(store._database.write(lambda _: hold.ended))
    await store.load()
    assert not following.done(), "a reader did not wait, a writer does"
    hold.release()
    assert await following


async def test_closing_waits_for_a_transaction_for_which_nobody_waits_any_more(
    store: SqlStore, make_store: MakeStore
) -> None:
    hold = Hold()
    writing = asyncio.create_task(store._database.write(hold))
    await hold.begun()
    writing.cancel()
    closing = asyncio.create_task(store.close())
    await asyncio.wait([closing], timeout=0.05)
    assert not closing.done()
    closing.cancel()
    await asyncio.wait([closing])
    with pytest.raises(StoreError, match="Another Watcher"):
        await make_store("").open()
    hold.release()
    await store.close()
    assert hold.ended
    await make_store("").open()


async def test_what_had_not_begun_when_its_waiter_was_cancelled_never_happens(store: SqlStore) -> None:
    hold = Hold()
    writing = asyncio.create_task(store._database.write(hold))
    await hold.begun()
    committing = asyncio.create_task(store.commit(Changes(groups={"g": group("g")}), NOW))
    await asyncio.sleep(0)
    committing.cancel()
    hold.release()
    await asyncio.wait([committing, writing])
    assert committing.cancelled()
    await store.accept(b"", NOW)
    assert (await store.load())[1] is None


async def test_a_commit_that_went_on_after_its_waiter_was_cancelled_is_not_stored_twice(
    store: SqlStore, beside: sqlite3.Connection
) -> None:
    beside.execute("BEGIN IMMEDIATE")
    changes = Changes(transitions=[transition("t")], attempts=[attempt("m")])
    committing = asyncio.create_task(store.commit(changes, NOW))
    await asyncio.sleep(0.05)
    committing.cancel()
    await asyncio.wait([committing])
    assert committing.cancelled()
    beside.rollback()
    number = await store.accept(b"1", NOW)
    assert len(await store.transitions(9)) == 1, "it happened"
    await store.commit(changes, NOW)
    assert (len(await store.transitions(9)), len(await store.attempts("m"))) == (1, 1)
    await store.commit(Changes(transitions=[transition("u")], accepted=(number,)), NOW)
    assert [row.why for row in await store.transitions(9)] == ["u", "t"]
    assert await store.accepted() == []


async def test_the_event_loop_does_not_wait_for_the_database(store: SqlStore, beside: sqlite3.Connection) -> None:
    beside.execute("BEGIN IMMEDIATE")
    committing = asyncio.create_task(store.commit(Changes(), NOW))
    for _ in range(20):
        await asyncio.sleep(0.001)
        await store.load()
    assert not committing.done()
    beside.rollback()
    await committing


async def test_closing_waits_for_what_is_running_and_refuses_what_comes_later(
    store: SqlStore, make_store: MakeStore
) -> None:
    running = [asyncio.create_task(store.commit(Changes(groups={f"g{n}": group(f"g{n}")}), NOW)) for n in range(3)]
    reading = asyncio.create_task(store.load())
    await asyncio.sleep(0)
    closing = asyncio.create_task(store.close())
    await asyncio.sleep(0)
    with pytest.raises(StoreError, match="not open"):
        await store.commit(Changes(), NOW)
    await asyncio.gather(*running, reading, closing)
    again = make_store("")
    await again.open()
    assert set((await again.load())[0].groups.rows) == {"g0", "g1", "g2"}


async def test_a_lease_is_written_down_with_its_owner_and_kept_while_the_message_waits(
    store: SqlStore, beside: sqlite3.Connection
) -> None:
    await store.commit(Changes(outbox={"m": message("m", attempts=1)}), NOW)
    await store.lease(OPS, NOW, NOW + SECOND, 1)
    await store.commit(Changes(outbox={"m": message("m", attempts=1, group="h")}), NOW)
    stored = beside.execute("SELECT lease_owner, leased_until FROM outbox").fetchall()
    assert stored == [("one", "2026-11-20 10:00:01.000000")]


async def test_a_store_that_was_closed_is_fenced_if_another_one_took_over_meanwhile(
    store: SqlStore, make_store: MakeStore
) -> None:
    await store.commit(Changes(groups={"g": group("g")}), NOW)
    await store.close()
    other = make_store("")
    await other.open()
    await other.take_over("two", "")
    await other.close()
    await store.open()
    with pytest.raises(Fenced, match=r"in epoch 1; now two \(epoch 2\) holds it"):
        await store.commit(Changes(groups={"g": None}), NOW + SECOND)
    with pytest.raises(Fenced):
        await store.lease(OPS, NOW, NOW + SECOND, 1)
    assert set((await store.load())[0].groups.rows) == {"g"}


@pytest.mark.parametrize("times", [1, 2], ids=["a new store", "one whose tables are there"])
def test_who_stores_in_a_file_does_not_load_what_others_need(path: Path, times: int) -> None:
    """Idle memory: the dialect of Postgres 3 MiB, SQLAlchemy's ORM 8, Alembic 11. And drivers need not be there."""
    code = (
        "import sys, asyncio; from pathlib import Path; from tests.contract.store.homes import sqlite_store\n"
        "async def run():\n"
        f"    store = sqlite_store(Path({str(path)!r}))\n"
        "    await store.open(); await store.take_over('one', ''); await store.load(); await store.close()\n"
        "asyncio.run(run())\n"
        "heavy = 'alembic', 'aiosqlite', 'asyncpg', 'greenlet', 'sqlalchemy.dialects.postgresql', 'sqlalchemy.ext', "
        "'sqlalchemy.orm'\n"
        "print([name for name in sys.modules if name.startswith(heavy)])"
    )
    for _ in range(times):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"
