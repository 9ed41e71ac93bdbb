"""Brings the schema up to date, on a connection whose transaction is already begun.

A database without any table gets all of them at once as `tables.py` says, and the newest revision's name, which is
Alembic's own recipe; any other is migrated. A test holds that both make the same schema. There is no alembic.ini: the
directory is an argument, and env.py takes the connection. Alembic takes 11 MiB of memory for good, so it is imported
only where a migration is due: the name of a migration's file begins with its revision.

https://alembic.sqlalchemy.org/en/latest/cookbook.html#building-an-up-to-date-database-from-scratch
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table, inspect, select

from watcher.ports import StoreError
from watcher.store.database import Database

# As Alembic makes it.
_version = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


def upgrade(connection: Connection, directory: Path, database: Database) -> None:
    """To the newest revision; StoreError if the store was written by a newer Watcher.

    Of several processes one makes or migrates the tables, and the others find it done when they have the lock.
    """
    if _present(connection) == newest(directory):
        return
    database.lock_schema(connection)
    if _present(connection) == newest(directory):
        return
    if inspect(connection).get_table_names():
        migrate(connection, directory)
        return
    database.make_tables(connection)
    _version.create(connection)
    connection.execute(_version.insert().values(version_num=newest(directory)))


def migrate(connection: Connection, directory: Path, revision: str = "head") -> None:
    """From whatever tables are there, by Alembic."""
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(directory).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, revision)
    except CommandError as error:
        raise StoreError(
            f"The store's tables cannot be brought up to date ({error}). If a newer Watcher has written it, start that "
            "version again, or give this one another store."
        ) from error


def newest(directory: Path) -> str:
    """The last revision of the shipped migrations."""
    return max(path.name.partition("_")[0] for path in (directory / "versions").glob("[0-9]*_*.py"))


def _present(connection: Connection) -> str | None:
    """The revision that the tables have; None for an empty database."""
    if not inspect(connection).has_table(_version.name):
        return None
    return connection.scalar(select(_version.c.version_num))
