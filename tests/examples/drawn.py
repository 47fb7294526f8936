"""The diagrams of the examples, from recorded journals: `python -m tests.examples.drawn` records and draws anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import msgspec

import actorflow
from actorflow import diagram
from actorflow.client import Client, WorkflowHistory
from actorflow.core.journal import Turn
from examples.order_approval import models
from examples.order_approval.activities import Shop as ApprovalShop
from examples.order_approval.approval_sender import Answer, send
from examples.order_approval.starter import Size, an_order, start as hand_in
from examples.order_approval.worker import a_worker
from examples.order_fulfilment.activities import Shop as FulfilmentShop
from examples.order_fulfilment.models import Customer, Item, Order
from examples.order_fulfilment.workflow import OrderFulfilment

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
HERE = Path(__file__).parent
SEED = 30


class Recorded(msgspec.Struct):
    """The journal of one order."""

    workflow_id: str
    run_id: str
    turns: list[Turn]

    @property
    def history(self) -> WorkflowHistory:
        """As a client gets it, as far as diagrams need it."""
        return WorkflowHistory(self.workflow_id, self.run_id, (), self.turns)


@asynccontextmanager
async def fulfilled(delay: float = 0.0) -> AsyncIterator[WorkflowHistory]:
    """The order with the loops, by the seed of the demo."""
    shop = FulfilmentShop(delay)
    order = Order("order-1", Customer("Ada Berg", "3 Mill Lane", credit=560), (Item("lamp", 1, 4_900),), seed=SEED)
    async with actorflow.open("memory://", workflows=[OrderFulfilment], activities=shop.steps) as client:
        handle = await client.start_workflow(OrderFulfilment.run, order, id=order.order_id)
        await handle.result()
        yield await handle.fetch_history()


@asynccontextmanager
async def approved(delay: float = 0.0) -> AsyncIterator[WorkflowHistory]:
    """A large order, approved a moment after it has come in."""
    async with await Client.connect("memory://") as client, a_worker(client, ApprovalShop()):
        handle = await hand_in(client, an_order(Size.LARGE, "ORD-002", models.APPROVAL_DEADLINE))
        await handle.query("get_approval_status")  # it waits now
        await asyncio.sleep(delay)
        await send(client, "ORD-002", Answer.APPROVE, "a customer for twenty years")
        await handle.result()
        yield await handle.fetch_history()


STORIES: dict[str, Callable[[float], AbstractAsyncContextManager[WorkflowHistory]]] = {
    "order_fulfilment": fulfilled,
    "order_approval": approved,
}


def recorded(name: str) -> Recorded:
    """The recorded journal of an example."""
    return msgspec.json.decode((HERE / f"{name}.json").read_bytes(), type=Recorded)


def page(name: str) -> Path:
    """Where its diagrams are shown."""
    return EXAMPLES / name / "diagram.md"


async def draw() -> None:
    """Play every story once, keep its journal and draw it."""
    for name, story in STORIES.items():
        async with story(0.1) as history:
            kept = Recorded(history.workflow_id, history.run_id, list(history.turns))
        (HERE / f"{name}.json").write_bytes(msgspec.json.format(msgspec.json.encode(kept)) + b"\n")
        page(name).write_text(diagram.markdown(kept.history), encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(draw())
