"""A journal seen from outside: beside its owner, after a crash, where nothing may be written. It stays as it is."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from actorflow.core.policy.list_filter import parse_count_query
from actorflow.exceptions import (
    CorruptJournalError,
    MissingFileError,
    NewerSchemaError,
    NotOurFileError,
    OlderSchemaError,
    StorageBusyError,
    StorageError,
)
from actorflow.store.protocol import COMMITTED
from actorflow.store.sqlite import ReadOnlyStore, SqliteStore, owner_of
from actorflow.store.sqlite.read_only_file import ReadOnlyFile
from actorflow.store.sqlite.schema import VERSION
from actorflow.store.sqlite.verify import verify
from tests.store import child
from tests.store.given import NOON, ORDERS, TURN_WIDTH, TYPES, begin, turns

OWNS = """
async def main():
    store = SqliteStore(path)
    await store.open()
    await store.commit([begin(store, "order")])
    say("owned")
    while name := (await asyncio.to_thread(sys.stdin.readline)).strip():
        await store.commit([begin(store, name)])
        say("committed")
    await store.close()
    say("closed")
asyncio.run(main())
"""


def kept(path: Path) -> dict[str, bytes]:
    """What must not change: the database, its log and its lock file."""
    files = [path, Path(f"{path}-wal"), Path(f"{path}.lock")]
    return {file.name: file.read_bytes() for file in files if file.exists()}


def names(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir())


@asynccontextmanager
async def looking_at(path: Path) -> AsyncIterator[ReadOnlyStore]:
    store = ReadOnlyStore(path)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def leave_closed(path: Path, *workflow_ids: str) -> None:
    """A journal closed in good order."""
    store = SqliteStore(path)
    await store.open()
    await store.commit([begin(store, workflow_id) for workflow_id in workflow_ids])
    await store.close()


def leave_killed(path: Path, program: str = OWNS) -> None:
    """A journal whose owner was killed: what it committed stands in the -wal file."""
    with child.start(program, path) as owner:
        child.expect(owner, "owned")
        owner.send_signal(signal.SIGKILL)
        owner.wait()


def tell(owner: subprocess.Popen[str], line: str) -> None:
    assert owner.stdin is not None
    owner.stdin.write(line + "\n")
    owner.stdin.flush()


async def test_beside_a_running_owner_everything_committed_is_seen_and_nothing_changes(path: Path) -> None:
    with child.start(OWNS, path) as owner:
        child.expect(owner, "owned")
        before = kept(path)
        async with looking_at(path) as store:
            found = await store.find("default", "order")
            assert found is not None
            assert len(await store.journal(found.identity.key)) == 1
            assert len(await store.load([found.identity.key])) == 1
            assert await store.find("default", "later") is None
            assert await store.due(ORDERS, TYPES, NOON, 10) == ([], None)
            assert kept(path) == before
            tell(owner, "later")
            child.expect(owner, "committed")
            assert await store.find("default", "later") is not None
            assert str(await store.owner()).startswith(f"process {owner.pid} on ")
        owner.kill()


async def test_the_version_changes_with_each_commit_and_only_then(path: Path) -> None:
    with child.start(OWNS, path) as owner:
        child.expect(owner, "owned")
        async with looking_at(path) as store:
            version = await store.version()
            assert await store.version() == version
            tell(owner, "later")
            child.expect(owner, "committed")
            assert await store.version() != version
        owner.kill()


async def test_an_owner_that_leaves_and_one_that_comes_disturb_nobody_who_looks(path: Path) -> None:
    with child.start(OWNS, path) as owner:
        child.expect(owner, "owned")
        async with looking_at(path) as store:
            tell(owner, "")
            child.expect(owner, "closed")
            assert await store.find("default", "order") is not None
            await leave_closed(path, "later")
            assert await store.find("default", "later") is not None


@pytest.mark.parametrize("has_shared_memory", [True, False])
async def test_what_a_killed_owner_left_in_the_log_is_seen_and_stays_there(path: Path, has_shared_memory: bool) -> None:
    leave_killed(path)
    if not has_shared_memory:
        Path(f"{path}-shm").unlink()
    before = kept(path)
    assert before["orders.db-wal"]
    async with looking_at(path) as store:
        assert await store.find("default", "order") is not None
    assert kept(path) == before
    assert owner_of(path) is None
    await leave_closed(path, "later")
    async with looking_at(path) as store:
        assert await store.find("default", "order") is not None


async def test_a_file_whose_owner_was_killed_while_it_copied_the_log_is_read_and_opened(path: Path) -> None:
    leave_killed(
        path, OWNS.replace("""[begin(store, "order")]""", """[begin(store, f"order-{n}") for n in range(500)]""")
    )
    copied = path.parent / "copied" / "orders.db"
    copied.parent.mkdir()
    for file in (path, Path(f"{path}-wal")):
        shutil.copyfile(file, copied.parent / file.name)
    sqlite3.connect(copied).execute("PRAGMA wal_checkpoint(TRUNCATE)").connection.close()
    with path.open("r+b") as file:  # the first page came through, the others did not
        file.write(copied.read_bytes()[:4096])
    async with looking_at(path) as store:
        assert await store.find("default", "order-499") is not None
    await leave_closed(path, "later")
    async with looking_at(path) as store:
        assert await store.find("default", "order-499") is not None
        assert await store.find("default", "later") is not None


async def test_beside_a_file_that_was_closed_nothing_appears(path: Path) -> None:
    await leave_closed(path, "order")
    before = (names(path), kept(path))
    async with looking_at(path) as store:
        assert await store.version() == await store.version()
        assert await store.find("default", "order") is not None
        assert (names(path), kept(path)) == before
    assert (names(path), kept(path)) == before


async def test_an_owner_that_comes_later_is_noticed(path: Path) -> None:
    await leave_closed(path, "order")
    async with looking_at(path) as store:
        versions = {await store.version()}
        await leave_closed(path, "later")  # came and went
        versions.add(await store.version())
        assert await store.find("default", "later") is not None
        with child.start(OWNS.replace('"order"', '"last"'), path) as owner:
            child.expect(owner, "owned")
            versions.add(await store.version())
            assert len(versions) == 3
            assert await store.find("default", "last") is not None
            owner.kill()


async def test_an_owner_that_moves_every_page_while_nobody_reads_has_damaged_nothing(path: Path) -> None:
    child.run(child.GROWS, path, 0, 1_000)
    async with looking_at(path) as store:
        everywhere = parse_count_query("TaskQueue = 'orders'")
        assert (await store.count("default", everywhere)).total == 1_000
        child.run(child.GROWS, path, 1_000, 600)
        assert (await store.count("default", everywhere)).total == 1_600
        for number in range(0, 1_600, 7):
            found = await store.find("default", f"order-{number * 7919 % 100003}")
            assert found is not None
            assert len(await store.journal(found.identity.key)) == 2
    assert verify(path).is_sound


def test_what_was_damaged_only_while_an_owner_came_is_read_again(path: Path) -> None:
    child.run(child.GROWS, path, 0, 1_000)
    file = ReadOnlyFile(path)
    ((before,),) = file.fetch("SELECT sum(number) FROM turn")
    child.run(child.GROWS, path, 1_000, 600)
    assert file.fetch("SELECT count(*) FROM turn WHERE events LIKE '%ship%'") == [(1_600,)]
    assert file.fetch("SELECT sum(number) > ? FROM turn", (before,)) == [(1,)]
    file.close()


def test_an_owner_that_comes_between_two_reads_of_one_moment_is_told_from_damage(path: Path) -> None:
    child.run(child.GROWS, path, 0, 1_000)
    file = ReadOnlyFile(path)

    def read_twice() -> None:
        with file.snapshot() as connection:
            child.run(child.GROWS, path, 1_000, 600)
            connection.execute("SELECT sum(length(events)) FROM turn").fetchall()

    with pytest.raises(StorageBusyError, match="try again"):
        read_twice()
    assert file.fetch("SELECT count(*) FROM run") == [(1_600,)]
    file.close()


class SurprisedFile(ReadOnlyFile):
    """An owner comes and goes on just before it looks for the first time."""

    owner: subprocess.Popen[str] | None = None

    def _look(self, *args: Any, **kwargs: Any) -> Any:
        if self.owner is None:
            self.owner = child.start(OWNS, self.path)
            child.expect(self.owner, "owned")
        return super()._look(*args, **kwargs)


async def test_an_owner_that_comes_while_a_file_is_being_opened_is_read_beside(path: Path) -> None:
    await leave_closed(path)
    file = SurprisedFile(path)
    assert file.owner is not None
    with file.owner as owner:
        assert file.fetch("SELECT workflow_id FROM run") == [("order",)]
        tell(owner, "later")
        child.expect(owner, "committed")
        assert file.fetch("SELECT workflow_id FROM run ORDER BY key") == [("order",), ("later",)]
        file.close()
        owner.kill()


async def test_a_file_that_is_replaced_is_read_anew(tmp_path: Path, path: Path) -> None:
    await leave_closed(path, "order")
    await leave_closed(tmp_path / "other.db", "other")
    async with looking_at(path) as store:
        assert await store.find("default", "other") is None
        (tmp_path / "other.db").replace(path)
        assert await store.find("default", "other") is not None
        path.unlink()
        with pytest.raises(MissingFileError):
            await store.find("default", "other")


async def test_nothing_can_be_written_through_it(path: Path) -> None:
    await leave_closed(path, "order")
    async with looking_at(path) as store:
        for statement in ("DELETE FROM run", "CREATE TABLE diary (page)", "PRAGMA user_version = 9"):
            with pytest.raises(StorageError):
                await store._fetch(statement, ())


async def test_a_closed_store_says_so(path: Path) -> None:
    await leave_closed(path, "order")
    store = ReadOnlyStore(path)
    with pytest.raises(StorageError, match="not open"):
        await store.find("default", "order")
    await store.open()
    await store.close()
    await store.close()
    with pytest.raises(StorageError, match="not open"):
        await store.version()


# In the owner's process

OPENS_AND_CLOSES = """
connection = sqlite3.connect(path)
connection.execute("SELECT count(*) FROM run").fetchall()
connection.close()
"""


async def test_looking_in_the_owners_own_process_leaves_its_locks_alone(path: Path) -> None:
    # Without them, the next program that closes the file takes itself for the last and deletes the log.
    async with AsyncStore(path) as owner:
        await owner.commit([begin(owner, "order")])
        async with looking_at(path) as store:
            assert await store.find("default", "order") is not None
        child.run(OPENS_AND_CLOSES, path)
        assert await owner.commit([begin(owner, "later")]) == [COMMITTED]


async def test_an_owner_that_opens_a_file_its_process_looks_at_leaves_the_locks_alone(path: Path) -> None:
    leave_killed(path)
    async with looking_at(path) as store:
        assert await store.find("default", "order") is not None
        async with AsyncStore(path) as owner:
            child.run(OPENS_AND_CLOSES, path)
            assert await owner.commit([begin(owner, "later")]) == [COMMITTED]
            assert await store.find("default", "later") is not None


class AsyncStore(SqliteStore):
    """A store that a block opens and closes."""

    async def __aenter__(self) -> AsyncStore:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


# Refusals


async def refused(path: Path) -> StorageError:
    before = [names(path), kept(path)] if path.is_file() else []
    store = ReadOnlyStore(path)
    with pytest.raises(StorageError) as caught:
        await store.open()
    assert ([names(path), kept(path)] if path.is_file() else []) == before
    assert str(path) in str(caught.value)
    return caught.value


async def test_a_missing_file_is_refused_with_the_place_that_was_looked_at_and_not_created(path: Path) -> None:
    assert isinstance(await refused(path), MissingFileError)
    error = await refused(path.parent / "no" / "orders.db")
    assert "no folder" in str(error)
    assert names(path) == []


async def test_what_is_no_file_is_refused(path: Path) -> None:
    path.mkdir()
    assert "directory" in str(await refused(path))
    path.rmdir()
    os.mkfifo(path)
    assert "not a plain file" in str(await refused(path))
    with pytest.raises(NotOurFileError, match="too long"):
        await ReadOnlyStore(path.with_name("x" * 300)).open()


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0", b"dear diary" * 1_000])
async def test_what_is_no_database_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert isinstance(await refused(path), NotOurFileError)


@pytest.mark.parametrize("journal_mode", ["delete", "wal"])
async def test_the_database_of_another_program_is_refused(path: Path, journal_mode: str) -> None:
    other = sqlite3.connect(path)
    other.execute(f"PRAGMA journal_mode = {journal_mode}")
    other.execute("CREATE TABLE diary (page)")
    other.close()
    assert "another program" in str(await refused(path))


@pytest.mark.parametrize(("version", "kind"), [(VERSION + 1, NewerSchemaError), (0, OlderSchemaError)])
async def test_a_schema_that_cannot_be_read_is_refused(path: Path, version: int, kind: type[StorageError]) -> None:
    await leave_closed(path, "order")
    other = sqlite3.connect(path)
    other.execute(f"PRAGMA user_version = {version}")
    other.close()
    assert isinstance(await refused(path), kind)


async def test_a_newer_schema_that_is_still_in_the_log_is_refused_too(path: Path) -> None:
    await leave_closed(path, "order")
    child.run(
        f"connection = sqlite3.connect(path, isolation_level=None)\n"
        f"connection.execute('PRAGMA user_version = {VERSION + 1}')\n"
        "os.kill(os.getpid(), 9)\n",
        path,
        prefix=("sh", "-c", '"$@"; true', "sh"),
    )
    assert isinstance(await refused(path), NewerSchemaError)


async def test_damage_is_reported_as_such(path: Path) -> None:
    await leave_closed(path, *(f"order-{number}" for number in range(100)))
    with path.open("r+b") as file:
        for page in range(1, path.stat().st_size // 4096):
            file.seek(page * 4096)
            file.write(b"\xff" * 4096)
    with pytest.raises(CorruptJournalError, match=r"is damaged \(.*restore it from a backup"):
        async with looking_at(path) as store:
            await store.find("default", "order-1")


WITHOUT_RIGHTS = """
from actorflow.store.sqlite import ReadOnlyStore
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
async def main():
    store = ReadOnlyStore(path)
    try:
        await store.open()
        say(await store.find("default", "order") is not None)
    except StorageError as error:
        say(type(error).__name__)
    await store.close()
