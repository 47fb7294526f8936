"""Files that are no journal, or none of ours to write: each command refuses them and leaves them as they are."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from actorflow.cli.exits import Exit
from actorflow.store.sqlite import schema
from tests.cli.commands import Run, files_of

COMMANDS = (
    "workflow list",
    "workflow count",
    "workflow describe x",
    "workflow show x --follow",
    "workflow result x",
    "workflow signal x --name y",
    "workflow cancel x",
    "workflow terminate x",
    "db verify",
    "db stats",
    "db backup COPY",
)


def text(path: Path) -> None:
    path.write_text("no database at all\n" * 500)


def empty(path: Path) -> None:
    path.touch()


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE run (x)")
        connection.commit()


def directory(path: Path) -> None:
    path.mkdir()


def missing(path: Path) -> None:
    assert not path.exists()


def through_a_file(path: Path) -> None:
    path.symlink_to(path.parent / "gone")


KINDS: dict[Callable[[Path], None], str] = {
    text: "is not a SQLite database",
    empty: "is empty: no program has written a journal to it yet",
    foreign: "is a database of another program",
    directory: "is a directory; name a file in it",
    missing: "there is no file",
    through_a_file: "there is no file",
}


def refused_by_all(run: Run, path: Path, said: str) -> None:
    """Every command refuses the file in one sentence, and it stays as it is."""
    known = files_of(path) if path.is_file() else {}
    around = sorted(path.parent.iterdir())
    for command in COMMANDS:
        arguments = [word.replace("COPY", str(path.parent / "copy")) for word in command.split()]
        code, out, err = run(*arguments, "--db", path)
        assert (code, out) == (Exit.UNREACHABLE, ""), command
        assert err.startswith("Error: "), command
        assert said in err, command
        assert err.count("\n") == 1, command
    assert sorted(path.parent.iterdir()) == around
    assert (files_of(path) if path.is_file() else {}) == known


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_what_is_no_journal_is_refused(run: Run, tmp_path: Path, kind: Callable[[Path], None]) -> None:
    kind(tmp_path / "odd.db")
    refused_by_all(run, tmp_path / "odd.db", KINDS[kind])


def test_a_journal_of_a_newer_version_is_refused(run: Run, journal: Path) -> None:
    with closing(sqlite3.connect(journal)) as connection:
        connection.execute("PRAGMA user_version = 99")
    refused_by_all(run, journal, f"has schema 99, this version of actorflow knows {schema.VERSION}")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(run: Run, journal: Path) -> None:
    journal.chmod(0)
    for command in ("workflow list", "db stats"):
        assert run(*command.split(), "--db", journal).code == Exit.UNREACHABLE


@pytest.mark.parametrize("command", COMMANDS)
def test_the_name_of_a_file_can_not_pass_for_a_line_of_ours(run: Run, command: str) -> None:
    code, out, err = run(*command.split(), "--db", "/nowhere/a\nError: all is well")
    assert (code, out, err.count("\n")) == (Exit.UNREACHABLE, "", 1)
    assert "a\\nError: all is well" in err


def test_a_damaged_page_is_a_sentence(run: Run, journal: Path) -> None:
    content = bytearray(journal.read_bytes())
    content[4096:] = b"\x55" * (len(content) - 4096)
    journal.write_bytes(content)
    for command in (
        "workflow list",
        "workflow describe order-1",
        "workflow signal order-1 --name x",
        "db stats",
        "db verify",
    ):
        code, _, err = run(*command.split(), "--db", journal)
        assert code == (Exit.FAILED if command == "db verify" else Exit.UNREACHABLE), command
        assert "is damaged" in err
        assert "db verify" not in err
        assert err.count("\n") == 1
    assert journal.read_bytes() == bytes(content)


def test_an_id_no_program_of_ours_could_have_written_steers_nothing(run: Run, journal: Path) -> None:
    evil = "\x1b[2Jevil\nsecond line"
    with closing(sqlite3.connect(journal)) as connection:
        connection.execute("UPDATE run SET workflow_id = ?, task_queue = ? WHERE workflow_id = 'blob'", (evil, evil))
        connection.commit()
    for command in ("workflow list", "workflow list -o table", "db verify", "db stats", "workflow list -o json"):
        _, out, err = run(*command.split(), "--db", journal)
        assert "\x1b" not in out + err, command
    assert "\\x1b[2Jevil\\nsecond line" in run("workflow", "list", "--db", journal).out
