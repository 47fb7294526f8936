"""Tables, migrations and query plans."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from actorflow.exceptions import NewerSchemaError
from actorflow.store.sqlite import SqliteStore, queries, schema
from tests.store import child
from tests.store.given import begin


@pytest.fixture
def connection(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    schema.stamp(connection)
    connection.execute("PRAGMA journal_mode = wal")
    return connection


# Migrations


async def test_a_new_database_can_give_space_back(path: Path, sqlite: SqliteStore) -> None:
    incremental = 2
    reader = sqlite3.connect(path)
    assert reader.execute("PRAGMA auto_vacuum").fetchone() == (incremental,)
    reader.close()


def test_a_current_schema_is_not_touched(connection: sqlite3.Connection, path: Path) -> None:
    schema.migrate(connection, path)
    written = connection.total_changes
    version = connection.execute("PRAGMA schema_version").fetchone()
    schema.migrate(connection, path)
    assert connection.total_changes == written
    assert connection.execute("PRAGMA schema_version").fetchone() == version
    connection.close()


def test_a_migration_that_fails_leaves_the_old_schema(connection: sqlite3.Connection, path: Path) -> None:
    schema.migrate(connection, path)
    before = connection.execute("SELECT name, sql FROM sqlite_master").fetchall()
    steps = (*schema.MIGRATIONS, ("CREATE TABLE later (x)", "INSERT INTO later VALUES (1)", "no statement"))
    with pytest.raises(sqlite3.Error):
        schema.migrate(connection, path, steps)
    assert not connection.in_transaction
    assert connection.execute("SELECT name, sql FROM sqlite_master").fetchall() == before
    assert connection.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)
    schema.migrate(connection, path, steps[:-1])
    connection.close()


def test_a_migration_goes_on_from_where_the_file_is(connection: sqlite3.Connection, path: Path) -> None:
    schema.migrate(connection, path)
    steps = (*schema.MIGRATIONS, ("CREATE TABLE later (x)",), ("INSERT INTO later VALUES (1)",))
    schema.migrate(connection, path, steps)
    assert connection.execute("SELECT x FROM later").fetchall() == [(1,)]
    with pytest.raises(NewerSchemaError):
        schema.migrate(connection, path)
    connection.close()


DIES_IN_A_MIGRATION = """
from pathlib import Path
from actorflow.store.sqlite import schema
connection = sqlite3.connect(path, isolation_level=None)
connection.create_function("die", 0, lambda: os.kill(os.getpid(), 9))
schema.migrate(connection, Path(path), (*schema.MIGRATIONS, ("CREATE TABLE later (x)", "SELECT die()")))
"""


async def test_a_migration_killed_halfway_leaves_the_old_schema(path: Path, sqlite: SqliteStore) -> None:
    await sqlite.commit([begin(sqlite, "order")])
    await sqlite.close()
    with child.start(DIES_IN_A_MIGRATION, path) as migrating:
        assert migrating.wait() == -9
    await sqlite.open()
    assert await sqlite.find("default", "order") is not None


KILLED_WHILE_CREATING = """
from actorflow.store.sqlite import schema
countdown = int(sys.argv[2])
def die(text):
    global countdown
    countdown -= 1
    if countdown == 0:
        os.kill(os.getpid(), 9)
from actorflow.store.sqlite import session
real = session.connect
def connect(*args, **options):
    connection = real(*args, **options)
    connection.set_trace_callback(die)
    return connection
session.connect = connect
async def main():
    await SqliteStore(path).open()
    say("created")
