"""The order of work inside one turn, and what leaves the program as an outcome."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from actorflow import workflow
from actorflow.converter import default
from actorflow.core import events as ev, limits
from actorflow.core.program.errors import (
    NondeterminismError,
    ReadOnlyContextError,
    TurnError,
    TurnTooLongError,
    UnknownQueryError,
)
from actorflow.exceptions import ApplicationError, PayloadError
from tests.core.given import MINUTE, Run, completed, played, signal


@workflow.defn
class Listens:
    def __init__(self) -> None:
        self.queue: asyncio.Queue[Any] = asyncio.Queue()
        self.seen: list[Any] = []

    @workflow.signal
    def note(self, value: Any) -> None:
        self.seen.append(value)

    @workflow.signal
    async def enqueue(self, value: Any) -> None:
        await self.queue.put(value)

    @workflow.signal
    def finish(self) -> None:
        self.seen.append("finish")

    @workflow.query
    def heard(self) -> list[Any]:
        return self.seen

    @workflow.run
    async def run(self) -> list[Any]:
        self.seen.append("run")
        await workflow.wait_condition(lambda: "finish" in self.seen)
        return self.seen


def test_signals_of_the_first_turn_are_handled_before_the_first_line_of_run() -> None:
    run = Run(Listens)
    run.start(signal("note", 1), signal("note", 2))
    assert run.ask("heard") == [1, 2, "run"]


def test_signals_are_handled_before_whatever_else_arrived_in_their_turn() -> None:
    @workflow.defn
    class Both:
        def __init__(self) -> None:
            self.seen: list[str] = []

        @workflow.signal
        def note(self) -> None:
            self.seen.append("signal")

        @workflow.run
        async def run(self) -> list[str]:
            await workflow.execute_activity("a", start_to_close_timeout=MINUTE)
            self.seen.append("activity")
            return self.seen

    run = Run(Both, rebuilds=True)
    run.start()
    run.turn(completed("1"), signal("note"))
    assert run.result == ["signal", "activity"]


def test_the_object_is_built_inside_the_loop_so_that_it_may_make_queues() -> None:
    run = Run(Listens)
    run.start(signal("enqueue", 1))
    assert run.program.workflow.instance.queue.get_nowait() == 1


@workflow.defn
class WithInit:
    @workflow.init
    def __init__(self, name: str, times: int = 2) -> None:
        self.text = name * times

    @workflow.run
    async def run(self, name: str, times: int = 2) -> str:
        return f"{self.text}:{name}:{times}"


def test_init_receives_the_workflows_input_with_its_defaults() -> None:
    assert played(WithInit, "ab") == "abab:ab:2"
    assert played(WithInit, "ab", 3) == "ababab:ab:3"


@workflow.defn
class SetsHandlersLate:
    @workflow.run
    async def run(self) -> list[Any]:
        seen: list[Any] = []
        await asyncio.sleep(1)
        workflow.set_signal_handler("late", lambda value: seen.append(value))
        await asyncio.sleep(1)
        workflow.set_signal_handler("late", None)
        await asyncio.sleep(1)

        async def slow(value: int) -> None:
            await asyncio.sleep(0)
            seen.append(value * 10)

        workflow.set_signal_handler("late", slow)
        await asyncio.sleep(1)
        return seen


def test_unknown_signals_wait_for_their_handler_and_are_handled_in_order() -> None:
    run = Run(SetsHandlersLate, rebuilds=True)
    run.start(signal("late", 1), signal("other", 9))
    run.turn(signal("late", 2))
    run.fire("1")
    run.turn(signal("late", 3))
    run.fire("2")
    run.turn(signal("late", 4))
    run.fire("3")
    run.fire("4")
    assert run.result == [1, 2, 3, 40]


def test_a_timer_that_was_cancelled_earlier_in_the_turn_in_which_it_fires_is_ignored() -> None:
    @workflow.defn
    class Stops:
        def __init__(self) -> None:
            self.nap: asyncio.Task[None] | None = None

        @workflow.signal
        def stop(self) -> None:
            assert self.nap is not None
            self.nap.cancel()

        @workflow.run
        async def run(self) -> str:
            self.nap = asyncio.create_task(workflow.sleep(5))
            try:
                await self.nap
            except asyncio.CancelledError:
                return "stopped"
            return "slept"

    run = Run(Stops, rebuilds=True)
    run.start()
    run.fire("1", signal("stop"))
    assert run.result == "stopped"
    run.replayed()


def test_a_late_activity_outcome_is_ignored() -> None:
    @workflow.defn
    class MovesOn:
        @workflow.run
        async def run(self) -> str:
            handle = workflow.start_activity("a", start_to_close_timeout=MINUTE)
            handle.cancel()
            await asyncio.sleep(0)
            other = workflow.start_activity("b", start_to_close_timeout=MINUTE)
            await asyncio.sleep(1)
            other.cancel()
            await asyncio.sleep(1)
            return "moved on"

    run = Run(MovesOn, rebuilds=True)
    run.start()
    run.fire("1")
    assert run.turn(completed("2", "too late")) == []
    run.fire("2")
    assert run.result == "moved on"


def test_a_message_that_does_nothing_any_more_makes_no_turn() -> None:
    run = Run(Listens)
    run.start(signal("note", 1, request_id="r1"))
    count = len(run.turns)
    assert run.turn(signal("note", 1, request_id="r1"), ev.TimerFired("7"), completed("9")) == []
    assert len(run.turns) == count
    assert run.ask("heard") == [1, "run"]


def test_of_two_signals_with_one_request_id_in_one_turn_only_the_first_is_taken() -> None:
    run = Run(Listens)
    run.start(signal("note", 1, request_id="r"), signal("note", 2, request_id="r"), signal("note", 3))
    assert run.ask("heard") == [1, 3, "run"]


# The end


@workflow.defn
class Ends:
    def __init__(self) -> None:
        self.is_told = False

    @workflow.signal
    async def fail(self) -> None:
        raise ApplicationError("from the signal")

    @workflow.signal
    def tell(self) -> None:
        self.is_told = True

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self.is_told)
        workflow.start_activity("late", start_to_close_timeout=MINUTE)
        return "returned"


def test_the_first_completion_of_a_turn_wins() -> None:
    run = Run(Ends)
    run.start()
    run.turn(signal("tell"), signal("fail"))
    assert run.failure.message == "from the signal"
    run.replayed()


def test_what_is_asked_for_after_the_end_is_dropped() -> None:
    @workflow.defn
    class Trails:
        @workflow.run
        async def run(self) -> str:
            async def trails() -> None:
                await asyncio.sleep(0)
                workflow.start_activity("late", start_to_close_timeout=MINUTE)
                await asyncio.sleep(5)

            self.trailing = asyncio.ensure_future(trails())
            await asyncio.sleep(0)
            return "returned"

    run = Run(Trails)
    assert [type(event) for event in run.start()] == [ev.Completed]
    run.replayed()


def test_a_workflow_that_returns_nothing_completes_with_none() -> None:
    @workflow.defn
    class Nothing:
        @workflow.run
        async def run(self) -> None:
            pass

    assert played(Nothing) is None


# What fails the turn


class Odd(BaseException):
    """Neither an Exception nor a cancellation."""


@workflow.defn
class Raises:
    @workflow.signal
    async def raise_in_signal(self, kind: str) -> None:
        _raise(kind)

    @workflow.run
    async def run(self, kind: str, where: str = "run") -> None:
        if where == "condition":
            await workflow.wait_condition(lambda: _raise(kind))
        elif where == "task":

            async def child() -> None:
                _raise(kind)

            await asyncio.create_task(child())
        elif where == "signal":
            await workflow.wait_condition(lambda: False)
        _raise(kind)


def _raise(kind: str) -> Any:
    match kind:
        case "KeyError":
            raise KeyError(kind)
        case "Odd":
            raise Odd(kind)
        case "SystemExit":
            raise SystemExit(3)
        case "Speechless":
            raise Speechless
        case "GeneratorExit":
            raise GeneratorExit
        case _:
            raise AssertionError(kind)


class Speechless(Exception):
    """Its __str__ is broken."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize("where", ["run", "task", "signal", "condition"])
