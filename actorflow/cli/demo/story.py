"""The course of the demo: a worker, its death in the middle, another worker, and what the journal says about it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from actorflow.cli.demo.child import Worker
from actorflow.cli.demo.evidence import Evidence, collect, draw, faults
from actorflow.cli.demo.scene import Scene, Step
from actorflow.cli.demo.stage import Stage
from actorflow.cli.exits import CommandError, say

_ORDER: Final = "demo-order"
_KILLED_AT: Final = 10
"""Which begin of an activity is the last thing the first worker does; the shortest order has twelve."""


def play(stage: Stage, folder: Path, *, seed: int, delay: float) -> bool:
    """Play it; False if anything did not go as promised.

    Args:
        stage: where it is shown.
        folder: for the journal and the diagram.
        seed: what goes wrong on the order's way.
        delay: seconds each activity takes.

    Raises:
        CommandError: a worker failed.
    """
    journal = folder / "orders.db"
    scene = Scene()
    stage.say(f"An order on its way through three loops, journaled in {journal}.")
    victim = _first_act(stage, scene, Worker(folder, _ORDER, seed=seed, delay=delay))
    before = asyncio.run(collect(journal, _ORDER))
    stage.say(
        f"Its journal was not touched: {before.events} events, {len(before.completed)} activities completed, "
        f"{len(before.open)} interrupted. A new worker opens it."
    )
    _second_act(stage, scene, Worker(folder, _ORDER, seed=seed, delay=delay))
    after = asyncio.run(collect(journal, _ORDER))
    found = faults(journal, before, after, scene)
    _tell_outcome(stage, scene, before, after, victim, is_sound=not found)
    _tell_where(stage, folder, after)
    for fault in found:
        say(f"The demo found a fault: {fault}")
    return not found


def _first_act(stage: Stage, scene: Scene, worker: Worker) -> Step:
    with worker:
        for report in worker.reports():
            scene.see(report)
            stage.show(report, scene)
            if len(scene.steps) == _KILLED_AT:
                worker.kill()
                victim = scene.steps[-1]
                scene.kill()
                stage.show({"kind": "killed"}, scene)
                stage.say(
                    f"kill -9 {worker.pid}: its worker died in the middle of {victim.activity_type}, "
                    f"attempt {victim.attempt}.",
                    loud=True,
                )
                return victim
    raise CommandError("the order ended before its worker could be killed; try another --seed")


def _second_act(stage: Stage, scene: Scene, worker: Worker) -> None:
    with worker:
        for report in worker.reports():
            scene.see(report)
            stage.show(report, scene)


def _tell_outcome(
    stage: Stage, scene: Scene, before: Evidence, after: Evidence, victim: Step, *, is_sound: bool
) -> None:
    again = {step.activity_id for step in scene.steps if step.act == 2} & set(before.completed)
    tries = [step for step in scene.steps if step.activity_id == victim.activity_id]
    stage.sum_up(
        "What happened",
        {
            "order": "unknown" if scene.receipt is None else str(scene.receipt["status"]),
            "completed before the kill": f"{len(before.completed)} activities",
            "of these run again": str(len(again)) if again else "none",
            "interrupted": f"{victim.activity_type}: {', '.join(f'attempt {s.attempt} {s.state}' for s in tries)}",
            "in all": f"{len(after.completed)} activities, {after.events} events",
            "checksums and invariants": "verified" if is_sound else "broken, see below",
        },
    )


def _tell_where(stage: Stage, folder: Path, after: Evidence) -> None:
    journal = folder / "orders.db"
    query = f"SELECT number, event, data FROM af_event WHERE workflow_id = '{_ORDER}'"
    stage.sum_up(
        "See for yourself",
        {
            "the journal": f'sqlite3 {journal} "{query}"',
            "the same": f"actorflow workflow show {_ORDER} --db {journal}",
            "a diagram": str(draw(folder, after)),
        },
    )
