"""Large payloads: what every store gives back, and how a file keeps each of them once, as long as somebody uses it."""

from __future__ import annotations

import gzip
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actorflow.converter import Payload
from actorflow.core import events as ev
from actorflow.core.journal import Turn, TurnRow, encode_turn
from actorflow.core.limits import LARGE_PAYLOAD_BYTES
from actorflow.core.messages import encode_message
from actorflow.core.notes import Notes
from actorflow.exceptions import OlderSchemaError
from actorflow.store.protocol import (
    COMMITTED,
    NO_RUN,
    ActivityRow,
    Begin,
    Change,
    Conflict,
    Head,
    InboxRow,
    NewRun,
    ScheduleRow,
    ScheduleWrite,
    Store,
)
from actorflow.store.sqlite import ReadOnlyStore, SqliteStore, schema
from actorflow.store.sqlite.backup import backup
from actorflow.store.sqlite.references import cut
from actorflow.store.sqlite.stats import stats
from actorflow.store.sqlite.verify import verify
from tests.store import child
from tests.store.given import NOON, SECOND, TURN_WIDTH, begin, closes, identity, seed

SIZE = 100_000


def payload(letter: str, size: int = SIZE) -> Payload:
    """A JSON string of so many bytes."""
    return Payload(json=msgspec.Raw(f'"{letter * (size - 2)}"'.encode()))


def message(*letters: str, size: int = SIZE) -> str:
    """A signal with such payloads."""
    return encode_message(ev.SignalReceived("parcel", tuple(payload(letter, size) for letter in letters)))


def heartbeat(letter: str) -> str:
    return msgspec.json.encode((payload(letter),)).decode()


def turn_of(number: int, *letters: str) -> TurnRow:
    events = (ev.SignalReceived("parcel", tuple(payload(letter) for letter in letters)),)
    return encode_turn(Turn(number, NOON, events), previous=0)


def turns(key: int, expected: int, *letters: str, **head: object) -> Change:
    """A run that turns once more, with such payloads."""
    row = turn_of(expected + TURN_WIDTH, *letters)
    fields = {"last_event": row.number, "checksum": row.checksum, **head}
    return Change(key, expected=expected, head=msgspec.convert(fields, Head), turns=(row,))


def receives(store: Store, key: int, *letters: str) -> Change:
    return Change(key, arrived=(InboxRow(store.new_inbox_seq(), message(*letters), NOON),))


def beats(key: int, *letters: str) -> Change:
    """A run whose activities have such heartbeats."""
    rows = [ActivityRow(str(number), 1, 1, heartbeat=heartbeat(letter)) for number, letter in enumerate(letters)]
    return Change(key, activities=tuple(rows))


def put(version: int, letter: str, schedule_id: str = "daily", namespace: str = "default") -> Change:
    """A schedule whose action has such a payload."""
    record = msgspec.json.encode({"action": {"input": [payload(letter)]}}).decode()
    return Change(NO_RUN, schedule=ScheduleWrite(ScheduleRow(namespace, schedule_id, version, record)))


