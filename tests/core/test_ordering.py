"""The order of things within one turn: what is applied before what, and which end counts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actorflow import workflow
from actorflow.converter import default
from actorflow.core import events as ev
from actorflow.core.program.errors import TurnError
from actorflow.exceptions import ActivityError, ApplicationError, CancelledError
from tests.core.given import MINUTE, Run, completed, signal


def request(update_id: str, name: str, *args: Any) -> ev.UpdateRequested:
    return ev.UpdateRequested(update_id, name, default().values.encode(args))


@workflow.defn
class Orders:
    """Writes down what happens to it."""

    def __init__(self) -> None:
        self.seen: list[str] = ["built"]

    @workflow.run
    async def run(self) -> list[str]:
        self.seen.append("run")
        workflow.set_signal_handler("later", lambda what: self.seen.append(f"late {what}"))
        try:
            self.seen.append(await workflow.execute_activity("work", start_to_close_timeout=MINUTE))
            await workflow.sleep(5)
            self.seen.append("slept")
        except (asyncio.CancelledError, ActivityError):
            self.seen.append("cancelled")
        return self.seen

    @workflow.signal
    def plain(self, what: str) -> None:
        self.seen.append(what)

    @workflow.signal
    async def yields(self, what: str) -> None:
        self.seen.append(f"{what} begins")
        await asyncio.sleep(0)
        self.seen.append(f"{what} ends")

    @workflow.update
    def change(self, what: str) -> None:
        self.seen.append(what)

    @workflow.query
    def history(self) -> list[str]:
        return self.seen


@pytest.fixture(params=[False, True], ids=["resident", "rebuilt"])
def rebuilds(request: pytest.FixtureRequest) -> bool:
    return request.param


def test_the_first_turn_builds_then_handles_then_runs(rebuilds: bool) -> None:
    run = Run(Orders, rebuilds=rebuilds)
    run.start(signal("plain", "a"), request("u", "change", "b"))
    assert run.ask("history") == ["built", "a", "b", "run"]
    run.replayed()


def test_whatever_the_order_of_arrival_messages_with_a_handler_come_first(rebuilds: bool) -> None:
    run = Run(Orders, rebuilds=rebuilds)
    run.start()
    run.turn(completed("1", "worked"), signal("plain", "a"))
    assert run.ask("history")[2:] == ["a", "worked"]
    run.fire("1", signal("plain", "b"))
    assert run.result[4:] == ["b", "slept"]
    run.replayed()


def test_sync_handlers_are_not_interrupted_and_async_ones_take_turns_at_their_awaits(rebuilds: bool) -> None:
    run = Run(Orders, rebuilds=rebuilds)
    run.start(signal("yields", "x"), signal("plain", "p"), signal("yields", "y"))
    assert run.ask("history") == ["built", "x begins", "p", "y begins", "x ends", "y ends", "run"]


def test_a_handler_set_by_run_gets_what_waited_for_it_in_order(rebuilds: bool) -> None:
    run = Run(Orders, rebuilds=rebuilds)
    run.start(signal("later", "1"), signal("plain", "p"), signal("later", "2"))
    assert run.ask("history") == ["built", "p", "run", "late 1", "late 2"]


def test_a_cancel_comes_after_what_was_ready_before_it(rebuilds: bool) -> None:
    run = Run(Orders, rebuilds=rebuilds)
    run.start(ev.CancelRequested("stop"), signal("plain", "a"))
    assert run.result == ["built", "a", "run", "cancelled"]
    run.replayed()


def test_outcomes_of_one_turn_are_taken_in_journal_order(rebuilds: bool) -> None:
    @workflow.defn
    class Fans:
        @workflow.run
        async def run(self) -> list[str]:
            seen: list[str] = []

            async def wait(name: str) -> None:
                seen.append(await workflow.execute_activity(name, start_to_close_timeout=MINUTE))

            await asyncio.gather(*(wait(name) for name in ("a", "b", "c")))
            return seen

    run = Run(Fans, rebuilds=rebuilds)
    run.start()
    run.turn(completed("3", "c"), completed("1", "a"), completed("2", "b"))
    assert run.result == ["c", "a", "b"]
    run.replayed()


@workflow.defn
class Ends:
    """Ends in several ways at once."""

    def __init__(self) -> None:
        self.may_return = False
        self.is_over = False

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self.may_return)
        self.is_over = True
        return "returned"

    @workflow.signal
    def stop(self) -> None:
        self.may_return = True

    @workflow.signal
    async def fail(self) -> None:
        raise ApplicationError("from the handler")

    @workflow.signal
    async def fail_after(self) -> None:
        await workflow.wait_condition(lambda: self.is_over)
        raise ApplicationError("too late")

    @workflow.signal
    async def break_after(self) -> None:
        await workflow.wait_condition(lambda: self.is_over)
        raise KeyError("a bug")

    @workflow.signal
    async def work_after(self) -> None:
        await workflow.wait_condition(lambda: self.is_over)
        workflow.start_activity("never", start_to_close_timeout=MINUTE)
        await workflow.sleep(1)

    @workflow.update(unfinished_policy=workflow.HandlerUnfinishedPolicy.ABANDON)
    async def answer_after(self) -> str:
        await workflow.wait_condition(lambda: self.is_over)
        return "answered"


def test_a_handler_that_fails_before_run_returns_fails_the_workflow(rebuilds: bool) -> None:
    run = Run(Ends, rebuilds=rebuilds)
    run.start()
    run.turn(signal("stop"), signal("fail"))
    assert run.failure.message == "from the handler"
    run.replayed()


def test_a_handler_that_fails_after_run_has_returned_changes_nothing(rebuilds: bool) -> None:
    run = Run(Ends, rebuilds=rebuilds)
    run.start(signal("fail_after"))
    assert [type(event) for event in run.turn(signal("stop"))] == [ev.Completed]
    assert run.result == "returned"
    run.replayed()


def test_a_bug_after_the_end_still_fails_the_turn() -> None:
    run = Run(Ends)
    run.start(signal("break_after"))
    with pytest.raises(TurnError) as failed:
        run.turn(signal("stop"))
    assert isinstance(failed.value.cause, KeyError)
    assert run.state.close is None


@pytest.mark.filterwarnings("ignore::actorflow.workflow.UnfinishedSignalHandlersWarning")
def test_what_is_started_after_the_end_is_dropped(rebuilds: bool) -> None:
    run = Run(Ends, rebuilds=rebuilds)
    run.start(signal("work_after"))
    assert [type(event) for event in run.turn(signal("stop"))] == [ev.Completed]
    run.replayed()


def test_an_update_that_is_answered_after_the_end_is_delivered_before_it(rebuilds: bool) -> None:
    run = Run(Ends, rebuilds=rebuilds)
    run.start()
    run.turn(request("u", "answer_after"))
    assert [type(event) for event in run.turn(signal("stop"))] == [ev.UpdateCompleted, ev.Completed]
    run.replayed()


def test_the_last_of_a_turn_is_its_end_whichever_command_came_first(rebuilds: bool) -> None:
    @workflow.defn
    class Leaves:
        @workflow.run
        async def run(self) -> None:
            workflow.start_activity("left behind", start_to_close_timeout=MINUTE)
            raise ApplicationError("end")

    run = Run(Leaves, rebuilds=rebuilds)
    assert [type(event) for event in run.start()] == [ev.ActivityScheduled, ev.Failed]


@workflow.defn
class Leaves:
    """Ends while a handler is running, in every way there is."""

    def __init__(self) -> None:
        self.how = ""

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: bool(self.how))
        if self.how == "fails":
            raise ApplicationError("no")
        if self.how == "cancelled":
            await asyncio.sleep(60)

    @workflow.signal
    async def go_on(self) -> None:
        await workflow.sleep(60)

    @workflow.signal
    def end(self, how: str) -> None:
        self.how = how


@pytest.mark.parametrize("how", ["returns", "fails", "cancelled"])
def test_every_end_warns_of_handlers_that_are_still_running(how: str) -> None:
    run = Run(Leaves)
    run.start(signal("go_on"))
    more = [ev.CancelRequested("")] if how == "cancelled" else []
    with pytest.warns(workflow.UnfinishedSignalHandlersWarning, match="go_on"):
        run.turn(signal("end", how), *more)
    assert run.state.close is not None
    run.replayed()  # a warning, too, is said once


def test_a_warning_turned_into_an_error_fails_the_turn() -> None:
    run = Run(Leaves)
    run.start(signal("go_on"))
    with pytest.raises(TurnError) as failed:
        run.turn(signal("end", "returns"))
    assert isinstance(failed.value.cause, workflow.UnfinishedSignalHandlersWarning)


@workflow.defn
class Cancels:
    @workflow.run
    async def run(self) -> None:
        await workflow.sleep(60)

    @workflow.update
    async def stop_itself(self) -> None:
        raise asyncio.CancelledError("enough")

    @workflow.update
    async def gives_up(self) -> None:
        raise CancelledError("given up")


@pytest.mark.parametrize("name", ["stop_itself", "gives_up"])
def test_a_cancellation_in_an_update_is_the_callers_and_the_workflow_goes_on(name: str) -> None:
    run = Run(Cancels)
    run.start()
    run.turn(request("u", name))
    outcome = (run.state.updates or {})["u"]
    assert outcome is not None
    assert outcome.failure is not None
    assert outcome.failure.kind == "cancelled"
    assert run.state.close is None
