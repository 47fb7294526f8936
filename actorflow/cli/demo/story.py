"""The course of the demo: a worker, its death in the middle, another worker, and what the journal says about it."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from actorflow.cli.demo.child import Worker
from actorflow.cli.demo.evidence import Evidence, Verdict, collect, draw, judge, ran_again
from actorflow.cli.demo.scene import Scene
from actorflow.cli.demo.stage import Stage
from actorflow.cli.exits import CommandError, say
from actorflow.cli.helping import NAME
from actorflow.cli.waiting import waited_for

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
    stage.say(f"An order on its way through three loops, journaled in {journal}")
    _first_act(stage, scene, Worker(folder, _ORDER, seed=seed, delay=delay))
    before = waited_for(lambda: collect(journal, _ORDER))
    stage.say(
        f"The journal, read now: {before.events} events, {len(before.completed)} activities completed, "
        f"{_named(before, before.open) or 'none'} interrupted."
    )
    _second_act(stage, scene, Worker(folder, _ORDER, seed=seed, delay=delay))
    after = waited_for(lambda: collect(journal, _ORDER))
    verdict = judge(journal, before, after, scene)
    tell_outcome(stage, scene, before, after, verdict)
    _tell_where(stage, journal, draw(folder, after))
    for fault in verdict.faults:
        say(f"The demo found a fault: {fault}")
    return not verdict.faults


def _first_act(stage: Stage, scene: Scene, worker: Worker) -> None:
    with worker:
        stage.turn(f"worker {worker.pid} opens the journal")
        for report in worker.reports():
            scene.see(report)
            stage.show(report, scene)
            if len(scene.steps) == _KILLED_AT:
                break
        else:
            raise CommandError("the order ended before its worker could be killed; try another --seed")
        worker.kill()
        for step in scene.kill():
            stage.show(step.report("lost"), scene)
        stage.turn(f"kill -9 {worker.pid}: that worker is dead", is_grave=True)


def _second_act(stage: Stage, scene: Scene, worker: Worker) -> None:
    with worker:
        stage.turn(f"worker {worker.pid} opens the journal")
        for report in worker.reports():
            scene.see(report)
            stage.show(report, scene)


def tell_outcome(stage: Stage, scene: Scene, before: Evidence, after: Evidence, verdict: Verdict) -> None:
    """Sum up what happened, as it was seen and as the journal has it."""
    again = ran_again(before, scene)
    interrupted = [
        f"{after.types[name]}, done by attempt {after.attempt_of(name)} after the kill" for name in before.open
    ]
    stage.sum_up(
        "What happened",
        {
            "order": "unknown" if scene.receipt is None else str(scene.receipt["status"]),
            "completed before the kill": f"{len(before.completed)} activities",
            "of these run again": _named(before, again) or "none",
            "interrupted by it": "; ".join(interrupted) or "nothing",
            "in all": f"{len(after.completed)} activities, {after.events} events",
            "checksums and invariants": "verified" if verdict.is_sound else "broken, see below",
        },
    )


def _named(evidence: Evidence, activity_ids: Sequence[str]) -> str:
    return ", ".join(evidence.types[name] for name in activity_ids)


def _tell_where(stage: Stage, journal: Path, picture: Path) -> None:
    path = shlex.quote(str(journal))
    query = f"SELECT number, event, data FROM af_event WHERE workflow_id = '{_ORDER}'"
    stage.hand_over(
        "See for yourself",
        [
            f'sqlite3 {path} "{query}"',
            f"{as_typed()} workflow show {_ORDER} --db {path}",
            f"the history as a diagram: {picture}",
        ],
    )


def as_typed() -> str:
    """What somebody types to call the program again: its name, or where it is if a shell does not find that."""
    script = Path(sys.executable).with_name(NAME)
    if shutil.which(NAME) is not None or not script.exists():
        return NAME
    below = Path(os.path.relpath(script))
    return shlex.quote(str(script if os.pardir in below.parts else below))
