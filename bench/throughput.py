"""W1 and W2: how many workflows and activities per second, many in flight."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from actorflow.client import Client
from bench import plain
from bench.ceilings import group_commit
from bench.durable import QUEUE, measured
from bench.load import crowd
from bench.programs import STEPS, OneStep, Order, TenSteps
from bench.progress import Progress
from bench.report import Figure, Table, at_least
from bench.samples import Rounds, Sample, Values, take_rounds
from bench.settings import Settings


@dataclass(frozen=True)
class Work:
    """What is done many times.

    Attributes:
        run: the workflow.
        plain: the same in plain asyncio.
        count: how many workflows; plain asyncio does ``plain_factor`` times as many, to be measurable.
        in_flight: how many at a time.
        per_workflow: what is counted, per workflow.
        rows: turns that can't be saved, per thing counted: one row each, the least any journal has to write.
    """

    run: Callable[..., Any]
    plain: Callable[[Order], Awaitable[object]]
    count: int
    in_flight: int
    per_workflow: int
    rows: float
    plain_factor: int = 10


def one_step(settings: Settings, progress: Progress) -> Table:
    """W1."""
    # Start, with the activity it schedules; the activity's result, with the end of the workflow.
    work = Work(OneStep.run, plain.one_step, 6_000, in_flight=200, per_workflow=1, rows=2)
    rounds = _rounds(settings, progress, work)
    figures = [
        _rate("workflows/s", rounds, work, 8_000),
        Figure("ratio to plain asyncio", rounds.ratio("rate", "actorflow", "plain asyncio"), target=at_least(0.02)),
        *_journal(rounds),
    ]
    return Table("w1", "one-activity workflows, 200 in flight", figures, _notes(work, "workflow", rounds))


def ten_steps(settings: Settings, progress: Progress) -> Table:
    """W2."""
    work = Work(TenSteps.run, plain.ten_steps, 800, in_flight=100, per_workflow=STEPS, rows=(STEPS + 1) / STEPS)
    rounds = _rounds(settings, progress, work)
    figures = [
        _rate("activities/s", rounds, work, 20_000),
        Figure("ratio to plain asyncio", rounds.ratio("rate", "actorflow", "plain asyncio")),
        *_journal(rounds),
    ]
    return Table("w2", "ten sequential activities, 100 in flight", figures, _notes(work, "activity", rounds))


def _rounds(settings: Settings, progress: Progress, work: Work) -> Rounds:
    return take_rounds(
        settings,
        progress,
        {
            "plain asyncio": lambda: _without_durability(settings, work),
            "raw SQLite": lambda: group_commit(settings, waiters=work.in_flight),
            "actorflow": lambda: _durable(settings, work),
        },
    )


def _durable(settings: Settings, work: Work) -> Sample:
    count = settings.sized(work.count)

    async def body(client: Client) -> Values:
        async def one(number: int) -> None:
            name = f"order-{number}"
            await client.execute_workflow(work.run, Order(name), id=name, task_queue=QUEUE)

        seconds = await crowd(one, count, in_flight=work.in_flight)
        return {"rate": count * work.per_workflow / seconds}

    return measured(settings, body)


def _without_durability(settings: Settings, work: Work) -> Sample:
    count = settings.sized(work.count * work.plain_factor)
    seconds = asyncio.run(crowd(lambda number: work.plain(Order(f"order-{number}")), count, in_flight=work.in_flight))
    return Sample({"rate": count * work.per_workflow / seconds})


def _rate(name: str, rounds: Rounds, work: Work, target: float) -> Figure:
    return Figure(
        name,
        rounds.of("actorflow", "rate"),
        rounds.of("plain asyncio", "rate"),
        rounds.scaled("raw SQLite", "rows", 1 / work.rows),
        at_least(target),
    )


def _journal(rounds: Rounds) -> Sequence[Figure]:
    return (
        Figure("commits/s", rounds.of("actorflow", "commits"), raw=rounds.of("raw SQLite", "commits")),
        Figure("mean batch, turns or rows", rounds.of("actorflow", "batch"), raw=rounds.of("raw SQLite", "batch")),
    )


def _notes(work: Work, thing: str, rounds: Rounds) -> Sequence[str]:
    ceiling = f"raw SQLite: group commit with {work.in_flight} waiters, {work.rows:g} bare rows per {thing}"
    return (ceiling, *rounds.journals)
