"""Follow one order to its end. Kill the program whenever you like and start it again: it goes on from there."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from contextlib import suppress

from actorflow import workflow
from actorflow.client import (
    Client,
    RPCError,
    RPCStatusCode,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
)
from actorflow.worker import Worker
from examples.order_fulfilment.activities import Shop
from examples.order_fulfilment.models import Customer, Item, Order, Progress, Receipt
from examples.order_fulfilment.workflow import OrderFulfilment

_TASK_QUEUE = "orders"


def main() -> int:
    """Parse the command line, follow the order, print its receipt; 130 if interrupted."""
    parser = argparse.ArgumentParser(prog="python -m examples.order_fulfilment", description=__doc__)
    parser.add_argument("--db", default="orders.db", metavar="PATH", help="the journal (default: orders.db here)")
    parser.add_argument("--order", default="order-1", metavar="ID", help="which order (default: order-1)")
    parser.add_argument("--seed", default=95, type=int, help="what goes wrong on the way of a new order (default: 95)")
    parser.add_argument("--delay", default=0.1, type=float, help="seconds each activity takes (default: 0.1)")
    options = parser.parse_args()
    _log_to_stdout()
    try:
        receipt = asyncio.run(_follow(options.db, _an_order(options.order, options.seed), options.delay))
    except KeyboardInterrupt:
        _say("interrupted; start again to go on")
        return 130
    _print_receipt(receipt)
    return 0


async def _follow(db: str, order: Order, delay: float) -> Receipt:
    shop = Shop(delay, tell=_say)
    async with await Client.connect(f"sqlite:///{db}") as client:
        known = await _look_up(client, order.order_id)
        _say(f"new order {order.order_id}" if known is None else _recovered(known))
        async with Worker(client, task_queue=_TASK_QUEUE, workflows=[OrderFulfilment], activities=shop.steps):
            if known is None:
                handle = await client.start_workflow(
                    OrderFulfilment.run, order, id=order.order_id, task_queue=_TASK_QUEUE
                )
            else:
                handle = client.get_workflow_handle_for(OrderFulfilment.run, order.order_id)
                _say(f"it goes on in {_in_words(await handle.query(OrderFulfilment.progress))}")
            return await handle.result()


async def _look_up(client: Client, order_id: str) -> WorkflowExecutionDescription | None:
    """The order as an earlier run of this program left it, if there was one."""
    try:
        return await client.get_workflow_handle(order_id).describe()
    except RPCError as refusal:
        if refusal.status is not RPCStatusCode.NOT_FOUND:
            raise
        return None


def _recovered(known: WorkflowExecutionDescription) -> str:
    if known.status is not WorkflowExecutionStatus.RUNNING:
        return f"order {known.id} was finished before; nothing is done again"
    running = [f"{activity.activity_type} (activity {activity.activity_id})" for activity in known.pending_activities]
    return f"recovered order {known.id}: {known.history_length} events; interrupted: {', '.join(running) or 'nothing'}"


def _in_words(progress: Progress) -> str:
    return (
        f"{progress.phase.value}, rounds so far: validation {progress.validation_rounds}, "
        f"fulfilment {progress.fulfilment_rounds}, packaging {progress.packaging_rounds}, "
        f"delivery {progress.delivery_rounds}"
    )


def _an_order(order_id: str, seed: int) -> Order:
    return Order(
        order_id=order_id,
        customer=Customer("Ada Berg", "3 Mill Lane", credit=560),
        items=(Item("lamp", 1, 4_900), Item("bulb", 3, 450), Item("cable", 1, 1_250)),
        seed=seed,
    )


def _print_receipt(receipt: Receipt) -> None:
    _say(f"order {receipt.order_id}: {receipt.status.value}")
    _say(_in_words(receipt.progress))
    if receipt.shipment is not None:
        _say(f"{receipt.shipment.carrier}, {receipt.shipment.tracking_number}: {receipt.proof}")


def _say(line: str) -> None:
    # An order does not depend on whether anybody is still reading.
    with suppress(BrokenPipeError):
        print(line, flush=True)


def _log_to_stdout() -> None:
    """Phases and rounds are logged by the workflow: its logger is silent when a program is only being rebuilt."""
    workflow.logger.workflow_info_on_message = False
    logger = workflow.logger.base_logger
    logger.addHandler(logging.StreamHandler(sys.stdout))
    logger.setLevel(logging.INFO)
    logger.propagate = False


if __name__ == "__main__":
    sys.exit(main())
