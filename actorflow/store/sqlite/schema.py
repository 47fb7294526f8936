"""The tables, how they came about, and the views people may rely on.

Four tables hold all executions: ``run`` is the head of one, ``turn`` its journal, ``inbox`` the messages no turn has
consumed yet, ``activity`` what the journal must not hold of an open activity. ``schedule`` has a row for each schedule,
with what it is to do and how far it has come as JSON. ``meta`` is one row of counters.
Payloads of more than 64 KiB are in ``payload``, once each, by the SHA-256 of their text; where one was, a row has a
reference, and ``payload_use`` says which rows have: 'turn' and its number, 'inbox' and its seq, 'activity' and its id,
'note' of a run; of run 0 'schedule' and its name (`rows.schedule_holder`). The last user to go takes the payload along.
Of runs with a memo or search attributes, ``note`` has them as they are now; ``search_value`` is the index of what they
are found by, and ``search_attribute`` says which types the names have.

The views are a promise: their names, columns and meaning stay; columns may be added. Instants are ISO 8601 in UTC.

==============  =====================================================================================================
af_workflow     one row per run: namespace, workflow_id, run_id, workflow_type, task_queue, status, parked, started_at,
                closed_at, wake_at, open_activities, last_event, request_id, run, first_run_id (of its chain)
af_event        one row per event of the journal: namespace, workflow_id, run_id, number (as in the public history),
                at, event (its name), data (JSON), turn (number of the turn's last event), run
af_activity     one row per open activity: namespace, workflow_id, run_id, activity_id, activity_type, task_queue,
                state (started, waiting, backing off), attempt, scheduled_at, started_at, next_attempt_at,
                last_failure, heartbeat, cancel_requested, run
af_timer        one row per running timer of an open run: namespace, workflow_id, run_id, timer_id, started_at,
                fires_at, summary, run
af_child        one row per child of an open run that is not over: namespace, workflow_id, run_id (of the parent),
                initiated (number of the event that asked for it), child_workflow_id, child_run_id (its first run),
                child_workflow_type, task_queue, parent_close_policy, initiated_at, started (0 or 1), run
af_inbox        one row per waiting message: namespace, workflow_id, run_id, seq, message (its name), received_at,
                data (JSON), request_id, run
af_search_      one row per search attribute of a run: namespace, workflow_id, run_id, name, type, value (a list of
attribute       keywords as JSON), run
==============  =====================================================================================================
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from actorflow.core import events as ev
from actorflow.search_attributes import SearchAttributeIndexedValueType
from actorflow.store.sqlite import queries
from actorflow.store.sqlite.file import APPLICATION_ID, check_schema_version
from actorflow.store.sqlite.references import REFERENCE_SQL

# Open runs have indexes of their own, which stay small however many have closed. Turns have a rowid, so that they are
# appended whichever run they belong to.
_FIRST: Final = (
    """CREATE TABLE meta (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        epoch INTEGER NOT NULL,
        batch INTEGER NOT NULL,
        run_key INTEGER NOT NULL,
        inbox_seq INTEGER NOT NULL
    ) STRICT""",
    "INSERT INTO meta VALUES (1, 0, 0, 0, 0)",
    """CREATE TABLE run (
        key INTEGER PRIMARY KEY,
        namespace TEXT NOT NULL,
        workflow_id TEXT NOT NULL,
        run_id TEXT NOT NULL,
        workflow_type TEXT NOT NULL,
        task_queue TEXT NOT NULL,
        shard INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        request_id TEXT NOT NULL,
        started_at INTEGER NOT NULL,
        status TEXT NOT NULL,
        last_event INTEGER NOT NULL,
        checksum INTEGER NOT NULL,
        wake_at INTEGER,
        open_activities INTEGER NOT NULL,
        closed_at INTEGER,
        failing TEXT,
        parked TEXT
    ) STRICT""",
    "CREATE UNIQUE INDEX run_open ON run (namespace, workflow_id) WHERE status = 'running'",
    "CREATE INDEX run_workflow ON run (namespace, workflow_id, key)",
    "CREATE UNIQUE INDEX run_run_id ON run (run_id)",
    "CREATE UNIQUE INDEX run_request ON run (namespace, workflow_id, request_id) WHERE request_id <> ''",
    """CREATE INDEX run_due ON run (namespace, task_queue, shard, wake_at)
        WHERE wake_at IS NOT NULL AND status = 'running' AND parked IS NULL""",
    "CREATE INDEX run_busy ON run (key) WHERE open_activities > 0 AND status = 'running'",
    "CREATE INDEX run_failing ON run (key) WHERE failing IS NOT NULL AND status = 'running'",
    """CREATE TABLE turn (
        run INTEGER NOT NULL,
        number INTEGER NOT NULL,
        at INTEGER NOT NULL,
        events TEXT NOT NULL,
        checksum INTEGER NOT NULL
    ) STRICT""",
    "CREATE UNIQUE INDEX turn_run ON turn (run, number)",
    """CREATE TABLE inbox (
        seq INTEGER PRIMARY KEY,
        run INTEGER NOT NULL,
        message TEXT NOT NULL,
        received_at INTEGER NOT NULL,
        request_id TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX inbox_run ON inbox (run)",
    """CREATE TABLE activity (
        run INTEGER NOT NULL,
        activity_id TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        charged INTEGER NOT NULL,
        started_at INTEGER,
        next_attempt_at INTEGER,
        last_failure TEXT,
        heartbeat TEXT,
        cancel_requested INTEGER NOT NULL
    ) STRICT""",
    "CREATE UNIQUE INDEX activity_run ON activity (run, activity_id)",
)

