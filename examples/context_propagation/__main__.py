"""Plays it: a refund is asked for; after a restart the wrong one tries to approve it, then the right one does."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from actorflow.client import Client, WorkflowUpdateFailedError
from actorflow.common import WorkflowIDConflictPolicy
from actorflow.worker import Worker
from examples.context_propagation.caller import acting_for
from examples.context_propagation.propagation import CallerPropagation
from examples.context_propagation.refunds import Payment, Refund, note

QUEUE = "refunds"


@asynccontextmanager
async def at_work(journal: Path) -> AsyncGenerator[Client]:
    """A client and its worker. The interceptor is given once, and is in both."""
    async with (
        await Client.connect(f"sqlite:///{journal}", interceptors=[CallerPropagation()]) as client,
        Worker(client, task_queue=QUEUE, workflows=[Refund, Payment], activities=[note]),
    ):
        yield client


async def ask(journal: Path) -> None:
    """Ada asks for a refund."""
    async with at_work(journal) as client:
        with acting_for("ada"):
            await client.start_workflow(
                Refund.run, 30, id="refund", task_queue=QUEUE, id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING
            )


async def approve(journal: Path) -> list[str]:
    """Ada tries to approve it herself, then Grace does; returns what is in the books."""
    async with at_work(journal) as client:
        refund = client.get_workflow_handle_for(Refund.run, "refund")
        with acting_for("ada"):
            try:
                await refund.execute_update(Refund.approve)
            except WorkflowUpdateFailedError as refused:
                print(refused.cause)
        with acting_for("grace"):
            print(await refund.execute_update(Refund.approve))
        return await refund.result()


async def play(journal: Path) -> int:
    """Play the story; 0 if it went as it should."""
    await ask(journal)
    books = await approve(journal)
    print("; ".join(books))
    return int(books != ["30 EUR asked for by ada", "approved by grace"])


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and play; 0 if all went well."""
    parser = argparse.ArgumentParser(prog="python -m examples.context_propagation", description=__doc__)
    parser.add_argument("--db", default="refunds.db", type=Path, metavar="PATH", help="the journal (refunds.db here)")
    return asyncio.run(play(parser.parse_args(arguments).db))


if __name__ == "__main__":
    sys.exit(main())
