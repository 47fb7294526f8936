"""``db verify|stats|backup``."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from actorflow.cli.exits import Exit
from actorflow.store.sqlite.verify import verify
from tests.cli.commands import Run, files_of, on_a_terminal


def change(path: Path, statement: str) -> None:
    """Do what no program of ours does."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()


def test_a_healthy_journal_is_verified(look: Run, filled: Path) -> None:
    before = files_of(filled)
    code, out, err = look("db", "verify")
    assert (code, err) == (Exit.DONE, "")
    assert "verdict\tsound\nruns\t19\n" in out
    found = json.loads(look("db", "verify", "--quick", "-o", "json").out)
    assert (found["is_sound"], found["violations"], found["runs"]) == (True, [], 19)
    assert files_of(filled) == before


def test_a_damaged_row_is_found_and_named(run: Run, journal: Path) -> None:
    change(journal, "UPDATE turn SET events = replace(events, 'Approval', 'Approvax')")
    before = files_of(journal)
    code, out, err = run("db", "verify", "--db", journal)
    assert code == Exit.FAILED
    assert "workflow 'order-1'" in err
    assert "does not match its checksum" in err
    assert "verdict\tdamaged; restore it from a backup, or terminate the executions named above" in out
    code, out, err = run("db", "verify", "--db", journal, "-o", "jsonl")
    assert (code, err) == (Exit.FAILED, "")
    assert json.loads(out)["violations_count"] > 0
    assert files_of(journal) == before


def test_many_findings_are_not_all_told_to_people(run: Run, journal: Path) -> None:
    change(journal, "UPDATE run SET last_event = 1000, checksum = 1")
    code, _, err = run("db", "verify", "--db", journal)
    assert code == Exit.FAILED
    assert len(err.splitlines()) == 21
    assert "more; -o json lists them" in err.splitlines()[-1]


@pytest.mark.parametrize("size", [5_000, 50_000])
def test_a_file_that_was_cut_off_is_damaged(run: Run, journal: Path, size: int) -> None:
    os.truncate(journal, size)
    before = files_of(journal)
    code, _, err = run("db", "verify", "--db", journal)
    assert code == Exit.FAILED
    assert "damaged" in err
    assert files_of(journal) == before


def test_a_journal_is_measured(look: Run, filled: Path) -> None:
    before = files_of(filled)
    code, out, err = look("db", "stats")
    assert (code, err) == (Exit.DONE, "")
    assert "owner\tnobody has it open\n" in out
    assert "14 Running" in out
    found = json.loads(look("db", "stats", "-o", "json").out)
    assert found["runs_by_status"]["Terminated"] == 2
    assert files_of(filled) == before


def test_a_copy_is_a_journal_by_itself(look: Run, filled: Path, tmp_path: Path) -> None:
    before = files_of(filled)
    copy = tmp_path / "copy.db"
    code, out, err = look("db", "backup", copy)
    assert (code, err) == (Exit.DONE, "")
    assert f"backup\t{copy}\n" in out
    assert look("workflow", "count", "--db", copy).out == "Total\t19\n"
    assert files_of(filled) == before


def test_a_file_that_is_there_is_replaced_only_by_force(look: Run, filled: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    copy.write_text("precious")
    code, _, err = look("db", "backup", copy)
    assert (code, err) == (
        Exit.USAGE,
        f"Error: {copy} exists and was left as it is; name another file, or --force\n",
    )
    assert copy.read_text() == "precious"
    assert json.loads(look("db", "backup", copy, "--force", "-o", "json").out)["is_sound"]
    assert verify(copy).is_sound
    assert look("db", "backup", filled, "--force").code == Exit.UNREACHABLE


@pytest.mark.parametrize("target", [".", "missing/copy.db"])
def test_a_copy_needs_a_place(look: Run, tmp_path: Path, target: str) -> None:
    code, out, err = look("db", "backup", tmp_path / target)
    assert (code, out) == (Exit.UNREACHABLE, "")
    assert err.startswith("Error: ")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for less than a journal."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a disk of one's own takes root and tmpfs")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_a_sentence_and_leaves_nothing(look: Run, filled: Path, tiny: Path) -> None:
    code, out, err = look("db", "backup", tiny / "copy.db")
    assert (code, out) == (Exit.FAILED, "")
    assert "the disk is full; the copy was removed" in err
    assert list(tiny.iterdir()) == []


def test_a_terminal_sees_how_far_it_is(filled: Path, tmp_path: Path) -> None:
    code, out, _ = on_a_terminal("db", "backup", tmp_path / "copy.db", "--db", filled)
    assert code == Exit.DONE
    assert "pages copied" in out
    assert "verdict         sound" in out
