"""Messages between executions, and updates: how fast a family comes together, and how fast one workflow answers."""

from __future__ import annotations

from time import perf_counter

from actorflow.client import Client
from bench.durable import QUEUE, measured
from bench.load import crowd
from bench.programs import Account, Family, Order
from bench.progress import Progress
from bench.report import Figure, Table, at_least, at_most
from bench.samples import Sample, Values, take_rounds
from bench.settings import Settings

_CHILDREN = 1_000
_UPDATES = 1_000
_IN_FLIGHT = 100


def messages(settings: Settings, progress: Progress) -> Table:
    """Children of one parent; updates of one workflow."""
    rounds = take_rounds(
        settings, progress, {"children": lambda: _children(settings), "updates": lambda: _updates(settings)}
    )
    figures = [
        Figure(f"{_CHILDREN:,} children of one parent, s", rounds.of("children", "seconds"), target=at_most(2.0)),
        Figure("updates of one workflow, per s", rounds.of("updates", "rate"), target=at_least(2_000)),
    ]
    notes = (
        "children: started and awaited at once, each returns a result and does nothing else",
        f"updates: {_UPDATES:,} of one workflow, {_IN_FLIGHT} in flight, each with its own result",
    )
    return Table("messages", "messages between executions, and updates", figures, notes)


def _children(settings: Settings) -> Sample:
    count = settings.sized(_CHILDREN)

    async def body(client: Client) -> Values:
        began = perf_counter()
        await client.execute_workflow(Family.run, args=[Order("family"), count], id="family", task_queue=QUEUE)
        return {"seconds": (perf_counter() - began) * _CHILDREN / count}

    return measured(settings, body)


def _updates(settings: Settings) -> Sample:
    count = settings.sized(_UPDATES)

    async def body(client: Client) -> Values:
        account = await client.start_workflow(Account.run, id="account", task_queue=QUEUE)

        async def one(_number: int) -> None:
            await account.execute_update(Account.add, 1)

        seconds = await crowd(one, count, in_flight=_IN_FLIGHT)
        await account.signal(Account.close)
        if await account.result() != count:
            raise AssertionError("an update was lost or doubled")
        return {"rate": count / seconds}

    return measured(settings, body)
