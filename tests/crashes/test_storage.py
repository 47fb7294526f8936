"""A full disk or a locked database refuses calls by name, tears nothing apart, and all is done once it is over."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from actorflow.core import events as ev
from tests.crashes import invariants
from tests.crashes.ledger import check_attempts, read_ledger
from tests.crashes.processes import expect, running
from tests.crashes.storage import RUNS
from tests.crashes.story import work

MOUNTS = 'mount -t tmpfs -o size=8m tmpfs "$1" && shift && exec "$@"'


def test_ten_turns_in_flight_on_a_full_disk_are_refused_and_finish_when_there_is_room(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    prefix = ("unshare", "-m", "sh", "-c", MOUNTS, "sh", str(disk))
    if not shutil.which("unshare") or subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk takes Linux and root")
    copy = tmp_path / "copy.db"
    with running("-m", "tests.crashes.storage", disk / "orders.db", "full", copy, prefix=prefix) as process:
        assert process.stdin is not None
        expect(process, "ready")
        print(file=process.stdin, flush=True)
        expect(process, "StorageFullError")
        expect(process, "StorageFullError")
        print(file=process.stdin, flush=True)
        check_finished(process, copy)


def test_ten_turns_in_flight_on_a_locked_database_are_refused_and_finish_when_the_lock_goes(tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    with running("-m", "tests.crashes.storage", path, "locked") as process:
        assert process.stdin is not None
        expect(process, "ready")
        with closing(sqlite3.connect(path, isolation_level=None)) as stranger:
            stranger.execute("BEGIN IMMEDIATE")
            print(file=process.stdin, flush=True)
            expect(process, "StorageBusyError")
            expect(process, "StorageBusyError")
            stranger.execute("ROLLBACK")
            print(file=process.stdin, flush=True)
            expect(process, "accepted")
        check_finished(process, path, is_accepted=True)


def check_finished(process: subprocess.Popen[str], path: Path, *, is_accepted: bool = False) -> None:
    """Everything was done once, and came to what it would have come to anyway."""
    if not is_accepted:
        expect(process, "accepted")
    for kind, text in (("waiting", "s"), ("late", "a")):
        for number in range(RUNS):
            expect(process, f"{work(f'{kind}-{number}')} {text}{number}")
    complaints = process.communicate(timeout=20)[1]
    assert complaints == ""
    assert process.returncode == 0
    runs = invariants.check(path)
    assert len(runs) == 2 * RUNS
    for run in runs:
        assert len(run.all_of(ev.SignalReceived)) == run.workflow_id.startswith("waiting")
    lines = read_ledger(Path(f"{path}.ledger"))
    check_attempts(lines)
    assert len([line for line in lines if line["what"] == "begin"]) == 2 * RUNS