def kept(path: Path) -> list[str]:
    """The letters of the payloads that are beside the rows."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as reader:
        found = reader.execute("SELECT substr(body, 2, 1) FROM payload ORDER BY 1").fetchall()
        used = reader.execute("SELECT DISTINCT hash FROM payload_use").fetchall()
    assert len(used) == len(found)
    return [letter for (letter,) in found]


# What every store gives back


async def test_every_row_is_given_back_as_it_was(store: Store) -> None:
    run = begin(store)
    turned, received, beating = (
        turns(run.key, TURN_WIDTH, "a", "b", "a"),
        receives(store, run.key, "a"),
        beats(run.key, "c"),
    )
    noted = Change(run.key, notes=Notes(memo={"parcel": payload("a")}))
    scheduled = put(1, "a")
    assert await store.commit([run, turned, received, beating, noted, scheduled]) == [COMMITTED] * 6
    (loaded,) = await store.load([run.key])
    assert (*loaded.turns,) == (*run.turns, *turned.turns)
    assert loaded.inbox == received.arrived
    assert loaded.activities == beating.activities
    assert (*await store.journal(run.key),) == (*run.turns, *turned.turns)
    assert await store.notes([run.key]) == {run.key: noted.notes}
    assert scheduled.schedule is not None
    assert await store.schedule("default", "daily") == scheduled.schedule.row
    assert list(await store.schedules(("", ""), 5)) == [scheduled.schedule.row]


async def test_what_is_sent_to_another_run_and_what_a_run_begins_with_are_given_back(store: Store) -> None:
    run = begin(store, "order")
    next_run = identity(store.new_run_key(), "order")
    row = InboxRow(store.new_inbox_seq(), message("a"), NOON)
    follows = NewRun(Begin(next_run), Head(0, seed(next_run)), (row,), Notes(memo={"parcel": payload("a")}))
    closing_change = msgspec.structs.replace(closes(run.key, TURN_WIDTH), successor=follows)
    assert await store.commit([run, closing_change]) == [COMMITTED] * 2
    (loaded,) = await store.load([next_run.key])
    assert loaded.inbox == (row,)
    assert await store.notes([next_run.key]) == {next_run.key: follows.notes}


LOOKS_LIKE_ONE = cut(message("a"), LARGE_PAYLOAD_BYTES)[0]


@pytest.mark.parametrize(
    "text",
    [
        LOOKS_LIKE_ONE,
        f"[{LOOKS_LIKE_ONE},{message('a')}]",
        f"[{message('a')},{LOOKS_LIKE_ONE}]",
        encode_message(ev.SignalReceived("x", (Payload(json=msgspec.Raw(message("a").encode())), payload("a")))),
        '{"event":"SignalReceived","name":"' + "n" * SIZE + '"}',
        f'{{"input":[{{"json": "{"spaced" * SIZE}"}}]}}',
        f'{{"input":[{{"json":"{"ü😀" * SIZE}"}}]}}',
        "no JSON" * SIZE,
        "1" * SIZE,
    ],
    ids=["alone", "before one", "behind one", "within one", "no payload", "spaced", "no ASCII", "no JSON", "number"],
)
async def test_a_text_is_given_back_whatever_it_holds(store: Store, text: str) -> None:
    run = begin(store)
    row = InboxRow(store.new_inbox_seq(), text, NOON)
    rows = (InboxRow(store.new_inbox_seq(), message("a"), NOON), row)
    await store.commit([run, Change(run.key, arrived=rows)])
    (loaded,) = await store.load([run.key])
    assert {one.seq: one.message for one in loaded.inbox} == {one.seq: one.message for one in rows}


# Once


async def test_what_looks_like_a_reference_beside_a_large_payload_is_given_back_as_it_was(store: Store) -> None:
    run = begin(store, "order")
    await store.commit([run])
    forged = msgspec.json.encode({"details": [{"$payload": "0" * 64, "size": 1}]}).decode()
    row = ActivityRow("1", 1, 1, last_failure=forged, heartbeat=heartbeat("h"))
    assert await store.commit([Change(run.key, activities=(row,))]) == [COMMITTED]
    (loaded,) = await store.load([run.key])
    assert loaded.activities == (row,)


async def test_the_same_payload_of_a_thousand_runs_is_in_the_file_once(path: Path, sqlite: SqliteStore) -> None:
    mebibyte = 1024 * 1024
    text = message("a", size=mebibyte)
    for _ in range(20):
        runs = [begin(sqlite) for _ in range(50)]
        rows = [InboxRow(sqlite.new_inbox_seq(), text, NOON) for _ in runs]
        await sqlite.commit([*runs, *[Change(run.key, arrived=(row,)) for run, row in zip(runs, rows, strict=True)]])
    await sqlite.close()
    assert path.stat().st_size < 2.5 * mebibyte
    found = stats(path)
    assert (found.rows_by_table["payload"], found.payload_bytes) == (1, mebibyte)


@pytest.mark.parametrize(("size", "is_large"), [(2_000, False), (2_001, True)])
async def test_a_payload_of_more_bytes_than_was_said_is_a_large_one(path: Path, size: int, is_large: bool) -> None:
    store = SqliteStore(path, large_payload_bytes=2_000)
    await store.open()
    run = begin(store)
    texts = [message("a", size=size), message("b", size=1_000), message("c", "d", "e", size=900)]
    rows = [InboxRow(store.new_inbox_seq(), text, NOON) for text in texts]
    await store.commit([run, Change(run.key, arrived=tuple(rows))])
    assert kept(path) == (["a"] if is_large else [])
    await store.close()


async def test_bytes_and_not_characters_count(path: Path) -> None:
    store = SqliteStore(path, large_payload_bytes=2_000)
    await store.open()
    run = begin(store)
    await store.commit([run, Change(run.key, arrived=(InboxRow(1, message("€", size=700), NOON),))])
    assert kept(path) == ["€"]
    await store.close()


# As long as somebody uses it


async def test_a_message_takes_its_payload_along_into_the_turn(path: Path, sqlite: SqliteStore) -> None:
    run = begin(sqlite)
    received = receives(sqlite, run.key, "a", "b")
    await sqlite.commit([run, received])
    turned = turns(run.key, TURN_WIDTH, "a")
    await sqlite.commit([msgspec.structs.replace(turned, consumed=(received.arrived[0].seq,))])
    assert kept(path) == ["a"]


async def test_a_message_that_is_consumed_or_swept_leaves_nothing(path: Path, sqlite: SqliteStore) -> None:
    first, second = begin(sqlite), begin(sqlite)
    received = receives(sqlite, first.key, "a", "c")
    await sqlite.commit([first, second, received, receives(sqlite, second.key, "b", "c")])
    await sqlite.commit([Change(first.key, expected=TURN_WIDTH, consumed=(received.arrived[0].seq,))])
    assert kept(path) == ["b", "c"]
    await sqlite.commit([msgspec.structs.replace(closes(second.key, TURN_WIDTH), is_swept=True)])
    assert kept(path) == []


async def test_a_message_that_comes_and_goes_in_one_batch_leaves_nothing(path: Path, sqlite: SqliteStore) -> None:
    run = begin(sqlite)
    received = receives(sqlite, run.key, "a")
    await sqlite.commit([run, received, Change(run.key, expected=TURN_WIDTH, consumed=(received.arrived[0].seq,))])
    assert kept(path) == []


async def test_heartbeats_do_not_pile_up(path: Path, sqlite: SqliteStore) -> None:
    run = begin(sqlite)
    await sqlite.commit([run])
    for letters in ("ab", "cb", "cc", "dd"):
        await sqlite.commit([beats(run.key, *letters)])
        assert kept(path) == sorted(set(letters))
    await sqlite.commit([Change(run.key, finished=("0",))])
    assert kept(path) == ["d"]
    await sqlite.commit([Change(run.key, finished=("1",))])
    assert kept(path) == []


async def test_notes_and_schedules_let_go_of_what_they_held(path: Path, sqlite: SqliteStore) -> None:
    run = begin(sqlite)
    await sqlite.commit([run, Change(run.key, notes=Notes(memo={"parcel": payload("a")}))])
    await sqlite.commit([put(1, "b"), put(1, "c", "b c", "a"), put(1, "d", "c", "a b")])
    assert kept(path) == ["a", "b", "c", "d"]
    await sqlite.commit([Change(run.key, notes=Notes(memo={"parcel": payload("e")})), put(2, "f")])
    assert kept(path) == ["c", "d", "e", "f"]
    gone = [ScheduleRow("default", "daily", 2, ""), ScheduleRow("a", "b c", 1, "")]
    deleted = [Change(NO_RUN, schedule=ScheduleWrite(row, is_deleted=True)) for row in gone]
    assert await sqlite.commit([*deleted, Change(run.key, notes=Notes())]) == [COMMITTED] * 3
    assert kept(path) == ["d"]
    assert [one for one in verify(path).violations if one.invariant == "I13"] == []


async def test_what_was_left_by_an_earlier_owner_is_let_go_of(path: Path, sqlite: SqliteStore) -> None:
    run = begin(sqlite)
    received = receives(sqlite, run.key, "a")
    await sqlite.commit([run, received])
    await sqlite.close()
    await sqlite.open()
    await sqlite.commit([Change(run.key, expected=TURN_WIDTH, consumed=(received.arrived[0].seq,))])
    assert kept(path) == []


async def test_a_change_in_conflict_leaves_nothing(path: Path, sqlite: SqliteStore) -> None:
    run = begin(sqlite, "order")
    other = begin(sqlite, "order")
    late = turns(run.key, 99, "a")
    broken = Change(run.key, arrived=(InboxRow(7, message("b"), NOON), InboxRow(7, message("c"), NOON)))
    outcomes = await sqlite.commit([run, other, late, broken, turns(run.key, TURN_WIDTH, "d")])
    assert [type(outcome) is Conflict for outcome in outcomes] == [False, True, True, True, False]
    assert kept(path) == ["d"]


DIES_BETWEEN_PAYLOAD_AND_TURN = """
from tests.store.test_payloads import receives, turns
from actorflow.store.sqlite import session
real = session.connect
def connect(*args, **options):
    connection = real(*args, **options)
    connection.set_trace_callback(die)
    return connection
