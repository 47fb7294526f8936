"""The way of an order: wait for its approval if it is large, then pay, reserve and deliver, or leave nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, TypeVar

from actorflow import RetryPolicy, workflow
from actorflow.exceptions import ActivityError, is_cancelled_exception
from examples.order_approval.activities import Shop
from examples.order_approval.models import (
    Approval,
    ApprovalStatus,
    Delivery,
    Order,
    OrderStatus,
    Payment,
    Reservation,
    Result,
    in_dollars,
    in_time,
)

R = TypeVar("R")

_ATTEMPT = timedelta(seconds=30)
_RETRIES = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_attempts=5)


@dataclass
class _Done:
    """What was done for the order so far, and what would take it back."""

    payment: Payment | None = None
    reservation: Reservation | None = None
    delivery: Delivery | None = None
    take_back: list[Callable[[Shop, Order], Awaitable[None]]] = field(default_factory=list)


@workflow.defn
class OrderApproval:
    """One order, from its arrival to its result."""

    @workflow.init
    def __init__(self, order: Order) -> None:
        is_waiting = order.requires_approval
        self._order = order
        self._approval = Approval(ApprovalStatus.PENDING if is_waiting else ApprovalStatus.NOT_REQUIRED)

    @workflow.run
    async def run(self, order: Order) -> Result:
        """See the module's head."""
        if order.requires_approval:
            await self._answered()
        match self._approval.status:
            case ApprovalStatus.REJECTED:
                return self._untouched(OrderStatus.REJECTED, self._approval.reason or "no reason given")
            case ApprovalStatus.TIMED_OUT:
                return self._untouched(OrderStatus.TIMED_OUT, f"no answer within {in_time(order.approval_deadline)}")
            case _:
                return await self._supply(_Done())

    @workflow.signal
    def approve_order(self, reason: str) -> None:
        """Let a waiting order go on; the first answer counts."""
        self._answer(Approval(ApprovalStatus.APPROVED, reason))

    @workflow.signal
    def reject_order(self, reason: str) -> None:
        """End a waiting order; the first answer counts."""
        self._answer(Approval(ApprovalStatus.REJECTED, reason))

    @workflow.query
    def get_approval_status(self) -> ApprovalStatus:
        """What is known of the approval."""
        return self._approval.status

    @workflow.query
    def get_approval_reason(self) -> str:
        """What the approver said; empty if there was no answer."""
        return self._approval.reason

    async def _answered(self) -> None:
        order = self._order
        deadline = in_time(order.approval_deadline)
        workflow.logger.info("%s: %s need an approval within %s", order.order_id, in_dollars(order.total), deadline)
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._approval.status is not ApprovalStatus.PENDING,
                timeout=order.approval_deadline,
                timeout_summary=f"approval of {order.order_id}",
            )
        # An answer that came together with the deadline is still an answer.
        if self._approval.status is ApprovalStatus.PENDING:
            self._approval = Approval(ApprovalStatus.TIMED_OUT)
        workflow.logger.info("%s: %s", order.order_id, self._approval.status.value)

    def _answer(self, answer: Approval) -> None:
        if self._approval.status is not ApprovalStatus.PENDING:
            workflow.logger.info(
                "%s: %r comes too late, the order is %s",
                self._order.order_id,
                answer.status.value,
                self._approval.status.value,
            )
            return
        self._approval = answer

    async def _supply(self, done: _Done) -> Result:
        """Pay, reserve, deliver. If one of them fails, or the order is cancelled, take back what was done."""
        try:
            done.take_back.append(Shop.refund_payment)
            done.payment = await self._do(Shop.process_payment, self._order)
            done.take_back.append(Shop.release_inventory)
            done.reservation = await self._do(Shop.reserve_inventory, self._order)
            done.delivery = await self._do(Shop.arrange_delivery, self._order)
        except (ActivityError, asyncio.CancelledError) as problem:
            undone = await self._take_back(done)
            if isinstance(problem, asyncio.CancelledError) or is_cancelled_exception(problem):
                raise
            message = f"{problem.activity_type} failed: {problem.cause}"
            return replace(self._untouched(OrderStatus.FAILED, message), undone=undone)
        return await self._confirmed(done)

    async def _take_back(self, done: _Done) -> tuple[str, ...]:
        # The step that failed or was cancelled is taken back too: perhaps only its answer was lost.
        for step in reversed(done.take_back):
            await self._do(step, self._order)
        return tuple(step.__name__ for step in reversed(done.take_back))

    async def _confirmed(self, done: _Done) -> Result:
        result = Result(
            self._order.order_id,
            OrderStatus.COMPLETED,
            f"paid {in_dollars(self._order.total)}, on its way",
            self._approval,
            done.payment,
            done.reservation,
            done.delivery,
        )
        try:
            await self._do(Shop.send_confirmation_email, self._order, result)
        except ActivityError as problem:
            # The parcel is on its way, whether the mail arrives or not.
            workflow.logger.warning("%s: no confirmation was sent: %s", self._order.order_id, problem.cause)
        return result

    async def _do(self, step: Callable[..., Awaitable[R]], *args: Any) -> R:
        return await workflow.execute_activity_method(
            step,
            args=args,
            start_to_close_timeout=_ATTEMPT,
            retry_policy=_RETRIES,
        )

    def _untouched(self, status: OrderStatus, message: str) -> Result:
        """A result without payment, reservation and delivery."""
        return Result(self._order.order_id, status, message, self._approval)
