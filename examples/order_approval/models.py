"""What an order is made of, what activities answer, and how an order can end."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import Enum

TASK_QUEUE = "order-approval"
"""What the worker serves and the starter names."""

APPROVAL_ABOVE = 1_000_00
"""In cents. Whatever costs more has to be approved by somebody."""

APPROVAL_DEADLINE = timedelta(minutes=5)
"""How long an order waits for its approval, if it doesn't say otherwise."""


@dataclass(frozen=True)
class Customer:
    """Who ordered."""

    name: str
    email: str
    address: str


@dataclass(frozen=True)
class Item:
    """One line of an order; the price is in cents."""

    sku: str
    quantity: int
    price: int


@dataclass(frozen=True)
class Order:
    """What was ordered, and how long it may wait for its approval."""

    order_id: str
    customer: Customer
    items: tuple[Item, ...]
    approval_deadline: timedelta = APPROVAL_DEADLINE

    @property
    def total(self) -> int:
        """In cents."""
        return sum(item.quantity * item.price for item in self.items)

    @property
    def quantity(self) -> int:
        """Items of all lines."""
        return sum(item.quantity for item in self.items)

    @property
    def requires_approval(self) -> bool:
        """True above `APPROVAL_ABOVE`."""
        return self.total > APPROVAL_ABOVE


class ApprovalStatus(Enum):
    """What is known of an order's approval."""

    NOT_REQUIRED = "not required"
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    TIMED_OUT = "timed out"


@dataclass(frozen=True)
class Approval:
    """The answer somebody gave, or did not give, and why."""

    status: ApprovalStatus
    reason: str = ""


@dataclass(frozen=True)
class Payment:
    """Money that was taken; the amount is in cents."""

    transaction_id: str
    amount: int


@dataclass(frozen=True)
class Reservation:
    """Items that were put aside."""

    reservation_id: str
    quantity: int


@dataclass(frozen=True)
class Delivery:
    """A parcel that was given to a carrier."""

    tracking_number: str
    address: str
    expected_on: date


class OrderStatus(Enum):
    """How an order ended."""

    COMPLETED = "completed"
    REJECTED = "rejected"
    TIMED_OUT = "timed out"
    FAILED = "failed"


@dataclass(frozen=True)
class Result:
    """How an order ended, and what was done for it.

    Attributes:
        message: one sentence for people.
        undone: the activities that took back what had been done, in their order.
    """

    order_id: str
    status: OrderStatus
    message: str
    approval: Approval
    payment: Payment | None = None
    reservation: Reservation | None = None
    delivery: Delivery | None = None
    undone: tuple[str, ...] = field(default=())


def in_dollars(cents: int) -> str:
    """An amount for people."""
    return f"${cents / 100:,.2f}"


def in_time(duration: timedelta) -> str:
    """A duration for people."""
    seconds = duration.total_seconds()
    return f"{seconds / 60:g} minutes" if seconds >= 60 else f"{seconds:g} seconds"
