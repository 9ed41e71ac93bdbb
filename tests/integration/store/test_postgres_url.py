"""The URL of a Postgres, as people write it, and what is said where it cannot be used."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.contract.store.examples import NOW, group
from tests.contract.store.homes import sql_store
from tests.integration.store.conftest import MakeStore, leading, postgres_of
from tests.support.certificates import certificate, key_of
from tests.support.postgres import PASSWORD, QUOTED, USER, PostgresServer
from watcher.model.changes import Changes
from watcher.ports import StoreError
from watcher.store.sql import SqlStore

pytestmark = pytest.mark.postgres


async def works(store: SqlStore) -> None:
    await store.commit(Changes(groups={"g": group("g")}), NOW)
    assert set((await store.load())[0].groups.rows) == {"g"}


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
    if "openssl" not in postgres.sql("SELECT setting FROM pg_config WHERE name = 'CONFIGURE'"):
        pytest.skip("this Postgres was built without TLS")
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
            async with postgres_of(store).reader.begin() as connection:
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
