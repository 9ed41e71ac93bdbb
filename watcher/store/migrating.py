"""Brings the schema up to date with Alembic, on a connection whose transaction is already begun.

There is no alembic.ini: the directory is an argument, and env.py takes the connection. Alembic takes 11 MiB of memory
for good, so it is imported only where a migration is due: the name of a migration's file begins with its revision.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from watcher.ports import StoreError


def upgrade(connection: Connection, directory: Path, lock: Callable[[Connection], None] = lambda _: None) -> None:
    """To the newest revision; StoreError if the store was written by a newer Watcher.

    `lock` sees to it that of several processes one migrates, and the others find it done when they have it.
    """
    if _present(connection) == newest(directory):
        return
    lock(connection)
    if _present(connection) == newest(directory):
        return
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(directory).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise StoreError(
            f"The store's tables cannot be brought up to date ({error}). If a newer Watcher has written it, start that "
            "version again, or give this one another store."
        ) from error


def newest(directory: Path) -> str:
    """The last revision of the shipped migrations."""
    return max((path.name.partition("_")[0] for path in (directory / "versions").glob("[0-9]*_*.py")), default="")


def _present(connection: Connection) -> str | None:
    """The revision that the tables have; None for an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision
