"""asyncio's own tools inside a program, unmodified: played resident and rebuilt before every turn, they must agree."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import timedelta
from typing import Any

import anyio
import pytest

from actorflow import workflow
from actorflow.core import events as ev
from actorflow.core.program.loop import ProgramLoop
from tests.core.given import Run, played, signal

MINUTE = timedelta(minutes=1)


async def act(value: Any) -> Any:
    return await workflow.execute_activity("double", value, start_to_close_timeout=MINUTE)


ACTIVITIES = {"double": lambda x: x * 2}


@workflow.defn
class Gathers:
    @workflow.run
    async def run(self) -> list[Any]:
        async def later(delay: float, value: int) -> int:
            await asyncio.sleep(delay)
            return value

        return list(await asyncio.gather(later(3, 1), act(1), later(1, 3), act(2)))


def test_gather_returns_in_the_order_of_its_arguments() -> None:
    assert played(Gathers, activities=ACTIVITIES) == [1, 2, 3, 4]


@workflow.defn
class GathersErrors:
    @workflow.run
    async def run(self) -> list[str]:
        async def bad(delay: float) -> None:
            await asyncio.sleep(delay)
            raise ValueError(f"after {delay:.0f}")

        found = await asyncio.gather(bad(2), bad(1), return_exceptions=True)
        return [str(error) for error in found]


def test_gather_can_return_exceptions() -> None:
    assert played(GathersErrors) == ["after 2", "after 1"]


@workflow.defn
class WaitsFor:
    @workflow.run
    async def run(self) -> list[str]:
        seen = []
        try:
            await asyncio.wait_for(asyncio.sleep(10), 1)
        except TimeoutError:
            seen.append("late")
        await asyncio.wait_for(asyncio.sleep(1), 10)
        seen.append("early")
        return seen


def test_wait_for_times_out_and_lets_finish() -> None:
    assert played(WaitsFor) == ["late", "early"]


@workflow.defn
class TimesOut:
    @workflow.run
    async def run(self) -> list[Any]:
        seen: list[Any] = []
        try:
            async with asyncio.timeout(1):
                try:
                    async with asyncio.timeout(5):
                        await asyncio.sleep(60)
                except TimeoutError:
                    seen.append("inner")
        except TimeoutError:
            seen.append("outer")
        async with asyncio.timeout(None) as bound:
            bound.reschedule(asyncio.get_running_loop().time() + 5)
            await asyncio.sleep(1)
        seen.append(bound.expired())
        return seen


def test_nested_timeouts_end_the_right_block() -> None:
    assert played(TimesOut) == ["outer", False]


@workflow.defn
class Groups:
    @workflow.run
    async def run(self) -> list[Any]:
        seen: list[Any] = []

        async def child(delay: float) -> None:
            try:
                await asyncio.sleep(delay)
                seen.append(delay)
            except asyncio.CancelledError:
                seen.append(f"stopped {delay:.0f}")
                raise

        async def fail() -> None:
            await asyncio.sleep(2)
            raise ValueError("inner")

        try:
            async with asyncio.TaskGroup() as outer:
                outer.create_task(child(1))
                outer.create_task(child(9))
                async with asyncio.TaskGroup() as inner:
                    inner.create_task(child(8))
                    inner.create_task(fail())
        except* ValueError as group:
            seen.append(len(group.exceptions))
        return seen


def test_a_failing_child_of_a_nested_group_stops_its_siblings_and_their_timers() -> None:
    seen = played(Groups)
    assert seen[:3] == [1, "stopped 8", "stopped 9"]
    assert len(seen) == 4


@workflow.defn
class Shields:
    @workflow.run
    async def run(self) -> list[Any]:
        kept = asyncio.ensure_future(asyncio.sleep(5, "kept"))
        waiter = asyncio.create_task(asyncio.wait_for(asyncio.shield(kept), 1))
        with contextlib.suppress(TimeoutError):
            await waiter
        return [await kept]


def test_shield_keeps_the_timer_behind_it() -> None:
    assert played(Shields) == ["kept"]


@workflow.defn
class Produces:
    @workflow.run
    async def run(self) -> list[int]:
        queue: asyncio.Queue[int] = asyncio.Queue(maxsize=2)
        got: list[int] = []

        async def producer() -> None:
            for item in range(6):
                await queue.put(item)
                if item % 2:
                    await asyncio.sleep(1)

        async def consumer() -> None:
            while True:
                got.append(await queue.get())
                queue.task_done()

        made = asyncio.create_task(producer())
        eaters = [asyncio.create_task(consumer()) for _ in range(3)]
        await made
        await queue.join()
        for eater in eaters:
            eater.cancel()
        await asyncio.gather(*eaters, return_exceptions=True)
        return got


def test_a_bounded_queue_hands_over_in_order() -> None:
    assert played(Produces) == [0, 1, 2, 3, 4, 5]


@workflow.defn
class Synchronises:
    @workflow.run
    async def run(self) -> list[str]:
        lock, event, condition = asyncio.Lock(), asyncio.Event(), asyncio.Condition()
        semaphore = asyncio.Semaphore(2)
        seen: list[str] = []

        async def locks(name: str) -> None:
            async with lock:
                seen.append(f"in {name}")
                await asyncio.sleep(1)
                seen.append(f"out {name}")

        async def permits(name: str) -> None:
            async with semaphore:
                seen.append(f"permit {name}")
                await asyncio.sleep(1)

        async def notified(name: str) -> None:
            async with condition:
                await condition.wait()
                seen.append(f"notified {name}")

        async def released() -> None:
            await event.wait()
            seen.append("released")

        async with asyncio.TaskGroup() as group:
            for name in "abc":
                group.create_task(locks(name))
            for name in "xyz":
                group.create_task(permits(name))
            for name in "mn":
                group.create_task(notified(name))
            group.create_task(released())
            await asyncio.sleep(10)
            event.set()
            async with condition:
                condition.notify_all()
        return seen


def test_lock_semaphore_condition_and_event_wake_first_come_first_served() -> None:
    seen = played(Synchronises)
    assert [entry for entry in seen if entry[:2] in ("in", "ou")] == ["in a", "out a", "in b", "out b", "in c", "out c"]
    assert [entry for entry in seen if entry.startswith("permit")] == ["permit x", "permit y", "permit z"]
    assert [entry for entry in seen if entry.startswith("notified")] == ["notified m", "notified n"]
    assert "released" in seen


@workflow.defn
class TakesTurns:
    @workflow.run
    async def run(self) -> str:
        seen: list[str] = []

        async def speaks(name: str) -> None:
            for _ in range(3):
                seen.append(name)
                await asyncio.sleep(0)

        await asyncio.gather(speaks("a"), speaks("b"), speaks("c"))
        return "".join(seen)


def test_ready_tasks_take_turns() -> None:
    assert played(TakesTurns) == "abcabcabc"


@workflow.defn
class Cleans:
    @workflow.run
    async def run(self) -> list[Any]:
        seen: list[Any] = []

        @contextlib.asynccontextmanager
        async def resource() -> AsyncIterator[int]:
            try:
                yield 7
            finally:
                await asyncio.sleep(1)
                seen.append("closed")

        async def numbers() -> AsyncGenerator[int, None]:
            try:
                for number in range(5):
                    await asyncio.sleep(1)
                    yield number
            finally:
                seen.append("generator closed")

        async with resource() as value:
            seen.append(value)
        async with contextlib.aclosing(numbers()) as stream:
            async for number in stream:
                seen.append(number)
                if number == 2:
                    break
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(resource())
        return seen


def test_async_with_finally_and_async_generators_work() -> None:
    assert played(Cleans) == [7, "closed", 0, 1, 2, "generator closed", "closed"]


@workflow.defn
class IteratesSets:
    @workflow.run
    async def run(self) -> list[Any]:
        seen: list[str] = []

        async def step(name: str, delay: float) -> str:
            await asyncio.sleep(delay)
            return name

        tasks = {asyncio.create_task(step(f"t{i}", 1 + i % 3), name=f"t{i}") for i in range(20)}
        seen.append(",".join(task.get_name() for task in tasks))
        pending = tasks
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                seen.append(await task)
                await act(len(seen))
        more = [asyncio.create_task(step(f"c{i}", 1)) for i in range(5)]
        seen.extend([await item for item in asyncio.as_completed(more)])
        return seen


def test_sets_of_tasks_iterate_the_same_way_on_replay() -> None:
    seen = played(IteratesSets, activities=ACTIVITIES)
    assert sorted(seen[1:21]) == sorted(f"t{i}" for i in range(20))


@workflow.defn
class NamesTasks:
    @workflow.run
    async def run(self) -> list[str]:
        tasks = [asyncio.create_task(asyncio.sleep(0)) for _ in range(3)]
        names = [task.get_name() for task in tasks]
        everybody = len(asyncio.all_tasks())
        await asyncio.gather(*tasks)
        return [*names, str(everybody), str(asyncio.current_task() in asyncio.all_tasks())]


def test_default_task_names_and_all_tasks_belong_to_the_run() -> None:
    first = played(NamesTasks)
    assert played(NamesTasks) == first
    assert first[3:] == ["4", "True"]


@workflow.defn
class WaitsInOrder:
    @workflow.run
    async def run(self) -> list[Any]:
        async def step(name: str, delay: float) -> str:
            await asyncio.sleep(delay)
            return name

        tasks = [asyncio.create_task(step(f"t{i}", 1)) for i in range(8)]
        done, pending = await workflow.wait(tasks)
        seen = [await task for task in done]
        steps = [step(f"c{i}", 3 - i % 3) for i in range(6)]
        seen.extend([await item for item in workflow.as_completed(steps)])
        return [*seen, len(pending)]


def test_wait_and_as_completed_of_the_workflow_module_give_lists_in_a_fixed_order() -> None:
    first = [f"t{i}" for i in range(8)]
    assert played(WaitsInOrder) == [*first, "c2", "c5", "c1", "c4", "c0", "c3", 0]


VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


@workflow.defn
class KeepsContext:
    @workflow.run
    async def run(self) -> list[str]:
        VARIABLE.set("outer")

        async def child() -> str:
            before = VARIABLE.get()
            VARIABLE.set("inner")
            await asyncio.sleep(1)
            return f"{before}>{VARIABLE.get()}"

        return [await asyncio.create_task(child()), VARIABLE.get()]


def test_context_variables_flow_into_tasks_and_not_back() -> None:
    VARIABLE.set("of the host")
    assert played(KeepsContext) == ["outer>inner", "outer"]
    assert VARIABLE.get() == "of the host"


@workflow.defn
class CancelsAtTheDeadline:
    @workflow.run
    async def run(self) -> str:
        task = asyncio.create_task(asyncio.sleep(60))
        asyncio.get_running_loop().call_later(1, task.cancel)
        try:
            async with asyncio.timeout(1):
                await task
        except TimeoutError:
            return "timeout"
        except asyncio.CancelledError:
            return "cancelled"
        return "?"


def test_a_cancel_and_a_timeout_at_the_same_instant_end_the_same_way_on_replay() -> None:
    assert played(CancelsAtTheDeadline) in ("timeout", "cancelled")


@workflow.defn
class UsesAnyio:
    @workflow.run
    async def run(self) -> list[Any]:
        seen: list[Any] = []
        with anyio.move_on_after(1) as scope:
            await anyio.sleep(60)
        seen.append(scope.cancelled_caught)

        async def child(delay: float) -> None:
            await anyio.sleep(delay)
            seen.append(delay)

        async with anyio.create_task_group() as group:
            group.start_soon(child, 2)
            group.start_soon(child, 1)
            group.start_soon(child, 60)
            await anyio.sleep(5)
            group.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await anyio.sleep(1)
        return seen


def test_cancel_scopes_and_task_groups_of_anyio_work() -> None:
    assert played(UsesAnyio) == [True, 1, 2]


# What the loop offers, and what it refuses


@workflow.defn
class AsksTheLoop:
    @workflow.run
    async def run(self) -> list[Any]:
        loop = asyncio.get_running_loop()
        seen: list[Any] = [loop.is_running(), loop.get_debug(), loop.get_task_factory(), loop.is_closed()]
        order: list[str] = []
        loop.call_soon(order.append, "soon")
        loop.call_later(2, order.append, "later")
        loop.call_at(loop.time() + 1, order.append, "at")
        cancelled = loop.call_soon(order.append, "never")
        cancelled.cancel()
        future: asyncio.Future[int] = loop.create_future()
        loop.call_later(3, future.set_result, 5)
        seen.append(await future)
        return [*seen, *order]


def test_the_loop_offers_callbacks_timers_futures_and_its_state() -> None:
    assert played(AsksTheLoop) == [True, False, None, False, 5, "soon", "at", "later"]


def _refused(name: str) -> Any:
    calls: dict[str, Any] = {
        "run_in_executor": lambda loop: loop.run_in_executor(None, print),
        "call_soon_threadsafe": lambda loop: loop.call_soon_threadsafe(print),
        "run_forever": lambda loop: loop.run_forever(),
        "run_until_complete": lambda loop: loop.run_until_complete(None),
        "stop": lambda loop: loop.stop(),
        "close": lambda loop: loop.close(),
        "add_reader": lambda loop: loop.add_reader(0, print),
        "add_signal_handler": lambda loop: loop.add_signal_handler(15, print),
        "set_debug": lambda loop: loop.set_debug(True),
        "set_default_executor": lambda loop: loop.set_default_executor(None),
        "set_task_factory": lambda loop: loop.set_task_factory(None),
    }
    return calls[name]


@workflow.defn
class Refused:
    @workflow.run
    async def run(self, name: str) -> str:
        try:
            _refused(name)(asyncio.get_running_loop())
        except NotImplementedError:
            return "refused"
        return "allowed"


@pytest.mark.parametrize(
    "name",
    [
        "run_in_executor",
        "call_soon_threadsafe",
        "run_forever",
        "run_until_complete",
        "stop",
        "close",
        "add_reader",
        "add_signal_handler",
        "set_debug",
        "set_default_executor",
        "set_task_factory",
    ],
)
def test_the_loop_refuses_what_replay_could_not_repeat(name: str) -> None:
    assert played(Refused, name) == "refused"


@workflow.defn
class ReadsTheClock:
    @workflow.run
    async def run(self) -> list[bool]:
        loop = asyncio.get_running_loop()
        before = workflow.time(), loop.time(), workflow.now()
        for _ in range(100):
            await asyncio.sleep(0)
        stands_still = before == (workflow.time(), loop.time(), workflow.now())
        agree = loop.time() == workflow.time() == workflow.now().timestamp()
        await asyncio.sleep(5)
        return [stands_still, agree, 5 <= workflow.time() - before[0] < 5.001]


def test_time_stands_still_within_a_turn() -> None:
    assert played(ReadsTheClock) == [True, True, True]


def test_the_loop_of_the_host_is_put_back_after_each_turn() -> None:
    run = Run(ReadsTheClock)
    run.start()
    with pytest.raises(RuntimeError, match="no running event loop"):
        asyncio.get_running_loop()
    assert isinstance(run.program.loop, ProgramLoop)


# Timers


@workflow.defn
class MakesTimers:
    @workflow.run
    async def run(self, how: str) -> str:
        loop = asyncio.get_running_loop()
        match how:
            case "workflow.sleep(0)":
                await workflow.sleep(0)
            case "call_later(0)":
                done = asyncio.Event()
                loop.call_later(0, done.set)
                await done.wait()
            case "asyncio.sleep(0)":
                await asyncio.sleep(0)
            case "asyncio.sleep(-1)":
                await asyncio.sleep(-1)
            case "wait_for(0)":
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.Event().wait(), 0)
            case "wait_condition(0)":
                with contextlib.suppress(TimeoutError):
                    await workflow.wait_condition(lambda: False, timeout=0)
            case "timeout(0)":
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0):
                        await asyncio.Event().wait()
            case "cancelled":
                loop.call_later(5, print).cancel()
                task = asyncio.create_task(workflow.sleep(5))
                await asyncio.sleep(0)
                task.cancel()
            case "raced":
                await asyncio.wait_for(asyncio.sleep(0), 5)
            case _:
                raise AssertionError(how)
        return "done"


@pytest.mark.parametrize(("how", "timers"), [("workflow.sleep(0)", 1), ("call_later(0)", 1)])
def test_a_zero_delay_still_makes_a_timer(how: str, timers: int) -> None:
    run = Run(MakesTimers, how)
    started = [event for event in run.start() if isinstance(event, ev.TimerStarted)]
    assert [event.duration for event in started] == [timedelta(0)] * timers
    assert run.finish().result == "done"


@pytest.mark.parametrize(
    "how", ["asyncio.sleep(0)", "asyncio.sleep(-1)", "wait_for(0)", "wait_condition(0)", "timeout(0)"]
)
def test_what_does_not_really_wait_makes_no_timer(how: str) -> None:
    run = Run(MakesTimers, how)
    assert [type(event) for event in run.start()] == [ev.Completed]


@pytest.mark.parametrize("how", ["cancelled", "raced"])
def test_a_timer_started_and_cancelled_in_one_turn_leaves_no_trace(how: str) -> None:
    run = Run(MakesTimers, how)
    assert [type(event) for event in run.start()] == [ev.Completed]
    run.replayed()


@workflow.defn
class Negative:
    @workflow.run
    async def run(self, how: str) -> str:
        try:
            match how:
                case "call_later":
                    asyncio.get_running_loop().call_later(-1, print)
                case "sleep":
                    await workflow.sleep(-1)
                case "sleep timedelta":
                    await workflow.sleep(timedelta(seconds=-1))
                case _:
                    await workflow.wait_condition(lambda: False, timeout=-1)
        except RuntimeError as error:
            return str(error)
        return "allowed"


@pytest.mark.parametrize("how", ["call_later", "sleep", "sleep timedelta", "wait_condition"])
def test_a_negative_delay_is_a_runtime_error_that_says_so(how: str) -> None:
    assert "negative" in played(Negative, how)


@workflow.defn
class Summarises:
    @workflow.run
    async def run(self) -> None:
        await asyncio.gather(
            workflow.sleep(1, summary="one"),
            workflow.sleep(2, summary="two"),
            workflow.wait_condition(lambda: workflow.time() > 2e9, timeout=3, timeout_summary="three"),
            return_exceptions=True,
        )


def test_concurrent_sleeps_keep_their_own_summaries() -> None:
    run = Run(Summarises)
    assert [(event.duration, event.summary) for event in run.start()] == [
        (timedelta(seconds=1), "one"),
        (timedelta(seconds=2), "two"),
        (timedelta(seconds=3), "three"),
    ]


@workflow.defn
class SleepsLong:
    @workflow.run
    async def run(self) -> str:
        task = asyncio.create_task(workflow.sleep(60))
        await asyncio.sleep(1)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            return "cancelled"
        return "?"


def test_cancelling_a_sleep_cancels_its_timer() -> None:
    run = Run(SleepsLong)
    run.start()
    assert [type(event) for event in run.fire("1")] == [ev.TimerCancelled, ev.Completed]
    run.replayed()


# Conditions


@workflow.defn
class Waits:
    def __init__(self) -> None:
        self.value = 0
        self.passes: list[int] = []

    @workflow.signal
    def add(self, value: int) -> None:
        self.value += value

    @workflow.query
    def known(self) -> int:
        return self.value

    @workflow.run
    async def run(self) -> list[Any]:
        seen: list[Any] = []

        async def waits(name: str, limit: int) -> None:
            await workflow.wait_condition(lambda: self.value >= limit)
            seen.append(name)

        await asyncio.gather(waits("b", 2), waits("a", 2), waits("c", 1))
        return seen


def test_conditions_that_become_true_together_resolve_in_the_order_they_were_registered() -> None:
    run = Run(Waits, rebuilds=True)
    run.start()
    run.turn(signal("add", 2))
    assert run.result == ["b", "a", "c"]


@workflow.defn
class ChecksLate:
    @workflow.run
    async def run(self) -> list[str]:
        seen: list[str] = []

        async def other() -> None:
            seen.append("other ran")

        task = asyncio.create_task(other())
        await workflow.wait_condition(lambda: True)
        seen.append("condition held")
        await task
        return seen


def test_a_condition_is_looked_at_only_when_everything_else_rests() -> None:
    assert played(ChecksLate) == ["other ran", "condition held"]


@workflow.defn
class Counts:
    def __init__(self) -> None:
        self.looks = 0

    def look(self) -> bool:
        self.looks += 1
        return False

    @workflow.query
    def count(self) -> int:
        return self.looks

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(self.look)


def test_a_query_does_not_look_at_conditions() -> None:
    run = Run(Counts)
    run.start()
    before = run.ask("count")
    assert [run.ask("count") for _ in range(3)] == [before] * 3
    assert run.turns[-1].events[-1] == run.started


@workflow.defn
class GivesUpWaiting:
    @workflow.run
    async def run(self) -> list[str]:
        seen = []
        try:
            await workflow.wait_condition(lambda: False, timeout=1)
        except asyncio.TimeoutError:  # noqa: UP041 - that both are one is what is promised
            seen.append("timed out")
        task = asyncio.create_task(workflow.wait_condition(lambda: False))
        await asyncio.sleep(0)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            seen.append("cancelled")
        await workflow.wait_condition(lambda: True, timeout=timedelta(seconds=5))
        return seen


def test_a_wait_for_a_condition_times_out_and_can_be_cancelled() -> None:
    run = Run(GivesUpWaiting)
    run.start()
    decided = run.fire("1")
    assert run.result == ["timed out", "cancelled"]
    assert [type(event) for event in decided] == [ev.Completed]  # the last timeout's timer left no trace
    run.replayed()


@workflow.defn
class ConditionEnds:
    def __init__(self) -> None:
        self.go = False

    @workflow.signal
    def set(self) -> None:
        self.go = True

    @workflow.run
    async def run(self) -> str:
        try:
            await workflow.wait_condition(lambda: self.go, timeout=1)
        except TimeoutError:
            return "timed out"
        return "held"


def test_a_signal_in_the_turn_of_the_timeout_is_looked_at_first() -> None:
    run = Run(ConditionEnds)
    run.start()
    run.fire("1", signal("set"))
    assert run.result == "held"
    run.replayed()
