"""Every statement the store runs, apart from the schema.

Statements over many rows take their rows as one VALUES list: one step of SQLite gives the interpreter's lock away
once, `executemany` once per row. `rows_statement` writes the list; its length is a power of two so that few texts are
prepared.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

RUN_COLUMNS: Final = (
    "key",
    "namespace",
    "workflow_id",
    "run_id",
    "workflow_type",
    "task_queue",
    "started_at",
    "request_id",
    "shard",
    "first_run_id",
    "last_event",
    "checksum",
    "status",
    "wake_at",
    "open_activities",
    "closed_at",
    "failing",
    "parked",
)
"""As `rows.run_record` reads them."""

TURN_HOLDER: Final = "'turn ' || turn.number"
INBOX_HOLDER: Final = "'inbox ' || inbox.seq"
ACTIVITY_HOLDER: Final = "'activity ' || activity.activity_id"
NOTE_HOLDER: Final = "'note'"
# With a length, or two schedules could have one name.
SCHEDULE_HOLDER: Final = (
    "'schedule ' || length(schedule.namespace) || ' ' || schedule.namespace || ' ' || schedule.schedule_id"
)
"""What rows are called in ``payload_use``; see `rows.turn_holder` and so on."""

RUN: Final = ", ".join(f"run.{column}" for column in RUN_COLUMNS)

RUN_OF_VALUE: Final = RUN.replace("run.key", "search_value.run").replace("run.started_at", "search_value.started_at")
"""The same, of a run found by a search attribute: from the index that has them in order."""


def _bodies(run: str, *holders: str) -> str:
    """The payloads some rows of a run use, as a JSON object by hash."""
    return (
        "(SELECT json_group_object(payload.hash, payload.body) FROM payload_use AS used"
        f" CROSS JOIN payload ON payload.hash = used.hash WHERE used.run = {run}"
        f" AND used.holder IN ({', '.join(holders)}))"
    )


# Ownership and counters

BEGIN: Final = "BEGIN IMMEDIATE"
COMMIT: Final = "COMMIT"
ROLLBACK: Final = "ROLLBACK"
SAVEPOINT: Final = "SAVEPOINT change"
RELEASE: Final = "RELEASE change"
ROLLBACK_TO: Final = "ROLLBACK TO change"

READ_META: Final = "SELECT epoch, batch, run_key, inbox_seq FROM meta"
RAISE_EPOCH: Final = "UPDATE meta SET epoch = epoch + 1 RETURNING epoch"
# The epoch is asserted by the statement that every transaction needs anyway.
NEXT_BATCH: Final = "UPDATE meta SET batch = ?, run_key = ?, inbox_seq = ? WHERE epoch = ?"

CHECKPOINT: Final = "PRAGMA wal_checkpoint(PASSIVE)"
TRUNCATE_WAL: Final = "PRAGMA wal_checkpoint(TRUNCATE)"
QUICK_CHECK: Final = "PRAGMA quick_check(1)"

# Looking after a file from outside

SNAPSHOT: Final = "BEGIN"
INTEGRITY_CHECK: Final = "PRAGMA integrity_check(100)"
STRUCTURE_CHECK: Final = "PRAGMA quick_check(100)"
SCHEMA_VERSION: Final = "PRAGMA user_version"
TABLES_AND_INDEXES: Final = "SELECT name, type FROM sqlite_master WHERE type IN ('table', 'index') AND sql IS NOT NULL"
KEYS: Final = "SELECT key, last_event FROM run WHERE key > ? ORDER BY key LIMIT ?"
# The turn that holds an event of another run: that of the number, or the last for a number below zero.
_BEGINNING: Final = """FROM inbox WHERE inbox.run = run.key AND turn.number IS NULL
        AND CASE WHEN json_valid(message) THEN json_extract(message, '$.event') = 'Started' END ORDER BY seq LIMIT 1"""
RELATED: Final = f"""SELECT wanted.key, run.namespace, run.workflow_id, run.run_id, run.first_run_id,
    turn.number, turn.at, turn.events, (SELECT message {_BEGINNING}),
    {_bodies("run.key", TURN_HOLDER, f"(SELECT {INBOX_HOLDER} {_BEGINNING})")}
