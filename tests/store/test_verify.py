"""Checking a file from outside: a sound one passes in silence, damage is named, and everything else still checked."""

from __future__ import annotations

import shutil
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actorflow.core import events as ev, limits
from actorflow.core.journal import Turn, encode_turn
from actorflow.exceptions import CorruptJournalError, MissingFileError
from actorflow.store.protocol import Begin, Change, Head
from actorflow.store.sqlite import SqliteStore
from actorflow.store.sqlite.read_only_file import ReadOnlyFile
from actorflow.store.sqlite.stats import stats
from actorflow.store.sqlite.verify import verify
from tests.store import child
from tests.store.given import NOON, identity, receives, seed
from tests.store.sound import SoundRun

RUNS = 12


async def a_journal(path: Path, count: int = RUNS) -> None:
    """Runs of which every third has completed."""
    store = SqliteStore(path)
    await store.open()
    for first in range(0, count, 500):
        runs = [SoundRun(store, f"order-{number}") for number in range(first, min(first + 500, count))]
        await store.commit([run.begins() for run in runs])
        await store.commit([run.is_signalled("paid") for run in runs])
        await store.commit([run.completes() for run in runs[::3]])
    await store.close()


def change(path: Path, *statements: str) -> None:
    """What a program that should not have done so has done to a file."""
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


async def test_a_thousand_sound_runs_are_passed_in_silence(path: Path) -> None:
    await a_journal(path, 1_000)
    told: list[tuple[int, int]] = []
    found = verify(path, lambda done, total: told.append((done, total)))
    assert found.is_sound
    assert (found.structure, found.violations, found.is_complete) == ((), (), True)
    assert (found.runs, found.turns, found.inbox, found.activities) == (1_000, 2_334, 0, 0)
    assert told == [(500, 1_000), (1_000, 1_000)]


async def test_a_journal_without_runs_is_sound(path: Path) -> None:
    await a_journal(path, 0)
    assert verify(path).is_sound
    assert verify(path, is_quick=True).is_sound


async def test_a_missing_file_is_refused(path: Path) -> None:
    with pytest.raises(MissingFileError):
        verify(path)


DAMAGE = {
    "a flipped bit": ("UPDATE turn SET events = replace(events, '\"ship\"', '\"shiq\"') WHERE run = 5", "I2"),
    "bytes that are no text": ("UPDATE turn SET events = CAST(x'5bff5d' AS TEXT) WHERE run = 5", "I2"),
    "a lost turn": ("DELETE FROM turn WHERE run = 5 AND number = (SELECT max(number) FROM turn WHERE run = 5)", "I2"),
    "an earlier alarm": ("UPDATE run SET wake_at = wake_at - 1 WHERE key = 5", "I11"),
    "another status": ("UPDATE run SET status = 'completed' WHERE key = 5", "I11"),
    "another id": ("UPDATE run SET workflow_id = 'other' WHERE key = 5", "I2"),
    "an epoch to come": ("UPDATE run SET epoch = 99 WHERE key = 5", "I12"),
    "a message that is none": ("INSERT INTO inbox VALUES (1, 5, 'hello', 0, '')", "I2"),
    "a row of no open activity": ("INSERT INTO activity VALUES (5, '7', 2, 1, NULL, NULL, NULL, NULL, 0)", "I10"),
    "an impossible attempt": ("INSERT INTO activity VALUES (5, '1', 2, 2, NULL, NULL, NULL, NULL, 0)", "I5"),
    "a failing turn that is none": ("UPDATE run SET failing = 'junk', parked = 'because' WHERE key = 5", "I11"),
    "an instant beyond time": ("UPDATE run SET closed_at = 9223372036854775807 WHERE key = 5", "I2"),
}


@pytest.mark.parametrize("damage", DAMAGE)
async def test_damage_to_one_run_is_named_and_the_others_are_still_checked(path: Path, damage: str) -> None:
    await a_journal(path)
    statement, invariant = DAMAGE[damage]
    change(path, "UPDATE meta SET inbox_seq = 1", statement)
    found = verify(path)
    assert (found.structure, found.runs, found.is_complete) == ((), RUNS, True)
    assert invariant in {violation.invariant for violation in found.violations}
    assert all(violation.run_id == "run-5" or "run 5" in violation.what for violation in found.violations)
    assert not found.is_sound


@pytest.mark.parametrize("duration", [timedelta.max, timedelta.min])
async def test_a_timer_beyond_the_calendar_is_named_although_its_row_is_as_it_was_written(
    path: Path, duration: timedelta
) -> None:
    await leave_a_timer_of(path, duration)
    (violation,) = verify(path).violations
    assert (violation.invariant, violation.workflow_id) == ("I2", "order")
    assert "beyond the calendar" in violation.what


async def leave_a_timer_of(path: Path, duration: timedelta) -> None:
    """A journal whose only run, "order", waits for so long; its checksums are right."""
    store = SqliteStore(path)
    await store.open()
    run = identity(store.new_run_key(), "order")
    turn = Turn(4 + 1, NOON, (ev.Started("Order", "orders", interpreter="3.11"), ev.TimerStarted("1", duration)))
    row = encode_turn(turn, previous=seed(run))
    head = Head(row.number, row.checksum, "running")
    await store.commit([Change(run.key, head=head, begin=Begin(run), turns=(row,))])
    await store.close()


async def test_rows_of_a_run_that_is_gone_are_named(path: Path) -> None:
    await a_journal(path)
    change(path, "DELETE FROM run WHERE key IN (5, 12)")
    found = verify(path)
    assert [violation.what for violation in found.violations] == [
        "2 rows of turn belong to run 5, which does not exist",
        "2 rows of turn belong to run 12, which does not exist",
    ]
    assert found.runs == RUNS - 2


