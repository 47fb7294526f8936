"""Follow one order to its end. Kill the program whenever you like and start it again: it goes on from there."""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import fields
from datetime import timedelta

import actorflow
from actorflow.client import RPCError, RPCStatusCode, WorkflowFailureError, WorkflowHandle
from actorflow.exceptions import StorageError
from actorflow.worker import Worker
from examples.order_fulfilment.activities import Shop
from examples.order_fulfilment.models import Customer, Handling, Item, Limits, Order, Receipt
from examples.order_fulfilment.printing import Printer, listen_to_workflows
from examples.order_fulfilment.recovery import look_up
from examples.order_fulfilment.reports import Report, Tell, of_receipt
from examples.order_fulfilment.workflow import OrderFulfilment

_TASK_QUEUE = "orders"
_SEED = 30
"""With it every loop goes round more than once, and the carrier's line is dead at first."""


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and follow the order; 0 if it came to a receipt, 1 if not, 130 if interrupted."""
    options = _parser().parse_args(arguments)
    printer = Printer(is_jsonl=options.jsonl)
    listen_to_workflows(printer)
    try:
        receipt = asyncio.run(_follow(options, printer.tell))
    except KeyboardInterrupt:
        printer.tell(Report("interrupted", options.order, "interrupted; start again to go on", {}))
        return 130
    except StorageError as refusal:
        print(refusal, file=sys.stderr)
        return 1
    except WorkflowFailureError as failure:
        print(f"order {options.order} failed: {failure.cause}: {failure.cause.__cause__}", file=sys.stderr)
        return 1
    printer.tell(of_receipt(receipt))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m examples.order_fulfilment", description=__doc__)
    parser.add_argument("--db", default="orders.db", metavar="PATH", help="the journal (default: orders.db here)")
    parser.add_argument("--order", default="order-1", metavar="ID", help="which order (default: order-1)")
    parser.add_argument("--delay", default=0.1, type=float, help="seconds each activity takes (default: 0.1)")
    parser.add_argument("--jsonl", action="store_true", help="print one JSON object per line, for programs")
    parser.add_argument(
        "--answer", choices=("approve", "reject"), help="say this about the customer, now; it counts when asked"
    )
    new = parser.add_argument_group("a new order", "what a known order was started with stays as it is")
    new.add_argument("--seed", default=_SEED, type=int, help=f"what goes wrong on its way (default: {_SEED})")
    new.add_argument("--parallel", action="store_true", help="check customer, inventory and payment at once")
    new.add_argument(
        "--ask", type=float, metavar="SECONDS", help="wait this long for an answer about a customer who needs one"
    )
    new.add_argument(
        "--round-delay", default=0.1, type=float, metavar="SECONDS", help="before a loop starts over (default: 0.1)"
    )
    for limit in fields(Limits):
        name = f"--{limit.name.replace('_', '-')}"
        new.add_argument(name, default=limit.default, type=int, metavar="N", help=f"at most (default: {limit.default})")
    return parser


async def _follow(options: argparse.Namespace, tell: Tell) -> Receipt:
    shop = Shop(options.delay, tell=tell)
    async with actorflow.open(options.db) as client:
        known = await look_up(client, options.order)
        tell(known or Report("new", options.order, f"new order {options.order}", {"seed": options.seed}))
        async with Worker(client, task_queue=_TASK_QUEUE, workflows=[OrderFulfilment], activities=shop.steps):
            if known is None:
                handle = await client.start_workflow(
                    OrderFulfilment.run, _an_order(options), id=options.order, task_queue=_TASK_QUEUE
                )
            else:
                handle = client.get_workflow_handle_for(OrderFulfilment.run, options.order)
                tell(await _resumed(handle))
            if options.answer is not None:
                await _answer(handle, options.answer, tell)
            return await handle.result()


async def _resumed(handle: WorkflowHandle[OrderFulfilment, Receipt]) -> Report:
    snapshot = await handle.query(OrderFulfilment.snapshot)
    return Report("resumed", handle.id, f"it goes on in {snapshot.progress}", {"snapshot": snapshot})


async def _answer(handle: WorkflowHandle[OrderFulfilment, Receipt], answer: str, tell: Tell) -> None:
    said = OrderFulfilment.approve_customer if answer == "approve" else OrderFulfilment.reject_customer
    try:
        await handle.signal(said, "on the command line")
    except RPCError as refusal:
        if refusal.status is not RPCStatusCode.NOT_FOUND:
            raise
        tell(Report("refused", handle.id, f"your answer comes too late: {refusal}", {"problem": str(refusal)}))


def _an_order(options: argparse.Namespace) -> Order:
    return Order(
        order_id=options.order,
        customer=Customer("Ada Berg", "3 Mill Lane", credit=560),
        items=(Item("lamp", 1, 4_900), Item("bulb", 3, 450), Item("cable", 1, 1_250)),
        seed=options.seed,
        limits=Limits(**{limit.name: getattr(options, limit.name) for limit in fields(Limits)}),
        handling=Handling(
            is_parallel=options.parallel,
            approval_deadline=None if options.ask is None else timedelta(seconds=options.ask),
            round_delay=timedelta(seconds=options.round_delay),
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
