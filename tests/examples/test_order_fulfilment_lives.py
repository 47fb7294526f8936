"""The program that follows an order: killed and continued, for people and for programs that watch it."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from actorflow.core import events as ev
from tests.crashes import invariants
from tests.crashes.processes import running

Fact = dict[str, Any]


class Program:
    """Lives of `python -m examples.order_fulfilment --jsonl` on one file, and everything they said."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lives: list[list[Fact]] = []

    def live(self, *options: object, kill_at: tuple[int, str] | None = None, delay: float = 0.01) -> bool:
        """Let the program live until it says the nth fact of a kind, then kill it; True if it finished."""
        said: list[Fact] = []
        self.lives.append(said)
        kinds: Counter[str] = Counter()
        with self.process("--jsonl", "--delay", delay, *options) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            for line in process.stdout:
                if not line.endswith("\n"):
                    break
                said.append(json.loads(line))
                kinds[said[-1]["kind"]] += 1
                if kill_at is not None and kinds[kill_at[1]] == kill_at[0]:
                    process.kill()
            complaints = process.stderr.read()
        assert process.returncode in (0, -9), complaints
        assert complaints == ""
        return process.returncode == 0

    def process(self, *options: object) -> Any:
        """One life, with its pipes."""
        return running("-m", "examples.order_fulfilment", "--db", self.path, "--round-delay", "0.01", *options)

    def facts(self, kind: str, life: int = -1) -> list[Fact]:
        """What one life said of a kind."""
        return [fact for fact in self.lives[life] if fact["kind"] == kind]

    @property
    def receipt(self) -> Fact:
        """As the last life printed it."""
        (result,) = self.facts("result")
        return result["receipt"]

    def begun(self, life: int) -> list[tuple[str, int]]:
        """(activity id, attempt) of each body that began in a life."""
        return [(fact["activity_id"], fact["attempt"]) for fact in self.facts("begin", life)]

    def completed(self) -> set[str]:
        """Ids of activities whose result is in the journal."""
        return {
            event.activity_id for run in invariants.read_runs(self.path) for event in run.all_of(ev.ActivityCompleted)
        }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Program:
    program = Program(tmp_path_factory.mktemp("un%20disturbed") / "orders.db")
    assert program.live(delay=0)
    return program


def test_the_journal_is_in_the_file_that_was_named(undisturbed: Program) -> None:
    assert undisturbed.path.exists()


def test_the_default_order_takes_every_loop_more_than_once_and_one_step_twice(undisturbed: Program) -> None:
    assert undisturbed.receipt["status"] == "delivered"
    rounds = {loop: statistics["rounds"] for loop, statistics in undisturbed.receipt["statistics"].items()}
    assert sorted(rounds) == ["delivery", "fulfilment", "packaging", "validation"]
    assert min(rounds.values()) > 1
    assert [(fact["activity_type"], fact["attempt"]) for fact in undisturbed.facts("fail")] == [("assign_carrier", 1)]
    assert max(attempt for _, attempt in undisturbed.begun(0)) == 2


def test_the_same_seed_meets_the_same_fate_under_another_id(tmp_path: Path, undisturbed: Program) -> None:
    program = Program(tmp_path / "orders.db")
    assert program.live("--order", "another", delay=0)
    assert program.receipt["statistics"] == undisturbed.receipt["statistics"]
    assert program.begun(0) == undisturbed.begun(0)


def test_a_program_that_watches_is_told_everything_in_order(undisturbed: Program) -> None:
    (said,) = undisturbed.lives
    assert said[0] == {"kind": "new", "order": "order-1", "seed": 30}
    assert [fact["phase"] for fact in undisturbed.facts("phase")] == ["validation", "fulfilment", "delivery", "closed"]
    assert {fact["order"] for fact in said} == {"order-1"}
    assert {fact["kind"] for fact in said} == {"new", "phase", "round", "begin", "end", "fail", "problem", "result"}
    assert len(undisturbed.facts("round")) == sum(s["rounds"] for s in undisturbed.receipt["statistics"].values())
    assert len(undisturbed.facts("begin")) == len(undisturbed.facts("end")) + len(undisturbed.facts("fail"))


@pytest.mark.parametrize(("number", "kind"), [(1, "begin"), (4, "end"), (12, "begin"), (17, "end"), (20, "begin")])
def test_a_killed_order_goes_on_where_it_was(tmp_path: Path, undisturbed: Program, number: int, kind: str) -> None:
    program = Program(tmp_path / "orders.db")
    assert not program.live(kill_at=(number, kind), delay=0.03)
    done = program.completed()
    assert program.live()
    assert program.receipt == undisturbed.receipt
    (recovered,) = program.facts("recovered")
    assert recovered["status"] == "RUNNING"
    assert {about["activity_id"] for about in recovered["completed"]} == done
    assert not done & {activity_id for activity_id, _ in program.begun(1)}
    begun = [*program.begun(0), *program.begun(1)]
    assert len(begun) == len(set(begun))
    assert {name for name, _ in begun} == {name for name, _ in undisturbed.begun(0)}
    invariants.check(program.path)


