"""The starter's role: it hands in orders."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum

from actorflow.client import Client, WorkflowHandle
from actorflow.common import WorkflowIDConflictPolicy
from examples.order_approval.models import APPROVAL_DEADLINE, TASK_QUEUE, Customer, Item, Order, Result
from examples.order_approval.workflow import OrderApproval


class Size(Enum):
    """The two orders we know."""

    SMALL = "small"
    LARGE = "large"


def an_order(size: Size, order_id: str, approval_deadline: timedelta = APPROVAL_DEADLINE) -> Order:
    """A small order of $89.95, or a large one of $1,899.97 that has to be approved."""
    match size:
        case Size.SMALL:
            customer = Customer("Alice Smith", "alice@example.com", "123 Main St, Springfield")
            items = (Item("mouse", 1, 29_99), Item("keyboard", 1, 59_96))
        case Size.LARGE:
            customer = Customer("Bob Jones", "bob@example.com", "9 Harbour Road, Rockport")
            items = (Item("laptop", 1, 1_499_99), Item("screen", 2, 199_99))
    return Order(order_id, customer, items, approval_deadline)


async def start(client: Client, order: Order) -> WorkflowHandle[OrderApproval, Result]:
    """Hand an order in. When this returns it is durable; one that is open already is not started twice."""
    return await client.start_workflow(
        OrderApproval.run,
        order,
        id=order.order_id,
        task_queue=TASK_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )
