"""The approver's role: it answers orders that wait."""

from __future__ import annotations

from enum import Enum

from actorflow.client import Client
from examples.order_approval.workflow import OrderApproval


class Answer(Enum):
    """What an approver can say."""

    APPROVE = "approve"
    REJECT = "reject"


async def send(client: Client, order_id: str, answer: Answer, reason: str) -> None:
    """Send an answer. When this returns it is durable, whether a worker runs or not.

    Raises:
        RPCError: NOT_FOUND: there is no such order, or it is over.
    """
    order = client.get_workflow_handle_for(OrderApproval.run, order_id)
    match answer:
        case Answer.APPROVE:
            await order.signal(OrderApproval.approve_order, reason)
        case Answer.REJECT:
            await order.signal(OrderApproval.reject_order, reason)
