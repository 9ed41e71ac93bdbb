"""How the databases answer what is asked often: by an index, also when the tables are large.

The statements are those that the store really runs: each is taken down while it runs, and explained with its values.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Table, event, text

from tests.contract.store.examples import KEY, NOW, OPS, SECOND, attempt, decision, finished, group, message, transition
from tests.contract.store.homes import sql_store
from tests.integration.store.conftest import MakeStore, engines, leading
from tests.support.postgres import PostgresServer
from watcher.model.changes import Changes
from watcher.model.history import Asked
from watcher.model.identity import AlertKey
from watcher.model.silence import Silence, SilenceChange
from watcher.model.state import MessageState
from watcher.store import rows, tables
from watcher.store.keys import alert_text, matter_text
from watcher.store.sql import SqlStore

MANY = 4000
LARGE = ("outbox", "transitions", "decisions", "attempts", "silence_changes", "groups", "inbox")
Statement = tuple[str, Any]
Action = Callable[[SqlStore], Awaitable[object]]

SILENCE = Silence(id="s", matchers=(), starts_at=NOW, ends_at=NOW, updated_at=NOW)


def key(n: int) -> AlertKey:
    """Of an alert with ten lines of history."""
    return AlertKey(alertname="A", cluster="c", namespace=f"ns{n % (MANY // 10)}")


def filled() -> Iterator[tuple[Table, list[dict[str, Any]]]]:
    """Rows of every large table: most messages are over, some wait."""
    at = [NOW + n * SECOND for n in range(MANY)]
    waiting = [message(f"m{n}", created_at=at[n]) for n in range(0, MANY, 50)]
    over = [finished(f"m{n}", created_at=at[n]) for n in range(MANY) if n % 50]
    lease = {"lease_owner": None, "leased_until": None}
    messages = [rows.message_row(row, row.created_at) | lease for row in waiting + over]
    transitions = [rows.transition_row(transition("t", at[n])) | {"alert": alert_text(key(n))} for n in range(MANY)]
    decisions = [
        rows.decision_row(decision(at=at[n], alert=key(n)))
        | {"count": 1, "last_at": at[n], "matter": matter_text("g", *OPS, key(n)) if n >= MANY * 9 // 10 else None}
        for n in range(MANY)
    ]
    attempts = [rows.attempt_row(attempt(f"m{n}", at=at[n])) for n in range(MANY)]
    silence_changes = [
        rows.silence_change_row(SilenceChange(at=at[n], silence=f"s{n % 400}", by="me", action="created", body=SILENCE))
        for n in range(MANY)
    ]
    groups = [{"id": f"g{n}", "body": rows.body(group(f"g{n}"))} for n in range(MANY)]
    yield tables.outbox, messages
    yield tables.transitions, transitions
    yield tables.decisions, decisions
    yield tables.attempts, attempts
    yield tables.silence_changes, silence_changes
    yield tables.groups, groups
    yield tables.inbox, [{"at": NOW, "body": b"[]"} for _ in range(MANY)]


async def fill(url: str) -> None:
    store = sql_store(url)
    await store.open()

    def filling(connection: Connection) -> None:
        for table, values in filled():
            connection.execute(table.insert(), values)
        connection.execute(text("ANALYZE"))

    await store._database.migrate(filling)
    await store.close()


@pytest.fixture(scope="module")
def filled_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("filled") / "watcher.db"
    asyncio.run(fill(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="module")
def filled_database(postgres_server: PostgresServer) -> str:
    name = postgres_server.create(keep=True)
    asyncio.run(fill(postgres_server.url(name)))
    return name


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a database of the test's own whose tables are large."""
    if request.param == "sqlite":
        return f"sqlite:///{shutil.copy(request.getfixturevalue('filled_path'), tmp_path)}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.url(server.create(request.getfixturevalue("filled_database")))


@pytest.fixture
async def store(url: str, make_store: MakeStore) -> SqlStore:
    return await leading(make_store, url)


@contextmanager
def taken_down(store: SqlStore) -> Iterator[list[Statement]]:
    """The statements that run meanwhile, each with the values of one row."""
    statements: list[Statement] = []

    def note(_conn: Any, _cursor: Any, statement: str, values: Any, _context: Any, many: bool) -> None:
        statements.append((statement, values[0] if many else values))

    for engine in engines(store):
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        for engine in engines(store):
            event.remove(engine, "before_cursor_execute", note)


async def plans(store: SqlStore, statements: Sequence[Statement]) -> list[str]:
    """What each statement looks through, of the large tables; a plan as one text."""

    def explained(connection: Connection) -> list[str]:
        found = []
        postgres = connection.dialect.name == "postgresql"
        explain = "EXPLAIN (FORMAT JSON)" if postgres else "EXPLAIN QUERY PLAN"
        for statement, values in statements:
            if not statement.startswith(("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")):
                continue
            result = connection.exec_driver_sql(f"{explain} {statement}", values)
            lines = [str(row[-1]) if not postgres else json.dumps(row[0]) for row in result]
            found.append("\n".join(lines))
        return found

    return await store._database.write(explained)


def looked_through(plan: str) -> list[str]:
    """Large tables of which the plan reads every row."""
    if plan.startswith("["):
        scans = re.findall(r'"Node Type": "Seq Scan"[^{}]*?"Relation Name": "(\w+)"', plan)
    else:
        scans = re.findall(r"^SCAN (\w+)$", plan, re.MULTILINE)
    return [table for table in scans if table in LARGE]


COMMITS = Changes(
    groups={"g1": group("g1"), "new": group("new"), "g2": None},
    outbox={"m50": message("m50", attempts=1), "m100": None, "new": message("new"), "m200": None},
    finished=[finished("m100")],
    transitions=[transition("new")],
    decisions=[decision(alert=key(MANY - 1)), decision("other", alert=key(MANY - 2)), decision("new", group="new")],
    attempts=[attempt("m100")],
    silence_changes=[SilenceChange(at=NOW, silence="s1", by="me", action="expired", body=SILENCE)],
    accepted=(7, 8),
)
END = NOW + timedelta(days=1)


@pytest.mark.parametrize(
    "action",
    [
        pytest.param(lambda store: store.commit(COMMITS, END), id="commit"),
        pytest.param(lambda store: store.accept(b"[]", END), id="accept"),
        pytest.param(lambda store: store.lease(OPS, END, END + SECOND, 10), id="lease"),
        pytest.param(lambda store: store.prune(NOW + 100 * SECOND, 5), id="prune"),
        pytest.param(lambda store: store.messages(10), id="messages"),
        pytest.param(lambda store: store.deliveries(10), id="deliveries"),
        pytest.param(lambda store: store.deliveries(10, state=MessageState.DEAD), id="dead letters"),
        pytest.param(lambda store: store.deliveries(10, state=MessageState.QUEUED), id="queued messages"),
        pytest.param(lambda store: store.deliveries(10, receiver=OPS[0]), id="deliveries of a receiver"),
        pytest.param(lambda store: store.delivery("m7"), id="one delivery"),
        pytest.param(lambda store: store.attempts("m7"), id="attempts of a message"),
        pytest.param(lambda store: store.silence_changes("s7"), id="changes of a silence"),
        pytest.param(lambda store: store.transitions_of(Asked(alerts=frozenset({key(7)})), 10), id="transitions"),
        pytest.param(lambda store: store.decisions_of(Asked(alerts=frozenset({key(7)})), 10), id="decisions"),
        pytest.param(
            lambda store: store.decisions_of(Asked(alerts=frozenset({key(7), key(8), KEY})), 10), id="of some alerts"
        ),
    ],
)
async def test_a_query_that_runs_often_is_answered_by_an_index(store: SqlStore, action: Action) -> None:
    with taken_down(store) as statements:
        await action(store)
    assert statements
    found = await plans(store, statements)
    assert len(found) >= 1
    through = {table for plan in found for table in looked_through(plan)}
    assert not through, "\n\n".join(plan for plan in found if looked_through(plan))


async def test_the_newest_of_a_long_history_are_read_from_its_end(store: SqlStore) -> None:
    """In the order of the key: nothing is sorted. SQLite calls that a scan."""
    with taken_down(store) as statements:
        await store.transitions(10)
        await store.decisions(10)
        await store.silence_changes(limit=10)
        await store.transitions_of(Asked(before=3000), 10)
    for plan in await plans(store, statements):
        assert '"Seq Scan"' not in plan
        assert '"Sort"' not in plan
        assert "TEMP B-TREE" not in plan


async def test_of_the_outbox_a_start_reads_what_is_queued_and_no_more(store: SqlStore) -> None:
    with taken_down(store) as statements:
        view, _ = await store.load()
    assert len(view.outbox.rows) == MANY // 50
    queued = [one for one in statements if "outbox" in one[0]]
    assert len(queued) == 1
    assert [looked_through(plan) for plan in await plans(store, queued)] == [[]]


async def test_a_plan_without_an_index_is_seen(store: SqlStore) -> None:
    """That the tests above can fail."""
    statements = [("SELECT * FROM outbox WHERE body = 'x'", ()), ("SELECT * FROM groups WHERE body = 'x'", ())]
    assert [looked_through(plan) for plan in await plans(store, statements)] == [["outbox"], ["groups"]]
