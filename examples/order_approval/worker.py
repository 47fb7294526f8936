"""The worker's role: it runs orders and their activities."""

from __future__ import annotations

from actorflow.client import Client
from actorflow.worker import Worker
from examples.order_approval.activities import Shop
from examples.order_approval.models import TASK_QUEUE
from examples.order_approval.workflow import OrderApproval


def a_worker(client: Client, shop: Shop) -> Worker:
    """A worker for orders; use it as a block, or call its ``run``."""
    return Worker(client, task_queue=TASK_QUEUE, workflows=[OrderApproval], activities=shop.activities)