asyncio.run(main())
"""


def reachable(folder: Path) -> Path:
    """A folder that another user may enter, but not write."""
    folder.mkdir()
    for place in (folder, *folder.parents):
        if place.stat().st_uid == os.geteuid() and place != Path("/"):
            place.chmod(stat.S_IMODE(place.stat().st_mode) | 0o055)
    return folder


@pytest.mark.parametrize("mode", [0o444, 0o000])
async def test_a_closed_file_in_a_folder_nobody_may_write_is_read_if_it_may_be_read(tmp_path: Path, mode: int) -> None:
    path = reachable(tmp_path / "data") / "orders.db"
    await leave_closed(path, "order")
    path.chmod(mode)
    path.parent.chmod(0o555)
    before = names(path)
    assert child.run(WITHOUT_RIGHTS, path).strip() == ("True" if mode else "NotOurFileError")
    assert names(path) == before


async def test_a_log_that_needs_shared_memory_where_nothing_may_be_written_is_refused(tmp_path: Path) -> None:
    path = reachable(tmp_path / "data") / "orders.db"
    leave_killed(path)
    Path(f"{path}-shm").unlink()
    for file in path.parent.iterdir():
        file.chmod(0o444)
    path.parent.chmod(0o555)
    before = kept(path)
    assert child.run(WITHOUT_RIGHTS, path).strip() == "NotOurFileError"
    assert kept(path) == before


async def test_an_empty_log_where_nothing_may_be_written_is_no_hindrance(tmp_path: Path) -> None:
    path = reachable(tmp_path / "data") / "orders.db"
    await leave_closed(path, "order")
    Path(f"{path}-wal").touch()
    for file in path.parent.iterdir():
        file.chmod(0o444)
    path.parent.chmod(0o555)
    assert child.run(WITHOUT_RIGHTS, path).strip() == "True"


# Who owns it


async def test_the_owner_is_known_while_it_owns(path: Path) -> None:
    assert owner_of(path) is None
    assert names(path) == []
    with child.start(OWNS, path) as owner:
        child.expect(owner, "owned")
        assert str(owner_of(path)).startswith(f"process {owner.pid} on ")
        link = path.parent / "link.db"
        link.symlink_to(path)
        assert owner_of(link) == owner_of(path)
        owner.kill()
        owner.wait()
    assert owner_of(path) is None


ASKS_AGAIN_AND_AGAIN = """
from actorflow.store.sqlite import owner_of
say("asking")
while True:
    owner_of(path)
