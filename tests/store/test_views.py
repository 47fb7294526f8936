"""The views people may rely on."""

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
from actorflow.store.protocol import ActivityRow, Change, Head, InboxRow
from actorflow.store.sqlite import SqliteStore
from tests.store.given import NOON, SECOND, TURN_WIDTH, begin, receives


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
    "end",
    [
        (ev.SignalUnhandled("paid"), ev.Terminated()),
        (ev.SignalReceived("paid"), ev.Completed()),
        (ev.TimedOut(),),
        (ev.ChildFailed(6, FAILURE), ev.MessageDelivered(7), ev.CancelSent("other"), ev.ContinuedAsNew("Order", "q")),
    ],
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


def child(workflow_id: str, **options: Any) -> ev.ChildScheduled:
    return ev.ChildScheduled(workflow_id, "Parcel", "orders", f"run-{workflow_id}", **options)


FAMILY: tuple[tuple[ev.AnyEvent, ...], ...] = (
    (ev.Started("Order", "orders"), child("a"), child("b", parent_close=2), child("c"), child("d")),
    (ev.ChildStarted(5, "run-a"), ev.ChildStarted(6, "run-b"), ev.ChildStartFailed(8)),
    (ev.ChildCompleted(5),),
)


async def test_open_children_are_readable(path: Path, sqlite: SqliteStore) -> None:
    await journaled(sqlite, FAMILY)
    begun, waiting = read(path, "SELECT * FROM af_child ORDER BY initiated")
    assert begun == {
        "namespace": "default",
        "workflow_id": "order",
        "run_id": "run-1",
        "initiated": 6,
        "child_workflow_id": "b",
        "child_run_id": "run-b",
        "child_workflow_type": "Parcel",
        "task_queue": "orders",
        "parent_close_policy": 2,
        "initiated_at": "2030-06-01T12:00:00.000000Z",
        "started": 1,
        "run": 1,
    }
    assert (waiting["child_workflow_id"], waiting["started"], waiting["parent_close_policy"]) == ("c", 0, 1)


async def test_a_closed_run_has_no_open_children(path: Path, sqlite: SqliteStore) -> None:
    await journaled(sqlite, (*FAMILY, (ev.Terminated(),)), status="terminated", closed_at=NOON)
    assert read(path, "SELECT * FROM af_child") == []
