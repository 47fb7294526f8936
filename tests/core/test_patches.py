"""Versions of one workflow over one journal: what was recorded under one of them, replayed with the others."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given as given_any, settings, strategies as st

from actorflow import workflow
from actorflow.core import events as ev
from actorflow.core.definitions import WorkflowDefinition
from actorflow.core.program import Program
from actorflow.core.program.errors import NondeterminismError, ReadOnlyContextError, TurnError
from tests.core.given import MINUTE, Run, completed, signal


async def act(name: str) -> Any:
    return await workflow.execute_activity(name, start_to_close_timeout=MINUTE)


@workflow.defn(name="Code")
class Original:
    @workflow.run
    async def run(self) -> Any:
        await act("first")
        return await act("old")


@workflow.defn(name="Code")
class WithPatch:
    @workflow.run
    async def run(self) -> Any:
        await act("first")
        return await act("new" if workflow.patched("change") else "old")


@workflow.defn(name="Code")
class WithPatchDeprecated:
    @workflow.run
    async def run(self) -> Any:
        await act("first")
        workflow.deprecate_patch("change")
        return await act("new")


@workflow.defn(name="Code")
class DeprecatedAtTheTop:
    @workflow.run
    async def run(self) -> Any:
        workflow.deprecate_patch("change")
        await act("first")
        return await act("new")


@workflow.defn(name="Code")
class WithoutPatch:
    @workflow.run
    async def run(self) -> Any:
        await act("first")
        return await act("new")


def recorded(code: type, *, turns: int = 3, **options: Any) -> Run:
    """A run of this code that has had so many turns; the third is its last."""
    run = Run(code, **options)
    run.start()
    for activity_id in ("1", "2")[: turns - 1]:
        run.turn(completed(activity_id, activity_id))
    return run


def markers(run: Run) -> list[ev.Patched]:
    return [event for event in run.decisions if isinstance(event, ev.Patched)]


def scheduled(run: Run) -> list[str]:
    return [event.activity_type for event in run.decisions if isinstance(event, ev.ActivityScheduled)]


def replayed_with(run: Run, code: type) -> Program:
    return run.replayed(cls=code, records_lines=True)


# What a live run is told


def test_a_new_execution_takes_the_patch_and_records_a_marker() -> None:
    run = recorded(WithPatch)
    assert scheduled(run) == ["first", "new"]
    assert markers(run) == [ev.Patched("change")]


def test_the_marker_is_one_event_and_stands_where_the_program_asked() -> None:
    run = recorded(WithPatch, turns=2)
    assert [type(event) for event in run.turns[-1].events] == [ev.ActivityCompleted, ev.Patched, ev.ActivityScheduled]
    assert run.state.last_event == 5 + 2 + ev.TASK_EVENTS + 2
    assert run.state.activities["2"].number == run.state.last_event


def test_a_run_that_has_asked_under_the_old_code_stays_on_the_old_side() -> None:
    run = recorded(Original, turns=2)
    run.program = replayed_with(run, WithPatch)
    run.turn(completed("2", "done"))
    assert scheduled(run) == ["first", "old"]
    assert markers(run) == []
    assert run.result == "done"


def test_a_run_that_meets_the_patch_live_takes_it_although_it_began_under_the_old_code() -> None:
    run = recorded(Original, turns=1)
    run.program = replayed_with(run, WithPatch)
    run.turn(completed("1"))
    assert scheduled(run) == ["first", "new"]
    assert markers(run) == [ev.Patched("change")]
    replayed_with(run, WithPatch)


@workflow.defn
class Loops:
    def __init__(self) -> None:
        self.answers: list[bool] = []

    @workflow.signal
    async def ask(self, patch_id: str) -> None:
        self.answers.append(workflow.patched(patch_id))

    @workflow.query
    def told(self) -> list[bool]:
        return self.answers

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: len(self.answers) >= 9)


@workflow.defn(name="Loops")
class AsksInRun(Loops):
    @workflow.run
    async def run(self) -> None:
        self.answers.append(workflow.patched("a"))
        await super().run()


@pytest.mark.parametrize("rebuilds", [False, True])
def test_one_run_asks_as_often_as_it_likes_and_records_one_marker_per_patch(rebuilds: bool) -> None:
    run = Run(Loops, rebuilds=rebuilds)
    run.start()
    for patch_id in ("a", "a", "b", "a"):
        run.turn(signal("ask", patch_id))
    assert markers(run) == [ev.Patched("a"), ev.Patched("b")]
    assert run.ask("told") == [True] * 4


@pytest.mark.parametrize("rebuilds", [False, True])
def test_false_on_replay_is_remembered_when_the_run_is_live_again(rebuilds: bool) -> None:
    run = Run(Loops, rebuilds=rebuilds)
    run.start()
    run.definition = WorkflowDefinition.of(AsksInRun)
    run.program = run.replayed()
    run.turn(signal("ask", "a"))
    run.turn(signal("ask", "b"))
    assert run.ask("told") == [False, False, True]
    assert markers(run) == [ev.Patched("b")]


# What a replay is told


@workflow.defn(name="Early")
class AsksBeforeTheMarker:
    """A handler of the turn runs before ``run`` gets to where the marker was recorded."""

    def __init__(self) -> None:
        self.told: list[bool] = []

    @workflow.signal
    async def ask(self) -> None:
        self.told.append(workflow.patched("change"))

    @workflow.run
    async def run(self) -> list[bool]:
        await workflow.sleep(1)
        self.told.append(workflow.patched("change"))
        return self.told


def test_markers_of_a_replayed_turn_are_known_before_anything_of_the_turn_runs() -> None:
    run = Run(AsksBeforeTheMarker)
    run.start()
    run.fire("1", signal("ask"))
    assert run.result == [True, True]
    program = run.fresh()
    for turn in run.turns:
        program.replay(turn.at, turn.events, first_number=1)
    assert program.workflow.instance.told == [True, True]


def test_a_marker_of_a_later_turn_is_not_known_yet() -> None:
    run = recorded(Loops, turns=1)
    run.turn(signal("ask", "a"))
    with pytest.raises(TurnError, match=r"the journal says 'take patch a', the code asked for 'nothing more'"):
        replayed_with(run, AsksInRun)


@pytest.mark.parametrize("code", [WithPatch, WithPatchDeprecated, DeprecatedAtTheTop])
def test_a_journal_with_the_marker_replays_with_code_that_asks_or_deprecates(code: type) -> None:
    replayed_with(recorded(WithPatch), code)


def test_a_journal_with_the_marker_does_not_replay_with_code_that_has_forgotten_the_patch() -> None:
    with pytest.raises(TurnError) as failed:
        replayed_with(recorded(WithPatch), WithoutPatch)
    error = failed.value.__cause__
    assert isinstance(error, NondeterminismError)
    assert (error.number, error.recorded, error.asked) == (11, "take patch change", "schedule activity new (id 2)")


@pytest.mark.parametrize("code", [WithPatch, WithPatchDeprecated, DeprecatedAtTheTop, WithoutPatch])
@pytest.mark.parametrize("recorded_by", [WithPatchDeprecated, DeprecatedAtTheTop])
def test_a_journal_with_a_deprecated_marker_replays_with_all_later_code(recorded_by: type, code: type) -> None:
    run = recorded(recorded_by)
    assert markers(run) == [ev.Patched("change", deprecated=True)]
    replayed_with(run, code)


def test_code_that_deprecates_a_patch_replays_a_journal_without_its_marker() -> None:
    run = recorded(WithoutPatch)
    replayed_with(run, WithPatchDeprecated)
    replayed_with(run, DeprecatedAtTheTop)


def test_a_marker_that_is_missing_hides_no_other_difference() -> None:
    run = recorded(WithPatchDeprecated)
    with pytest.raises(TurnError) as failed:
        replayed_with(run, Original)
    error = failed.value.__cause__
    assert isinstance(error, NondeterminismError)
    assert (error.number, error.asked) == (12, "schedule activity old (id 2)")
    assert "in act" in error.line


def test_an_activity_keeps_its_number_when_the_marker_before_it_is_left_out() -> None:
    run = recorded(WithPatchDeprecated, turns=2)
    run.program = replayed_with(run, WithoutPatch)
    failed = ev.ActivityFailed("2", run.program.converter.failure(RuntimeError("no")))
    run.turn(failed)
    assert run.failure.activity is not None
    assert run.failure.activity.scheduled_event_id == 12


# Where it is refused, and who may decline


@workflow.defn
class AsksInQuery:
    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.query
    def ask(self) -> bool:
        return workflow.patched("change")

    @workflow.query
    def deprecate(self) -> None:
        workflow.deprecate_patch("change")


@pytest.mark.parametrize("query", ["ask", "deprecate"])
def test_a_query_can_not_take_a_patch(query: str) -> None:
    run = Run(AsksInQuery)
    run.start()
    with pytest.raises(ReadOnlyContextError, match="can't take a patch in a query"):
        run.ask(query)


def test_asking_outside_a_workflow_is_refused() -> None:
    for ask in (workflow.patched, workflow.deprecate_patch):
        with pytest.raises(workflow.NotInWorkflowError):
            ask("change")


@pytest.mark.parametrize(("patch_id", "problem"), [("", ValueError), ("a\nb", ValueError), (7, TypeError)])
def test_what_is_no_id_is_refused(patch_id: Any, problem: type[Exception]) -> None:
    with pytest.raises(problem, match="patch id"):
        workflow.patched(patch_id)


def deciding(decides: Callable[[str], bool], code: type) -> Run:
    """A run whose worker decides about patches."""
    run = Run(code)
    run.definition = dataclasses.replace(run.definition, activates_patch=decides)
    run.program = run.fresh()
    return run


def test_a_declined_patch_leaves_no_marker_and_stays_declined() -> None:
    asked: list[str] = []

    def declines(patch_id: str) -> bool:
        asked.append(patch_id)
        return False

    run = deciding(declines, Loops)
    run.start()
    run.turn(signal("ask", "a"))
    run.turn(signal("ask", "a"))
    assert run.ask("told") == [False, False]
    assert markers(run) == []
    run.replayed()
    assert asked == ["a"]


def test_a_recorded_patch_is_not_asked_about_again() -> None:
    run = recorded(WithPatch)
    run.definition = dataclasses.replace(run.definition, activates_patch=lambda _: False)
    run.replayed()


def test_a_deprecated_patch_is_nobodys_decision() -> None:
    run = deciding(lambda _: False, WithPatchDeprecated)
    run.start()
    run.turn(completed("1"))
    assert markers(run) == [ev.Patched("change", deprecated=True)]


def test_the_decision_about_a_patch_must_not_change_the_workflow() -> None:
    def meddles(_: str) -> bool:
        workflow.random()
        return True

    run = deciding(meddles, Loops)
    run.start()
    with pytest.raises(TurnError, match="can't use randomness in a patch activation callback"):
        run.turn(signal("ask", "a"))


# Any order of questions

questions = st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=12)


@workflow.defn
class Asks:
    def __init__(self) -> None:
        self.told: list[bool] = []

    @workflow.signal
    async def ask(self, questions: list[tuple[str, bool]]) -> None:
        for patch_id, is_deprecated in questions:
            if is_deprecated:
                workflow.deprecate_patch(patch_id)
            else:
                self.told.append(workflow.patched(patch_id))
            await workflow.sleep(0)

    @workflow.query
    def answers(self) -> list[bool]:
        return self.told

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)


@given_any(st.lists(questions, min_size=1, max_size=4))
@settings(max_examples=60, deadline=timedelta(seconds=5))
def test_whatever_a_program_asks_it_is_told_the_same_on_every_replay(groups: list[list[tuple[str, bool]]]) -> None:
    told: list[Any] = []
    for rebuilds in (False, True):
        run = Run(Asks, rebuilds=rebuilds)
        run.start()
        for group in groups:
            run.turn(signal("ask", group))
            while run.state.timers:
                run.fire(next(iter(run.state.timers)))
        told.append((run.ask("answers"), run.decisions))
        run.replayed()
    assert told[0] == told[1]