asyncio.run(main())
"""


@pytest.mark.parametrize("statement", [1, 2, 3, 4, 5, 30, 35, 40, 45, 50, 55, 60])
async def test_a_file_whose_creation_was_killed_is_created_again(path: Path, statement: int) -> None:
    with child.start(KILLED_WHILE_CREATING, path, statement) as creating:
        creating.communicate()
    store = SqliteStore(path)
    await store.open()
    await store.commit([begin(store, "order")])
    assert await store.find("default", "order") is not None
    await store.close()


async def test_views_follow_the_code(path: Path, sqlite: SqliteStore) -> None:
    await sqlite.close()
    other = sqlite3.connect(path)
    other.execute("DROP VIEW af_event")
    other.execute("CREATE VIEW af_event AS SELECT 1 AS number")
    other.close()
    await sqlite.open()
    reader = sqlite3.connect(path)
    assert dict(reader.execute("SELECT name, sql FROM sqlite_master WHERE type = 'view'")) == schema.VIEWS
    reader.close()


# Plans


def plan(connection: sqlite3.Connection, query: str, values: Any) -> list[str]:
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", values)]


HOSTED = {
    "namespace": "n",
    "task_queue": "q",
    "shard": 0,
    "workflow_types": "[]",
    "is_any_type": 0,
    "after": 0,
    "limit": 1,
    "now": 1,
}


@pytest.mark.parametrize(
    ("query", "values", "uses"),
    [
        (
            queries.FIND_RUNS,
            ('[["n", "w", null]]',),
            [
                "SEARCH run USING INTEGER PRIMARY KEY (rowid=?)",
                "SEARCH one USING INDEX run_run_id (run_id=?)",
                "SEARCH one USING INDEX run_open (namespace=? AND workflow_id=?)",
                "SEARCH one USING COVERING INDEX run_workflow (namespace=? AND workflow_id=?)",
            ],
        ),
        (queries.OPEN_RUN, ("n", "w"), ["SEARCH run USING INDEX run_open (namespace=? AND workflow_id=?)"]),
        (queries.LAST_RUN, ("n", "w"), ["SEARCH run USING INDEX run_workflow (namespace=? AND workflow_id=?)"]),
        (
            queries.RUN_BY_REQUEST,
            ("n", "w", "r"),
            ["SEARCH run USING INDEX run_request (namespace=? AND workflow_id=? AND request_id=?)"],
        ),
        (queries.RUN_BY_KEY, (1,), ["SEARCH run USING INTEGER PRIMARY KEY (rowid=?)"]),
        (queries.BUSY, (0, 1), ["SEARCH run USING INDEX run_busy (key>?)"]),
        (queries.JOURNAL, (1,), ["SEARCH turn USING INDEX turn_run (run=?)"]),
        (
            queries.NEXT_DUE,
            HOSTED,
            ["SEARCH run USING INDEX run_due (namespace=? AND task_queue=? AND shard=? AND wake_at>?)"],
        ),
        (
            queries.DUE,
            HOSTED,
            ["SEARCH run USING INDEX run_due (namespace=? AND task_queue=? AND shard=? AND wake_at>? AND wake_at<?)"],
        ),
        (
            queries.ARRIVALS,
            HOSTED,
            [
                "SEARCH inbox USING COVERING INDEX inbox_run (run>?)",
                "SEARCH run USING INDEX run_failing (key>?)",
                "SEARCH run USING INTEGER PRIMARY KEY (rowid=?)",
            ],
        ),
        (
            queries.LOAD,
            {"keys": "[1]"},
            [
                "SEARCH run USING INTEGER PRIMARY KEY (rowid=?)",
                "SEARCH turn USING INDEX turn_run (run=?)",
                "SEARCH inbox USING INDEX inbox_run (run=?)",
                "SEARCH activity USING INDEX activity_run (run=?)",
                "SEARCH used USING COVERING INDEX payload_use_holder (run=?)",
                "SEARCH payload USING INDEX payload_hash (hash=?)",
            ],
        ),
        (
            queries.rows_statement(queries.RELEASE_PAYLOADS, 2, 2),
            (None,) * 4,
            ["SEARCH used USING COVERING INDEX payload_use_holder (run=? AND holder=?)"],
        ),
        (
            queries.rows_statement(queries.RELEASE_INBOX, 2, 1),
            (None,) * 2,
            ["SEARCH used USING COVERING INDEX payload_use_holder (run=? AND holder>? AND holder<?)"],
        ),
        (
            queries.rows_statement(queries.DROP_UNUSED_PAYLOADS, 2, 1),
            (None,) * 2,
            [
                "SEARCH payload USING COVERING INDEX payload_hash (hash=?)",
                "SEARCH used USING COVERING INDEX payload_use_hash (hash=?)",
            ],
        ),
        (
            queries.rows_statement(queries.UPDATE_OPEN, 2, 9),
            (None,) * 18,
            ["SEARCH run USING INTEGER PRIMARY KEY (rowid=?)"],
        ),
        (
            queries.rows_statement(queries.UPDATE_CLOSED, 2, 11),
            (None,) * 22,
            ["SEARCH run USING INTEGER PRIMARY KEY (rowid=?)"],
        ),
        (
            queries.rows_statement(queries.COUNT_UNCHANGED, 2, 2),
            (None,) * 4,
            ["SEARCH run USING INTEGER PRIMARY KEY (rowid=?)"],
        ),
        (
            queries.rows_statement(queries.COUNT_PREDECESSORS, 2, 2),
            (None,) * 4,
            ["SEARCH run USING COVERING INDEX run_workflow (namespace=? AND workflow_id=?)"],
        ),
        (
            queries.RELATED,
            {"wanted": '[["run-1", 1]]'},
            [
                "SEARCH run USING INDEX run_run_id (run_id=?)",
                "SEARCH turn USING INDEX turn_run (run=? AND number=?) LEFT-JOIN",
            ],
        ),
        (
            queries.rows_statement(queries.DELETE_INBOX, 2, 1),
            (None,) * 2,
            ["SEARCH inbox USING INTEGER PRIMARY KEY (rowid=?)"],
        ),
        (
            queries.rows_statement(queries.DELETE_ACTIVITIES, 2, 2),
            (None,) * 4,
            ["SEARCH activity USING COVERING INDEX activity_run (run=? AND activity_id=?)"],
        ),
    ],
)
def test_hot_statements_search_their_index(
    connection: sqlite3.Connection, path: Path, query: str, values: object, uses: list[str]
) -> None:
    schema.migrate(connection, path)
    found = plan(connection, query, values)
    connection.close()
    assert [step for step in uses if step not in found] == [], found
    tables = ("run", "turn", "inbox", "activity", "payload", "used")
    assert not any(step.startswith(tuple(f"SCAN {table}" for table in tables)) for step in found), found