@pytest.mark.parametrize("kind", ["KeyError", "Odd", "SystemExit", "Speechless", "GeneratorExit"])
def test_what_is_no_outcome_fails_the_turn_with_the_exception_itself_as_its_cause(kind: str, where: str) -> None:
    run = Run(Raises, kind, where)
    with pytest.raises(TurnError) as failed:
        run.start(signal("raise_in_signal", kind) if where == "signal" else signal("nobody"))
    assert type(failed.value.__cause__).__name__ == kind
    assert run.turns == []


def test_a_program_whose_turn_failed_half_way_lets_go_of_its_tasks() -> None:
    for kind, where in [("KeyError", "run"), ("SystemExit", "run"), ("SystemExit", "task")]:
        run = Run(Raises, kind, where)
        with pytest.raises(TurnError):
            run.start()
        assert run.program.tear_down() == 0, (kind, where)


@workflow.defn
class BreaksWhenBuilt:
    def __init__(self) -> None:
        raise Speechless

    @workflow.run
    async def run(self) -> None: ...


def test_an_init_that_raises_fails_the_turn() -> None:
    with pytest.raises(TurnError) as failed:
        Run(BreaksWhenBuilt).start()
    assert isinstance(failed.value.__cause__, Speechless)


@workflow.defn
class Spins:
    @workflow.run
    async def run(self, how: str) -> None:
        while True:
            if how == "sleep":
                await asyncio.sleep(0)
            else:
                await workflow.wait_condition(lambda: True)


