"""What the web application runs: an order that waits for an approval, is paid and shipped."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum

from actorflow import activity, workflow

_ATTEMPT = timedelta(seconds=30)
_APPROVAL_DEADLINE = timedelta(days=1)


@dataclass(frozen=True)
class Order:
    """What was ordered; the price is in cents."""

    order_id: str
    item: str
    price: int


class State(Enum):
    """Where an order is."""

    WAITING = "waiting for approval"
    APPROVED = "approved"
    SHIPPED = "shipped"
    EXPIRED = "expired"


@dataclass(frozen=True)
class Status:
    """An order as the outside sees it."""

    order_id: str
    item: str
    price: int
    state: State = State.WAITING
    approved_by: str = ""
    payment: str = ""
    tracking_number: str = ""


@activity.defn
async def charge(order: Order) -> str:
    """Take the money; returns the payment's number."""
    return f"paid-{order.order_id}"


@activity.defn
async def ship(order: Order) -> str:
    """Give the parcel to the carrier; returns its tracking number."""
    return f"track-{order.order_id}"


ACTIVITIES = [charge, ship]


@workflow.defn
class WebOrder:
    """One order, from the click to the parcel."""

    @workflow.init
    def __init__(self, order: Order) -> None:
        self._status = Status(order.order_id, order.item, order.price)

    @workflow.run
    async def run(self, order: Order) -> Status:
        """Wait for the approval, for a day at most; then charge and ship."""
        with suppress(TimeoutError):
            await workflow.wait_condition(lambda: self._status.state is State.APPROVED, timeout=_APPROVAL_DEADLINE)
        if self._status.state is not State.APPROVED:
            self._status = replace(self._status, state=State.EXPIRED)
            return self._status
        payment = await workflow.execute_activity(charge, order, start_to_close_timeout=_ATTEMPT)
        self._status = replace(self._status, payment=payment)
        tracking_number = await workflow.execute_activity(ship, order, start_to_close_timeout=_ATTEMPT)
        self._status = replace(self._status, state=State.SHIPPED, tracking_number=tracking_number)
        return self._status

    @workflow.signal
    def approve(self, approved_by: str) -> None:
        """Let it go on; the first approval counts."""
        if self._status.state is State.WAITING:
            self._status = replace(self._status, state=State.APPROVED, approved_by=approved_by)

    @workflow.query
    def status(self) -> Status:
        """Where it is."""
        return self._status
