"""Brings the schema up to date with Alembic, on a connection whose transaction is already begun.

There is no alembic.ini: the directory is an argument, and env.py takes the connection. Alembic is imported when it
is needed, since it is large and a process needs it once.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

from watcher.ports import StoreError


def upgrade(connection: Connection, directory: Path) -> None:
    """To the newest revision; StoreError if the store was written by a newer Watcher."""
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
