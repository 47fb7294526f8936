"""``workflow list|count``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from actorflow.cli.exits import Exit
from tests.cli.commands import Run, Terminal, files_of, on_a_terminal

PLAIN = "STATUS\tWORKFLOW_ID\tRUN_ID\tTYPE\tTASK_QUEUE\tSTART_TIME\tCLOSE_TIME\tSEARCH_ATTRIBUTES"
FIELDS = [
    "workflow_id",
    "run_id",
    "workflow_type",
    "task_queue",
    "namespace",
    "status",
    "parked",
    "start_time",
    "close_time",
    "history_length",
    "search_attributes",
]


def test_a_pipe_gets_a_line_for_each_execution_in_columns_parted_by_tabs(look: Run) -> None:
    code, out, err = look("workflow", "list")
    heading, *lines = out.splitlines()
    assert (code, err, heading) == (Exit.DONE, "", PLAIN)
    assert len(lines) == 19
    assert {line.count("\t") for line in lines} == {7}
    assert lines[0].split("\t")[:2] == ["Running", "struggle"]  # the newest first


def test_programs_get_every_field_of_each_execution(look: Run) -> None:
    lines = look("workflow", "list", "-o", "jsonl").out.splitlines()
    assert json.loads(look("workflow", "list", "-o", "json").out) == [json.loads(line) for line in lines]
    assert {tuple(json.loads(line)) for line in lines} == {tuple(FIELDS)}
    done = next(found for found in map(json.loads, lines) if found["workflow_id"] == "done")
    assert (done["status"], done["parked"], done["namespace"]) == ("Completed", None, "default")
    assert done["start_time"].endswith("Z")


def test_a_limit_is_said_when_there_are_more(look: Run) -> None:
    found = look("workflow", "list", "--limit", "2")
    assert found.out.count("\n") == 3
    assert found.err == "There are more than 2; --limit 0 shows all, --query narrows them down.\n"
    assert look("workflow", "list", "--limit", "0").err == look("workflow", "list", "--limit", "19").err == ""
    assert look("workflow", "list", "--limit", "1" + "0" * 30).code == Exit.DONE
    assert look("workflow", "list", "--limit", "-1").code == Exit.USAGE


def test_a_filter_chooses(look: Run) -> None:
    query = "ExecutionStatus = 'Terminated' ORDER BY StartTime"
    found = [json.loads(line) for line in look("workflow", "list", "-q", query, "-o", "jsonl").out.splitlines()]
    assert [one["workflow_id"] for one in found] == ["terminated", "terminated"]
    assert look("workflow", "list", "--query", "WorkflowId = 'nobody'").out == f"{PLAIN}\n"
    assert look("workflow", "list", "--query", "WorkflowId = 'nobody'", "-o", "json").out == "[]\n"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("WorkflowIdd = 'x'", "unknown column WorkflowIdd at position 0; did you mean WorkflowId?"),
        ("WorkflowId = 'x' OR", "position 19"),
        ("WorkflowId = 'x' AND (", "position 22"),
        ("WorkflowId = 'x", "the quote ' is not closed"),
        ("WorkflowId = 'x'; DROP TABLE run", "position 16"),
        ("WorkflowId = 'x' --", "position 17"),
        ("1=1", "position 0"),
        ("ExecutionStatus = 'Done'", "position 18"),
        ("StartTime > 'yester\nday'", "position 12"),
        ("Workflow\nId = 'x'", "position 0"),
        ("Parked = `x\ny`", "position"),
        ("WorkflowId = '\x1b[2J' AND \u202e", "position"),
        ("(" * 50 + "WorkflowId='x'" + ")" * 50, "position"),
        ("x" * 100_000, "expected at most 32,768"),
    ],
)
def test_a_filter_that_makes_no_sense_is_answered_with_the_place(look: Run, query: str, said: str) -> None:
    for command in ("list", "count"):
        code, out, err = look("workflow", command, "--query", query)
        assert (code, out) == (Exit.USAGE, "")
        assert said in err
        assert len(err.splitlines()) == 3
        assert err.splitlines()[2].strip() == "^"
        assert "\x1b" not in err
        assert "\u202e" not in err


@pytest.mark.parametrize("value", ["' OR '1'='1", "'; DELETE FROM run; --", "%", "_", "\\"])
def test_a_value_is_never_read_as_a_part_of_the_filter(look: Run, filled: Path, value: str) -> None:
    before = files_of(filled)
    quoted = value.replace("\\", "\\\\").replace("'", "''")
    assert look("workflow", "count", "-q", f"WorkflowId = '{quoted}'").out == "Total\t0\n"
    assert look("workflow", "count", "-q", f"WorkflowId STARTS_WITH '{quoted}'").out == "Total\t0\n"
    assert files_of(filled) == before


def test_executions_are_counted_by_status(look: Run) -> None:
    assert look("workflow", "count", "-q", "GROUP BY ExecutionStatus").out == (
        "Total\t19\nSTATUS\tCOUNT\nRunning\t14\nCompleted\t2\nFailed\t1\nTerminated\t2\n"
    )
    counted = json.loads(look("workflow", "count", "-q", "GROUP BY ExecutionStatus", "-o", "json").out)
    assert counted["count"] == 19
    assert {"status": "Failed", "count": 1} in counted["groups"]


def test_a_terminal_gets_a_table_that_fits(filled: Path) -> None:
    code, out, _ = on_a_terminal("workflow", "list", "--db", filled)
    assert code == Exit.DONE
    assert out.splitlines()[0].split() == ["status", "workflow", "id", "type", "start", "time"]
    assert all(len(line) <= 80 for line in out.splitlines())
    assert "\\u202edlo" in out
    assert "x…" in out


def test_a_wide_terminal_gets_more_columns(filled: Path) -> None:
    wide = on_a_terminal("workflow", "list", "--db", filled, columns=160)
    assert wide.out.splitlines()[0].split("  ")[-1].strip() == "close time"
    assert "run id" in wide.out.splitlines()[0]


@pytest.mark.parametrize(
    ("options", "variables", "is_coloured"),
    [([], {}, True), (["--no-color"], {}, False), ([], {"NO_COLOR": "1"}, False)],
)
def test_a_terminal_gets_colours_unless_they_are_not_wanted(
    filled: Path, options: list[str], variables: dict[str, str], is_coloured: bool
) -> None:
    terminal = Terminal("workflow", "list", "--db", filled, *options, variables=variables)
    terminal.end()
    assert ("\x1b[" in terminal.raw) == is_coloured


def test_a_table_that_is_not_on_a_terminal_has_no_colours(look: Run) -> None:
    assert "\x1b" not in look("workflow", "list", "-o", "table").out
