"""Full disks, locks of others, files that vanish: repeated, or stopped before anything is acknowledged."""

from __future__ import annotations

import random
import shutil
import sqlite3
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from actorflow.core.journal import decode_turns
from actorflow.exceptions import (
    CorruptJournalError,
    StorageBusyError,
    StorageError,
    StorageFailedError,
    StorageFullError,
)
from actorflow.store.protocol import COMMITTED, Change, InboxRow
from actorflow.store.sqlite import SqliteStore
from tests.store import child
from tests.store.given import NOON, TURN_WIDTH, begin, identity, receives, seed, turns

# A full disk

FILLS_ITS_DISK = """
async def main():
    store = SqliteStore(path)
    await store.open()
    run = begin(store, "order")
    await store.commit([run])
    filler = os.open(os.path.join(os.path.dirname(path), "filler"), os.O_CREAT | os.O_WRONLY)
    size = 1 << 20
    while size:
        try:
            os.write(filler, b"x" * size)
        except OSError:
            size //= 2
    batch = [turns(run.key, TURN_WIDTH), *[receives(store, run.key, '"' + "x" * 20_000 + '"') for _ in range(20)]]
    for _ in range(2):
        try:
            await store.commit(batch)
        except StorageFullError as error:
            say("full", path in str(error))
    say(len(await store.journal(run.key)))
    os.ftruncate(filler, 0)
    say(len(await store.commit(batch)), len(await store.journal(run.key)))
    await store.close()
asyncio.run(main())
"""

MOUNTS = 'mount -t tmpfs -o size=4m tmpfs "$1" && shift && exec "$@"'


