"""Development mode: clocks, chance, threads and sleeping are refused, and every turn is run twice."""

from __future__ import annotations

import asyncio
import ctypes
import datetime as dt
import logging
import random
import secrets
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from itertools import count
from typing import Any, Final

import pytest

from actorflow import activity, workflow
from actorflow.client import Client, WorkflowQueryFailedError
from actorflow.core import limits
from actorflow.exceptions import WorkflowParkedError
from actorflow.testing import WorkflowEnvironment
from actorflow.worker import UnsandboxedWorkflowRunner
from tests.support import a_place, a_worker, execute, start

SECOND: Final = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def parks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TURN_FAILURES_BEFORE_PARKING", 1)
    monkeypatch.delenv("ACTORFLOW_DEVELOPMENT", raising=False)


REFUSED: Final[Mapping[str, tuple[Callable[[], object], str]]] = {
    "sleep": (lambda: time.sleep(30), "workflow.sleep"),
    "thread": (lambda: threading.Thread(target=print).start(), "asyncio's tasks"),
    "time": (lambda: time.time(), "workflow.now"),
    "perf_counter": (lambda: time.perf_counter(), "workflow.now"),
    "now": (lambda: dt.datetime.now(dt.UTC), "workflow.now"),
    "today": (lambda: dt.date.today(), "workflow.now"),  # noqa: DTZ011 - it is what is refused
    "random": (lambda: random.random(), "workflow.random"),
    "choice": (lambda: random.choice("abc"), "workflow.random"),
    "shuffle": (lambda: random.shuffle([1, 2, 3]), "workflow.random"),
    "unseeded": (lambda: random.Random(), "workflow.random"),
    "uuid4": (lambda: uuid.uuid4(), "workflow.uuid4"),
    "secrets": (lambda: secrets.token_hex(), "workflow.random"),
}


@workflow.defn
class Tries:
    """Does one thing that development mode refuses, in its run or in a query."""

    @workflow.run
    async def run(self, what: str) -> str:
        await workflow.sleep(0)
        REFUSED[what][0]()
        return "done"


@pytest.mark.parametrize("what", REFUSED)
async def test_what_replay_could_not_repeat_is_refused_and_says_what_to_use(what: str) -> None:
    async with a_place(Tries, development_mode=True) as client:
        with pytest.raises(WorkflowParkedError) as parked:
            await execute(client, Tries.run, what)
    assert "RestrictedWorkflowAccessError" in str(parked.value)
    assert "test_development.py:" in str(parked.value)
    assert REFUSED[what][1] in str(parked.value)


@pytest.mark.parametrize("what", sorted(set(REFUSED) - {"sleep"}))
async def test_outside_development_mode_only_io_is(what: str) -> None:
    async with a_place(Tries) as client:
        assert await execute(client, Tries.run, what) == "done"


@workflow.defn
class Behaves:
    """Uses what replay repeats, and what development mode leaves alone."""

    @workflow.run
    async def run(self) -> str:
        seen = [workflow.now(), workflow.time(), workflow.uuid4(), workflow.random().random()]
        assert random.Random(1).random() == random.Random(1).random()
        assert dt.datetime(2026, 1, 1, tzinfo=dt.UTC) < workflow.now()
        logging.getLogger(__name__).info("a record has a time")
        with workflow.unsafe.sandbox_unrestricted():
            time.time()
        async with asyncio.timeout(60):
            await asyncio.gather(workflow.sleep(1), asyncio.sleep(0))
        return f"{len(seen)} seen"


async def test_a_program_that_behaves_notices_nothing() -> None:
    async with a_place(Behaves, development_mode=True) as client:
        assert await execute(client, Behaves.run) == "4 seen"


async def test_a_query_that_asks_for_the_time_fails_alone() -> None:
    @workflow.defn
    class Asked:
        @workflow.run
        async def run(self) -> str:
            await workflow.wait_condition(lambda: self.is_over)
            return "over"

        is_over = False

        @workflow.signal
        def end(self) -> None:
            self.is_over = True

        @workflow.query
        def when(self) -> float:
            return time.time()

    async with a_place(Asked, development_mode=True) as client:
        handle = await start(client, Asked.run)
        with pytest.raises(WorkflowQueryFailedError, match=r"time\.time"):
            await handle.query(Asked.when)
        await handle.signal(Asked.end)
        assert await handle.result() == "over"


async def test_a_profiler_of_somebody_else_is_left_alone() -> None:
    calls: list[str] = []

    def profiler(_frame: Any, event: str, _argument: Any) -> None:
        calls.append(event)

    async with a_place(Tries, development_mode=True) as client:
        sys.setprofile(profiler)
        try:
            assert await execute(client, Tries.run, "perf_counter") == "done"
            assert sys.getprofile() is profiler
        finally:
            sys.setprofile(None)
    assert "c_call" in calls


