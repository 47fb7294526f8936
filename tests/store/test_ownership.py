"""One owner at a time, and what is left when it is gone."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from actorflow.exceptions import CorruptJournalError, StorageError, StorageFailedError, StorageOwnedError
from actorflow.store.protocol import COMMITTED
from actorflow.store.sqlite import SqliteStore
from tests.store import child
from tests.store.given import TURN_WIDTH, begin, turns

OWNS = """
async def main():
    store = SqliteStore(path)
    await store.open()
    await store.commit([begin(store, "order")])
    say("owned")
    await asyncio.to_thread(sys.stdin.readline)
asyncio.run(main())
"""


async def test_a_second_process_is_refused_at_once_and_told_who_owns_the_file(path: Path) -> None:
    with child.start(OWNS, path) as owner:
        child.expect(owner, "owned")
        store = SqliteStore(path)
        begun = time.monotonic()
        with pytest.raises(StorageOwnedError, match=f"process {owner.pid} on .* since ") as caught:
            await store.open()
        assert time.monotonic() - begun < 1
        assert str(path) in str(caught.value)
        owner.kill()


async def test_a_killed_owner_blocks_nobody(path: Path) -> None:
    with child.start(OWNS, path) as owner:
        child.expect(owner, "owned")
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    store = SqliteStore(path)
    await store.open()
    assert await store.find("default", "order") is not None
    assert store.facts()["epoch"] == 2
    await store.close()


FORKS_AND_DIES = """
async def main():
    store = SqliteStore(path)
    await store.open()
    lives, begun = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(begun, b".")
        os.close(1), os.close(2)
        sys.stdin.readline()
        os._exit(0)
    os.read(lives, 1)
    say("forked")
    os.kill(os.getpid(), 9)