@pytest.fixture
def small_disk(tmp_path: Path) -> tuple[Path, tuple[str, ...]]:
    """A folder, and the words in front of a command that mount a disk of 4 MB there, for that command alone."""
    folder = tmp_path / "disk"
    folder.mkdir()
    prefix = ("unshare", "-m", "sh", "-c", MOUNTS, "sh", str(folder))
    if (
        shutil.which("unshare") is None
        or subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("mounting a small disk takes Linux and root")
    return folder, prefix


def test_a_full_disk_writes_nothing_and_the_same_batch_succeeds_later(
    small_disk: tuple[Path, tuple[str, ...]],
) -> None:
    folder, prefix = small_disk
    said = child.run(FILLS_ITS_DISK, folder / "orders.db", prefix=prefix)
    assert said.splitlines() == ["full True", "full True", "1", "21 2"]


async def test_a_database_that_may_not_grow_is_a_full_disk(sqlite: SqliteStore) -> None:
    run = begin(sqlite, "order")
    await sqlite.commit([run])
    writer = writing_connection(sqlite)
    writer.execute("PRAGMA max_page_count = 1")
    large = [Change(run.key, arrived=(InboxRow(sqlite.new_inbox_seq(), "x" * 100_000, NOON),))]
    for _ in range(2):
        with pytest.raises(StorageFullError):
            await sqlite.commit(large)
    assert (await sqlite.load([run.key]))[0].inbox == ()
    writer.execute("PRAGMA max_page_count = 100000")
    assert await sqlite.commit(large) == [COMMITTED]


def writing_connection(store: SqliteStore) -> sqlite3.Connection:
    assert store._session is not None
    return store._session._connection


# Locks of others

LOCKS = """
other = sqlite3.connect(path, isolation_level=None)
other.execute("BEGIN IMMEDIATE")
say("locked")
sys.stdin.readline()
other.execute("ROLLBACK")
say("free")
sys.stdin.readline()
"""


async def test_a_foreign_lock_writes_nothing_and_the_same_batch_succeeds_later(path: Path, sqlite: SqliteStore) -> None:
    batch = [begin(sqlite, "order")]
    with child.start(LOCKS, path) as other:
        assert other.stdin is not None
        child.expect(other, "locked")
        for _ in range(2):
            with pytest.raises(StorageBusyError, match="another connection holds a lock"):
                await sqlite.commit(batch)
        assert await sqlite.find("default", "order") is None
        other.stdin.write("\n")
        other.stdin.flush()
        child.expect(other, "free")
        assert await sqlite.commit(batch) == [COMMITTED]
        other.stdin.close()


async def test_a_locked_database_is_busy_at_the_start(path: Path, sqlite: SqliteStore) -> None:
    await sqlite.close()
    with child.start(LOCKS, path) as other:
        child.expect(other, "locked")
        store = SqliteStore(path, busy_timeout=timedelta(milliseconds=50))
        with pytest.raises(StorageBusyError):
            await store.open()
        other.kill()
    await store.open()
    await store.close()


async def test_a_reader_beside_us_disturbs_nobody(path: Path, sqlite: SqliteStore) -> None:
    await sqlite.commit([begin(sqlite, "order")])
    other = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
    other.execute("BEGIN")
    assert other.execute("SELECT count(*) FROM af_workflow").fetchone() == (1,)
    assert await sqlite.commit([begin(sqlite) for _ in range(2_000)]) == [COMMITTED] * 2_000
    assert other.execute("SELECT count(*) FROM af_workflow").fetchone() == (1,)
    other.execute("COMMIT")
    assert other.execute("SELECT count(*) FROM af_workflow").fetchone() == (2_001,)
    other.close()


# The end


async def fails_for_good(store: SqliteStore, told: list[StorageError], match: str) -> None:
    run = begin(store)
    for _ in range(2):
        with pytest.raises(StorageFailedError, match=match):
            await store.commit([run])
        with pytest.raises(StorageFailedError, match=match):
            await store.find("default", "order")
    assert len(told) == 1


@pytest.mark.parametrize("name", ["orders.db", "orders.db-wal"])
@pytest.mark.parametrize("is_replaced", [False, True])
async def test_a_file_deleted_while_in_use_is_noticed_before_the_next_acknowledgement(
    path: Path, name: str, is_replaced: bool
) -> None:
    told: list[StorageError] = []
    store = SqliteStore(path, on_fatal=told.append)
    await store.open()
    await store.commit([begin(store)])
    path.with_name(name).unlink()
    if is_replaced:
        path.with_name(name).touch()
    await fails_for_good(store, told, "deleted or replaced")
    assert Path(f"{path}.lock").read_bytes().startswith(b"0000000000000001")
    await store.close()


async def test_another_owner_in_the_database_stops_this_one(path: Path) -> None:
    told: list[StorageError] = []
    store = SqliteStore(path, on_fatal=told.append)
    await store.open()
    other = sqlite3.connect(path)
    other.execute("UPDATE meta SET epoch = epoch + 1")
    other.commit()
    other.close()
    await fails_for_good(store, told, "taken the database over")
    await store.close()
    await store.open()
    assert await store.commit([begin(store)]) == [COMMITTED]
    await store.close()


def damage(path: Path) -> None:
    """Spoil the head of every page of the tables."""
    data = bytearray(path.read_bytes())
    for page in range(3, len(data) // 4096):
        data[page * 4096 : page * 4096 + 512] = b"\xff" * 512
    path.write_bytes(data)


async def test_damage_found_while_reading_stops_the_store(path: Path, sqlite: SqliteStore) -> None:
    await sqlite.commit([begin(sqlite) for _ in range(200)])
    await sqlite.close()
    damage(path)
    store = SqliteStore(path)

    async def look() -> None:
        await store.open()
        await store.load(range(1, 200))

    with pytest.raises(StorageError):  # at the start or at the first look, but never wrong answers
        await look()
    await store.close()


async def test_a_damaged_database_is_refused_after_a_crash(path: Path) -> None:
    with child.start(CRASHES, path) as owner:
        owner.wait()
    damage(path)
    store = SqliteStore(path)
    with pytest.raises(StorageError) as caught:
        await store.open()
    assert str(path) in str(caught.value)
    await store.close()


CRASHES = """
async def main():
    store = SqliteStore(path)
    await store.open()
    await store.commit([begin(store) for _ in range(200)])
    other = sqlite3.connect(path)
    other.execute("PRAGMA wal_checkpoint(PASSIVE)")
    await store.commit([begin(store)])
    os.kill(os.getpid(), 9)
asyncio.run(main())
"""


@pytest.mark.parametrize("number", range(10))
async def test_a_flipped_bit_is_found_by_the_chain_of_checksums(path: Path, sqlite: SqliteStore, number: int) -> None:
    run = begin(sqlite)
    await sqlite.commit([run])
    await sqlite.close()
    data, text = bytearray(path.read_bytes()), run.turns[0].events.encode()
    chance = random.Random(number)
    bit = (data.index(text) + chance.randrange(len(text))) * 8 + chance.randrange(7)
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)
    await sqlite.open()
    with pytest.raises(CorruptJournalError):
        decode_turns(await sqlite.journal(run.key), seed=seed(identity(run.key)), run_id="run-1")


# One bad change


async def test_text_that_can_not_be_stored_harms_only_its_own_change(sqlite: SqliteStore) -> None:
    good, other = begin(sqlite), begin(sqlite)
    bad = receives(sqlite, good.key, "\ud800")
    outcomes = await sqlite.commit([good, bad, other])
    assert [outcome == COMMITTED for outcome in outcomes] == [True, False, True]
    assert (await sqlite.load([good.key]))[0].inbox == ()
    assert await sqlite.commit([turns(good.key, TURN_WIDTH)]) == [COMMITTED]


async def test_the_log_is_copied_and_stays_short(path: Path, sqlite: SqliteStore) -> None:
    for _ in range(60):
        await sqlite.commit([begin(sqlite) for _ in range(200)])
    pages = sqlite.facts()["wal_pages"]
    assert isinstance(pages, int)
    assert pages < 10_000
    assert Path(f"{path}-wal").stat().st_size < 40_000_000
    assert path.stat().st_size > 1_000_000
