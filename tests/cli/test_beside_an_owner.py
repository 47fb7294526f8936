"""Commands on a journal that a program has open: those that look work, those that write are refused by its name."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from actorflow.cli.exits import Exit
from actorflow.store.sqlite.verify import verify
from tests.cli.commands import Run, Terminal, command, environment, files_of
from tests.crashes.processes import expect, running


def tell(owner: subprocess.Popen[str], line: str) -> None:
    """Steer the owner, and wait until it has obeyed."""
    assert owner.stdin is not None
    owner.stdin.write(line + "\n")
    owner.stdin.flush()
    expect(owner, "done")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("owned") / "orders.db"


@pytest.fixture(scope="module")
def owner(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A program with an execution that waits: 'order', which no test touches."""
    with owning(path) as process:
        yield process


@contextmanager
def owning(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A program with an execution that waits."""
    with running("-m", "tests.client.owner", path) as process:
        expect(process, "ready")
        tell(process, "start order")
        yield process
        process.kill()


def started(*arguments: object) -> subprocess.Popen[str]:
    """A command that goes on for a while."""
    return subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    )


def test_looking_works_and_changes_nothing(run: Run, path: Path, owner: subprocess.Popen[str], tmp_path: Path) -> None:
    before = files_of(path)
    assert run("workflow", "count", "-q", "WorkflowId = 'order'", "--db", path).out == "Total\t1\n"
    assert json.loads(run("workflow", "describe", "order", "--db", path, "-o", "json").out)["status"] == "Running"
    assert "Started" in run("workflow", "show", "ord", "--db", path).out
    assert "Approval.run" in run("workflow", "stack", "order", "--app", "tests.client.owner", "--db", path).out
    assert "verdict\tsound" in run("db", "verify", "--db", path).out
    assert f"process {owner.pid} on " in run("db", "stats", "--db", path).out
    copy = tmp_path / "copy" / "copy.db"
    copy.parent.mkdir()
    assert run("db", "backup", copy, "--db", path).code == Exit.DONE
    assert verify(copy).is_sound
    assert files_of(path) == before


@pytest.mark.parametrize("name", ["signal", "cancel", "terminate"])
def test_writing_is_refused_by_the_name_of_the_owner(
    run: Run, path: Path, owner: subprocess.Popen[str], name: str
) -> None:
    before = files_of(path)
    more = ["--name", "approve"] if name == "signal" else []
    code, out, err = run("workflow", name, "order", *more, "--db", path)
    assert (code, out) == (Exit.UNREACHABLE, "")
    assert f"in use by process {owner.pid} on " in err
    assert "only that program can write to it: do it there, or stop it first" in err
    assert files_of(path) == before


def test_a_history_is_followed_until_the_execution_closes(path: Path, owner: subprocess.Popen[str]) -> None:
    tell(owner, "start followed")
    with started("workflow", "show", "followed", "--follow", "-o", "jsonl", "--db", path) as follower:
        assert follower.stdout is not None
        first = json.loads(follower.stdout.readline())
        assert first["event_type"] == "Started"
        tell(owner, "approve followed")
        rest = [json.loads(line)["event_type"] for line in follower.stdout]
        assert rest == ["SignalReceived", "ActivityScheduled", "ActivityCompleted", "Completed"]
        assert follower.wait() == Exit.DONE


def test_a_terminal_follows_line_by_line_and_ctrl_c_ends_it(path: Path, owner: subprocess.Popen[str]) -> None:
    terminal = Terminal("workflow", "show", "order", "-f", "--db", path)
    terminal.until("Started")
    terminal.process.send_signal(signal.SIGINT)
    code, out, _ = terminal.end()
    assert code == Exit.INTERRUPTED
    assert re.match(r"event  time +type +details\n1 +20\S+ \S+  Started +type=Approval", out)
    assert out.splitlines()[-1].endswith("Interrupted.")
    assert all(len(line) <= 80 for line in out.splitlines())


def test_a_result_is_awaited_while_somebody_can_bring_it(path: Path, owner: subprocess.Popen[str]) -> None:
    tell(owner, "start awaited")
    with started("workflow", "result", "awaited", "--db", path) as waiting:
        tell(owner, "approve awaited")
        assert waiting.communicate() == ('"shipped awaited"\n', "")
        assert waiting.returncode == Exit.DONE


def test_a_wait_can_be_limited(run: Run, path: Path, owner: subprocess.Popen[str]) -> None:
    code, out, err = run("workflow", "result", "order", "--timeout", "0", "--db", path)
    assert (code, out) == (Exit.TIMEOUT, "")
    assert err == "Error: workflow 'order' has not ended after 0 s; it goes on\n"


def test_a_wait_ends_with_the_program_that_could_have_ended_it(tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    with owning(path) as owner, started("workflow", "result", "order", "--db", path) as waiting:
        owner.kill()
        owner.wait()
        assert "no process has" in waiting.communicate()[1]
        assert waiting.returncode == Exit.TIMEOUT