@pytest.mark.parametrize("how", ["sleep", "condition"])
def test_a_program_that_never_rests_is_stopped_with_the_line_it_spins_at(how: str) -> None:
    run = Run(Spins, how)
    with pytest.raises(TurnError) as failed:
        run.start()
    cause = failed.value.__cause__
    assert isinstance(cause, TurnTooLongError)
    assert f"{limits.TURN_STEPS_MAX:,} steps" in str(cause)
    assert __file__ in cause.line
    assert "Spins.run" in cause.line


def test_a_program_that_was_stopped_spinning_lets_go_of_its_tasks() -> None:
    run = Run(Spins, "sleep")
    with pytest.raises(TurnError):
        run.start()
    assert run.program.tear_down() == 0


@workflow.defn
class TakesNumbers:
    @workflow.signal
    def add(self, number: int) -> None:
        self.seen = [*getattr(self, "seen", []), number]

    @workflow.query
    def numbers(self) -> list[int]:
        return getattr(self, "seen", [])

    @workflow.query
    def half(self, number: int) -> float:
        return number / 2

    @workflow.run
    async def run(self, number: int) -> None:
        await workflow.wait_condition(lambda: False)


def test_an_undecodable_signal_is_reported_and_dropped() -> None:
    run = Run(TakesNumbers, 1)
    run.start(signal("add", 1), signal("add", "x"), signal("add"), signal("add", 1, 2), signal("add", 2))
    assert run.ask("numbers") == [1, 2]
    assert [name for name, _ in run.heard.dropped] == ["add", "add", "add"]
    run.replayed()


@pytest.mark.parametrize("args", [("x",), (), (1, 2)])
def test_undecodable_workflow_input_fails_the_turn(args: Any) -> None:
    with pytest.raises(TurnError) as failed:
        Run(TakesNumbers, *args).start()
    assert isinstance(failed.value.__cause__, PayloadError)


def test_undecodable_query_input_and_unknown_queries_raise_for_the_caller_only() -> None:
    run = Run(TakesNumbers, 1)
    run.start()
    with pytest.raises(PayloadError):
        run.ask("half", "x")
    with pytest.raises(UnknownQueryError, match=r"known queries: .half numbers"):
        run.ask("third")
    assert run.ask("half", 5) == 2.5


# Read-only


@workflow.defn
class Reads:
    def __init__(self) -> None:
        self.event = asyncio.Event()
        self.is_woken = False

    @workflow.query
    def tries(self, what: str) -> str:
        match what:
            case "random":
                workflow.random()
            case "uuid4":
                workflow.uuid4()
            case "activity":
                workflow.start_activity("a", start_to_close_timeout=MINUTE)
            case "timer":
                asyncio.get_running_loop().call_later(1, print)
            case "callback":
                asyncio.get_running_loop().call_soon(print)
            case "event":
                self.event.set()
            case "signal handler":
                workflow.set_signal_handler("x", print)
            case "query handler":
                workflow.set_query_handler("x", print)
            case _:
                raise AssertionError(what)
        return "allowed"

    @workflow.query
    async def waits(self, how: str) -> None:
        if how == "condition":
            await workflow.wait_condition(lambda: True)
        elif how == "sleep":
            await asyncio.sleep(1)
        else:
            await asyncio.sleep(0)

    @workflow.query
    def facts(self) -> list[Any]:
        return [workflow.unsafe.is_read_only(), workflow.in_workflow(), workflow.info().workflow_id]

    @workflow.query
    async def answers_at_once(self) -> str:
        return "at once"

    @workflow.run
    async def run(self) -> None:
        await self.event.wait()
        self.is_woken = True