@pytest.mark.parametrize("what", ["INDEX run_status", "TABLE activity"])
async def test_what_is_missing_is_named(path: Path, what: str) -> None:
    await a_journal(path)
    change(path, f"DROP {what}")
    found = verify(path)
    kind, name = what.split()
    assert f"{kind.lower()} {name} is missing" in found.structure
    assert not found.is_sound


async def test_numbers_nobody_gave_out_are_named(path: Path) -> None:
    await a_journal(path)
    change(path, "UPDATE meta SET run_key = 3")
    (violation,) = verify(path).violations
    assert violation.invariant == "I12"


async def test_an_older_copy_in_place_of_the_journal_is_named(path: Path) -> None:
    await a_journal(path)
    shutil.copyfile(path, path.with_name("older"))
    store = SqliteStore(path)
    await store.open()
    await store.commit([SoundRun(store, "later").begins()])
    await store.close()
    path.with_name("older").replace(path)
    (violation,) = verify(path).violations
    assert "was acknowledged" in str(violation)


async def test_a_structure_in_ruins_is_reported_and_raises_nothing(path: Path) -> None:
    await a_journal(path, 300)
    with path.open("r+b") as file:
        for page in range(40, path.stat().st_size // 4096):
            file.seek(page * 4096)
            file.write(b"\xff" * 4096)
    found = verify(path)
    assert found.structure
    assert not found.is_sound


async def test_only_so_many_violations_are_listed_but_all_are_counted(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_journal(path)
    change(path, "UPDATE run SET open_activities = 7")
    monkeypatch.setattr(limits, "VIOLATIONS_MAX", 5)
    found = verify(path)
    assert (len(found.violations), found.violations_count) == (5, RUNS)


async def test_whoever_watches_can_end_it(path: Path) -> None:
    await a_journal(path)

    def stop(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verify(path, stop)
    await a_journal(path.with_name("another.db"))  # and nothing holds anything


WRITES = """
from tests.store.sound import SoundRun
async def main():
    store = SqliteStore(path)
    await store.open()
    stop = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
    number = 0
    while not stop.done():
        runs = [SoundRun(store, f"order-{number + n}") for n in range(5)]
        number += 5
        await store.commit([run.begins() for run in runs])
        await store.commit([receives(store, run.identity.key) for run in runs])
        await store.commit([run.is_signalled("paid") for run in runs])
        say("busy") if number == 5 else None
    await store.close()
asyncio.run(main())
"""


async def test_runs_that_turn_while_they_are_checked_are_not_reported_falsely(path: Path) -> None:
    with child.start(WRITES, path) as owner:
        child.expect(owner, "busy")
        checked = 0
        while checked < 1_000:
            found = verify(path)
            assert found.is_sound, found
            checked += found.runs
        owner.communicate("stop\n")


@pytest.mark.parametrize("steps", [0, 400, 1_500])
async def test_an_owner_that_comes_and_goes_while_a_file_is_checked_has_damaged_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    child.run(child.GROWS, path, 0, 1_000)
    connected = ReadOnlyFile._connect
    until = iter(range(steps, -1, -1))

    def come(*_: object) -> None:
        if next(until, None) == 0:
            child.run(child.GROWS, path, 1_000, 600)

    def connect(file: ReadOnlyFile, *args: Any) -> sqlite3.Connection:
        connection = connected(file, *args)
        connection.set_progress_handler(come, 100)
        return connection

    monkeypatch.setattr(ReadOnlyFile, "_connect", connect)
    found = verify(path)
    assert next(until, None) is None
    assert found.is_sound, found
    assert found.runs == 1_600


async def test_an_owner_that_comes_and_goes_between_two_pages_has_damaged_nothing(path: Path) -> None:
    child.run(child.GROWS, path, 0, 1_000)
    told: list[int] = []

    def come(done: int, _total: int) -> None:
        if not told:
            child.run(child.GROWS, path, 1_000, 600)
        told.append(done)

    assert verify(path, come).is_sound
    assert told == [500, 1_000, 1_500, 1_600]


# Figures


async def test_figures_of_a_file_with_an_instant_beyond_the_calendar_are_refused_in_words(path: Path) -> None:
    await a_journal(path)
    change(path, "UPDATE run SET started_at = 9223372036854775807")
    with pytest.raises(CorruptJournalError, match="beyond the calendar"):
        stats(path)


async def test_figures_of_a_file_beside_its_owner(path: Path) -> None:
    await a_journal(path)
    store = SqliteStore(path)
    await store.open()
    await store.commit([receives(store, 2), receives(store, 3)])
    change(path, "UPDATE run SET failing = '{}', parked = 'because' WHERE key = 2")
    found = stats(path)
    assert found.rows_by_table == {"run": 12, "turn": 28, "inbox": 2, "activity": 0, "payload": 0}
    assert found.runs_by_status == {"completed": 4, "running": 8}
    assert found.runs_by_type == {"Order": 12}
    assert (found.turns, found.inbox, found.parked, found.epoch) == (28, 2, 1, 2)
    assert found.oldest_open is not None
    assert found.oldest_open.identity.workflow_id == "order-1"
    assert found.journal_bytes > 28 * 100
    assert found.wal_bytes > 0
    assert found.database_bytes == path.stat().st_size
    assert str(found.owner).endswith("(epoch 2)")
    await store.close()
    left = stats(path)
    assert (left.owner, left.wal_bytes) == (None, 0)
