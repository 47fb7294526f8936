"""A copy of a journal in use: whole, private, and a journal by itself."""

from __future__ import annotations

import fcntl
import stat
import subprocess
from pathlib import Path

import pytest

from actorflow.exceptions import MissingFileError, NotOurFileError, StorageBusyError, StorageOwnedError
from actorflow.store.sqlite import SqliteStore
from actorflow.store.sqlite.backup import backup
from tests.store import child
from tests.store.test_verify import a_journal, change


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "copies" / "copy.db"


@pytest.fixture(autouse=True)
def copies(copy: Path) -> Path:
    copy.parent.mkdir()
    return copy.parent


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


WRITES = """
from tests.store.sound import SoundRun
async def main():
    store = SqliteStore(path)
    await store.open()
    stop = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
    number = 0
    while not stop.done():
        await store.commit([SoundRun(store, f"order-{number}").begins()])
        say(number)
        number += 1
asyncio.run(main())
"""


def last_acknowledged(owner: subprocess.Popen[str], count: int) -> int:
    assert owner.stdout is not None
    return [int(owner.stdout.readline()) for _ in range(count)][-1]


async def test_a_copy_made_beside_a_writing_owner_holds_everything_acknowledged_before(path: Path, copy: Path) -> None:
    with child.start(WRITES, path) as owner:
        for turn in range(3):
            known = last_acknowledged(owner, 200)
            made = backup(path, copy, force=turn > 0)
            assert made.verification.is_sound, made.verification
            assert made.verification.runs > known
            assert made.batch >= known
        owner.kill()
    assert names(copy.parent) == ["copy.db"]
    store = SqliteStore(copy)
    await store.open()
    assert await store.find("default", f"order-{known}") is not None
    await store.close()


@pytest.mark.parametrize("is_killed", [True, False])
async def test_a_file_without_an_owner_is_copied_and_stays_as_it_is(path: Path, copy: Path, is_killed: bool) -> None:
    if is_killed:
        with child.start(WRITES, path) as owner:
            last_acknowledged(owner, 5)
            owner.kill()
            owner.wait()
    else:
        await a_journal(path)
    before = {file.name: file.read_bytes() for file in path.parent.glob("orders.db*") if not file.name.endswith("-shm")}
    told: list[tuple[int, int]] = []
    made = backup(path, copy, lambda done, total: told.append((done, total)))
    assert made.verification.is_sound
    assert made.size == copy.stat().st_size
    assert told[-1][0] == told[-1][1] == made.size // 4096
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    after = {file.name: file.read_bytes() for file in path.parent.glob("orders.db*") if not file.name.endswith("-shm")}
    assert after == before


async def test_damage_is_copied_and_reported(path: Path, copy: Path) -> None:
    await a_journal(path)
    change(path, "UPDATE turn SET events = replace(events, 'ship', 'shop') WHERE run = 5")
    made = backup(path, copy)
    assert {violation.run_id for violation in made.verification.violations} == {"run-5"}
    assert copy.exists()


async def test_a_file_that_is_there_is_replaced_only_if_asked(path: Path, copy: Path) -> None:
    await a_journal(path)
    copy.write_text("precious")
    with pytest.raises(NotOurFileError, match="exists"):
        backup(path, copy)
    assert copy.read_text() == "precious"
    backup(path, copy, force=True)
    assert copy.read_bytes().startswith(b"SQLite")
    assert names(copy.parent) == ["copy.db"]


async def test_a_file_that_comes_while_it_is_copied_is_not_replaced(path: Path, copy: Path) -> None:
    await a_journal(path)
    with pytest.raises(NotOurFileError, match="exists"):
        backup(path, copy, lambda _done, _total: copy.write_text("precious"))
    assert copy.read_text() == "precious"
    assert names(copy.parent) == ["copy.db"]


async def test_a_journal_in_use_is_never_replaced(path: Path, copy: Path) -> None:
    await a_journal(path)
    owner = SqliteStore(copy)
    await owner.open()
    with pytest.raises(StorageOwnedError):
        backup(path, copy, force=True)
    await owner.close()
    with pytest.raises(NotOurFileError, match="or was"):
        backup(path, copy, force=True)
    with pytest.raises(NotOurFileError, match="journal itself"):
        backup(path, path, force=True)


async def test_an_owner_that_comes_while_a_closed_file_is_copied_is_noticed(path: Path, copy: Path) -> None:
    await a_journal(path)
    with pytest.raises(StorageBusyError, match="try again"):
        backup(path, copy, lambda _done, _total: child.run(OPENS_AND_CLOSES, path))
    assert names(copy.parent) == []
    assert backup(path, copy).verification.is_sound


