"""What is Postgres's own: its URL, its limits, and failures that come from below."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.contract.store.examples import NOW, OPS, SECOND, attempt, group, message, transition
from tests.contract.store.homes import sql_store
from tests.integration.store.conftest import MakeStore, leading
from tests.support.certificates import certificate, key_of
from tests.support.cutting import cutter
from tests.support.postgres import PASSWORD, QUOTED, USER, PostgresServer
from watcher.model.changes import Changes
from watcher.ports import StoreError
from watcher.store.sql import SqlStore

pytestmark = pytest.mark.postgres


async def works(store: SqlStore) -> None:
    await store.commit(Changes(groups={"g": group("g")}), NOW)
    assert set((await store.load())[0].groups.rows) == {"g"}


# ---- the URL ----


@pytest.mark.parametrize(
    "scheme", ["postgresql", "postgres", "postgresql+asyncpg"], ids=["postgresql", "postgres", "with a driver"]
)
async def test_a_url_is_taken_as_people_write_it(
    postgres: PostgresServer, database: str, make_store: MakeStore, scheme: str
) -> None:
    await works(await leading(make_store, postgres.url(database).replace("postgresql", scheme, 1)))


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("sslmode=prefer", id="sslmode"),
        pytest.param("ssl=disable", id="ssl, as SQLAlchemy has it"),
        pytest.param("ssl=false", id="ssl, as JDBC has it"),
        pytest.param("sslmode=disable&channel_binding=prefer&connect_timeout=3", id="what only libpq knows"),
        pytest.param("application_name=mine&options=-c%20search_path%3Dpublic", id="settings of the server"),
        pytest.param("target_session_attrs=read-write", id="which server"),
        pytest.param("timeout=2.5", id="our own time limit"),
    ],
)
async def test_parameters_are_taken_as_people_write_them(
    postgres: PostgresServer, database: str, make_store: MakeStore, query: str
) -> None:
    await works(await leading(make_store, f"{postgres.url(database)}?{query}"))


async def test_a_server_on_a_unix_socket_is_reached(
    postgres: PostgresServer, database: str, make_store: MakeStore
) -> None:
    url = f"postgresql://{USER}@/{database}?host={postgres.directory}&port={postgres.port}"
    await works(await leading(make_store, url))


async def test_of_several_servers_the_one_that_is_there_is_taken(
    postgres: PostgresServer, database: str, make_store: MakeStore
) -> None:
    url = postgres.url(database).replace("@127.0.0.1", "@127.0.0.1:1,127.0.0.1")
    await works(await leading(make_store, url))


async def test_an_at_sign_in_a_password_needs_no_quoting(
    postgres: PostgresServer, database: str, make_store: MakeStore
) -> None:
    postgres.sql("CREATE ROLE odd SUPERUSER LOGIN PASSWORD 'a@b@c'")
    await works(await leading(make_store, f"postgresql://odd:a@b@c@127.0.0.1:{postgres.port}/{database}"))


async def test_an_encrypted_connection_is_made_and_checked_where_that_is_asked_for(
    postgres: PostgresServer, database: str, make_store: MakeStore, tmp_path: Path
) -> None:
    made = certificate(tmp_path)
    for file in (made, key_of(made)):
        copy = Path(shutil.copy(file, postgres.data / file.name))
        shutil.chown(copy, postgres.data.owner(), postgres.data.group())
        copy.chmod(0o600)
    with pytest.raises(StoreError, match=r"127\.0\.0\.1.*SSL"):
        await make_store(postgres.url(database, sslmode="require")).open()
    postgres.sql(f"ALTER SYSTEM SET ssl_cert_file = '{made.name}'")
    postgres.sql(f"ALTER SYSTEM SET ssl_key_file = '{key_of(made).name}'")
    postgres.sql("ALTER SYSTEM SET ssl = on")
    postgres.restart()
    try:
        checked = {"sslmode": "verify-full", "sslrootcert": str(made)}
        for query in ({"sslmode": "require"}, checked):
            store = await leading(make_store, postgres.url(database, **query))
            async with store._database.reader.begin() as connection:
                ssl = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
                assert (await connection.execute(text(ssl))).scalar() is True
        elsewhere = postgres.url(database, **checked | {"sslrootcert": str(certificate(tmp_path, "other"))})
        with pytest.raises(StoreError, match="certificate verify failed"):
            await make_store(elsewhere).open()
        missing = postgres.url(database, **checked | {"sslrootcert": "/nowhere.pem"})
        with pytest.raises(StoreError, match=r"a file that store\.url names \(sslrootcert"):
            await make_store(missing).open()
    finally:
        postgres.sql("ALTER SYSTEM RESET ALL")
        postgres.restart()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        pytest.param("postgresql://u:sec/ret@h/db", "cannot be read", id="a slash in the password"),
        pytest.param("postgresql://u:12/secret@h/db", "cannot be read", id="a slash after digits"),
        pytest.param("postgresql://u:se#cret@h/db", "cannot be read", id="a number sign"),
        pytest.param("postgresql://u:12?secret@h/db", "cannot be read", id="a question mark"),
        pytest.param("postgresql://u:secret@h:port/db", "cannot be read", id="a port that is none"),
        pytest.param("postgresql://u:secret@h/db?timeout=soon", "no number of seconds", id="a time that is none"),
    ],
)
def test_a_url_that_cannot_be_read_is_refused_without_its_password(url: str, says: str) -> None:
    with pytest.raises(StoreError, match=says) as refused:
        sql_store(url)
    told = f"{refused.value} {refused.value.__cause__} {refused.value.__context__}"
    assert "secret" not in told
    assert "ret@" not in told


def test_without_the_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(StoreError, match=r"pip install 'watcher\[postgres\]'"):
        sql_store("postgresql://h/db")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param((QUOTED, "wrong-secret"), "password authentication failed for user", id="a wrong password"),
        pytest.param((f"{USER}:", "nobody:"), "password authentication failed", id="an unknown user"),
        pytest.param(("/postgres", "/nowhere"), 'database "nowhere" does not exist', id="no such database"),
        pytest.param(("@127.0.0.1", "@no.invalid"), r"at no\.invalid:\d+ cannot be reached", id="no such host"),
        pytest.param(("?", "?sslmode=secret&"), "sslmode", id="an unknown sslmode"),
        pytest.param(("?", "?no_such_setting=1&"), "no_such_setting", id="an unknown setting"),
    ],
)
async def test_a_server_that_refuses_is_an_error_that_says_why_and_no_password(
    postgres: PostgresServer, make_store: MakeStore, change: tuple[str, str], says: str
) -> None:
    url = postgres.url("postgres", connect_timeout="5").replace(*change)
    with pytest.raises(StoreError, match=says) as refused:
        await make_store(url).open()
    told = f"{refused.value} {refused.value.__cause__!r} {refused.value.__context__!r}"
    assert not any(word in told for word in (PASSWORD, QUOTED, "wrong-secret"))


# ---- limits and isolation ----


async def test_no_session_waits_without_a_limit(postgres: PostgresServer, database: str, make_store: MakeStore) -> None:
    store = await leading(make_store, postgres.url(database, timeout="4"))
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "application_name")
    for engine in (store._database.writer, store._database.reader):
        async with engine.begin() as connection:
            found = [(await connection.execute(text(f"SHOW {name}"))).scalar() for name in names]
            assert found == ["4s", "2s", "10s", "watcher"]


async def test_the_reader_cannot_write_and_sees_one_moment(
    postgres: PostgresServer, database: str, make_store: MakeStore
) -> None:
    store = await leading(make_store, postgres.url(database))
    async with store._database.reader.begin() as connection:
        assert (await connection.execute(text("SHOW transaction_read_only"))).scalar() == "on"
        assert (await connection.execute(text("SHOW transaction_isolation"))).scalar() == "repeatable read"
    async with store._database.writer.begin() as connection:
        assert (await connection.execute(text("SHOW transaction_isolation"))).scalar() == "read committed"


async def test_few_connections_are_made_however_much_is_asked_at_once(
    postgres: PostgresServer, database: str, make_store: MakeStore
) -> None:
    store = await leading(make_store, postgres.url(database))
    await asyncio.gather(*(store.load() for _ in range(30)), *(store.commit(Changes(), NOW) for _ in range(30)))
    assert int(postgres.sql(f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}'")) <= 4


async def test_a_commit_that_the_database_refuses_is_a_store_error_that_tells_nothing_of_the_rows(
    postgres: PostgresServer, database: str, make_store: MakeStore
) -> None:
    store = await leading(make_store, postgres.url(database))
    postgres.sql("ALTER TABLE transitions ADD CHECK (why <> 'a secret')", database)
    changes = Changes(groups={"g": group("g")}, transitions=[transition("a secret")], attempts=[attempt("m")])
    with pytest.raises(StoreError, match="violates check constraint") as failed:
        await store.commit(changes, NOW)
    assert "a secret" not in f"{failed.value} {failed.value.__cause__}"
    view, last_commit = await store.load()
    assert (view.groups.rows, last_commit) == ({}, None)
    postgres.sql("ALTER TABLE transitions DROP CONSTRAINT transitions_why_check", database)
    await store.commit(changes, NOW)
    assert len(await store.transitions(9)) == 1


async def test_a_writer_that_waits_too_long_for_a_lock_gives_up_and_may_try_again(
    postgres: PostgresServer, database: str, make_store: MakeStore
) -> None:
    store = await leading(make_store, postgres.url(database, timeout="0.4"))
    other = await leading(make_store, postgres.url(database))
    await store.take_over("one", "")
    async with other._database.writer.begin() as connection:
        await connection.execute(text("LOCK TABLE groups"))
        with pytest.raises(StoreError, match="lock timeout"):
            await store.commit(Changes(groups={"g": group("g")}), NOW)
    await works(store)


@pytest.mark.parametrize(
    "column",
    [
        pytest.param({"transitions": [transition("nul \0 in it")]}, id="a text with a NUL"),
        pytest.param({"groups": {"x\0" * 9: group("x\0" * 9)}}, id="a key with a NUL"),
    ],
)
async def test_a_text_that_postgres_cannot_keep_does_not_stop_the_writer(
    empty_url: str, make_store: MakeStore, column: dict[str, object]
) -> None:
    store = await leading(make_store, empty_url)
    await store.commit(Changes(**column), NOW)  # type: ignore[arg-type]
    assert [row.why for row in await store.transitions(9)] in ([], ["nul \ufffd in it"])
    assert set((await store.load())[0].groups.rows) == set(column.get("groups", ()))  # type: ignore[call-overload]


# ---- a server that goes and comes ----


@pytest.mark.parametrize("at_once", [True, False], ids=["before the loop noticed", "while the loop ran"])
async def test_a_restart_between_two_commits_costs_one_error_at_most(
    postgres: PostgresServer, database: str, make_store: MakeStore, at_once: bool
) -> None:
    store = await leading(make_store, postgres.url(database))
    await works(store)
    if at_once:
        postgres.restart()
    else:
        await asyncio.to_thread(postgres.restart)
    failed = 0
    for n in range(4):
        try:
            await store.commit(Changes(transitions=[transition(str(n))]), NOW)
            await store.load()
        except StoreError:
            failed += 1
    assert failed <= (1 if at_once else 0)


async def test_a_server_that_is_stopped_is_an_error_at_once_and_works_again_when_it_is_back(
    postgres: PostgresServer, database: str, make_store: MakeStore
) -> None:
    store = await leading(make_store, postgres.url(database))
    await works(store)
    postgres.stop()
    changes = Changes(transitions=[transition("a")])
    async with asyncio.timeout(20):
        for _ in range(3):
            with pytest.raises(StoreError, match=rf"127\.0\.0\.1:{postgres.port}"):
                await store.commit(changes, NOW + SECOND)
            with pytest.raises(StoreError):
                await store.load()
            with pytest.raises(StoreError):
                await store.lease(OPS, NOW, NOW + SECOND, 1)
    postgres.start()
    await store.commit(changes, NOW + SECOND)
    assert len(await store.transitions(9)) == 1


async def test_a_server_that_is_killed_loses_nothing_that_was_answered(
    postgres: PostgresServer, database: str, make_store: MakeStore
) -> None:
    store = await leading(make_store, postgres.url(database))
    answered: list[str] = []

    async def write() -> None:
        for n in range(10**6):
            await store.commit(Changes(groups={"g": group("g", route=str(n))}, transitions=[transition(str(n))]), NOW)
            answered.append(str(n))

    writing = asyncio.create_task(write())
    await asyncio.sleep(0.3)
    await asyncio.to_thread(postgres.kill)
    with pytest.raises(StoreError):
        await writing
    postgres.start()
    stored = [row.why for row in reversed(await store.transitions(10**6))]
    assert stored[: len(answered)] == answered
    assert len(stored) <= len(answered) + 1
    assert [row.route for row in (await store.load())[0].groups.rows.values()] == stored[-1:]


async def test_a_server_that_does_not_answer_is_an_error_in_bounded_time(
    postgres: PostgresServer, database: str, make_store: MakeStore
) -> None:
    url = postgres.url(database, timeout="0.5", connect_timeout="0.5")
    store = await leading(make_store, url)
    await works(store)
    with postgres.frozen():
        async with asyncio.timeout(60):
            for _ in range(2):
                with pytest.raises(StoreError, match="did not answer in time"):
                    await store.commit(Changes(), NOW)
                with pytest.raises(StoreError):
                    await store.load()
            with pytest.raises(StoreError, match="did not answer in time"):
                await make_store(url).open()
    await works(store)


async def test_closing_ends_while_the_server_does_not_answer(postgres: PostgresServer, database: str) -> None:
    store = sql_store(postgres.url(database, timeout="0.5", connect_timeout="0.5"))
    await store.open()
    await store.take_over("one", "")
    await works(store)
    with postgres.frozen():
        async with asyncio.timeout(30):
            await store.close()


@pytest.mark.parametrize("turns", range(0, 24, 3))
async def test_a_commit_that_is_cancelled_at_any_point_is_whole_or_nothing(
    postgres: PostgresServer, database: str, make_store: MakeStore, turns: int
) -> None:
    store = await leading(make_store, postgres.url(database))
    await store.commit(Changes(groups={"old": group("old")}), NOW)
    changes = Changes(groups={"old": None, "new": group("new")}, outbox={"m": message("m")})
    task = asyncio.create_task(store.commit(changes, NOW + SECOND))
    for _ in range(turns):
        await asyncio.sleep(0.0005)
    task.cancel()
    await asyncio.wait([task])
    view, last_commit = await store.load()
    state = (set(view.groups.rows), set(view.outbox.rows), last_commit)
    assert state in (({"old"}, set(), NOW), ({"new"}, {"m"}, NOW + SECOND))
    await store.commit(Changes(), NOW + 2 * SECOND)


# ---- an answer that is lost ----


async def test_a_commit_whose_answer_is_lost_is_stored_once_however_often_it_is_tried(
    postgres: PostgresServer, database: str, make_store: MakeStore
) -> None:
    async with cutter(postgres.port) as between:
        url = postgres.url(database, sslmode="disable").replace(f":{postgres.port}/", f":{between.port}/")
        store = await leading(make_store, url)
        changes = Changes(transitions=[transition("a")], attempts=[attempt("m")], outbox={"m": message("m")})
        between.cut_after = b"COMMIT;"
        with pytest.raises(StoreError):
            await store.commit(changes, NOW)
        assert between.cuts == 1
        await store.commit(changes, NOW + SECOND)
        await store.commit(Changes(transitions=[transition("b")]), NOW + SECOND)
        assert [row.why for row in await store.transitions(9)] == ["b", "a"]
        assert len(await store.attempts("m")) == 1
        await store.close()


async def test_a_commit_that_was_lost_with_its_answer_is_stored_when_it_is_tried_again(
    postgres: PostgresServer, database: str, make_store: MakeStore
) -> None:
    async with cutter(postgres.port) as between:
        url = postgres.url(database, sslmode="disable").replace(f":{postgres.port}/", f":{between.port}/")
        store = await leading(make_store, url)
        await works(store)
        changes = Changes(transitions=[transition("a")])
        between.cut_after = b"INSERT INTO transitions"
        with pytest.raises(StoreError):
            await store.commit(changes, NOW)
        await store.commit(changes, NOW)
        assert [row.why for row in await store.transitions(9)] == ["a"]
        await store.close()