"""


async def test_asking_who_owns_a_file_never_refuses_an_owner_that_starts(path: Path) -> None:
    await leave_closed(path)
    with child.start(ASKS_AGAIN_AND_AGAIN, path) as first, child.start(ASKS_AGAIN_AND_AGAIN, path) as second:
        child.expect(first, "asking")
        child.expect(second, "asking")
        for _ in range(20):
            store = SqliteStore(path)
            await store.open()
            await store.close()
        first.kill()
        second.kill()


async def test_many_who_look_at_once_see_the_same(path: Path) -> None:
    leave_killed(path)
    Path(f"{path}-shm").unlink()
    stores = [ReadOnlyStore(path) for _ in range(10)]
    await asyncio.gather(*[store.open() for store in stores])
    found = await asyncio.gather(*[store.find("default", "order") for store in stores])
    assert None not in found
    assert {run.head.last_event for run in found if run is not None} == {TURN_WIDTH}
    await asyncio.gather(*[store.close() for store in stores])


async def test_reads_of_the_owner_and_of_others_agree(path: Path) -> None:
    async with AsyncStore(path) as owner:
        started = begin(owner, "order")
        await owner.commit([started, turns(started.key, TURN_WIDTH)])
        async with looking_at(path) as store:
            assert await store.load([started.key]) == await owner.load([started.key])
            assert await store.busy(0, 10) == await owner.busy(0, 10)
            assert await store.arrivals(ORDERS, TYPES, 0, 10) == await owner.arrivals(ORDERS, TYPES, 0, 10)
