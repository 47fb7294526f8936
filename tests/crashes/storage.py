"""A client's program whose disk fills up, or whose database somebody locks: `python -m tests.crashes.storage DB HOW`.

It starts ten runs, and then sends ten signals and ten more starts at once while nothing can be written. HOW is "full"
(the disk, a small one, is filled) or "locked" (whoever reads "ready" takes a lock). It says how each call ended, waits
for a line, and repeats whatever was refused until all of it has ended. With a third argument the database is copied
there in the end.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from actorflow import workflow
from actorflow.client import Client, RPCError, RPCStatusCode
from actorflow.exceptions import StorageBusyError, StorageError, StorageFullError
from tests.crashes.gated import a_gated_client
from tests.crashes.ledger import Ledger
from tests.crashes.story import Remembers, Steps, does
from tests.support import a_worker

RUNS = 10
LARGE = 100_000
"""Bytes of each message: too many for what is left of a disk that was filled."""


@workflow.defn
class Heavy(Remembers):
    """Takes one large text, does one step, and answers with both."""

    def __init__(self) -> None:
        super().__init__()
        self._texts: list[str] = []

    @workflow.signal
    def take(self, text: str) -> None:
        """A text."""
        self._texts.append(text)

    @workflow.run
    async def run(self, text: str) -> list[str]:
        if text:
            self._texts.append(text)
        await workflow.wait_condition(lambda: bool(self._texts))
        self._so_far.append(await does(Steps.step, workflow.info().workflow_id))
        self._so_far.extend(text[-2:] for text in self._texts)
        return self._so_far


Call = Callable[[], Awaitable[Any]]


async def live(path: Path, how: str, copy: Path | None) -> None:
    """See the module's head."""
    steps = Steps(Ledger(Path(f"{copy or path}.ledger")))
    async with (
        a_gated_client(path) as (client, _),
        a_worker(client, workflows=[Heavy], activities=[steps.step]),
    ):
        await tell(client, path, how)
    if copy is not None:
        shutil.copyfile(path, copy)
        wal = Path(f"{path}-wal")
        if wal.exists():  # the small disk may have had no room to copy all of it into the database
            shutil.copyfile(wal, f"{copy}-wal")


async def tell(client: Client, path: Path, how: str) -> None:
    """Make the calls."""
    for number in range(RUNS):
        await client.start_workflow(Heavy.run, "", id=f"waiting-{number}", task_queue="q")
    if how == "full":
        filler = fill(path.parent)
    say("ready")
    await next_line()
    calls: list[Call] = [*(signal(client, number) for number in range(RUNS)), *(start(client, n) for n in range(RUNS))]
    outcomes = await asyncio.gather(*[call() for call in calls], return_exceptions=True)
    say(summary(outcomes))
    say(summary([await refusal(calls[-1])]))
    await next_line()
    if how == "full":
        os.ftruncate(filler, 0)
    async with asyncio.TaskGroup() as group:
        for call, outcome in zip(calls, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                group.create_task(repeated(call))
    say("accepted")
    for kind in ("waiting", "late"):
        for number in range(RUNS):
            say(*await client.get_workflow_handle(f"{kind}-{number}").result())


def signal(client: Client, number: int) -> Call:
    """A large signal to one of the first runs."""
    handle = client.get_workflow_handle(f"waiting-{number}")
    return lambda: handle.signal("take", "x" * LARGE + f"s{number}", request_id=f"signal {number}")


def start(client: Client, number: int) -> Call:
    """A large start."""
    return lambda: client.start_workflow(
        Heavy.run, "x" * LARGE + f"a{number}", id=f"late-{number}", task_queue="q", request_id=f"start {number}"
    )


async def refusal(call: Call) -> object:
    """How a call ends."""
    try:
        return await call()
    except StorageError as problem:
        return problem


async def repeated(call: Call) -> None:
    """Make a call again under its request id until it is accepted, as a program would."""
    try:
        while isinstance(await refusal(call), StorageFullError | StorageBusyError):  # noqa: ASYNC110 - as users do
            await asyncio.sleep(0.02)
    except RPCError as late:
        # Refused does not mean undone: the first try was kept, and the run has ended with it already.
        if late.status is not RPCStatusCode.NOT_FOUND:
            raise


def summary(outcomes: list[Any]) -> str:
    """What came of calls: names of errors, or "accepted"."""
    kinds = Counter(type(o).__name__ if isinstance(o, BaseException) else "accepted" for o in outcomes)
    return " ".join(sorted(kinds))


def fill(folder: Path) -> int:
    """Leave no byte free; returns the file that holds them."""
    filler = os.open(folder / "filler", os.O_CREAT | os.O_WRONLY)
    size = 1 << 20
    while size:
        try:
            os.write(filler, b"x" * size)
        except OSError:
            size //= 2
    return filler


def say(*words: object) -> None:
    """A line for the parent."""
    print(*words, flush=True)


async def next_line() -> None:
    """Wait for the parent."""
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


if __name__ == "__main__":
    logging.disable()
    asyncio.run(live(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]) if len(sys.argv) > 3 else None))
