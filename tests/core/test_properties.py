"""Random programs: whatever they wait for, resident, rebuilt and replayed they come out the same."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta
from typing import Any

from hypothesis import given as given_any, settings, strategies as st

from actorflow import workflow
from actorflow.core import events as ev
from actorflow.exceptions import ActivityError
from tests.core.given import MINUTE, Run, outcome_of, signal

Plan = list[Any]
"""What a program does: ["sleep", ms], ["act", n], ["bad", n], ["hear"], ["draw"], or a combination of further plans."""


@workflow.defn
class Interpreter:
    def __init__(self) -> None:
        self.heard: asyncio.Queue[int] = asyncio.Queue()
        self.log: list[Any] = []

    @workflow.signal
    async def say(self, number: int) -> None:
        await self.heard.put(number)

    @workflow.run
    async def run(self, plan: Plan) -> list[Any]:
        try:
            self.log.append(await self.do(plan))
        except (TimeoutError, ActivityError, ExceptionGroup) as problem:
            self.log.append(type(problem).__name__)
        return self.log

    async def do(self, plan: Plan) -> Any:
        match plan:
            case ["sleep", millis]:
                await asyncio.sleep(millis / 1000)
                self.log.append(f"slept {millis}")
                return millis
            case ["act", number]:
                return await workflow.execute_activity("double", number, start_to_close_timeout=MINUTE)
            case ["bad", number]:
                return await workflow.execute_activity("fail", number, start_to_close_timeout=MINUTE)
            case ["hear"]:
                return await self.heard.get()
            case ["draw"]:
                return workflow.random().randint(0, 999)
            case ["sequence", plans]:
                return [await self.do(each) for each in plans]
            case ["gather", plans]:
                found = await asyncio.gather(*map(self.do, plans), return_exceptions=True)
                return [type(item).__name__ if isinstance(item, BaseException) else item for item in found]
            case ["group", plans]:
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(self.do(each)) for each in plans]
                return [task.result() for task in tasks]
            case ["first", plans]:
                tasks = {asyncio.create_task(self.do(each)) for each in plans}
                done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in pending:
                    task.cancel()
                await asyncio.gather(*pending, return_exceptions=True)
                return ["failed" if task.exception() else str(task.result()) for task in done]
            case ["within", millis, inner]:
                async with asyncio.timeout(millis / 1000):
                    return await self.do(inner)
            case ["shield", inner]:
                return await asyncio.shield(self.do(inner))
        raise AssertionError(plan)


numbers = st.integers(0, 9)
leaves = st.one_of(
    st.tuples(st.just("sleep"), st.integers(0, 20)),
    st.tuples(st.sampled_from(["act", "act", "bad"]), numbers),
    st.just(("hear",)),
    st.just(("draw",)),
).map(list)


def combined(inner: st.SearchStrategy[Plan]) -> st.SearchStrategy[Plan]:
    several = st.lists(inner, min_size=1, max_size=4)
    return st.one_of(
        st.tuples(st.sampled_from(["sequence", "gather", "group", "first"]), several),
        st.tuples(st.just("within"), st.integers(0, 20), inner),
        st.tuples(st.just("shield"), inner),
    ).map(list)


plans = st.recursive(leaves, combined, max_leaves=12)
ACTIVITIES = {"double": lambda x: x * 2, "fail": lambda x: 1 // 0}


def play(plan: Plan, choices: list[int], *, rebuilds: bool) -> Run:
    """Let the world answer: which timers, activities and signals arrive together is chosen by the numbers given."""
    run = Run(Interpreter, plan, rebuilds=rebuilds)
    run.start(signal("say", 1))
    pick = itertools.cycle(choices)
    for step in range(100):
        if run.state.close is not None:
            return run
        arrivals: list[Any] = []
        finished = [pending for pending in run.state.activities.values() if next(pick) % 2]
        arrivals.extend(outcome_of(pending.scheduled, ACTIVITIES) for pending in finished)
        if run.state.timers and next(pick) % 2:
            run.now = max(run.now, run.state.wake_at or run.now)
            due = [timer_id for timer_id, timer in run.state.timers.items() if timer.fires_at <= run.now]
            arrivals.extend(ev.TimerFired(timer_id) for timer_id in due)
        if next(pick) % 3 == 0 or not (run.state.timers or run.state.activities):
            arrivals.append(signal("say", step))
        if arrivals:
            run.turn(*arrivals, after=0.001)
    return run


@given_any(plans, st.lists(st.integers(0, 11), min_size=7, max_size=13).filter(lambda found: any(n % 2 for n in found)))
@settings(max_examples=120, deadline=timedelta(seconds=5))
def test_any_program_comes_out_the_same_resident_rebuilt_and_replayed(plan: Plan, choices: list[int]) -> None:
    resident = play(plan, choices, rebuilds=False)
    rebuilt = play(plan, choices, rebuilds=True)
    assert rebuilt.decisions == resident.decisions
    assert rebuilt.state.status == resident.state.status
    if resident.state.close is not None:
        assert rebuilt.result == resident.result
    resident.replayed().tear_down()
    assert resident.heard.errors == []
    for run in (resident, rebuilt):
        assert run.program.tear_down() == 0
