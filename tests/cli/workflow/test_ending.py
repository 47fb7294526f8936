"""``workflow result``."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

import actorflow
from actorflow.api.common.v1 import Payload
from actorflow.cli.exits import Exit
from actorflow.client import WorkflowParkedError
from actorflow.common import RawValue
from actorflow.core import limits
from tests.cli.commands import Run
from tests.cli.programs import Broken
from tests.support import a_client


def test_a_result_is_printed_as_json(look: Run) -> None:
    assert look("workflow", "result", "done") == (Exit.DONE, '"shipped done"\n', "")


def test_programs_get_the_status_with_the_result(look: Run) -> None:
    end = json.loads(look("workflow", "result", "done", "-o", "jsonl").out)
    assert list(end) == ["workflow_id", "run_id", "status", "result"]
    assert (end["workflow_id"], end["status"], end["result"]) == ("done", "Completed", "shipped done")


def test_bytes_are_printed_as_a_history_shows_them(look: Run) -> None:
    assert json.loads(look("workflow", "result", "blob").out) == {
        "data": "AP8=",
        "metadata": {"encoding": "binary/plain"},
    }


def test_a_failure_is_a_sentence_with_its_cause(look: Run) -> None:
    code, out, err = look("workflow", "result", "failed")
    assert (code, out) == (Exit.WORKFLOW_FAILED, "")
    assert err.startswith("Error: workflow 'failed' has ended as Failed: Stock: lamp is out of stock\\x1b[2J")
    assert err.endswith("caused by ValueError: inner\n")
    assert err.count("\n") == 1


def test_programs_get_a_failure_as_json(look: Run) -> None:
    code, out, _ = look("workflow", "result", "failed", "-o", "json")
    assert code == Exit.WORKFLOW_FAILED
    end = json.loads(out)
    assert end["status"] == "Failed"
    assert end["failure"]["type"] == "Stock"
    assert end["failure"]["cause"] == {"type": "ValueError", "message": "inner"}


def test_a_terminated_execution_has_failed(look: Run) -> None:
    code, _, err = look("workflow", "result", "terminated")
    assert code == Exit.WORKFLOW_FAILED
    assert "has ended as Terminated: TerminatedError: once more" in err


def test_a_result_in_an_encoding_of_somebody_else_is_not_wrong_use(run: Run, journal: Path) -> None:
    async def end_it() -> None:
        async with a_client(journal) as client:
            secret = RawValue(Payload(data=b"?", metadata={"encoding": b"binary/encrypted"}))
            await client.get_workflow_handle("order-2").terminate(secret)

    asyncio.run(end_it())
    code, out, err = run("workflow", "result", "order-2", "--db", journal)
    assert (code, out) == (Exit.FAILED, "")
    assert "'binary/encrypted', which this converter doesn't know" in err


@pytest.fixture
def parked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A journal in which 'order' is parked."""
    monkeypatch.setattr(limits, "TURN_FAILURES_BEFORE_PARKING", 1)

    async def park_it() -> None:
        async with actorflow.open(tmp_path / "parked.db", workflows=[Broken]) as client:
            with pytest.raises(WorkflowParkedError):
                await client.execute_workflow(Broken.run, "b", id="order")

    asyncio.run(park_it())
    return tmp_path / "parked.db"


@pytest.mark.parametrize("more", [(), ("--timeout", "0")])
def test_a_parked_execution_says_why_it_can_not_end(run: Run, parked: Path, more: tuple[str, ...]) -> None:
    code, out, err = run("workflow", "result", "order", "-o", "json", "--db", parked, *more)
    assert code == Exit.WORKFLOW_FAILED
    end = json.loads(out)
    assert (end["workflow_id"], end["status"], end["failure"]["type"]) == ("order", "Running", "WorkflowParkedError")
    assert end["failure"]["cause"]["message"].startswith("a bug with b")
    assert err.startswith("Error: workflow 'order' (run ")
    assert " is parked: " in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("more", [(), ("--timeout", "0.1")])
def test_nobody_is_waited_for_where_nobody_works(look: Run, more: tuple[str, ...]) -> None:
    code, out, err = look("workflow", "result", "order-1", *more)
    assert (code, out) == (Exit.TIMEOUT, "")
    assert "is running, but no process has" in err
    assert "start the program that runs its workers" in err


def test_what_has_ended_needs_no_time(look: Run) -> None:
    assert look("workflow", "result", "done", "--timeout", "0") == (Exit.DONE, '"shipped done"\n', "")


@pytest.mark.parametrize("timeout", ["-1", "soon", "nan"])
def test_a_limit_that_is_none_is_wrong_use(look: Run, timeout: str) -> None:
    assert look("workflow", "result", "done", "--timeout", timeout).code == Exit.USAGE
