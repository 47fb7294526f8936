"""Files that are not ours, places where no database can be, and the settings of those that are."""

from __future__ import annotations

import os
import sqlite3
import stat
from datetime import timedelta
from pathlib import Path

import pytest

from actorflow.exceptions import NewerSchemaError, NotOurFileError, StorageError, StorageFailedError
from actorflow.store.sqlite import SqliteStore, file_identity
from actorflow.store.sqlite.schema import VERSION
from actorflow.store.sqlite.settings import apply_settings
from tests.store import child
from tests.store.given import begin


def contents(folder: Path) -> dict[str, bytes]:
    return {found.name: found.read_bytes() for found in folder.iterdir() if found.is_file()}


async def refused(path: Path) -> StorageError:
    """The error of an open that must leave the folder as it was, and nothing open."""
    before = contents(path.parent)
    store = SqliteStore(path)
    with pytest.raises(StorageError) as caught:
        await store.open()
    await store.close()
    assert contents(path.parent) == before
    assert str(path) in str(caught.value)
    return caught.value


async def test_a_text_file_is_left_as_it_is(path: Path) -> None:
    path.write_text("dear diary, " * 100)
    assert isinstance(await refused(path), NotOurFileError)


async def test_a_short_file_is_left_as_it_is(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0")
    assert isinstance(await refused(path), NotOurFileError)


@pytest.mark.parametrize("journal_mode", ["delete", "wal"])
async def test_a_database_of_another_program_is_left_as_it_is(path: Path, journal_mode: str) -> None:
    other = sqlite3.connect(path)
    other.execute(f"PRAGMA journal_mode = {journal_mode}")
    other.execute("CREATE TABLE diary (page)")
    other.close()
    assert isinstance(await refused(path), NotOurFileError)


async def test_a_newer_database_is_left_as_it_is(path: Path, sqlite: SqliteStore) -> None:
    await sqlite.commit([begin(sqlite)])
    await sqlite.close()
    newer = sqlite3.connect(path)
    newer.execute(f"PRAGMA user_version = {VERSION + 1}")
    newer.close()
    error = await refused(path)
    assert isinstance(error, NewerSchemaError)
    assert f"schema {VERSION + 1}" in str(error)


async def test_a_directory_is_refused(path: Path) -> None:
    path.mkdir()
    error = await refused(path)
    assert isinstance(error, NotOurFileError)
    assert "directory" in str(error)


async def test_a_pipe_is_refused(path: Path) -> None:
    os.mkfifo(path)
    store = SqliteStore(path)
    with pytest.raises(NotOurFileError, match="not a plain file"):
        await store.open()


async def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "missing" / "orders.db")
    with pytest.raises(NotOurFileError, match="does not exist"):
        await store.open()
    assert not (tmp_path / "missing").exists()


async def test_a_file_with_two_names_is_refused(path: Path, sqlite: SqliteStore) -> None:
    await sqlite.close()
    path.with_name("copy.db").hardlink_to(path)
    error = await refused(path)
    assert isinstance(error, NotOurFileError)
    assert "hard links" in str(error)


TRIES_TO_OPEN = """
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
async def main():
    store = SqliteStore(path)
    try:
        await store.open()
    except StorageError as error:
        say(type(error).__name__)
    await store.close()
asyncio.run(main())
"""


@pytest.mark.parametrize("what", ["file", "folder"])
async def test_what_this_user_may_not_write_is_refused(tmp_path: Path, what: str) -> None:
    # In a process without root's rights, and in a place where such a process may look.
    folder = tmp_path / "data"
    folder.mkdir()
    path = folder / "orders.db"
    store = SqliteStore(path)
    await store.open()
    await store.close()
    (path if what == "file" else folder).chmod(0o444 if what == "file" else 0o555)
    if what == "file":
        folder.chmod(0o777)
    for parent in folder.parents:
        if parent.stat().st_uid == os.geteuid() and parent != Path("/"):
            parent.chmod(stat.S_IMODE(parent.stat().st_mode) | 0o055)
    before = contents(folder)
    assert child.run(TRIES_TO_OPEN, path).strip() == "NotOurFileError"
    assert contents(folder) == before


async def test_an_empty_file_becomes_a_database(path: Path) -> None:
    path.touch()
    store = SqliteStore(path)
    await store.open()
    await store.commit([begin(store, "order")])
    assert await store.find("default", "order") is not None
    await store.close()


async def test_a_link_leads_to_the_same_identity(path: Path, sqlite: SqliteStore) -> None:
    link = path.with_name("link.db")
    link.symlink_to(path)
    assert file_identity(link) == file_identity(path)
    assert file_identity(path.with_name("missing.db")) is None


async def test_the_path_may_hold_any_character(tmp_path: Path) -> None:
    path = tmp_path / "50% of #1? it's „Zoë“ & co.db"
    store = SqliteStore(path)
    await store.open()
    await store.commit([begin(store)])
    await store.close()
    assert path.stat().st_size > 0


async def test_settings_are_as_promised(path: Path) -> None:
    for synchronous in ("full", "normal"):
        store = SqliteStore(path, synchronous=synchronous)
        await store.open()
        facts = store.facts()
        assert (facts["synchronous"], facts["journal_mode"]) == (synchronous, "wal")
        await store.close()


def test_a_setting_that_does_not_take_is_an_error() -> None:
    # A database in memory can't have a WAL.
    connection = sqlite3.connect(":memory:", isolation_level=None)
    with pytest.raises(StorageFailedError, match="journal_mode is 'memory' although it was set to 'wal'"):
        apply_settings(connection, ":memory:", synchronous="full", busy_timeout=timedelta(seconds=1), read_only=False)
    connection.close()


async def test_a_closed_store_leaves_one_file_and_its_lock(path: Path, sqlite: SqliteStore) -> None:
    await sqlite.commit([begin(sqlite)])
    await sqlite.close()
    assert sorted(found.name for found in path.parent.iterdir()) == ["orders.db", "orders.db.lock"]