@pytest.mark.parametrize(
    "what", ["random", "uuid4", "activity", "timer", "callback", "event", "signal handler", "query handler"]
)
def test_a_query_may_not_change_the_workflow(what: str) -> None:
    run = Run(Reads)
    run.start()
    with pytest.raises(ReadOnlyContextError):
        run.ask("tries", what)
    assert run.turn(signal("nobody")) == []
    assert run.state.close is None  # it never woke


@pytest.mark.parametrize("how", ["condition", "sleep", "yield"])
def test_a_query_may_not_wait(how: str) -> None:
    run = Run(Reads)
    run.start()
    with pytest.raises(ReadOnlyContextError):
        run.ask("waits", how)


def test_a_query_may_be_async_and_knows_where_it_is() -> None:
    run = Run(Reads)
    run.start()
    assert run.ask("answers_at_once") == "at once"
    assert run.ask("facts") == [True, True, "w"]


# Replay


@workflow.defn(name="Code")
class Before:
    @workflow.run
    async def run(self) -> None:
        await asyncio.sleep(1)
        await workflow.execute_activity("charge", start_to_close_timeout=MINUTE)


@workflow.defn(name="Code")
class After:
    @workflow.run
    async def run(self) -> None:
        await asyncio.sleep(1)
        await workflow.execute_activity("refund", start_to_close_timeout=MINUTE)


@workflow.defn(name="Code")
class EndsEarly:
    @workflow.run
    async def run(self) -> None:
        await asyncio.sleep(1)


@workflow.defn(name="Code")
class AsksMore:
    @workflow.run
    async def run(self) -> None:
        workflow.start_activity("more", start_to_close_timeout=MINUTE)
        await asyncio.sleep(1)


@workflow.defn(name="Code")
class WaitsElsewhere:
    @workflow.run
    async def run(self) -> None:
        await asyncio.sleep(1)
        await workflow.wait_condition(lambda: False)


@workflow.defn(name="Code")
class OtherOptions:
    @workflow.run
    async def run(self) -> None:
        await asyncio.sleep(99)
        await workflow.execute_activity("charge", "an argument", schedule_to_close_timeout=MINUTE, summary="!")


@pytest.mark.parametrize(
    ("code", "number", "recorded", "asked", "line"),
    [
        (After, 10, "schedule activity charge (id 1)", "schedule activity refund (id 1)", "After.run"),
        (EndsEarly, 10, "schedule activity charge (id 1)", "complete the workflow", ""),
        (AsksMore, 5, "start timer (id 1)", "schedule activity more (id 1)", "AsksMore.run"),
        (WaitsElsewhere, 10, "schedule activity charge (id 1)", "nothing more", "WaitsElsewhere.run"),
    ],
)
def test_a_non_determinism_error_names_event_journal_code_and_line(
    code: type, number: int, recorded: str, asked: str, line: str
) -> None:
    run = Run(Before)
    run.start()
    run.fire("1")
    with pytest.raises(TurnError) as failed:
        run.replayed(cls=code, records_lines=True)
    error = failed.value.__cause__
    assert isinstance(error, NondeterminismError)
    assert (error.number, error.recorded, error.asked) == (number, recorded, asked)
    assert line in error.line
    for part in (str(number), recorded, asked, line):
        assert part in str(error)


def test_other_arguments_and_options_of_the_same_commands_replay() -> None:
    run = Run(Before)
    run.start()
    run.fire("1")
    run.replayed(cls=OtherOptions)


def test_the_result_of_a_replayed_query_equals_that_of_the_resident_program() -> None:
    run = Run(Listens)
    run.start(signal("note", 1))
    run.turn(signal("note", 2))
    again = run.replayed()
    assert default().values.decode_one(again.query("heard", ())) == run.ask("heard") == [1, "run", 2]


