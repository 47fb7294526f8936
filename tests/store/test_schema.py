"""Tables, migrations, query plans, and the views people may rely on."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actorflow.converter import Failure, Payload
from actorflow.core import events as ev
from actorflow.core.journal import Turn, encode_turn
from actorflow.core.state import turn_width
from actorflow.exceptions import NewerSchemaError
from actorflow.store.protocol import ActivityRow, Change, Head, InboxRow
from actorflow.store.sqlite import SqliteStore, queries, schema
from tests.store import child
from tests.store.given import NOON, SECOND, TURN_WIDTH, begin, receives


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


HOSTED = {"namespace": "n", "task_queue": "q", "shard": 0, "workflow_types": "[]", "after": 0, "limit": 1, "now": 1}


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
    tables = ("run", "turn", "inbox", "activity")
    assert not any(step.startswith(tuple(f"SCAN {table}" for table in tables)) for step in found), found


# Views


def read(path: Path, query: str) -> list[dict[str, object]]:
    """What somebody with the sqlite3 module sees while the owner runs."""
    reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    reader.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in reader.execute(query)]
    finally:
        reader.close()


async def test_workflows_are_readable(path: Path, sqlite: SqliteStore) -> None:
    await sqlite.commit([begin(sqlite, "order", wake_at=NOON + timedelta(microseconds=7), request_id="r")])
    assert read(path, "SELECT * FROM af_workflow") == [
        {
            "namespace": "default",
            "workflow_id": "order",
            "run_id": "run-1",
            "workflow_type": "Order",
            "task_queue": "orders",
            "status": "running",
            "parked": None,
            "started_at": "2030-06-01T12:00:00.000000Z",
            "closed_at": None,
            "wake_at": "2030-06-01T12:00:00.000007Z",
            "open_activities": 0,
            "last_event": TURN_WIDTH,
            "request_id": "r",
            "run": 1,
            "first_run_id": "run-1",
        }
    ]


async def test_waiting_messages_are_readable(path: Path, sqlite: SqliteStore) -> None:
    run = begin(sqlite, "order")
    await sqlite.commit([run, receives(sqlite, run.key)])
    (row,) = read(path, "SELECT workflow_id, seq, message, received_at, data, request_id FROM af_inbox")
    assert row == {
        "workflow_id": "order",
        "seq": 1,
        "message": "SignalReceived",
        "received_at": "2030-06-01T12:00:00.000000Z",
        "data": '{"name":"paid"}',
        "request_id": "",
    }


def scheduled(activity_id: str, *, waiting: bool = False) -> ev.ActivityScheduled:
    return ev.ActivityScheduled(activity_id, "charge", "cards", (Payload(json=msgspec.Raw(b"1")),), waiting=waiting)


FAILURE = Failure("it broke")

TURNS: tuple[tuple[ev.AnyEvent, ...], ...] = (
    (
        ev.Started("Order", "orders"),
        scheduled("1"),
        scheduled("2"),
        scheduled("3"),
        scheduled("4", waiting=True),
        ev.TimerStarted("1", timedelta(days=2, seconds=3, microseconds=5), "patience"),
        ev.TimerStarted("2", SECOND),
        ev.TimerStarted("3", timedelta(days=1)),
    ),
    (ev.SignalReceived("paid"), ev.ActivityCompleted("1"), ev.TimerFired("2")),
    (ev.TurnFailed(FAILURE),),
    (ev.ActivityFailed("2", FAILURE, attempt=0), ev.CancelRequested(), ev.TimerCancelled("3")),
)


async def journaled(store: SqliteStore, history: tuple[tuple[ev.AnyEvent, ...], ...], **head: object) -> Change:
    """A run with these turns."""
    started, number = begin(store, "order"), 0
    rows = []
    for events in history:
        number += turn_width(events)
        rows.append(encode_turn(Turn(number, NOON, events), previous=0))
    fields = {"last_event": number, "checksum": 0, **head}
    change = msgspec.structs.replace(started, head=msgspec.convert(fields, Head), turns=tuple(rows))
    await store.commit([change])
    return change


def numbered(history: tuple[tuple[ev.AnyEvent, ...], ...]) -> list[tuple[int, str]]:
    """Events with the numbers the core gives them: the last of each event's."""
    found: list[tuple[int, str]] = []
    number = 0
    for events in history:
        number += turn_width(events)
        at = number - turn_width(events)
        has_decided = False
        for event in events:
            if not has_decided and type(event) in ev.DECISIONS:
                has_decided = True
                at += ev.TASK_EVENTS
            at += ev.width(event)
            found.append((at, type(event).__name__))
    return found