OPENS_AND_CLOSES = """
async def main():
    store = SqliteStore(path)
    await store.open()
    await store.close()
asyncio.run(main())
"""


async def test_whoever_watches_can_end_it_and_nothing_is_left(path: Path, copy: Path) -> None:
    await a_journal(path)

    def stop(_done: int, _total: int) -> None:
        assert names(copy.parent) == ["copy.db.partial"]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backup(path, copy, stop)
    assert names(copy.parent) == []


async def test_what_a_killed_backup_left_is_used_again(path: Path, copy: Path) -> None:
    await a_journal(path)
    copy.with_name("copy.db.partial").write_text("half a copy" * 100_000)
    assert backup(path, copy).verification.is_sound
    assert names(copy.parent) == ["copy.db"]


KILLED_ONCE_NAMED = """
from actorflow.store.sqlite.backup import backup
link = os.link
def link_and_die(*names):
    link(*names)
    os.kill(os.getpid(), 9)
os.link = link_and_die
backup(path, sys.argv[2])
"""


@pytest.mark.parametrize("force", [False, True])
async def test_a_copy_whose_backup_was_killed_as_it_was_named_is_a_journal_after_the_next(
    path: Path, copy: Path, force: bool
) -> None:
    await a_journal(path)
    child.run(KILLED_ONCE_NAMED, path, copy, prefix=("sh", "-c", '"$@"; true', "sh"))
    assert names(copy.parent) == ["copy.db", "copy.db.partial"]
    if force:
        assert backup(path, copy, force=True).verification.is_sound
    else:
        with pytest.raises(NotOurFileError, match="exists"):
            backup(path, copy)
    assert names(copy.parent) == ["copy.db"]
    owner = SqliteStore(copy)
    await owner.open()
    assert await owner.find("default", "order-1") is not None
    await owner.close()


WITHOUT_LINKS = """
import errno
from actorflow.store.sqlite.backup import backup
def refuse(*names):
    raise PermissionError(errno.EPERM, "Operation not permitted")
os.link = refuse
for _ in range(2):
    try:
        say(backup(path, sys.argv[2]).verification.is_sound)
    except StorageError as error:
        say(error)
"""


async def test_where_files_have_one_name_only_a_copy_is_made_and_nothing_replaced(path: Path, copy: Path) -> None:
    await a_journal(path)
    made, refused = child.run(WITHOUT_LINKS, path, copy).splitlines()
    assert made == "True"
    assert "exists and was left as it is" in refused
    assert names(copy.parent) == ["copy.db"]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


async def test_two_backups_to_one_name_do_not_mix(path: Path, copy: Path) -> None:
    await a_journal(path)
    partial = copy.with_name("copy.db.partial")
    with partial.open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(StorageBusyError):
            backup(path, copy)
        assert partial.exists()


@pytest.mark.parametrize("kind", ["symlink", "hard link", "directory"])
async def test_a_trap_in_place_of_the_partial_file_is_left_alone(path: Path, copy: Path, kind: str) -> None:
    await a_journal(path)
    partial, precious = copy.with_name("copy.db.partial"), copy.with_name("precious")
    precious.write_text("precious")
    match kind:
        case "symlink":
            partial.symlink_to(precious)
        case "hard link":
            partial.hardlink_to(precious)
        case _:
            partial.mkdir()
    with pytest.raises(NotOurFileError):
        backup(path, copy)
    assert precious.read_text() == "precious"


async def test_what_cannot_be_copied_or_written_is_refused_and_nothing_is_left(path: Path, copy: Path) -> None:
    with pytest.raises(MissingFileError):
        backup(path, copy)
    await a_journal(path)
    with pytest.raises(NotOurFileError, match="does not exist"):
        backup(path, copy.parent / "no" / "copy.db")
    with pytest.raises(NotOurFileError, match="directory"):
        backup(path, copy.parent)
    assert names(copy.parent) == []


WHERE_FILES_STAY_SMALL = """
import resource, signal
from actorflow.store.sqlite.backup import backup
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    backup(path, sys.argv[2])
except StorageError as error:
    say(type(error).__name__)
"""


async def test_a_copy_that_cannot_grow_leaves_nothing(path: Path, copy: Path) -> None:
    await a_journal(path)
    assert child.run(WHERE_FILES_STAY_SMALL, path, copy).strip() == "StorageError"
    assert names(copy.parent) == []
