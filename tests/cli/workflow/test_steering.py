"""``workflow signal|cancel|terminate``: what they write, and what they refuse without a trace."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from actorflow.cli.exits import Exit
from actorflow.store.sqlite.verify import verify
from tests.cli.commands import Run, files_of, in_a_process
from tests.cli.programs import ACTIVITIES, WORKFLOWS
from tests.support import a_client, a_worker, events_of

TO = "order-2"


def after_a_worker(journal: Path) -> list[str]:
    """The events of an execution once a worker has taken what waits for it."""

    async def work() -> list[str]:
        async with a_client(journal) as client:
            handle = client.get_workflow_handle(TO)
            async with a_worker(client, task_queue="default", workflows=WORKFLOWS, activities=ACTIVITIES):
                await handle.result()
            return await events_of(handle)

    return asyncio.run(work())


def test_a_signal_waits_in_the_journal_for_a_worker(run: Run, journal: Path) -> None:
    code, out, err = run("workflow", "signal", TO, "--name", "approve", "--db", journal)
    assert (code, out, err) == (Exit.DONE, "", "Signal 'approve' was accepted by workflow 'order-2'.\n")
    assert json.loads(run("workflow", "describe", TO, "--db", journal, "-o", "json").out)["inbox_messages"] == 1
    assert verify(journal).is_sound


def test_a_signal_is_handled_with_its_arguments(run: Run, journal: Path, tmp_path: Path) -> None:
    file = tmp_path / "argument.json"
    file.write_text('{"from": "a file"}')
    signal = ["workflow", "signal", "-w", TO, "--name", "approve", "--db", journal]
    done = in_a_process(*signal, "-i", '"by hand"', "--input", "-", "--input-file", file, stdin="[1, null]")
    assert done.code == Exit.DONE
    assert after_a_worker(journal)[1] == "SignalReceived"
    shown = run("workflow", "show", TO, "--db", journal, "-o", "json")
    received = json.loads(shown.out)[1]["attributes"]["input"]
    assert [payload["json"] for payload in received] == ["by hand", [1, None], {"from": "a file"}]


def test_a_signal_repeated_with_its_request_id_counts_once(run: Run, journal: Path) -> None:
    for _ in range(2):
        sent = run("workflow", "signal", TO, "--name", "approve", "--request-id", "r1", "--db", journal)
        assert sent.code == Exit.DONE
    assert after_a_worker(journal).count("SignalReceived") == 1


def test_an_execution_is_terminated_at_once(run: Run, journal: Path) -> None:
    code, _, err = run("workflow", "terminate", TO, "--reason", "enough", "--db", journal)
    assert (code, err) == (Exit.DONE, "Workflow 'order-2' was terminated.\n")
    assert "has ended as Terminated: TerminatedError: enough" in run("workflow", "result", TO, "--db", journal).err


def test_an_execution_is_asked_to_stop(run: Run, journal: Path) -> None:
    code, _, err = run("workflow", "cancel", TO, "--reason", "bored", "--db", journal)
    assert (code, err) == (Exit.DONE, "Workflow 'order-2' was asked to stop.\n")
    assert json.loads(run("workflow", "describe", TO, "--db", journal, "-o", "json").out)["inbox_messages"] == 1


REFUSED = [
    ("signal order --name x", Exit.NOT_FOUND, "no workflow has the id 'order' in namespace 'default'; `actorflow work"),
    ("signal bac --name x", Exit.NOT_FOUND, "did you mean 'back\\\\slash'?"),
    ("terminate nobody", Exit.NOT_FOUND, "no workflow has the id 'nobody'"),
    ("cancel nobody -n elsewhere", Exit.NOT_FOUND, "in namespace 'elsewhere'"),
    ("cancel order-2 -r other", Exit.NOT_FOUND, "workflow 'order-2' has no run 'other'"),
    ("signal done --name x", Exit.NOT_FOUND, "workflow 'done' has ended as Completed"),
    ("terminate failed", Exit.NOT_FOUND, "workflow 'failed' has ended as Failed"),
    ("cancel done", Exit.DONE, "had ended before as Completed; nothing has changed"),
    ("signal order-2", Exit.USAGE, "Missing option '--name'"),
    ("signal --name x", Exit.USAGE, "which execution?"),
    ("signal order-2 --name x -i {bad", Exit.USAGE, "'{bad' is not JSON"),
    ("signal order-2 --name x -i text", Exit.USAGE, "a string needs quotes of its own"),
    ("signal order-2 --name x -i NaN", Exit.USAGE, "NaN is no JSON value"),
    ("signal order-2 --name x -i \x1b[2J", Exit.USAGE, "'\\x1b[2J' is not JSON"),
    ("signal order-2 --name x --input-file /nowhere", Exit.USAGE, "'/nowhere' does not exist"),
]


@pytest.mark.parametrize(("command", "code", "said"), REFUSED)
def test_what_is_refused_leaves_no_trace(run: Run, journal: Path, command: str, code: int, said: str) -> None:
    before = files_of(journal)
    found = run("workflow", *command.split(), "--db", journal)
    assert (found.code, found.out) == (code, "")
    assert said in found.err
    assert "\x1b" not in found.err
    assert files_of(journal) == before


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("[" * 500_000, "is not JSON"),
        ("1" * 50_000, "is not JSON"),
        (f'"{"x" * 3_000_000}"', "takes 3,000,002 bytes encoded, over the limit"),
        ("", "is not JSON"),
    ],
)
def test_an_enormous_argument_is_refused(run: Run, journal: Path, tmp_path: Path, argument: str, said: str) -> None:
    file = tmp_path / "argument.json"
    file.write_text(argument)
    code, out, err = run("workflow", "signal", TO, "--name", "approve", "--input-file", file, "--db", journal)
    assert (code, out) == (Exit.USAGE, "")
    assert said in err
    assert len(err) < 500


@pytest.mark.parametrize(
    "arguments",
    [
        ("signal", "--name", "x" * 100_000),
        ("signal", "--name", ""),
        ("signal", "--name", "\x1b[2J"),
        ("signal", "--name", "x", "--request-id", "\udc80"),
        ("signal", "--name", "x", "--input", '"\\ud800"'),
        ("cancel", "--reason", "x" * 100_000),
        ("terminate", "--reason", "\udc80"),
    ],
)
def test_what_no_journal_can_hold_is_wrong_use_and_leaves_no_trace(
    run: Run, journal: Path, arguments: tuple[str, ...]
) -> None:
    before = files_of(journal)
    command, *options = arguments
    code, _, err = run("workflow", command, TO, *options, "--db", journal)
    assert code == Exit.USAGE
    assert "\x1b" not in err
    assert len(err) < 500
    assert files_of(journal) == before