asyncio.run(main())
"""


async def test_a_forked_child_of_a_killed_owner_blocks_nobody(path: Path) -> None:
    with child.start(FORKS_AND_DIES, path) as owner:
        child.expect(owner, "forked")
        owner.wait()
        store = SqliteStore(path)
        await store.open()
        await store.close()


USES_A_FORK = """
async def main():
    store = SqliteStore(path)
    await store.open()
    child = os.fork()
    if child == 0:
        try:
            await store.commit([begin(store)])
        except StorageFailedError as error:
            os._exit(7 if "fork" in str(error) else 1)
        os._exit(2)
    say(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    await store.commit([begin(store)])
    await store.close()
asyncio.run(main())
"""


def test_a_fork_is_refused_and_does_not_harm_its_parent(path: Path) -> None:
    assert child.run(USES_A_FORK, path).strip() == "7"


async def test_a_second_store_of_this_process_is_refused(path: Path, sqlite: SqliteStore) -> None:
    second = SqliteStore(path)
    with pytest.raises(StorageOwnedError, match=f"process {os.getpid()}"):
        await second.open()
    await second.close()
    assert await sqlite.commit([begin(sqlite)]) == [COMMITTED]
    await sqlite.close()
    await second.open()
    await second.close()


async def test_a_link_does_not_get_round_the_lock(path: Path, sqlite: SqliteStore) -> None:
    link = path.with_name("link.db")
    link.symlink_to(path)
    with pytest.raises(StorageOwnedError):
        await SqliteStore(link).open()


async def test_closing_twice_and_closing_what_never_opened_is_harmless(path: Path, sqlite: SqliteStore) -> None:
    await sqlite.close()
    await sqlite.close()
    await SqliteStore(path).close()


async def test_a_closed_store_says_so(sqlite: SqliteStore) -> None:
    await sqlite.close()
    with pytest.raises(StorageFailedError, match="is not open"):
        await sqlite.commit([begin(sqlite)])
    with pytest.raises(StorageFailedError, match="is not open"):
        await sqlite.find("default", "order")


async def test_a_store_opens_once(sqlite: SqliteStore) -> None:
    with pytest.raises(StorageError, match="open already"):
        await sqlite.open()
    assert await sqlite.commit([begin(sqlite)]) == [COMMITTED]


async def test_closing_ends_every_thread(path: Path) -> None:
    others = set(threading.enumerate())
    store = SqliteStore(path)
    await store.open()
    threads = set(threading.enumerate()) - others
    names = sorted(thread.name for thread in threads)
    assert names == ["actorflow-reader-1", "actorflow-reader-2", "actorflow-writer"]
    await store.close()
    for thread in threads:
        thread.join(timeout=2)
        assert not thread.is_alive()


async def test_a_failed_open_ends_every_thread(path: Path) -> None:
    path.write_text("dear diary")
    before = set(threading.enumerate())
    with pytest.raises(StorageError):
        await SqliteStore(path).open()
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=2)
        assert not thread.is_alive()


async def test_an_open_cancelled_halfway_leaves_the_file_free(path: Path) -> None:
    store = SqliteStore(path)
    async with asyncio.TaskGroup() as group:
        opening = group.create_task(store.open())
        await asyncio.sleep(0)
        opening.cancel()
    threads = [thread for thread in threading.enumerate() if thread.name == "actorflow-writer"]
    for thread in threads:
        thread.join(timeout=2)
    await store.close()
    await store.open()
    assert await store.commit([begin(store)]) == [COMMITTED]
    await store.close()


async def test_a_cancelled_caller_does_not_cancel_the_commit(sqlite: SqliteStore) -> None:
    run = begin(sqlite, "order")
    caller = sqlite.commit([run])
    await asyncio.sleep(0)
    caller.cancel()
    assert await sqlite.commit([turns(run.key, TURN_WIDTH)]) == [COMMITTED]


async def test_a_read_cancelled_halfway_harms_no_other(sqlite: SqliteStore) -> None:
    await sqlite.commit([begin(sqlite, "order")])
    async with asyncio.TaskGroup() as group:
        for _ in range(10):
            reading = group.create_task(sqlite.find("default", "order"))
            await asyncio.sleep(0)
            reading.cancel()
    assert await sqlite.find("default", "order") is not None


FORGETS = """
async def main():
    global store
    store = SqliteStore(path)
    await store.open()
    await store.commit([begin(store, "order")])
    await store.find("default", "order")
asyncio.run(main())
say("done")
"""


async def test_a_program_that_forgets_to_close_ends_and_loses_nothing(path: Path) -> None:
    assert child.run(FORGETS, path, timeout=5).strip() == "done"
    store = SqliteStore(path)
    await store.open()
    assert await store.find("default", "order") is not None
    await store.close()


# Acknowledged is acknowledged


def slot(path: Path) -> int:
    return int(Path(f"{path}.lock").read_bytes()[:16])


async def test_every_acknowledged_batch_is_counted_beside_the_file(path: Path, sqlite: SqliteStore) -> None:
    for expected in (1, 2, 3):
        await sqlite.commit([begin(sqlite)])
        assert slot(path) == expected


async def test_a_file_behind_its_acknowledgements_is_refused(path: Path, sqlite: SqliteStore) -> None:
    await sqlite.commit([begin(sqlite)])
    await sqlite.close()
    older = path.read_bytes()
    await sqlite.open()
    for _ in range(3):
        await sqlite.commit([begin(sqlite)])
    await sqlite.close()
    path.write_bytes(older)
    with pytest.raises(CorruptJournalError, match="3 commits are gone"):
        await sqlite.open()
    assert path.read_bytes() == older


async def test_a_deleted_wal_of_a_killed_owner_is_noticed(path: Path) -> None:
    with child.start(OWNS, path) as owner:
        child.expect(owner, "owned")
        owner.kill()
        owner.wait()
    Path(f"{path}-wal").unlink()
    with pytest.raises(CorruptJournalError, match="1 commits are gone"):
        await SqliteStore(path).open()


async def test_a_deleted_database_with_acknowledged_commits_is_noticed(path: Path, sqlite: SqliteStore) -> None:
    await sqlite.commit([begin(sqlite)])
    await sqlite.close()
    path.unlink()
    with pytest.raises(CorruptJournalError, match=r"delete .*orders\.db\.lock"):
        await sqlite.open()
    assert not path.exists()
    Path(f"{path}.lock").unlink()
    await sqlite.open()
    await sqlite.close()
