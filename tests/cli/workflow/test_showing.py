"""``workflow show|describe``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from actorflow import diagram
from actorflow.cli.exits import Exit
from actorflow.client import WorkflowHistory
from tests.cli.commands import Run, files_of, on_a_terminal
from tests.support import a_client

EVENTS = ["Started", "SignalReceived", "ActivityScheduled", "ActivityCompleted", "Completed"]


def test_a_history_is_shown_event_by_event(look: Run) -> None:
    code, out, err = look("workflow", "show", "done")
    heading, *lines = out.splitlines()
    assert (code, err, heading) == (Exit.DONE, "", "EVENT\tTIME\tTYPE\tDETAILS")
    assert [line.split("\t")[2] for line in lines] == EVENTS
    assert json.loads(lines[1].split("\t")[3])["input"] == [{"json": "by hand"}, {"json": {"at": 1}}]


def test_programs_get_a_history_whole(look: Run) -> None:
    events = json.loads(look("workflow", "show", "-w", "done", "-o", "json").out)
    assert [json.loads(line) for line in look("workflow", "show", "done", "-o", "jsonl").out.splitlines()] == events
    assert [list(event) for event in events] == [["event_id", "event_time", "event_type", "attributes"]] * 5
    assert [event["event_id"] for event in events] == [1, 5, 9, 11, 15]


def test_a_history_may_be_read_backwards(look: Run) -> None:
    forward, backward = (look("workflow", "show", "done", *more).out.splitlines() for more in ([], ["--reverse"]))
    assert backward == [forward[0], *reversed(forward[1:])]


def test_a_terminal_gets_a_line_for_each_event_or_all_of_it(filled: Path) -> None:
    code, out, _ = on_a_terminal("workflow", "show", "done", "--db", filled)
    assert code == Exit.DONE
    assert len(out.splitlines()) == 6
    assert all(len(line) <= 80 for line in out.splitlines())
    assert "id=1  type=ship" in out
    detailed = on_a_terminal("workflow", "show", "done", "--detailed", "--db", filled).out
    assert "event          9 ActivityScheduled\n" not in detailed
    assert '["by hand", {"at": 1}]' in detailed


@pytest.mark.parametrize(("option", "draw"), [("--diagram", diagram.flowchart), ("--diagram=gantt", diagram.gantt)])
async def test_a_history_can_be_drawn(filled: Path, option: str, draw: Callable[[WorkflowHistory], str]) -> None:
    async with a_client(filled, read_only=True) as client:
        history = await client.get_workflow_handle("done").fetch_history()
    shown = on_a_terminal("workflow", "show", "done", option, "--db", filled, columns=300)
    assert shown.out.strip() == draw(history).strip()


def test_a_diagram_of_no_known_kind_is_refused(look: Run) -> None:
    code, _, err = look("workflow", "show", "done", "--diagram=pie")
    assert code == Exit.USAGE
    assert "'pie' is not one of 'flowchart', 'gantt'" in err


def test_following_goes_forward_only(look: Run) -> None:
    for more in ("--reverse", "--diagram"):
        code, _, err = look("workflow", "show", "done", "--follow", more)
        assert code == Exit.USAGE
        assert f"leave out {more}" in err


def test_following_a_closed_execution_shows_it_and_ends(look: Run) -> None:
    assert look("workflow", "show", "done", "-f") == look("workflow", "show", "done")


def test_a_run_is_told_from_the_others_of_its_id(look: Run) -> None:
    lines = look("workflow", "list", "-q", "WorkflowId = 'terminated' ORDER BY StartTime", "-o", "jsonl").out
    first, second = map(json.loads, lines.splitlines())
    assert "enough" in look("workflow", "show", "terminated", "-r", first["run_id"]).out
    assert "once more" in look("workflow", "show", "terminated", "--run-id", second["run_id"]).out
    assert "once more" in look("workflow", "show", "terminated").out
    code, _, err = look("workflow", "show", "terminated", "-r", "none-such")
    assert code == Exit.NOT_FOUND
    assert "has no run 'none-such'" in err


def test_an_execution_is_described_with_what_it_waits_for(look: Run) -> None:
    code, out, err = look("workflow", "describe", "struggle")
    assert (code, err) == (Exit.DONE, "")
    assert "status\tRunning\n" in out
    assert "pending activities\n" in out
    pending = out.splitlines()[-1].split("\t")
    assert pending[:4] == ["1", "flaky", "backing_off", "2"]
    assert "no truck for s" in pending[-1]


def test_a_turn_that_fails_is_described(look: Run) -> None:
    about = json.loads(look("workflow", "describe", "broken", "-o", "json").out)
    assert about["turn_failures"] == 1
    assert about["inbox_messages"] == 1
    assert "a bug with b" in about["last_failure"]
    assert (about["pending_activities"], about["parked"]) == ([], None)


SHOWN = [(name, id_) for name in ("describe", "show") for id_ in ("broken", "struggle", "failed", "\u202edlo")]


@pytest.mark.parametrize(("name", "workflow_id"), [*SHOWN, ("result", "failed"), ("show", "terminated")])
def test_nothing_raw_reaches_a_terminal(look: Run, name: str, workflow_id: str) -> None:
    for form in ("text", "table", "json"):
        _, out, err = look("workflow", name, workflow_id, "-o", form)
        for raw in ("\x1b", "\x07", "\u202e", "\u2066"):
            assert raw not in out + err


@pytest.mark.parametrize("given", ["don", "blo", "with", "日", "it'", "back\\", "\u202e"])
def test_the_beginning_of_an_id_is_enough_if_it_is_the_only_one(look: Run, given: str) -> None:
    found = json.loads(look("workflow", "describe", given, "-o", "json").out)["workflow_id"]
    assert found.startswith(given)
    assert json.loads(look("workflow", "describe", found, "-o", "json").out)["workflow_id"] == found


def test_an_id_that_begins_others_is_meant_itself(look: Run) -> None:
    assert json.loads(look("workflow", "describe", "order-1", "-o", "json").out)["workflow_id"] == "order-1"


@pytest.mark.parametrize("name", ["show", "describe", "result", "stack"])
def test_the_beginning_of_several_ids_is_ambiguous(look: Run, filled: Path, name: str) -> None:
    before = files_of(filled)
    more = ["--app", "tests.cli.programs"] if name == "stack" else []
    code, out, err = look("workflow", name, "order", *more)
    assert (code, out) == (Exit.USAGE, "")
    assert err == "Error: 'order' is ambiguous: it begins 'order-1', 'order-10', 'order-2'; type more of the id\n"
    code, out, err = look("workflow", name, "nobody\x1b[2J", *more)
    assert (code, out) == (Exit.NOT_FOUND, "")
    assert err.startswith("Error: no workflow has the id 'nobody\\x1b[2J', or one that begins like that, in namespace")
    assert files_of(filled) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "which execution? Pass its workflow id"),
        ([""], "which execution?"),
        (["a", "-w", "b"], "two workflow ids: 'a' and 'b'; pass one"),
        (["x" * 1001], "a workflow id has at most 1,000 bytes, this has 1,001"),
        (["\udcff"], "'\\udcff' is not UTF-8"),
        (["nobody", "-r", ""], "the run id is empty"),
        (["done", "-r", "\udc80"], "the run id '\\udc80' holds lone surrogates"),
        (["done", "-r", "a\nb"], "the run id 'a\\nb' holds control characters"),
        (["done", "-r", "x" * 1001], "the run id takes 1,001 bytes, over the limit of 1,000"),
    ],
)
def test_what_can_be_no_id_is_wrong_use(look: Run, arguments: list[str], said: str) -> None:
    code, out, err = look("workflow", "describe", *arguments)
    assert (code, out) == (Exit.USAGE, "")
    assert said in err


def test_an_id_that_looks_like_an_option_can_be_given(look: Run) -> None:
    assert look("workflow", "describe", "--", "-dash").code == Exit.DONE
    assert look("workflow", "describe", "--workflow-id=-dash").code == Exit.DONE