session.connect = connect
def die(text):
    if text.startswith("INSERT INTO turn") and armed:
        os.kill(os.getpid(), 9)
armed = False
async def main():
    global armed
    store = SqliteStore(path)
    await store.open()
    run = begin(store, "order")
    await store.commit([run, receives(store, run.key, "a")])
    armed = True
    await store.commit([turns(run.key, TURN_WIDTH, "b")])
asyncio.run(main())
"""


async def test_a_process_killed_between_a_payload_and_its_turn_leaves_neither(path: Path, sqlite: SqliteStore) -> None:
    await sqlite.close()
    with child.start(DIES_BETWEEN_PAYLOAD_AND_TURN, path) as writing:
        writing.communicate()
        assert writing.returncode == -9
    await sqlite.open()
    found = await sqlite.find("default", "order")
    assert found is not None
    assert len(await sqlite.journal(found.identity.key)) == 1
    assert kept(path) == ["a"]


# Seen from outside


async def a_journal(path: Path) -> None:
    """Two runs with two payloads each, one of which both have."""
    store = SqliteStore(path)
    await store.open()
    for letter in "ab":
        run = identity(store.new_run_key())
        events = (ev.Started("Order", "orders", (payload(letter), payload("x"))), ev.TimerStarted("1", SECOND))
        row = encode_turn(Turn(5, NOON, events), previous=seed(run))
        head = Head(5, row.checksum, wake_at=NOON + SECOND)
        await store.commit([Change(run.key, head=head, begin=Begin(run), turns=(row,))])
    await store.close()


def change(path: Path, statement: str) -> None:
    """What a program that should not have done so has done to a file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)