def test_a_killed_order_says_what_was_interrupted_and_tries_it_again(tmp_path: Path) -> None:
    program = Program(tmp_path / "orders.db")
    assert not program.live(kill_at=(1, "begin"), delay=60)
    interrupted = program.facts("begin")[-1]
    assert program.live(delay=0)
    (recovered,) = program.facts("recovered")
    assert recovered["interrupted"] == [{key: interrupted[key] for key in ("activity_type", "activity_id", "attempt")}]
    again = program.facts("begin")[0]
    assert (again["activity_id"], again["attempt"]) == (interrupted["activity_id"], interrupted["attempt"] + 1)
    (resumed,) = program.facts("resumed")
    assert resumed["snapshot"]["progress"]["phase"] == "validation"


def test_an_order_killed_again_and_again_ends_as_if_nothing_had_happened(tmp_path: Path, undisturbed: Program) -> None:
    program = Program(tmp_path / "orders.db")
    lives = 0
    for life in itertools.count():
        if program.live(kill_at=(5, "begin")):
            break
        lives = life + 1
    assert lives > 3
    assert program.receipt == undisturbed.receipt
    begun = [body for life in range(len(program.lives)) for body in program.begun(life)]
    assert len(begun) == len(set(begun))
    invariants.check(program.path)


def test_an_order_killed_while_somebody_is_asked_still_waits_for_the_answer(tmp_path: Path) -> None:
    program = Program(tmp_path / "orders.db")
    assert not program.live("--ask", 300, kill_at=(1, "approval"))
    assert program.facts("approval")[0]["approval"] == "pending"
    assert program.live("--answer", "approve")
    assert program.receipt["approval"] == "approved"
    assert program.receipt["statistics"]["validation"]["runs"]["verify_customer"] == 1
    assert program.begun(1)[0] != program.begun(0)[0]
    invariants.check(program.path)


def test_a_finished_order_is_not_done_again(tmp_path: Path) -> None:
    program = Program(tmp_path / "orders.db")
    assert program.live(delay=0)
    receipt = program.receipt
    assert program.live("--answer", "reject", delay=0)
    assert program.begun(-1) == []
    assert program.receipt == receipt
    assert program.facts("recovered")[0]["status"] == "COMPLETED"
    assert len(program.facts("refused")) == 1


def test_how_a_new_order_is_handled_is_said_on_the_command_line(tmp_path: Path) -> None:
    program = Program(tmp_path / "orders.db")
    assert program.live("--order", "a", "--validation-rounds", 1, delay=0)
    assert program.receipt["status"] == "rejected"
    assert program.live("--order", "b", "--delivery-rounds", 1, "--fulfilment-rounds", 2, "--parallel", delay=0)
    assert program.receipt["status"] == "undelivered"
    assert [fact["of"] for fact in program.facts("round") if fact["loop"] == "fulfilment"] == [2, 2]
    assert program.live("--order", "c", "--ask", 300, "--answer", "reject", delay=0)
    assert program.receipt["approval"] == "rejected"
    assert program.live("--order", "d", "--ask", 0.01, delay=0)
    assert program.receipt["approval"] == "unanswered"


def test_people_are_told_the_same_in_words(tmp_path: Path) -> None:
    program = Program(tmp_path / "orders.db")
    with program.process("--delay", 0) as process:
        said, complaints = process.communicate()
    assert (process.returncode, complaints) == (0, "")
    lines = said.splitlines()
    assert lines[0] == "new order order-1"
    assert lines[1:3] == ["== validation", "-- validation: round 1 of 3"]
    assert "     begin order-1 verify_customer (activity 1, attempt 1)" in lines
    assert any(line.endswith("attempt 1): the carrier's line is dead") for line in lines)
    assert lines[-6] == "order order-1: delivered"
    assert lines[-3] == "packaging: 2 rounds; pack_items_in_box 2, seal_package 2, quality_check_package 2"


def test_a_second_process_is_told_in_a_sentence_that_the_journal_is_in_use(tmp_path: Path) -> None:
    program = Program(tmp_path / "orders.db")
    with program.process("--delay", 60) as owner:
        assert owner.stdout is not None
        owner.stdout.readline()
        with program.process() as second:
            said, complaints = second.communicate()
        owner.kill()
    assert (second.returncode, said) == (1, "")
    assert f"is in use by process {owner.pid}" in complaints
    assert "Traceback" not in complaints