def test_two_replays_of_one_journal_never_share_anything() -> None:
    run = Run(Listens)
    run.start()
    one, two = run.replayed(), run.replayed()
    assert one.workflow.instance is not two.workflow.instance
    assert one.workflow.instance.seen == two.workflow.instance.seen


# Tear-down


def test_a_program_taken_apart_runs_its_finally_blocks_and_decides_nothing() -> None:
    left: list[str] = []

    @workflow.defn
    class Holds:
        @workflow.run
        async def run(self) -> None:
            async def child() -> None:
                try:
                    await workflow.execute_activity("a", start_to_close_timeout=MINUTE)
                finally:
                    left.append(f"child {workflow.unsafe.is_replaying()}")
                    workflow.start_activity("late", start_to_close_timeout=MINUTE)

            async def numbers() -> AsyncIterator[int]:
                try:
                    yield 1
                    await asyncio.sleep(1)
                finally:
                    left.append("generator")

            stream = numbers()
            await anext(stream)
            lock = asyncio.Lock()
            try:
                async with lock, asyncio.TaskGroup() as group:
                    group.create_task(child())
                    shielded = asyncio.shield(asyncio.sleep(5))
                    await asyncio.gather(asyncio.sleep(3), asyncio.wait_for(asyncio.sleep(4), 8), shielded)
            except Exception:
                left.append("caught")
            finally:
                left.append("run")

    run = Run(Holds)
    run.start()
    turns = list(run.turns)
    assert run.program.tear_down() == 0
    assert sorted(left) == ["child True", "generator", "run"]
    assert run.turns == turns
    assert run.heard.errors == []


def test_a_program_that_resists_its_tear_down_is_counted() -> None:
    obstinate = [True]

    @workflow.defn
    class Resists:
        @workflow.run
        async def run(self) -> None:
            while obstinate:
                try:
                    await asyncio.get_running_loop().create_future()
                except BaseException:  # noqa: S112 - that is what it does
                    continue

    run = Run(Resists)
    run.start()
    assert run.program.tear_down() == 1
    obstinate.clear()
    assert run.program.tear_down() == 0


# Chance and identity


@workflow.defn
class Draws:
    @workflow.run
    async def run(self) -> list[Any]:
        first = [workflow.random().random(), str(workflow.uuid4()), str(workflow.uuid7())]
        await asyncio.sleep(1)
        return [*first, workflow.random().randint(1, 10**9), str(workflow.uuid4()), str(workflow.uuid7())]


def test_chance_is_equal_on_replay_and_distinct_across_runs() -> None:
    first = played(Draws)
    other = Run(Draws, run_id="run-2")
    other.start()
    other.finish()
    assert len({*map(str, first), *map(str, other.result)}) == 12


def test_uuids_have_their_version_and_version_7_rises_with_time() -> None:
    from uuid import UUID

    drawn = played(Draws)
    assert [UUID(text).version for text in (drawn[1], drawn[2], drawn[4], drawn[5])] == [4, 7, 4, 7]
    assert drawn[2] < drawn[5]


@workflow.defn
class TellsTime:
    @workflow.run
    async def run(self, naps: list[float]) -> list[Any]:
        seen: list[Any] = []
        for nap in naps:
            await workflow.sleep(nap)
            micros = round((workflow.now().timestamp() % 1_000_000) * 1_000_000)
            seen.append([workflow.time_ns() // 1000 % 10**12, micros, workflow.now().tzinfo is not None])
        return seen


def test_now_time_and_time_ns_name_the_same_instant() -> None:
    for told, expected, is_aware in played(TellsTime, [i / 1_000_000 for i in range(1, 40)]):
        assert told == expected
        assert is_aware


@workflow.defn
class Waits:
    @workflow.run
    async def run(self) -> None:
        await asyncio.gather(self.left(), workflow.sleep(60))

    async def left(self) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.signal
    async def poke(self) -> None:
        await workflow.sleep(5)


def test_a_stack_trace_names_every_waiting_task_and_its_lines() -> None:
    run = Run(Waits)
    run.start(signal("poke"))
    blocks = run.ask("__stack_trace").split("\n\n")
    by_name = {block.split("\n")[0]: block for block in blocks}
    assert "Waits.poke" in by_name["signal: poke"]
    assert "Waits.run" in by_name["run"]
    assert any("Waits.left" in block for block in blocks)
    assert run.ask("__stack_trace") == run.replayed().stack_trace()