async def test_views_show_whole_payloads(path: Path, sqlite: SqliteStore) -> None:
    run = begin(sqlite)
    failed = f'{{"message":"m","details":[{{"json":"{"f" * SIZE}"}}]}}'
    activity = ActivityRow("7", 2, 1, heartbeat=heartbeat("h"), last_failure=failed)
    scheduled = (ev.ActivityScheduled("7", "ship", "orders", (payload("a"), payload("b"))),)
    row = encode_turn(Turn(2 * TURN_WIDTH, NOON, scheduled), previous=0)
    head = Head(row.number, row.checksum, open_activities=1)
    turned = Change(run.key, expected=TURN_WIDTH, head=head, turns=(row,), activities=(activity,))
    await sqlite.commit([run, turned, receives(sqlite, run.key, "c")])
    (data,) = read(path, "SELECT data FROM af_event WHERE event = 'ActivityScheduled'")
    assert data == (without_tag(row.events, 0),)
    (waiting,) = read(path, "SELECT data FROM af_inbox")
    assert waiting == (without_tag(f"[{message('c')}]", 0),)
    assert read(path, "SELECT heartbeat, last_failure FROM af_activity") == [(heartbeat("h"), failed)]


def without_tag(events: str, place: int) -> str:
    """One event as the views show it."""
    event = msgspec.json.decode(events, type=list[dict[str, msgspec.Raw]])[place]
    return msgspec.json.encode({name: value for name, value in event.items() if name != "event"}).decode()


