"""The world outside: the bank, the warehouse, the carrier and the mail, all of them played."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256

from actorflow import activity
from examples.order_approval.models import Delivery, Order, Payment, Reservation, Result, in_dollars

_ON_ITS_WAY = timedelta(days=3)

Tell = Callable[[str], None]


class Shop:
    """Everybody who does something for an order.

    An activity may run more than once: its process can die after the work and before the result is in the journal. So
    each one names what it does by the order, and the bank or the warehouse recognises a repetition by that name.

    Args:
        tell: is told in one line what was done.
    """

    def __init__(self, tell: Tell | None = None) -> None:
        self._tell = tell or _keep_quiet

    @activity.defn
    async def process_payment(self, order: Order) -> Payment:
        """Take the money."""
        payment = Payment(_number("TXN", order), order.total)
        self._tell(f"{order.order_id}: took {in_dollars(payment.amount)}, {payment.transaction_id}")
        return payment

    @activity.defn
    async def refund_payment(self, order: Order) -> None:
        """Give the money back, if any was taken; a payment of this number that arrives later is void."""
        self._tell(f"{order.order_id}: gave back whatever {_number('TXN', order)} took")

    @activity.defn
    async def reserve_inventory(self, order: Order) -> Reservation:
        """Put the items aside."""
        reservation = Reservation(_number("RES", order), order.quantity)
        self._tell(f"{order.order_id}: put {reservation.quantity} items aside, {reservation.reservation_id}")
        return reservation

    @activity.defn
    async def release_inventory(self, order: Order) -> None:
        """Put the items back, if any were put aside; a reservation of this number that arrives later is void."""
        self._tell(f"{order.order_id}: put back whatever {_number('RES', order)} held")

    @activity.defn
    async def arrange_delivery(self, order: Order) -> Delivery:
        """Call the carrier."""
        expected_on = (activity.info().scheduled_time + _ON_ITS_WAY).date()
        delivery = Delivery(_number("TRACK", order), order.customer.address, expected_on)
        self._tell(f"{order.order_id}: gave the parcel to the carrier, {delivery.tracking_number}")
        return delivery

    @activity.defn
    async def send_confirmation_email(self, order: Order, result: Result) -> None:
        """Write to the customer."""
        self._tell(f"{order.order_id}: wrote to {order.customer.email}: {result.message}")

    @property
    def activities(self) -> list[Callable[..., object]]:
        """All of them, for a worker."""
        return [
            self.process_payment,
            self.refund_payment,
            self.reserve_inventory,
            self.release_inventory,
            self.arrange_delivery,
            self.send_confirmation_email,
        ]


def _keep_quiet(_line: str) -> None:
    pass


def _number(prefix: str, order: Order) -> str:
    """The same for every attempt, so that a repetition is recognised."""
    return f"{prefix}-{sha256(f'{prefix}/{order.order_id}'.encode()).hexdigest()[:12].upper()}"