async def test_a_thread_that_was_interrupted_before_holds_up_no_turn() -> None:
    # What was thrown into a thread is taken back like this; before 3.12 a profiled thread looked for it for ever.
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(threading.get_ident()), ctypes.py_object())
    async with a_place(Behaves, development_mode=True) as client:
        assert await execute(client, Behaves.run) == "4 seen"


async def test_only_the_first_programs_of_a_definition_are_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PROGRAMS_WATCHED_MAX", 1)
    async with a_place(Clocked, Tries, development_mode=True, max_cached_workflows=100) as client:
        with pytest.raises(WorkflowParkedError, match=r"time\.perf_counter"):
            await execute(client, Clocked.run)
        assert await execute(client, Clocked.run, id="another") == "done"
        with pytest.raises(WorkflowParkedError, match=r"random\.random"):
            await execute(client, Tries.run, "random", id="of another type")


# Every turn twice

NUMBERS: Iterator[int] = count()


@activity.defn
async def echo(number: int) -> int:
    return number


async def echoed(number: int) -> int:
    return await workflow.execute_activity(echo, number, start_to_close_timeout=SECOND)


@workflow.defn
class Counts:
    """Asks for something else each time its code runs."""

    @workflow.run
    async def run(self, how: str) -> int:
        await workflow.sleep(0)
        match how:
            case "arguments":
                return await echoed(next(NUMBERS))
            case "commands":
                return await echoed(1) if next(NUMBERS) % 2 else await workflow.sleep(1) or 0
            case "local":
                return await workflow.execute_local_activity(echo, next(NUMBERS), start_to_close_timeout=SECOND)
            case "durations":
                await workflow.sleep(1 + next(NUMBERS))
                return 0
            case _:
                return next(NUMBERS)


@pytest.mark.parametrize(
    ("how", "shown"),
    [
        ("arguments", "schedule activity echo (id 1) with input"),
        ("commands", "schedule activity echo (id 1)"),
        ("local", "start local activity echo (id 1) with input"),
        ("durations", "start timer (id 2) with"),
        ("result", "complete the workflow with result"),
    ],
)
async def test_a_turn_that_comes_out_differently_shows_at_once(how: str, shown: str) -> None:
    async with a_place(Counts, activities=[echo], development_mode=True) as client:
        with pytest.raises(WorkflowParkedError) as parked:
            await execute(client, Counts.run, how)
    assert "NondeterminismError" in str(parked.value)
    assert shown in str(parked.value)
    assert ("test_development.py:" in str(parked.value)) == (how not in ("result", "local"))
    assert "runs every turn twice" in str(parked.value)


async def test_only_the_first_programs_of_a_definition_run_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PROGRAMS_WATCHED_MAX", 1)
    async with a_place(Counts, activities=[echo], development_mode=True, max_cached_workflows=100) as client:
        with pytest.raises(WorkflowParkedError, match="NondeterminismError"):
            await execute(client, Counts.run, "arguments")
        assert await execute(client, Counts.run, "arguments", id="another") >= 0


async def test_nothing_of_such_a_turn_is_done() -> None:
    done: list[int] = []

    @activity.defn
    async def note(number: int) -> None:
        done.append(number)

    @workflow.defn
    class Notes:
        @workflow.run
        async def run(self) -> None:
            await workflow.execute_activity(note, next(NUMBERS), start_to_close_timeout=SECOND)

    async with a_place(Notes, activities=[note], development_mode=True) as client:
        with pytest.raises(WorkflowParkedError, match="NondeterminismError"):
            await execute(client, Notes.run)
    assert done == []


async def test_a_cache_that_outlives_the_run_is_noticed_too() -> None:
    known: dict[int, int] = {}

    @workflow.defn
    class Caches:
        @workflow.run
        async def run(self) -> int:
            for number in range(8):
                if number not in known:
                    known[number] = await echoed(number)
            return sum(known.values())

    async with a_place(Caches, activities=[echo], development_mode=True) as client:
        with pytest.raises(WorkflowParkedError, match=r"NondeterminismError.*such as a global"):
            await execute(client, Caches.run)


@workflow.defn
class Busy:
    """Many turns of many kinds."""

    def __init__(self) -> None:
        self.words: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        for number in range(5):
            self.words.append(str(await echoed(number)))
        if workflow.patched("louder"):
            self.words.append("patched")
        local = await workflow.execute_local_activity(echo, 7, start_to_close_timeout=SECOND)
        self.words.append(str(local))
        self.words.append(str(await workflow.execute_child_workflow(Child.run, id="child")))
        await workflow.wait_condition(lambda: "end" in self.words)
        return self.words

    @workflow.signal
    def say(self, word: str) -> None:
        self.words.append(word)

    @workflow.update
    async def add(self, word: str) -> int:
        self.words.append(word)
        await workflow.sleep(0.01)
        return len(self.words)