FROM json_each(:wanted) AS wanted
CROSS JOIN run ON run.run_id = json_extract(wanted.value, '$[0]')
LEFT JOIN turn ON turn.run = run.key AND turn.number = CASE WHEN json_extract(wanted.value, '$[1]') < 0
    THEN (SELECT max(number) FROM turn AS last WHERE last.run = run.key)
    ELSE (SELECT min(number) FROM turn AS held
        WHERE held.run = run.key AND held.number >= json_extract(wanted.value, '$[1]')) END"""
STRAY_ROWS: Final = " UNION ALL ".join(
    f"SELECT '{table}', run, count(*) FROM {table} WHERE run > :after AND run <= :last"
    f" AND NOT EXISTS (SELECT 1 FROM run WHERE key = {table}.run) GROUP BY run"
    for table in ("turn", "inbox", "activity", "note", "search_value")
)
PAYLOADS: Final = "SELECT rowid, hash, size, body FROM payload WHERE rowid > ? ORDER BY rowid LIMIT 1"
UNUSED_PAYLOADS: Final = (
    "SELECT hash FROM payload WHERE NOT EXISTS (SELECT 1 FROM payload_use AS used WHERE used.hash = payload.hash)"
)
MISSING_PAYLOADS: Final = (
    "SELECT used.run, used.holder, used.hash FROM payload_use AS used"
    " WHERE NOT EXISTS (SELECT 1 FROM payload WHERE payload.hash = used.hash)"
)
# What is not as its row says: the row is gone, or does not hold the reference.
STRAY_USES: Final = " UNION ALL ".join(
    "SELECT used.run, used.holder, used.hash FROM payload_use AS used"
    f" WHERE used.holder GLOB '{kind}'"
    f" AND NOT EXISTS (SELECT 1 FROM {table} WHERE {where} AND instr({text}, used.hash))"
    for kind, table, where, text in (
        ("turn *", "turn", "run = used.run AND number = CAST(substr(used.holder, 6) AS INTEGER)", "events"),
        ("inbox *", "inbox", "seq = CAST(substr(used.holder, 7) AS INTEGER) AND run = used.run", "message"),
        (
            "activity *",
            "activity",
            "run = used.run AND activity_id = substr(used.holder, 10)",
            "coalesce(heartbeat, '') || coalesce(last_failure, '')",
        ),
        ("note", "note", "run = used.run", "notes"),
        ("schedule *", "schedule", f"{SCHEDULE_HOLDER} = used.holder", "record"),
    )
)
RUNS_TO_COME: Final = (
    "SELECT run.key, run.workflow_id, run.run_id, run.epoch, meta.epoch FROM run CROSS JOIN meta"
    " WHERE run.key > :after AND run.key <= :last AND (run.epoch > meta.epoch OR run.epoch < 1)"
)
LAST_NUMBERS: Final = (
    "SELECT batch, run_key, inbox_seq, coalesce((SELECT max(key) FROM run), 0),"
    " coalesce((SELECT max(seq) FROM inbox), 0) FROM meta"
)
PAYLOAD_BYTES: Final = "SELECT coalesce(sum(size), 0) FROM payload"
COUNT_RUNS: Final = "SELECT count(*) FROM run"
COUNT_ROWS: Final = (
    "SELECT 'run', count(*) FROM run UNION ALL SELECT 'turn', count(*) FROM turn"
    " UNION ALL SELECT 'inbox', count(*) FROM inbox UNION ALL SELECT 'activity', count(*) FROM activity"
    " UNION ALL SELECT 'payload', count(*) FROM payload"
)
JOURNAL_BYTES: Final = "SELECT coalesce(sum(length(CAST(events AS BLOB))), 0) FROM turn"
RUNS_BY_STATUS: Final = "SELECT status, count(*) FROM run GROUP BY status ORDER BY status"
RUNS_BY_TYPE: Final = "SELECT workflow_type, count(*) FROM run GROUP BY workflow_type ORDER BY 2 DESC, 1 LIMIT ?"
PARKED_RUNS: Final = "SELECT count(*) FROM run WHERE failing IS NOT NULL AND status = 'running' AND parked IS NOT NULL"
OLDEST_OPEN: Final = f"SELECT {RUN} FROM run WHERE status = 'running' ORDER BY started_at, key LIMIT 1"

# Writing: each takes a VALUES list in place of {rows}

ROWS_MAX: Final = 128
"""Rows of one statement at most; 128 runs are 2,560 variables, every SQLite takes 32,766."""

INSERT_RUNS: Final = f"INSERT INTO run ({', '.join(RUN_COLUMNS)}, epoch) VALUES {{rows}}"
INSERT_TURNS: Final = "INSERT INTO turn (run, number, at, events, checksum) VALUES {rows}"
INSERT_INBOX: Final = "INSERT INTO inbox (run, seq, message, received_at, request_id) VALUES {rows}"
DELETE_INBOX: Final = "DELETE FROM inbox WHERE seq IN (VALUES {rows})"
INBOX_SIZE: Final = "SELECT count(*) FROM inbox WHERE run = ?"
SWEEP_INBOX: Final = "DELETE FROM inbox WHERE run IN (VALUES {rows})"
PUT_ACTIVITIES: Final = (
    "INSERT OR REPLACE INTO activity (run, activity_id, attempt, charged, started_at, next_attempt_at, last_failure,"
    " heartbeat, cancel_requested) VALUES {rows}"
)
# Deleting by row value, (run, activity_id) IN (VALUES …), would scan the table.
DELETE_ACTIVITIES: Final = (
    "DELETE FROM activity WHERE rowid IN (SELECT activity.rowid FROM (VALUES {rows}) AS old"
    " CROSS JOIN activity ON activity.run = old.column1 AND activity.activity_id = old.column2)"
)

PUT_NOTES: Final = "INSERT OR REPLACE INTO note (run, notes) VALUES {rows}"
# By run, name and type; and by run, name and term.
DECLARE_ATTRIBUTES: Final = (
    "INSERT OR IGNORE INTO search_attribute (namespace, name, type) SELECT run.namespace, new.column2, new.column3"
    " FROM (VALUES {rows}) AS new CROSS JOIN run ON run.key = new.column1"
)
DELETE_SEARCH_VALUES: Final = "DELETE FROM search_value WHERE run IN (VALUES {rows})"
INSERT_SEARCH_VALUES: Final = (
    "INSERT INTO search_value (attribute, value, started_at, run)"
    " SELECT search_attribute.id, new.column3, run.started_at, run.key FROM (VALUES {rows}) AS new"
    " CROSS JOIN run ON run.key = new.column1 CROSS JOIN search_attribute"
    " ON search_attribute.namespace = run.namespace AND search_attribute.name = new.column2"
)

# Large payloads

HAS_PAYLOADS: Final = "SELECT EXISTS (SELECT 1 FROM payload)"
FIND_PAYLOAD: Final = "SELECT 1 FROM payload WHERE hash = ?"
INSERT_PAYLOAD: Final = "INSERT INTO payload (hash, size, body) VALUES (?, ?, ?)"
USE_PAYLOADS: Final = "INSERT OR IGNORE INTO payload_use (run, holder, hash) VALUES {rows}"
_RELEASE: Final = (
    "DELETE FROM payload_use WHERE rowid IN (SELECT used.rowid FROM (VALUES {{rows}}) AS old"
    " CROSS JOIN payload_use AS used ON used.run = old.column1 AND {}) RETURNING hash"
)
RELEASE_PAYLOADS: Final = _RELEASE.format("used.holder = old.column2")
RELEASE_INBOX: Final = _RELEASE.format("used.holder >= 'inbox ' AND used.holder < 'inbox!'")
DROP_UNUSED_PAYLOADS: Final = (
    "DELETE FROM payload WHERE hash IN (VALUES {rows})"
    " AND NOT EXISTS (SELECT 1 FROM payload_use AS used WHERE used.hash = payload.hash)"
)


_UNCHANGED: Final = (
    "run.key = new.column1 AND run.status = 'running' AND (new.column2 IS NULL OR run.last_event = new.column2)"
)
_NEW_HEAD: Final = (
    "last_event = new.column3, checksum = new.column4, wake_at = new.column5, open_activities = new.column6,"
    " failing = new.column7, parked = new.column8, epoch = new.column9"
)
_NEW_END: Final = "status = new.column10, closed_at = new.column11"
# Two statements, because an update rewrites the index entries of every column it names.
UPDATE_OPEN: Final = f"UPDATE run SET {_NEW_HEAD} FROM (VALUES {{rows}}) AS new WHERE {_UNCHANGED}"
UPDATE_CLOSED: Final = f"UPDATE run SET {_NEW_HEAD}, {_NEW_END} FROM (VALUES {{rows}}) AS new WHERE {_UNCHANGED}"
COUNT_UNCHANGED: Final = f"SELECT count(*) FROM (VALUES {{rows}}) AS new CROSS JOIN run WHERE {_UNCHANGED}"
COUNT_PREDECESSORS: Final = (
    "SELECT count(*) FROM (VALUES {rows}) AS new WHERE EXISTS (SELECT 1 FROM run"
    " WHERE run.namespace = new.column1 AND run.workflow_id = new.column2)"
)

# Schedules; each write is compared with the version before it

INSERT_SCHEDULE: Final = (
    "INSERT INTO schedule (namespace, schedule_id, version, record) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
UPDATE_SCHEDULE: Final = (
    "UPDATE schedule SET version = ?3, record = ?4 WHERE namespace = ?1 AND schedule_id = ?2 AND version = ?3 - 1"
)
DELETE_SCHEDULE: Final = "DELETE FROM schedule WHERE namespace = ? AND schedule_id = ? AND version = ?"
SCHEDULE_VERSION: Final = "SELECT version FROM schedule WHERE namespace = ? AND schedule_id = ?"
_SCHEDULES: Final = f"SELECT namespace, schedule_id, version, record, {_bodies('0', SCHEDULE_HOLDER)} FROM schedule"
SCHEDULE: Final = f"{_SCHEDULES} WHERE namespace = ? AND schedule_id = ?"
SCHEDULES: Final = f"{_SCHEDULES} WHERE (namespace, schedule_id) > (?, ?) ORDER BY namespace, schedule_id LIMIT ?"

# Reading

RUN_BY_KEY: Final = f"SELECT {RUN} FROM run WHERE key = ?"
OPEN_RUN: Final = f"SELECT {RUN} FROM run WHERE namespace = ? AND workflow_id = ? AND status = 'running'"
LAST_RUN: Final = f"SELECT {RUN} FROM run WHERE namespace = ? AND workflow_id = ? ORDER BY key DESC LIMIT 1"
RUN_BY_REQUEST: Final = (
    f"SELECT {RUN} FROM run WHERE namespace = ? AND workflow_id = ? AND request_id = ? AND request_id <> ''"
)
_WANTED: Final = (
    "(SELECT key AS place, json_extract(value, '$[0]') AS namespace, json_extract(value, '$[1]') AS workflow_id,"
    " json_extract(value, '$[2]') AS run_id FROM json_each(?)) AS wanted"
)
_OF_WANTED: Final = "one.namespace = wanted.namespace AND one.workflow_id = wanted.workflow_id"
FIND_RUNS: Final = (
    "SELECT wanted.place, (SELECT count(*) FROM inbox WHERE inbox.run = run.key),"
    f" {RUN} FROM {_WANTED} CROSS JOIN run WHERE run.key = CASE WHEN wanted.run_id IS NOT NULL"
    f" THEN (SELECT one.key FROM run AS one WHERE one.run_id = wanted.run_id AND {_OF_WANTED})"
    f" ELSE coalesce((SELECT one.key FROM run AS one WHERE {_OF_WANTED} AND one.status = 'running'),"
    f" (SELECT max(one.key) FROM run AS one WHERE {_OF_WANTED})) END"
)

ADDRESSED: Final = (
    "SELECT key FROM run WHERE namespace = ? AND workflow_id = ? AND status = 'running'"
    " AND ? IN ('', run_id) AND ? IN ('', coalesce(nullif(first_run_id, ''), run_id))"
)

BUSY: Final = "SELECT key FROM run WHERE open_activities > 0 AND status = 'running' AND key > ? ORDER BY key LIMIT ?"

_HOSTED: Final = (
    "namespace = :namespace AND task_queue = :task_queue AND shard = :shard"
    " AND (:workflow_types IS NULL OR workflow_type IN (SELECT value FROM json_each(:workflow_types)))"
)
ARRIVALS: Final = (
    "SELECT key FROM (SELECT DISTINCT run AS key FROM inbox WHERE run > :after"
    " UNION SELECT key FROM run WHERE failing IS NOT NULL AND status = 'running' AND key > :after) AS waiting"
    f" CROSS JOIN run USING (key) WHERE status = 'running' AND {_HOSTED} ORDER BY key LIMIT :limit"
)
UNATTENDED: Final = (
    "SELECT key FROM (SELECT DISTINCT run AS key FROM inbox WHERE run > :after) AS waiting CROSS JOIN run USING (key)"
    " WHERE status = 'running' AND (last_event = 0 AND wake_at IS NOT NULL OR EXISTS (SELECT 1 FROM inbox"
    " WHERE inbox.run = key AND substr(message, 1, length(:termination)) = :termination)) ORDER BY key LIMIT :limit"
)
_WAITING: Final = f"wake_at IS NOT NULL AND status = 'running' AND parked IS NULL AND {_HOSTED}"
DUE: Final = (
    f"SELECT key FROM run INDEXED BY run_due WHERE {_WAITING} AND wake_at <= :now ORDER BY wake_at, key LIMIT :limit"
)
NEXT_DUE: Final = (
    f"SELECT wake_at FROM run INDEXED BY run_due WHERE {_WAITING} AND wake_at > :now ORDER BY wake_at LIMIT 1"
)
NOTES: Final = (
    f"SELECT note.run, note.notes, {_bodies('note.run', NOTE_HOLDER)} FROM json_each(?) AS wanted"
    " CROSS JOIN note ON note.run = wanted.value"
)
ATTRIBUTE_TYPES: Final = (
    "SELECT namespace, name, type FROM search_attribute WHERE ?1 IS NULL OR namespace = ?1 ORDER BY namespace, name"
)
JOURNAL: Final = (
    f"SELECT number, at, events, checksum, {_bodies('turn.run', TURN_HOLDER)} FROM turn WHERE run = ? ORDER BY number"
)


def _nulls(count: int) -> str:
    return ", NULL" * count


def _padded(kind: int, table: str, columns: str, width: int) -> str:
    """One branch of `LOAD`: a kind, the run, and columns filled up to the width of the widest."""
    names = [name.strip() for name in columns.split(",")]
    values = [f"{table}.{name}" for name in names] + ["NULL"] * (width - len(names))
    key = "key" if table == "run" else "run"
    return (
        f"SELECT {kind}, {', '.join(values)} FROM json_each(:keys) AS wanted"
        f" CROSS JOIN {table} WHERE {table}.{key} = wanted.value"
    )


# One statement sees one moment: no commit comes between a head and its rows, and it is one hop to the reader's thread.
LOAD: Final = " UNION ALL ".join(
    _padded(kind, table, columns, len(RUN_COLUMNS))
    for kind, (table, columns) in enumerate(
        (
            ("run", ", ".join(RUN_COLUMNS)),
            ("turn", "run, number, at, events, checksum"),
            ("inbox", "run, seq, message, received_at, request_id"),
            (
                "activity",
                "run, activity_id, attempt, charged, started_at, next_attempt_at, last_failure, heartbeat,"
                " cancel_requested",
            ),
        )
    )
) + (
    " UNION ALL SELECT 4, used.run, used.holder, used.hash"
    + _nulls(len(RUN_COLUMNS) - 3)
    + " FROM json_each(:keys) AS wanted CROSS JOIN payload_use AS used WHERE used.run = wanted.value"
    " UNION ALL SELECT 7, NULL, hash, body"
    + _nulls(len(RUN_COLUMNS) - 3)
    + " FROM payload WHERE hash IN (SELECT used.hash FROM json_each(:keys) AS wanted"
    " CROSS JOIN payload_use AS used WHERE used.run = wanted.value)"
)

# The same with what only a check needs.
LOAD_ALL: Final = " UNION ALL ".join(
    (
        LOAD,
        _padded(5, "note", "run, notes", len(RUN_COLUMNS)),
        "SELECT 6, search_value.run, search_attribute.name, search_attribute.type, search_value.value"
        + _nulls(len(RUN_COLUMNS) - 4)
        + " FROM json_each(:keys) AS wanted CROSS JOIN search_value ON search_value.run = wanted.value"
        " LEFT JOIN search_attribute ON search_attribute.id = search_value.attribute",
    )
)


@cache
def rows_statement(statement: str, rows: int, columns: int) -> str:
    """A statement with a VALUES list of so many rows and columns."""
    row = f"({', '.join('?' * columns)})"
    return statement.format(rows=", ".join([row] * rows))


@cache
def portions(rows: int) -> Sequence[int]:
    """How many rows each statement takes, all powers of two."""
    full, rest = divmod(rows, ROWS_MAX)
    bits = range(rest.bit_length() - 1, -1, -1)
    return (*[ROWS_MAX] * full, *[1 << bit for bit in bits if rest >> bit & 1])
