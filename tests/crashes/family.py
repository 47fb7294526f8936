"""Executions that depend on each other, and a life of theirs: `python -m tests.crashes.family DB LEDGER CACHED MOMENT`.

Parents start children; children tell a common hub, the next child and their parent; some fail first, some are asked to
stop, one is left behind. The hub continues as new again and again while everybody tells it something.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

from actorflow import workflow
from actorflow.common import RetryPolicy
from actorflow.exceptions import ApplicationError
from tests.crashes import kills
from tests.crashes.ledger import Ledger
from tests.support import a_client, a_worker, failure_of

PARENTS = 3
CHILDREN = 6
NOTES_PER_RUN = 3
SOON = RetryPolicy(initial_interval=timedelta(milliseconds=2))


def note_of(parent: int, child: int) -> int:
    """What a child tells the hub."""
    return parent * 100 + child


NOTES = [note_of(parent, child) for parent in range(PARENTS) for child in range(CHILDREN)]


def child_id(parent: int, child: int) -> str:
    """The workflow id of a child."""
    return f"parent-{parent}-child-{child}"


def fails_first(child: int) -> bool:
    """True if the first run of a child fails."""
    return child % 3 == 0


@workflow.defn
class Hub:
    """Takes notes until it has all of them, a few with each run."""

    @workflow.init
    def __init__(self, notes: list[int]) -> None:
        self._notes = notes
        self._count = len(notes)

    @workflow.signal
    def note(self, number: int) -> None:
        """One more."""
        self._notes.append(number)

    @workflow.run
    async def run(self, notes: list[int]) -> list[int]:
        await workflow.wait_condition(lambda: len(self._notes) >= min(self._count + NOTES_PER_RUN, len(NOTES)))
        if not notes or len(self._notes) < len(NOTES):  # at least once, however many come before it begins
            workflow.continue_as_new(self._notes)
        return self._notes


@workflow.defn
class Child:
    """Tells everybody who it is, and waits until the child before it has done the same."""

    def __init__(self) -> None:
        self._pokes: list[int] = []
        self._all_are_there = False

    @workflow.signal
    def go(self) -> None:
        """Every child has been started."""
        self._all_are_there = True

    @workflow.signal
    def poke(self, child: int) -> None:
        """From another child."""
        self._pokes.append(child)

    @workflow.run
    async def run(self, parent: int, child: int) -> list[int]:
        if fails_first(child):
            if workflow.info().attempt == 1:
                raise ApplicationError("at first it fails")
        else:
            # Those that fail first are left out: what their first run has taken is gone with it.
            await workflow.wait_condition(lambda: self._all_are_there)
            follower = next(n % CHILDREN for n in range(child + 1, child + CHILDREN) if not fails_first(n % CHILDREN))
            await workflow.get_external_workflow_handle(child_id(parent, follower)).signal("poke", child)
            await workflow.wait_condition(lambda: bool(self._pokes))
        await asyncio.gather(
            workflow.get_external_workflow_handle("hub").signal("note", note_of(parent, child)),
            workflow.get_external_workflow_handle(f"parent-{parent}").signal("heard", child),
        )
        return [child, *self._pokes]


@workflow.defn
class Waits:
    """Waits until it is asked to stop."""

    @workflow.run
    async def run(self) -> str:
        try:
            await workflow.wait_condition(lambda: False)
        except asyncio.CancelledError:
            return "stopped"
        return "went on"


@workflow.defn
class Parent:
    """Starts its children, asks one to stop, leaves one behind, and says what it has heard."""

    def __init__(self) -> None:
        self._heard: list[int] = []

    @workflow.signal
    def heard(self, child: int) -> None:
        """From a child."""
        self._heard.append(child)

    @workflow.run
    async def run(self, parent: int) -> list[object]:
        children = [
            await workflow.start_child_workflow(
                Child.run,
                args=[parent, child],
                id=child_id(parent, child),
                retry_policy=SOON if fails_first(child) else None,
            )
            for child in range(CHILDREN)
        ]
        await asyncio.gather(*[handle.signal(Child.go) for n, handle in enumerate(children) if not fails_first(n)])
        await workflow.start_child_workflow(Waits.run, id=f"parent-{parent}-left")
        stopped = await workflow.start_child_workflow(Waits.run, id=f"parent-{parent}-stopped")
        await workflow.get_external_workflow_handle(f"parent-{parent}-stopped").cancel()
        results = await asyncio.gather(*children)
        await workflow.wait_condition(lambda: len(self._heard) >= CHILDREN)
        return [results, sorted(self._heard), await stopped]


WORKFLOWS = [Hub, Parent, Child, Waits]


async def live(path: Path, ledger: Ledger, cached: int) -> None:
    """Start whatever has not been started, and wait until all of it has ended."""
    async with a_client(path) as client, a_worker(client, workflows=WORKFLOWS, max_cached_workflows=cached):
        starts = [("Hub", "hub", [])] + [("Parent", f"parent-{number}", number) for number in range(PARENTS)]
        handles = [
            await client.start_workflow(name, argument, id=id_, task_queue="q", request_id=f"start {id_}")
            for name, id_, argument in starts
        ]
        for handle, result in zip(handles, await asyncio.gather(*[h.result() for h in handles]), strict=True):
            ledger.write("result", workflow=handle.id, result=result)
        for number in range(PARENTS):
            cause = await failure_of(client.get_workflow_handle(f"parent-{number}-left"))
            ledger.write("result", workflow=f"parent-{number}-left", result=type(cause).__name__)


if __name__ == "__main__":
    database, ledger_file, cached, moment = sys.argv[1:]
    kills.arrange(moment, Path(database))
    asyncio.run(live(Path(database), Ledger(Path(ledger_file), echo=True), int(cached)))
