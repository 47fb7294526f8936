"""Options of every command, before and after its name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from actorflow.cli.exits import Exit
from tests.cli.commands import Run


def test_options_of_every_command_stand_anywhere(run: Run, filled: Path) -> None:
    first = run("--db", filled, "-o", "jsonl", "workflow", "list")
    between = run("workflow", "--db", filled, "-o", "jsonl", "list")
    last = run("workflow", "list", "--db", filled, "--output", "jsonl")
    assert first.code == Exit.DONE
    assert first == between == last


def test_the_option_nearest_to_the_command_counts(run: Run, filled: Path, tmp_path: Path) -> None:
    assert run("--db", tmp_path / "nothing", "workflow", "list", "--db", filled).code == Exit.DONE


def test_the_journal_may_be_named_by_the_environment(run: Run, filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTORFLOW_DB", str(filled))
    assert run("workflow", "count").out == "Total\t19\n"


@pytest.mark.parametrize("command", ["workflow list", "workflow describe x", "workflow cancel x", "db stats"])
def test_a_command_without_a_journal_asks_which(run: Run, command: str) -> None:
    code, out, err = run(*command.split())
    assert (code, out) == (Exit.USAGE, "")
    assert err.startswith("Error: which journal? Name its file with --db PATH or in the variable ACTORFLOW_DB\n")


def test_another_namespace_has_other_executions(look: Run) -> None:
    assert json.loads(look("workflow", "count", "-n", "elsewhere", "-o", "json").out)["count"] == 0
    assert look("workflow", "describe", "done", "-n", "elsewhere").code == Exit.NOT_FOUND


def test_a_path_may_hold_what_an_address_may_not(run: Run, filled: Path, tmp_path: Path) -> None:
    odd = tmp_path / "100% ?#& orders.db"
    odd.write_bytes(filled.read_bytes())
    assert run("workflow", "count", "--db", odd).out == "Total\t19\n"


def test_relative_times_are_for_people_only(look: Run) -> None:
    told = look("workflow", "describe", "done", "--time-format", "relative").out
    assert " ago\n" in told
    assert " ago" not in look("workflow", "describe", "done", "--time-format", "relative", "-o", "json").out