# For lists and counts: by status and by type, in order of start. All statuses merged are in order of start, too, so no
# third index is needed for a list of everything. Few runs are parked.
_SECOND: Final = (
    "CREATE INDEX run_status ON run (namespace, status, started_at)",
    "CREATE INDEX run_type ON run (namespace, workflow_type, started_at)",
    "CREATE INDEX run_parked ON run (namespace, started_at) WHERE parked IS NOT NULL",
)

# Chains of runs. (Adding a column with a default changes no row.)
_THIRD: Final = ("ALTER TABLE run ADD COLUMN first_run_id TEXT NOT NULL DEFAULT ''",)

# Memo and search attributes. Values have a start, so that those of one value are in the order of lists.
_NOTES: Final = (
    "CREATE TABLE note (run INTEGER PRIMARY KEY, notes TEXT NOT NULL) STRICT",
    """CREATE TABLE search_attribute (
        id INTEGER PRIMARY KEY,
        namespace TEXT NOT NULL,
        name TEXT NOT NULL,
        type INTEGER NOT NULL
    ) STRICT""",
    "CREATE UNIQUE INDEX search_attribute_name ON search_attribute (namespace, name)",
    """CREATE TABLE search_value (
        attribute INTEGER NOT NULL,
        value ANY NOT NULL,
        started_at INTEGER NOT NULL,
        run INTEGER NOT NULL,
        PRIMARY KEY (attribute, value, started_at, run)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX search_value_run ON search_value (run, attribute)",
)

_SCHEDULES: Final = (
    """CREATE TABLE schedule (
        namespace TEXT NOT NULL,
        schedule_id TEXT NOT NULL,
        version INTEGER NOT NULL,
        record TEXT NOT NULL,
        PRIMARY KEY (namespace, schedule_id)
    ) STRICT""",
)

_PAYLOADS: Final = (
    "CREATE TABLE payload (hash TEXT NOT NULL, size INTEGER NOT NULL, body TEXT NOT NULL) STRICT",
    "CREATE UNIQUE INDEX payload_hash ON payload (hash)",
    "CREATE TABLE payload_use (run INTEGER NOT NULL, holder TEXT NOT NULL, hash TEXT NOT NULL) STRICT",
    "CREATE UNIQUE INDEX payload_use_holder ON payload_use (run, holder, hash)",
    "CREATE INDEX payload_use_hash ON payload_use (hash)",
)

MIGRATIONS: Final[Sequence[Sequence[str]]] = (_FIRST, _SECOND, _THIRD, _NOTES, _SCHEDULES, _PAYLOADS)
"""Statements that lead from schema ``n`` to ``n + 1``. A released one is never edited."""

VERSION: Final = len(MIGRATIONS)

READABLE_SINCE: Final = MIGRATIONS.index(_PAYLOADS) + 1
"""The oldest schema whose tables and indexes the queries understand, for those who look and must not migrate."""


def migrate(
    connection: sqlite3.Connection,
    path: Path,
    migrations: Sequence[Sequence[str]] = MIGRATIONS,
    views: Mapping[str, str] | None = None,
) -> None:
    """Make the schema current in one transaction; a process killed meanwhile leaves the old one.

    Raises:
        NewerSchemaError: a newer version wrote the file; it is left as it is.
    """
    found = _pragma(connection, "user_version")
    check_schema_version(path, found, known=len(migrations))
    changes = [*_view_changes(connection, VIEWS if views is None else views)]
    if found == len(migrations) and not changes:
        return
    connection.execute(queries.BEGIN)
    try:
        # Not executescript: it commits first.
        for statement in (*(text for step in migrations[found:] for text in step), *changes):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
        connection.execute(queries.COMMIT)
    except BaseException:
        if connection.in_transaction:
            connection.execute(queries.ROLLBACK)
        raise
    # The version must be readable in the main file's header, without the WAL.
    connection.execute(queries.TRUNCATE_WAL).fetchall()


def stamp(connection: sqlite3.Connection) -> None:
    """Mark an empty database as ours; before anything else is written, and before it has a WAL."""
    if _pragma(connection, "page_count") == 0:
        # In one transaction, or a process killed between them leaves a database of nobody's. Not an immediate one: it
        # would create the file before the first of them.
        connection.execute("BEGIN")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(queries.COMMIT)


def tables_and_indexes(version: int) -> Mapping[str, str]:
    """What a file of this schema holds: 'table' or 'index', by name."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as blank:
        for statement in (statement for migration in MIGRATIONS[:version] for statement in migration):
            blank.execute(statement)
        return dict(blank.execute(queries.TABLES_AND_INDEXES))


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def _view_changes(connection: sqlite3.Connection, views: Mapping[str, str]) -> Iterable[str]:
    """Views follow the code, not the schema's number: a new kind of event changes only how rows are shown."""
    found: dict[str, str] = dict(
        connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'view' AND name GLOB 'af_*'").fetchall()
    )
    if found == views:
        return
    yield from (f"DROP VIEW {name}" for name in found)
    yield from views.values()


# How the views read rows


def _time(column: str) -> str:
    """Microseconds as text such as 2030-01-31T12:00:00.000000Z."""
    return f"strftime('%Y-%m-%dT%H:%M:%S', {column} / 1000000, 'unixepoch') || printf('.%06dZ', {column} % 1000000)"


def _names(kinds: Iterable[type[ev.Event]]) -> str:
    return ", ".join(sorted(f"'{kind.__name__}'" for kind in kinds))


def _type_name(column: str) -> str:
    """The name of a type of search attributes."""
    names = " ".join(f"WHEN {int(one)} THEN '{one.public_name}'" for one in SearchAttributeIndexedValueType)
    return f"CASE {column} {names} END"


def _whole(text: str, run: str, holder: str) -> str:
    """The JSON of a row with its large payloads put back, one after the other; most rows have none."""
    return f"""CASE WHEN EXISTS (SELECT 1 FROM payload_use AS used WHERE used.run = {run} AND used.holder = {holder})
    THEN (WITH RECURSIVE whole(hash, text) AS (
        SELECT '', {text}
        UNION ALL SELECT payload.hash, replace(whole.text, {REFERENCE_SQL}, payload.body)
            FROM whole CROSS JOIN payload ON payload.hash = (SELECT min(used.hash) FROM payload_use AS used
                WHERE used.run = {run} AND used.holder = {holder} AND used.hash > whole.hash))
        SELECT whole.text FROM whole ORDER BY whole.hash DESC LIMIT 1)
    ELSE {text} END"""


_OUTCOMES: Final = (ev.ActivityCompleted, ev.ActivityFailed, ev.ActivityTimedOut, ev.ActivityCancelled)
_TASKLESS: Final = (ev.TurnFailed, *ev.UNASKED)


def _width(event: str) -> str:
    """`core.events.width` of a row of json_each."""
    return (
        f"CASE json_extract({event}.value, '$.event') WHEN '{ev.TurnFailed.__name__}' THEN {ev.TASK_EVENTS} "
        + " ".join(
            f"WHEN '{kind.__name__}' THEN 1 + (coalesce(json_extract({event}.value, '$.attempt'), 1) <> 0)"
            for kind in _OUTCOMES
        )
        + " ".join(f" WHEN '{kind.__name__}' THEN 0" for kind in sorted(ev.UNSEEN, key=lambda kind: kind.__name__))
        + " ELSE 1 END"
    )


_DECISION_NUMBER: Final = f"""turn.number - (json_array_length(turn.events) - 1 - event.key)
        + (SELECT count(*) FROM json_each(turn.events) AS other WHERE other.key > event.key
            AND json_extract(other.value, '$.event') IN ({_names(ev.UNSEEN)}))"""
# Numbers are counted back from the turn's last event: decisions stand at the end and take one number each (but for the
# very last, which are no events of the public history), the task events stand before them, the arrivals before those.
_EVENT_NUMBER: Final = f"""CASE WHEN json_extract(event.value, '$.event') IN ({_names(ev.DECISIONS)})
    THEN {_DECISION_NUMBER}
    ELSE turn.number
        - coalesce((SELECT sum({_width("later")}) FROM json_each(turn.events) AS later WHERE later.key > event.key), 0)
        - CASE WHEN EXISTS (SELECT 1 FROM json_each(turn.events) AS other
            WHERE json_extract(other.value, '$.event') IN ({_names(_TASKLESS)})) THEN 0 ELSE {ev.TASK_EVENTS} END
    END"""

_CHILD_ENDS: Final = (
    ev.ChildStartFailed,
    ev.ChildCompleted,
    ev.ChildFailed,
    ev.ChildCancelled,
    ev.ChildTimedOut,
    ev.ChildTerminated,
)
_CHILD_EVENTS: Final = (ev.ChildScheduled, ev.ChildStarted, *_CHILD_ENDS)
_DAYS: Final = "CASE WHEN instr(duration, 'D') THEN CAST(substr(duration, 2) AS INTEGER) ELSE 0 END"
_SECONDS: Final = (
    "CASE WHEN instr(duration, 'T') THEN CAST(substr(duration, instr(duration, 'T') + 1) AS REAL) ELSE 0 END"
)
_FIRES_AT: Final = f"at + CAST(round((({_DAYS}) * 86400 + ({_SECONDS})) * 1000000) AS INTEGER)"

VIEWS: Final[Mapping[str, str]] = {
    "af_workflow": f"""CREATE VIEW af_workflow AS SELECT
    namespace, workflow_id, run_id, workflow_type, task_queue, status, parked,
    {_time("started_at")} AS started_at, {_time("closed_at")} AS closed_at, {_time("wake_at")} AS wake_at,
    open_activities, last_event, request_id, key AS run, coalesce(nullif(first_run_id, ''), run_id) AS first_run_id
FROM run""",
    "af_event": f"""CREATE VIEW af_event AS SELECT
    run.namespace, run.workflow_id, run.run_id, {_EVENT_NUMBER} AS number, {_time("turn.at")} AS at,
    json_extract(event.value, '$.event') AS event,
    {_whole("json_remove(event.value, '$.event')", "turn.run", "'turn ' || turn.number")} AS data,
    turn.number AS turn, run.key AS run
FROM run JOIN turn ON turn.run = run.key JOIN json_each(turn.events) AS event""",
    "af_activity": f"""CREATE VIEW af_activity AS SELECT
    run.namespace, run.workflow_id, run.run_id, open.activity_id, open.activity_type, open.task_queue,
    CASE WHEN activity.started_at IS NOT NULL AND activity.next_attempt_at IS NOT NULL THEN 'left open'
        WHEN activity.started_at IS NOT NULL OR (activity.run IS NULL AND NOT open.waiting) THEN 'started'
        WHEN activity.next_attempt_at IS NOT NULL AND activity.attempt > 1 THEN 'backing off'
        ELSE 'waiting' END AS state,
    coalesce(activity.attempt, 1) AS attempt, {_time("open.at")} AS scheduled_at,
    {_time("coalesce(activity.started_at, CASE WHEN activity.run IS NULL AND NOT open.waiting THEN open.at END)")}
        AS started_at,
    CASE WHEN activity.started_at IS NULL THEN {_time("activity.next_attempt_at")} END AS next_attempt_at,
    {_whole("activity.last_failure", "activity.run", "'activity ' || activity.activity_id")} AS last_failure,
    {_whole("activity.heartbeat", "activity.run", "'activity ' || activity.activity_id")} AS heartbeat,
    coalesce(activity.cancel_requested, 0) AS cancel_requested, run.key AS run
FROM run JOIN (
    SELECT turn.run, json_extract(event.value, '$.activity_id') AS activity_id, min(turn.at) AS at,
        max(json_extract(event.value, '$.activity_type')) AS activity_type,
        max(json_extract(event.value, '$.task_queue')) AS task_queue,
        max(coalesce(json_extract(event.value, '$.waiting'), 0)) AS waiting
    FROM run AS host JOIN turn ON turn.run = host.key JOIN json_each(turn.events) AS event
    WHERE host.open_activities > 0 AND host.status = 'running'
        AND json_extract(event.value, '$.event') IN ({_names((ev.ActivityScheduled, *_OUTCOMES))})
    GROUP BY 1, 2 HAVING sum(json_extract(event.value, '$.event') <> '{ev.ActivityScheduled.__name__}') = 0
) AS open ON open.run = run.key
LEFT JOIN activity ON activity.run = open.run AND activity.activity_id = open.activity_id""",
    "af_timer": f"""CREATE VIEW af_timer AS SELECT
    run.namespace, run.workflow_id, run.run_id, open.timer_id, {_time("open.at")} AS started_at,
    {_time(f"({_FIRES_AT})")} AS fires_at, open.summary, run.key AS run
FROM run JOIN (
    SELECT turn.run, json_extract(event.value, '$.timer_id') AS timer_id, min(turn.at) AS at,
        max(json_extract(event.value, '$.duration')) AS duration,
        max(coalesce(json_extract(event.value, '$.summary'), '')) AS summary
    FROM run AS host JOIN turn ON turn.run = host.key JOIN json_each(turn.events) AS event
    WHERE host.wake_at IS NOT NULL AND host.status = 'running'
        AND json_extract(event.value, '$.event') IN ({_names((ev.TimerStarted, ev.TimerFired, ev.TimerCancelled))})
    GROUP BY 1, 2 HAVING sum(json_extract(event.value, '$.event') <> '{ev.TimerStarted.__name__}') = 0
) AS open ON open.run = run.key""",
    "af_child": f"""CREATE VIEW af_child AS SELECT
    run.namespace, run.workflow_id, run.run_id, open.initiated, open.child_workflow_id, open.child_run_id,
    open.child_workflow_type, open.task_queue, open.parent_close_policy, {_time("open.at")} AS initiated_at,
    open.started, run.key AS run
FROM run JOIN (
    SELECT turn.run, coalesce(json_extract(event.value, '$.initiated'), {_DECISION_NUMBER}) AS initiated,
        min(turn.at) AS at, max(json_extract(event.value, '$.workflow_id')) AS child_workflow_id,
        max(json_extract(event.value, '$.run_id')) AS child_run_id,
        max(json_extract(event.value, '$.workflow_type')) AS child_workflow_type,
        max(json_extract(event.value, '$.task_queue')) AS task_queue,
        coalesce(max(json_extract(event.value, '$.parent_close')), 1) AS parent_close_policy,
        max(json_extract(event.value, '$.event') = '{ev.ChildStarted.__name__}') AS started
    FROM run AS host JOIN turn ON turn.run = host.key JOIN json_each(turn.events) AS event
    WHERE host.status = 'running' AND instr(turn.events, '"Child')
        AND json_extract(event.value, '$.event') IN ({_names(_CHILD_EVENTS)})
    GROUP BY 1, 2 HAVING sum(json_extract(event.value, '$.event') IN ({_names(_CHILD_ENDS)})) = 0
) AS open ON open.run = run.key""",
    "af_inbox": f"""CREATE VIEW af_inbox AS SELECT
    run.namespace, run.workflow_id, run.run_id, inbox.seq, json_extract(inbox.message, '$.event') AS message,
    {_time("inbox.received_at")} AS received_at,
    {_whole("json_remove(inbox.message, '$.event')", "inbox.run", "'inbox ' || inbox.seq")} AS data,
    inbox.request_id, run.key AS run
FROM inbox JOIN run ON run.key = inbox.run""",
    "af_search_attribute": f"""CREATE VIEW af_search_attribute AS SELECT
    run.namespace, run.workflow_id, run.run_id, one.key AS name,
    {_type_name("json_extract(one.value, '$.type')")} AS type, json_extract(one.value, '$.value') AS value,
    run.key AS run
FROM note JOIN run ON run.key = note.run JOIN json_each(note.notes, '$.search_attributes') AS one""",
}
"""Name and text of each view."""
