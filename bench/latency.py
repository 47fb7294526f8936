"""W3, W4 and W5: how long one thing takes when nothing else is going on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter
from typing import Any

from actorflow.client import Client
from bench import plain
from bench.ceilings import commit_chain
from bench.durable import QUEUE, measured
from bench.load import Operation, one_by_one
from bench.programs import FAN_OUT, STEPS, Approval, FanOut, OneStep, Order, TenSteps
from bench.progress import Progress
from bench.report import Figure, Table, Target, at_most
from bench.samples import Rounds, Sample, Values, latencies, take_rounds
from bench.settings import Settings

_LEAST = 3
"""Operations a median needs, whatever the scale."""


def fan_out(settings: Settings, progress: Progress) -> Table:
    """W3."""
    count = settings.sized(20, least=_LEAST)

    async def durable(client: Client) -> Values:
        return latencies(await one_by_one(_executing(client, FanOut.run, "fan"), count))

    async def without() -> Values:
        return latencies(await one_by_one(_plainly(plain.fan_out), count))

    rounds = _rounds(settings, progress, durable, without, commits=2)
    figures = [_figure("median, ms", "p50", rounds, at_most(5)), *_journal(rounds)]
    return Table("w3", f"fan-out of {FAN_OUT} activities in one workflow", figures, _notes(2, rounds))


def one_at_a_time(settings: Settings, progress: Progress) -> Table:
    """W4."""
    one_count, ten_count = settings.sized(500, least=_LEAST), settings.sized(60, least=_LEAST)

    async def measure(one: Operation, ten: Operation) -> Values:
        steps = await one_by_one(ten, ten_count)
        return {**latencies(await one_by_one(one, one_count)), "step": latencies(steps)["p50"] / STEPS}

    async def durable(client: Client) -> Values:
        return await measure(_executing(client, OneStep.run, "one"), _executing(client, TenSteps.run, "ten"))

    async def without() -> Values:
        return await measure(_plainly(plain.one_step), _plainly(plain.ten_steps))

    rounds = _rounds(settings, progress, durable, without, commits=2)
    per_step = Figure(
        "per sequential activity, ms",
        rounds.of("actorflow", "step"),
        rounds.of("plain asyncio", "step"),
        rounds.scaled("raw SQLite", "p50", 0.5),
        at_most(0.4),
    )
    figures = [
        _figure("one activity, p50, ms", "p50", rounds, at_most(1)),
        _figure("one activity, p99, ms", "p99", rounds, at_most(5)),
        per_step,
        *_journal(rounds),
    ]
    notes = (
        *_notes(2, rounds),
        "per sequential activity: the median of workflows of ten, divided by ten; one raw commit",
    )
    return Table("w4", "latency, one at a time", figures, notes)


def signal_to_result(settings: Settings, progress: Progress) -> Table:
    """W5."""
    count = settings.sized(300, least=_LEAST)

    async def durable(client: Client) -> Values:
        return latencies([await _signalled(client, number) for number in range(count)])

    async def without() -> Values:
        return latencies([await _approved(number) for number in range(count)])

    rounds = _rounds(settings, progress, durable, without, commits=1)
    figures = [
        _figure("p50, ms", "p50", rounds, at_most(1)),
        _figure("p99, ms", "p99", rounds, None),
        *_journal(rounds),
    ]
    notes = (*_notes(1, rounds), "commits/s include the start of each workflow, which is not timed")
    return Table("w5", "signal to result", figures, notes)


async def _signalled(client: Client, number: int) -> float:
    name = f"approval-{number}"
    handle = await client.start_workflow(Approval.run, Order(name), id=name, task_queue=QUEUE)
    started = perf_counter()
    await handle.signal(Approval.approve, "Ada")
    await handle.result()
    return perf_counter() - started


async def _approved(number: int) -> float:
    approval = plain.Approval()
    waiting = asyncio.create_task(approval.run(Order(f"approval-{number}")))
    await asyncio.sleep(0)
    started = perf_counter()
    approval.approve("Ada")
    await waiting
    return perf_counter() - started


def _executing(client: Client, run: Callable[..., Any], prefix: str) -> Operation:
    async def one(number: int) -> None:
        name = f"{prefix}-{number}"
        await client.execute_workflow(run, Order(name), id=name, task_queue=QUEUE)

    return one


def _plainly(work: Callable[[Order], Awaitable[object]]) -> Operation:
    return lambda number: work(Order(f"order-{number}"))


def _rounds(
    settings: Settings,
    progress: Progress,
    durable: Callable[[Client], Awaitable[Values]],
    without: Callable[[], Any],
    *,
    commits: int,
) -> Rounds:
    return take_rounds(
        settings,
        progress,
        {
            "plain asyncio": lambda: Sample(asyncio.run(without())),
            "raw SQLite": lambda: commit_chain(settings, commits=commits),
            "actorflow": lambda: measured(settings, durable),
        },
    )


def _figure(name: str, value: str, rounds: Rounds, target: Target | None) -> Figure:
    sides = (rounds.of(side, value) for side in ("actorflow", "plain asyncio", "raw SQLite"))
    return Figure(name, *sides, target=target)


def _journal(rounds: Rounds) -> Sequence[Figure]:
    return (
        Figure("commits/s", rounds.of("actorflow", "commits")),
        Figure("mean batch, turns", rounds.of("actorflow", "batch")),
    )


def _notes(commits: int, rounds: Rounds) -> Sequence[str]:
    least = "one commit" if commits == 1 else f"{commits} commits in a row"
    return (f"raw SQLite: {least} through a writer thread, the least that is durable", *rounds.journals)
