"""The whole story in one process: four orders, and an approver who is a task of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from actorflow.client import Client
from examples.order_approval.approval_sender import Answer, send
from examples.order_approval.models import APPROVAL_DEADLINE, ApprovalStatus, Result
from examples.order_approval.starter import Size, an_order, start
from examples.order_approval.workflow import OrderApproval

Say = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """Somebody asks the approver to look at an order; with no answer in mind it stays on the desk."""

    order_id: str
    answer: Answer | None
    reason: str = ""


@dataclass(frozen=True)
class Chapter:
    """One order of the story."""

    title: str
    size: Size
    request: Request
    approval_deadline: timedelta = APPROVAL_DEADLINE


def chapters(patience: timedelta) -> tuple[Chapter, ...]:
    """The story; ``patience`` is how long the order waits that nobody answers."""
    return (
        Chapter("a small order, nobody has to approve it", Size.SMALL, Request("ORD-001", None)),
        Chapter(
            "a large order, approved", Size.LARGE, Request("ORD-002", Answer.APPROVE, "a customer for twenty years")
        ),
        Chapter("a large order, rejected", Size.LARGE, Request("ORD-003", Answer.REJECT, "the last one is not paid")),
        Chapter(
            "a large order, and the approver is at lunch",
            Size.LARGE,
            Request("ORD-004", None),
            approval_deadline=patience,
        ),
    )


async def tell(client: Client, say: Say, patience: timedelta) -> list[Result]:
    """Play every chapter after the other; needs a worker. Returns how each order ended."""
    desk: asyncio.Queue[Request] = asyncio.Queue()
    async with asyncio.TaskGroup() as group:
        approver = group.create_task(approve(client, desk, say))
        results = [await _play(client, desk, say, chapter) for chapter in chapters(patience)]
        approver.cancel()
    return results


async def approve(client: Client, desk: asyncio.Queue[Request], say: Say) -> None:
    """The approver: takes what comes to the desk, looks whether it still waits, and answers."""
    while True:
        request = await desk.get()
        order = client.get_workflow_handle_for(OrderApproval.run, request.order_id)
        status = await order.query(OrderApproval.get_approval_status)
        if request.answer is None or status is not ApprovalStatus.PENDING:
            continue
        say(f"   the approver sees that {request.order_id} is {status.value}: {request.answer.value}")
        await send(client, request.order_id, request.answer, request.reason)


async def _play(client: Client, desk: asyncio.Queue[Request], say: Say, chapter: Chapter) -> Result:
    say(f"\n== {chapter.title}")
    order = an_order(chapter.size, chapter.request.order_id, chapter.approval_deadline)
    handle = await start(client, order)
    desk.put_nowait(chapter.request)
    result = await handle.result()
    say(in_words(result))
    return result


def in_words(result: Result) -> str:
    """A result for people."""
    lines = [f"{result.order_id} {result.status.value}: {result.message}"]
    lines.append(f"   approval   {result.approval.status.value}{_because(result.approval.reason)}")
    if result.payment is not None:
        lines.append(f"   payment    {result.payment.transaction_id}")
    if result.reservation is not None:
        lines.append(f"   inventory  {result.reservation.reservation_id}, {result.reservation.quantity} items")
    if result.delivery is not None:
        delivery = result.delivery
        lines.append(f"   delivery   {delivery.tracking_number}, on {delivery.expected_on} at {delivery.address}")
    if result.undone:
        lines.append(f"   taken back {', '.join(result.undone)}")
    if result.payment is None and not result.undone:
        lines.append("   nothing was charged")
    return "\n".join(lines)


def _because(reason: str) -> str:
    return f" ({reason})" if reason else ""