@pytest.mark.parametrize(
    "end", [(ev.SignalUnhandled("paid"), ev.Terminated()), (ev.SignalReceived("paid"), ev.Completed())]
)
async def test_events_carry_the_numbers_of_the_history(
    path: Path, sqlite: SqliteStore, end: tuple[ev.AnyEvent, ...]
) -> None:
    history = (*TURNS, end)
    await journaled(sqlite, history)
    rows = read(path, "SELECT number, event FROM af_event WHERE workflow_id = 'order' ORDER BY number")
    assert [(row["number"], row["event"]) for row in rows] == numbered(history)


async def test_events_show_what_they_hold(path: Path, sqlite: SqliteStore) -> None:
    await journaled(sqlite, TURNS)
    (row,) = read(path, "SELECT * FROM af_event WHERE event = 'TimerStarted' AND data LIKE '%patience%'")
    assert row["data"] == '{"timer_id":"1","duration":"P2DT3.000005S","summary":"patience"}'
    assert row["at"] == "2030-06-01T12:00:00.000000Z"
    assert row["turn"] == turn_width(TURNS[0])


async def test_running_timers_are_readable(path: Path, sqlite: SqliteStore) -> None:
    await journaled(sqlite, TURNS, wake_at=NOON)
    rows = read(path, "SELECT timer_id, started_at, fires_at, summary FROM af_timer")
    assert rows == [
        {
            "timer_id": "1",
            "started_at": "2030-06-01T12:00:00.000000Z",
            "fires_at": "2030-06-03T12:00:03.000005Z",
            "summary": "patience",
        }
    ]


async def test_open_activities_are_readable(path: Path, sqlite: SqliteStore) -> None:
    run = await journaled(sqlite, (TURNS[0],), open_activities=4)
    retried = ActivityRow("2", 3, 3, next_attempt_at=NOON + SECOND, last_failure="{}")
    running = ActivityRow("3", 2, 2, started_at=NOON + SECOND, heartbeat="[1]", cancel_requested=True)
    await sqlite.commit([Change(run.key, activities=(retried, running))])
    rows = read(path, "SELECT * FROM af_activity ORDER BY activity_id")
    shown = [(row["activity_id"], row["state"], row["attempt"], row["started_at"]) for row in rows]
    assert shown == [
        ("1", "started", 1, "2030-06-01T12:00:00.000000Z"),
        ("2", "backing off", 3, None),
        ("3", "started", 2, "2030-06-01T12:00:01.000000Z"),
        ("4", "waiting", 1, None),
    ]
    assert (rows[1]["next_attempt_at"], rows[1]["last_failure"]) == ("2030-06-01T12:00:01.000000Z", "{}")
    assert (rows[2]["heartbeat"], rows[2]["cancel_requested"]) == ("[1]", 1)
    assert (rows[0]["activity_type"], rows[0]["task_queue"]) == ("charge", "cards")


async def test_activities_with_an_outcome_are_not_open(path: Path, sqlite: SqliteStore) -> None:
    await journaled(sqlite, TURNS, open_activities=2)
    rows = read(path, "SELECT activity_id FROM af_activity ORDER BY activity_id")
    assert [row["activity_id"] for row in rows] == ["3", "4"]


async def test_closed_runs_have_no_timers_and_no_activities(path: Path, sqlite: SqliteStore) -> None:
    await journaled(sqlite, (*TURNS, (ev.Terminated(),)), status="terminated", closed_at=NOON)
    assert read(path, "SELECT * FROM af_timer") == []
    assert read(path, "SELECT * FROM af_activity") == []


async def test_a_message_row_that_is_not_an_event_is_shown_too(path: Path, sqlite: SqliteStore) -> None:
    run = begin(sqlite)
    await sqlite.commit([run, Change(run.key, arrived=(InboxRow(1, "{}", NOON),))])
    assert [row["message"] for row in read(path, "SELECT * FROM af_inbox")] == [None]