def read(path: Path, query: str) -> Sequence[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as reader:
        return reader.execute(query).fetchall()


async def test_copies_and_onlookers_have_them(path: Path, tmp_path: Path) -> None:
    await a_journal(path)
    copy = tmp_path / "copy.db"
    assert backup(path, copy).verification.is_sound
    assert kept(copy) == ["a", "b", "x"]
    looking = ReadOnlyStore(copy)
    await looking.open()
    (loaded,) = await looking.load([1])
    assert loaded.turns == tuple(await looking.journal(1))
    assert '"xxx' in loaded.turns[0].events
    await looking.close()


DAMAGE = {
    "missing": ("DELETE FROM payload WHERE body LIKE '\"a%'", {"I2": 1, "I13": 1}),
    "another": ("UPDATE payload SET body = replace(body, 'aa', 'ab') WHERE body LIKE '\"a%'", {"I2": 1, "I13": 1}),
    "of another size": ("UPDATE payload SET size = 7 WHERE body LIKE '\"a%'", {"I13": 1}),
    "of all": ("DELETE FROM payload WHERE body LIKE '\"x%'", {"I2": 2, "I13": 2}),
    "unused": ("INSERT INTO payload VALUES ('5', 2, '55')", {"I13": 2}),
    "use of nothing": ("INSERT INTO payload_use VALUES (1, 'inbox 7', (SELECT min(hash) FROM payload))", {"I13": 1}),
    "use of another": ("INSERT INTO payload_use SELECT 1, 'turn 5', hash FROM payload", {"I13": 1}),
    "of a note": ("INSERT INTO payload_use VALUES (1, 'note', (SELECT min(hash) FROM payload))", {"I13": 1}),
}


@pytest.mark.parametrize(("statement", "broken"), DAMAGE.values(), ids=DAMAGE.keys())
async def test_damage_is_named(path: Path, statement: str, broken: dict[str, int]) -> None:
    await a_journal(path)
    assert verify(path).is_sound
    change(path, statement.replace("INTO payload_use SELECT", "OR IGNORE INTO payload_use SELECT"))
    found = verify(path)
    assert {name: sum(one.invariant == name for one in found.violations) for name in broken} == broken
    assert found.violations_count == sum(broken.values())


@pytest.mark.parametrize("damage", ["missing", "another"])
async def test_damage_harms_only_those_who_use_it(path: Path, sqlite: SqliteStore, damage: str) -> None:
    await sqlite.close()
    await a_journal(path)
    await sqlite.open()
    await sqlite.commit([receives(sqlite, 1, "a"), receives(sqlite, 2, "b")])
    change(path, DAMAGE[damage][0])
    first, second = await sqlite.load([1, 2])
    assert second.inbox[0].message == message("b")
    for text in (first.turns[0].events, first.inbox[0].message):
        with pytest.raises(msgspec.DecodeError):  # nobody takes it for a value
            msgspec.json.decode(text)


# Journals from before


async def test_an_older_journal_gets_the_tables_and_what_is_in_its_rows_stays_there(path: Path) -> None:
    path.write_bytes(gzip.decompress((Path(__file__).parent / "schema_1.gz").read_bytes()))
    with closing(sqlite3.connect(path)) as older:
        inline = message("a")
        older.execute("INSERT INTO inbox VALUES (1000, 2, ?, 0, '')", (inline,))
        older.execute("UPDATE meta SET inbox_seq = 1000")
        older.commit()
    store = SqliteStore(path)
    await store.open()
    assert kept(path) == []
    (loaded,) = await store.load([2])
    assert [row.message for row in loaded.inbox] == [inline]
    await store.commit([receives(store, 2, "b")])
    assert kept(path) == ["b"]
    await store.close()


async def test_a_journal_from_before_is_not_looked_at_until_it_was_opened_for_writing(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as older:
        schema.stamp(older)
        schema.migrate(older, path, schema.MIGRATIONS[:5], {})
    looking = ReadOnlyStore(path)
    with pytest.raises(OlderSchemaError, match="open it once for writing"):
        await looking.open()
