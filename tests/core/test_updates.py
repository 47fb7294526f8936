"""Updates, from the request to the outcome, turn by turn."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actorflow import workflow
from actorflow.converter import default
from actorflow.core import events as ev
from actorflow.core.program.errors import ReadOnlyContextError, TurnError
from actorflow.exceptions import ApplicationError
from tests.core.given import Run, signal


def request(update_id: str, name: str, *args: Any) -> ev.UpdateRequested:
    return ev.UpdateRequested(update_id, name, default().values.encode(args))


@workflow.defn
class Counter:
    def __init__(self) -> None:
        self.total = 0
        self.seen: list[str] = []
        self.is_done = False
        self.infos: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        self.seen.append("run")
        assert workflow.current_update_info() is None
        await workflow.wait_condition(lambda: self.is_done)
        return self.seen

    @workflow.signal
    def note(self, text: str) -> None:
        self.seen.append(text)

    @workflow.signal
    def finish(self) -> None:
        self.is_done = True

    @workflow.update
    def add(self, number: int) -> int:
        self.total += number
        self.seen.append(f"add {number}")
        return self.total

    @add.validator
    def check(self, number: int) -> None:
        info = workflow.current_update_info()
        assert info is not None
        self.infos.append(info.id)
        if number < 0:
            raise ValueError("only upwards")

    @workflow.update
    async def later(self) -> str:
        await workflow.sleep(5)
        info = workflow.current_update_info()
        assert info is not None
        return await asyncio.create_task(self.whoami())

    async def whoami(self) -> str:
        info = workflow.current_update_info()
        assert info is not None
        return f"{info.name} {info.id}"

    @workflow.update
    async def fails(self, kind: str) -> None:
        if kind == "failure":
            raise ApplicationError("no", type="No")
        if kind == "cancel":
            raise asyncio.CancelledError
        raise KeyError(kind)

    @workflow.update(unfinished_policy=workflow.HandlerUnfinishedPolicy.ABANDON)
    async def forgotten(self) -> None:
        await workflow.sleep(60)

    @workflow.update(name="renamed")
    async def other(self) -> str:
        return "other"

    @workflow.update
    def meddles(self) -> None:
        pass

    @meddles.validator
    def meddle(self) -> None:
        workflow.random()

    @workflow.query
    def finished(self) -> bool:
        return workflow.all_handlers_finished()


def outcome(run: Run, update_id: str) -> Any:
    found = (run.state.updates or {}).get(update_id)
    assert found is not None
    return found.failure if found.failure is not None else found.result and default().values.decode_one(found.result)


@pytest.fixture(params=[False, True], ids=["resident", "rebuilt"])
def run(request: pytest.FixtureRequest) -> Run:
    return Run(Counter, rebuilds=request.param)


def test_an_update_is_accepted_and_completed_in_one_turn(run: Run) -> None:
    run.start()
    run.turn(request("u1", "add", 5))
    assert [type(event) for event in run.turns[-1].events] == [ev.UpdateAccepted, ev.UpdateCompleted]
    assert outcome(run, "u1") == 5


def test_a_rejected_update_leaves_no_trace_in_the_journal(run: Run) -> None:
    run.start()
    before = run.state.last_event
    assert run.turn(request("u1", "add", -1)) == []
    assert (len(run.turns), run.state.last_event) == (1, before)
    (rejection,) = run.program.take_rejections()
    assert (rejection.update_id, rejection.failure.type, rejection.failure.message) == (
        "u1",
        "ValueError",
        "only upwards",
    )
    assert run.program.take_rejections() == ()


def test_a_rejected_update_does_not_take_its_neighbours_with_it(run: Run) -> None:
    run.start()
    run.turn(request("bad", "add", -1), signal("note", "hello"), request("good", "add", 2))
    assert [type(event) for event in run.turns[-1].events] == [ev.SignalReceived, ev.UpdateAccepted, ev.UpdateCompleted]
    assert outcome(run, "good") == 2


def test_an_unknown_or_undecodable_update_is_rejected(run: Run) -> None:
    run.start()
    for unknown in (request("u1", "nothing"), request("u2", "add", "five"), request("u3", "add")):
        run.turn(unknown)
        (rejection,) = run.program.take_rejections()
        assert rejection.failure.message
    assert len(run.turns) == 1


def test_updates_of_the_first_turn_run_before_the_first_line_of_run(run: Run) -> None:
    run.start(signal("note", "a"), request("u1", "add", 1), signal("note", "b"), signal("finish"))
    assert run.result == ["a", "add 1", "b", "run"]


def test_a_repeated_update_id_is_the_same_update(run: Run) -> None:
    run.start()
    run.turn(request("u1", "add", 5), request("u1", "add", 7))
    run.turn(request("u1", "add", 9))
    assert len(run.turns) == 2
    assert outcome(run, "u1") == 5


def test_a_handler_may_wait_and_knows_its_update_in_every_task(run: Run) -> None:
    run.start()
    run.turn(request("u1", "later"))
    assert run.state.updates == {"u1": None}
    assert not run.ask("finished")
    run.fire("1")
    assert outcome(run, "u1") == "later u1"
    assert run.ask("finished")


def test_a_failure_in_a_handler_fails_the_update_alone(run: Run) -> None:
    run.start()
    run.turn(request("u1", "fails", "failure"))
    assert outcome(run, "u1").type == "No"
    run.turn(request("u2", "fails", "cancel"))
    assert outcome(run, "u2").kind == "cancelled"
    assert run.state.close is None


def test_a_bug_in_a_handler_fails_the_turn(run: Run) -> None:
    run.start()
    with pytest.raises(TurnError) as failed:
        run.turn(request("u1", "fails", "bug"))
    assert isinstance(failed.value.cause, KeyError)
    assert run.state.updates is None


def test_a_validator_that_changes_something_fails_the_turn(run: Run) -> None:
    run.start()
    with pytest.raises(TurnError) as failed:
        run.turn(request("u1", "meddles"))
    assert isinstance(failed.value.cause, ReadOnlyContextError)


def test_an_update_is_called_by_the_name_it_was_given(run: Run) -> None:
    run.start()
    run.turn(request("u1", "renamed"))
    assert outcome(run, "u1") == "other"


def test_results_of_the_last_turn_stand_before_its_end(run: Run) -> None:
    run.start()
    run.turn(signal("finish"), request("u1", "add", 1))
    kinds = [type(event) for event in run.turns[-1].events]
    assert kinds == [ev.SignalReceived, ev.UpdateAccepted, ev.UpdateCompleted, ev.Completed]


def test_a_workflow_that_ends_with_running_handlers_is_warned(run: Run) -> None:
    run.start()
    run.turn(request("u1", "later"))
    with pytest.warns(workflow.UnfinishedUpdateHandlersWarning, match=r"later \(u1\)"):
        run.turn(signal("finish"))


def test_a_handler_that_may_be_abandoned_is_abandoned_in_silence(run: Run) -> None:
    run.start()
    run.turn(request("u1", "forgotten"))
    run.turn(signal("finish"))
    assert run.result


def test_validators_are_not_asked_again_on_replay() -> None:
    run = Run(Counter)
    run.start()
    run.turn(request("u1", "add", 1))
    assert run.program.workflow.instance.infos == ["u1"]
    assert run.replayed().workflow.instance.infos == []


@workflow.defn
class SetsHandlers:
    @workflow.run
    async def run(self) -> None:
        workflow.set_update_handler("twice", self.twice, validator=self.check)
        await workflow.wait_condition(lambda: False)

    def twice(self, number: int) -> int:
        return 2 * number

    def check(self, number: int) -> None:
        if number == 13:
            raise ValueError("unlucky")


def test_handlers_can_be_set_while_running() -> None:
    run = Run(SetsHandlers, rebuilds=True)
    run.start()
    run.turn(request("u1", "twice", 4))
    assert outcome(run, "u1") == 8
    run.turn(request("u2", "twice", 13))
    assert run.program.take_rejections()[0].failure.message == "unlucky"


def test_an_async_validator_is_refused_where_it_is_defined() -> None:
    with pytest.raises(TypeError, match="async"):

        class Wrong:
            @workflow.update
            def change(self) -> None: ...

            @change.validator  # pyright: ignore[reportArgumentType]
            async def check(self) -> None: ...
