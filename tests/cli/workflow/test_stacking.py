"""``workflow stack``: a program rebuilt from its journal."""

from __future__ import annotations

from pathlib import Path

import pytest

from actorflow.cli.exits import Exit
from tests.cli.commands import Run, files_of, in_a_process
from tests.crashes.processes import ROOT

PROGRAMS = ROOT / "tests" / "cli" / "programs.py"


@pytest.mark.parametrize("app", ["tests.cli.programs", "tests.cli.programs:Approval", PROGRAMS, f"{PROGRAMS}:Approval"])
def test_a_stack_names_the_line_where_the_program_waits(look: Run, filled: Path, app: object) -> None:
    before = files_of(filled)
    code, out, err = look("workflow", "stack", "order-2", "--app", app)
    line = 1 + PROGRAMS.read_text().split("await workflow.wait_condition")[0].count("\n")
    assert (code, err) == (Exit.DONE, "")
    assert out == f"run\n    {PROGRAMS}:{line} in Approval.run\n"
    assert files_of(filled) == before


def test_a_closed_execution_waits_nowhere(look: Run) -> None:
    code, _, err = look("workflow", "stack", "done", "--app", "tests.cli.programs")
    assert (code, err) == (Exit.FAILED, "Error: workflow 'done' is Completed: it waits nowhere\n")


def test_an_execution_that_has_not_begun_waits_for_a_worker(look: Run) -> None:
    code, _, err = look("workflow", "stack", "broken", "--app", "tests.cli.programs")
    assert (code, err) == (Exit.FAILED, "Error: workflow 'broken' has not begun: it waits for a worker\n")


@pytest.mark.parametrize(
    ("app", "said"),
    [
        ("no.such.module", "--app: no.such.module can't be loaded: ModuleNotFoundError"),
        ("missing.py", "--app: missing.py can't be loaded: FileNotFoundError"),
        ("json", "--app: json holds no class with @workflow.defn"),
        ("tests.cli.programs:Nobody", "--app: 'Nobody' in tests.cli.programs holds no class with @workflow.defn"),
        ("tests.cli.programs:Blob", "--app holds Blob, but workflow 'order-2' is a 'Approval'"),
    ],
)
def test_a_program_that_is_not_there_is_wrong_use(look: Run, app: str, said: str) -> None:
    code, out, err = look("workflow", "stack", "order-2", "--app", app)
    assert (code, out) == (Exit.USAGE, "")
    assert err.startswith(f"Error: {said}")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import sys; print('noise'); sys.exit(0)", "SystemExit: 0"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise ValueError('\\x1b[2J')", "ValueError: \\x1b[2J"),
        ("def (", "SyntaxError"),
    ],
)
def test_a_program_that_does_not_load_ends_nothing_else(filled: Path, tmp_path: Path, source: str, said: str) -> None:
    app = tmp_path / "odd_app.py"
    app.write_text(source)
    code, out, err = in_a_process("workflow", "stack", "order-2", "--app", app, "--db", filled)
    assert (code, out) == (Exit.USAGE, "")
    assert f"can't be loaded: {said}" in err.splitlines()[-1]


def test_what_a_program_prints_is_not_taken_for_its_stack(look: Run, tmp_path: Path) -> None:
    app = tmp_path / "loud_app.py"
    app.write_text("print('noise')\nfrom tests.cli.programs import Approval")
    assert look("workflow", "stack", "order-2", "--app", app).out.startswith("run\n")


def test_code_that_asks_for_something_else_does_not_replay(look: Run, tmp_path: Path) -> None:
    app = tmp_path / "other_app.py"
    app.write_text(
        "from actorflow import workflow\n@workflow.defn\nclass Struggle:\n    @workflow.run\n"
        "    async def run(self, order: str) -> None:\n        await workflow.sleep(1)\n"
    )
    code, _, err = look("workflow", "stack", "struggle", "--app", app)
    assert code == Exit.FAILED
    assert "does not replay with this code" in err
