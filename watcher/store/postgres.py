"""All that is Postgres's own: the URL as people write it, its engines and time limits, its locks and its errors.

Isolation: a writer's transactions are READ COMMITTED, so that the row which says who may write is read as it is now and
not as it was when the transaction began; a reader's are REPEATABLE READ, so that a view is of one moment. Nothing waits
without a limit: neither for a connection, nor for a statement (here and on the server), nor for a lock; and a
transaction whose process was stopped in its middle is ended by the server. A connection that the server closed is
noticed when it is taken from the pool, so a restart costs no commit, or the one that was running.

`asyncpg` reads the URL itself (as libpq does: several hosts, sslmode, a password file); it comes with an extra.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from sqlalchemy import Connection, Select, Table, event, text
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.engine.interfaces import ExceptionContext
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from watcher.ports import StoreError
from watcher.store.database import Special
from watcher.store.tables import OF_ANY_LENGTH, metadata

T = TypeVar("T")

SCHEMES = ("postgresql", "postgres", "postgresql+asyncpg")

# A commit takes milliseconds; `?timeout=` in the URL changes it. The server is told so too: a client that is gone does
# not cancel what it asked for.
_TIMEOUT = 10.0
_CONNECT_TIMEOUT = 5.0
_MIGRATION_TIMEOUT = 600.0
_CLOSE_WITHIN = 3.0
_READERS = 3

# Shorter than the Lease (15 s), so that who takes over does not wait for one that was stopped in a transaction.
_IDLE_IN_TRANSACTION = 10.0
_LOCK_SHARE = 0.5
"""Of the time limit of a statement."""

_SCHEMA_LOCK = int.from_bytes(b"watcher", "big")

# What libpq takes and asyncpg does not know: it would hand it on to the server, which would refuse it.
# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
_LIBPQ_ONLY = {
    *("channel_binding", "client_encoding", "fallback_application_name", "gssdelegation", "gssencmode", "keepalives"),
    *("keepalives_count", "keepalives_idle", "keepalives_interval", "load_balance_hosts", "replication"),
    *("require_auth", "requirepeer", "sslcertmode", "sslcompression", "sslcrldir", "sslsni", "tcp_user_timeout"),
}

_IN_A_USER = ":%!$&()*+,;=~-._"


class Database:
    """One database of a Postgres server."""

    def __init__(self, url: str) -> None:
        self._driver = _driver()
        self._dsn, query = _split(url)
        self._where = urlsplit(self._dsn).netloc.rpartition("@")[2] or query.get("host", "its usual place")
        self._timeout = _seconds(query, "timeout", _TIMEOUT)
        self._connect_timeout = _seconds(query, "connect_timeout", _CONNECT_TIMEOUT)
        self._dsn += f"?{urlencode(query)}"
        self.errors: tuple[type[Exception], ...] = (
            DBAPIError,
            self._driver.PostgresError,
            self._driver.InterfaceError,
            self._driver.InternalClientError,
            OSError,
            TimeoutError,
            EOFError,
        )
        self._is_open = False
        self.writer: AsyncEngine
        self.reader: AsyncEngine
        self.migrator: AsyncEngine

    def open(self) -> None:
        self.writer = self._engine(self._timeout, pool_size=1, isolation_level="READ COMMITTED")
        self.reader = self._engine(self._timeout, pool_size=_READERS, isolation_level="REPEATABLE READ")
        self.reader = self.reader.execution_options(postgresql_readonly=True)
        self.migrator = self._engine(_MIGRATION_TIMEOUT, poolclass=NullPool, isolation_level="READ COMMITTED")
        self._is_open = True

    async def write(self, function: Callable[[Connection], T]) -> T:
        return await _run(self.writer, function)

    async def read(self, function: Callable[[Connection], T]) -> T:
        return await _run(self.reader, function)

    async def migrate(self, function: Callable[[Connection], T]) -> T:
        return await _run(self.migrator, function)

    async def close(self) -> None:
        if not self._is_open:
            return
        self._is_open = False
        for engine in (self.reader, self.writer, self.migrator):
            with contextlib.suppress(*self.errors):
                async with asyncio.timeout(_CLOSE_WITHIN):
                    await engine.dispose()

    def check(self, connection: Connection) -> None:
        """Postgres looks after its own pages."""

    def lock_schema(self, connection: Connection) -> None:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _SCHEMA_LOCK})

    def make_tables(self, connection: Connection) -> None:
        for index in (index for table in metadata.tables.values() for index in table.indexes):
            if index.info == OF_ANY_LENGTH:
                index.dialect_options["postgresql"]["using"] = "hash"
        metadata.create_all(connection, checkfirst=False)

    def end_others(self, connection: Connection) -> None:
        """A process that was stopped in a commit holds the row until its session ends; after 2 s it is ended here."""
        connection.execute(_END_OTHERS)

    def upsert(self, table: Table, special: Special | None) -> Insert:
        statement = insert(table)
        keys = [column.name for column in table.primary_key]
        values: dict[str, Any] = {c.name: statement.excluded[c.name] for c in table.columns if c.name not in keys}
        if special is not None:
            values |= special(statement.excluded)
        return statement.on_conflict_do_update(index_elements=keys, set_=values)

    def taking(self, free: Select[Any]) -> Select[Any]:
        return free.with_for_update(skip_locked=True)

    def problem(self, error: Exception) -> str:
        at = f"Postgres at {self._where}"
        if isinstance(error, DBAPIError):
            error = getattr(error.orig, "__cause__", None) or error
        state = getattr(error, "sqlstate", None)
        if state == "53100":
            return f"{at} has no room left on its disk ({_first(error)}); it goes on when there is room"
        if isinstance(error, self._driver.ClientConfigurationError):
            return f"store.url: {_first(error)}"
        if isinstance(error, TimeoutError):
            return f"{at} did not answer in time"
        if isinstance(error, FileNotFoundError):
            return f"{at} cannot be reached: its socket, or a file that store.url names (sslrootcert, …), is not there"
        if isinstance(error, OSError):
            return f"{at} cannot be reached ({error.strerror or _first(error)})"
        if isinstance(error, ValueError):
            return f"a value does not fit its column ({type(error).__name__})"
        return f"{at}: {_first(error)}"

    def _engine(self, timeout: float, **options: Any) -> AsyncEngine:
        async def connect() -> Any:
            connection = await self._driver.connect(self._dsn, timeout=self._connect_timeout, command_timeout=timeout)
            await connection.execute(_limits(timeout))
            return connection

        if "poolclass" not in options:
            options |= {"max_overflow": 0, "pool_timeout": self._timeout}
        engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, hide_parameters=True, **options)
        event.listen(engine.sync_engine, "checkout", _refuse_closed)
        event.listen(engine.sync_engine, "handle_error", self._give_up_connection)
        return engine

    def _give_up_connection(self, context: ExceptionContext) -> None:
        """After a time limit the answer may still come; and a server that was demoted stays read-only."""
        error = context.original_exception
        if isinstance(error, TimeoutError) or getattr(error, "sqlstate", None) == "25006":
            context.is_disconnect = True


async def _run(engine: AsyncEngine, function: Callable[[Connection], T]) -> T:
    async with engine.begin() as connection:
        return await connection.run_sync(function)


_END_OTHERS = text(
    """
    SELECT pg_terminate_backend(held.pid)
    FROM pg_locks AS held JOIN pg_stat_activity AS session ON session.pid = held.pid
    WHERE held.locktype = 'relation' AND held.relation = 'leadership'::regclass
      AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND held.mode = 'RowShareLock' AND held.granted AND held.pid <> pg_backend_pid()
      AND session.usename = current_user AND session.xact_start < clock_timestamp() - interval '2 seconds'
    """
)


def _driver() -> Any:
    try:
        import asyncpg
    except ImportError as error:
        raise StoreError("To store in Postgres its driver is needed: pip install 'watcher[postgres]'.") from error
    return asyncpg


def _split(url: str) -> tuple[str, dict[str, str]]:
    """The URL without its query, and that."""
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    if parts.fragment or "@" in parts.path + parts.query or not all(map(_is_host, hosts.split(","))):
        raise StoreError(
            "store.url cannot be read. In a password @ : / # ? and % are written as %40 %3A %2F %23 %3F and %25: "
            "postgresql://watcher:p%40ss@db.example:5432/watcher"
        )
    query = {name: value for name, value in parse_qsl(parts.query) if name not in _LIBPQ_ONLY}
    mode = query.pop("ssl", None)
    if mode is not None:
        query.setdefault("sslmode", {"true": "require", "false": "disable"}.get(mode.lower(), mode))
    if "," in hosts + query.get("host", ""):
        query.setdefault("target_session_attrs", "read-write")
    query.setdefault("application_name", "watcher")
    return f"postgresql://{quote(user, safe=_IN_A_USER)}{at}{hosts}{parts.path}", query


def _is_host(text: str) -> bool:
    """`name`, `name:port`, `[::1]` or `[::1]:port`."""
    _, colon, port = text.rpartition("]")[2].rpartition(":")
    return not colon or (port.isascii() and port.isdigit())


def _seconds(query: dict[str, str], name: str, otherwise: float) -> float:
    try:
        return float(query.pop(name, otherwise))
    except ValueError as error:
        raise StoreError(f"{name} in store.url is no number of seconds.") from error


def _limits(timeout: float) -> str:
    limits = {
        "statement_timeout": timeout,
        "lock_timeout": timeout * _LOCK_SHARE,
        "idle_in_transaction_session_timeout": _IDLE_IN_TRANSACTION,
    }
    return "; ".join(f"SET {name} = {int(seconds * 1000)}" for name, seconds in limits.items())


def _refuse_closed(connection: Any, _record: object, _proxy: object) -> None:
    """The driver knows when the server hung up: no question is needed, unlike SQLAlchemy's own ping."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def _first(error: Exception) -> str:
    """The message without its detail, which may hold a row."""
    return str(error.args[0]).partition("\n")[0] if error.args else type(error).__name__
