"""Alembic's environment: it runs on the connection that it is given (watcher/store/migrating.py), never on its own.

The transaction is the caller's, so that a migration happens wholly or not at all. Logging is left alone.
"""

from alembic import context

from watcher.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    # SQLite cannot alter most of a column: a later migration makes the table anew and copies it.
    # https://alembic.sqlalchemy.org/en/latest/batch.html
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