@workflow.defn
class Child:
    @workflow.run
    async def run(self) -> int:
        if workflow.info().run_id == workflow.info().first_execution_run_id:
            workflow.continue_as_new()
        return 8


@pytest.mark.parametrize("cached", [0, 100])
async def test_turns_of_all_kinds_come_out_the_same(cached: int) -> None:
    async with a_place(Busy, Child, activities=[echo], development_mode=True, max_cached_workflows=cached) as client:
        handle = await start(client, Busy.run)
        await handle.signal(Busy.say, "one")
        await handle.execute_update(Busy.add, "two")
        await handle.signal(Busy.say, "end")
        words = await handle.result()
    assert sorted(words) == sorted([*"01234", "patched", "7", "8", "one", "two", "end"])


@workflow.defn
class Measures:
    """Asks for what it knows of its own history."""

    @workflow.run
    async def run(self) -> int:
        for _ in range(6):
            await echoed(workflow.info().get_current_history_length())
            await echoed(workflow.info().get_current_history_size())
        return workflow.info().get_current_history_size()


@pytest.mark.parametrize("cached", [0, 100])
async def test_both_runs_of_a_turn_know_the_same_of_their_history(cached: int) -> None:
    async with a_place(Measures, activities=[echo], development_mode=True, max_cached_workflows=cached) as client:
        assert await execute(client, Measures.run) > 0


async def test_a_turn_that_was_refused_for_coming_out_differently_goes_on_with_repaired_code() -> None:
    @workflow.defn(name="Counts")
    class Repaired:
        @workflow.run
        async def run(self, _how: str) -> int:
            await workflow.sleep(0)
            return await echoed(7)

    async with await Client.connect("memory://") as client:
        async with a_worker(client, workflows=[Counts], activities=[echo], development_mode=True):
            handle = await start(client, Counts.run, "arguments")
            with pytest.raises(WorkflowParkedError, match="NondeterminismError"):
                await handle.result()
        async with a_worker(client, workflows=[Repaired], activities=[echo], development_mode=True):
            assert await client.get_workflow_handle("w").result() == 7


# Where it is on


@workflow.defn
class Clocked:
    @workflow.run
    async def run(self) -> str:
        time.perf_counter()
        return "done"


async def test_it_is_on_in_test_environments() -> None:
    async with await WorkflowEnvironment.start_time_skipping() as env, a_worker(env.client, workflows=[Clocked]):
        with pytest.raises(WorkflowParkedError, match=r"time\.perf_counter"):
            await execute(env.client, Clocked.run)


async def test_a_worker_in_a_test_environment_can_do_without() -> None:
    async with (
        await WorkflowEnvironment.start_time_skipping() as env,
        a_worker(env.client, workflows=[Clocked], development_mode=False),
    ):
        assert await execute(env.client, Clocked.run) == "done"


async def test_the_environment_turns_it_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTORFLOW_DEVELOPMENT", "1")
    async with a_place(Clocked) as client:
        with pytest.raises(WorkflowParkedError, match=r"time\.perf_counter"):
            await execute(client, Clocked.run)


async def test_the_environment_turns_it_off_in_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTORFLOW_DEVELOPMENT", "0")
    async with await WorkflowEnvironment.start_time_skipping() as env, a_worker(env.client, workflows=[Clocked]):
        assert await execute(env.client, Clocked.run) == "done"


async def test_code_without_a_guard_may_ask_for_the_time_but_its_turns_are_compared() -> None:
    runner = UnsandboxedWorkflowRunner()
    async with a_place(Clocked, Counts, development_mode=True, workflow_runner=runner) as client:
        assert await execute(client, Clocked.run) == "done"
        with pytest.raises(WorkflowParkedError, match="NondeterminismError"):
            await execute(client, Counts.run, "result", id="counts")


async def test_two_workers_of_one_process_each_have_their_own_mode() -> None:
    async with (
        await Client.connect("memory://") as client,
        a_worker(client, workflows=[Clocked], task_queue="strict", development_mode=True),
        a_worker(client, workflows=[Clocked], task_queue="lax"),
    ):
        strict = await client.start_workflow(Clocked.run, id="strict", task_queue="strict")
        lax = await client.start_workflow(Clocked.run, id="lax", task_queue="lax")
        assert await lax.result() == "done"
        with pytest.raises(WorkflowParkedError):
            await strict.result()
