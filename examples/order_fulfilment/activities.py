"""The shop's fifteen steps. What goes wrong is drawn from the order's seed, so a repeated step decides the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from random import Random

from actorflow import activity
from actorflow.exceptions import ApplicationError, ApplicationErrorCategory
from examples.order_fulfilment.models import Odds, Order, Package, Round, Shipment, Verdict
from examples.order_fulfilment.reports import Tell, of_step

_MANUAL_CHECK_BELOW = 600
_CARRIERS = ("Swift Parcel", "Blue Van", "Bicycle Post")


class Shop:
    """The outside world of an order.

    Args:
        delay: seconds that each step takes.
        odds: how likely steps are to fail.
        tell: is told when a step begins, and when it has ended or failed.
    """

    def __init__(self, delay: float = 0.0, odds: Odds | None = None, tell: Tell | None = None) -> None:
        self._delay = delay
        self._odds = odds or Odds()
        self._tell = tell or _keep_quiet

    # Validation

    @activity.defn
    async def verify_customer(self, order: Order, round: Round) -> Verdict:
        """Look at the customer's credit; in later rounds somebody has approved it by hand."""
        async with self._step(order):
            if order.customer.credit >= _MANUAL_CHECK_BELOW:
                return Verdict(passed=True)
            return _verdict(order, round, self._odds.low_credit, "the customer's credit needs a second look")

    @activity.defn
    async def check_inventory(self, order: Order, round: Round) -> Verdict:
        """See whether everything is in stock; what is missing is there in the next round."""
        async with self._step(order):
            return _verdict(order, round, self._odds.inventory, "an item is out of stock")

    @activity.defn
    async def verify_payment(self, order: Order, round: Round) -> Verdict:
        """Ask the bank."""
        async with self._step(order):
            return _verdict(order, round, self._odds.payment, f"the bank has not answered for {order.total} cents")

    @activity.defn
    async def reserve_inventory(self, order: Order) -> None:
        """Put the items aside for this order."""
        async with self._step(order):
            return

    # Fulfilment

    @activity.defn
    async def pick_items(self, order: Order, round: Round) -> Verdict:
        """Fetch the items from their shelves."""
        async with self._step(order):
            return _verdict(order, round, self._odds.picking, "a wrong item was picked")

    @activity.defn
    async def pack_items_in_box(self, order: Order, round: Round) -> Package:
        """Put the items in a box."""
        async with self._step(order):
            return Package(box=f"{order.order_id}/{round.outer}.{round.number}")

    @activity.defn
    async def seal_package(self, order: Order, package: Package) -> Package:
        """Close the box."""
        async with self._step(order):
            return replace(package, is_sealed=True)

    @activity.defn
    async def quality_check_package(self, order: Order, package: Package, round: Round) -> Verdict:
        """Shake the box."""
        async with self._step(order):
            return _verdict(order, round, self._odds.quality, f"box {package.box} rattles")

    @activity.defn
    async def print_shipping_label(self, order: Order, package: Package) -> str:
        """Print a label and return its tracking number."""
        async with self._step(order):
            return f"TRK-{Random(f'{order.seed}/{order.order_id}').randrange(10**8):08}"

    @activity.defn
    async def release_inventory(self, order: Order) -> None:
        """Put the items back for others."""
        async with self._step(order):
            return

    # Delivery

    @activity.defn
    async def assign_carrier(self, order: Order, tracking_number: str) -> Shipment:
        """Find somebody who carries the package."""
        async with self._step(order):
            self._call_the_carrier(order)
            return Shipment(tracking_number, _chance(order, "assign_carrier", Round(1)).choice(_CARRIERS))

    @activity.defn
    async def attempt_delivery(self, order: Order, shipment: Shipment, round: Round) -> Verdict:
        """Ring the bell."""
        async with self._step(order):
            return _verdict(order, round, self._odds.delivery, f"nobody opened to {shipment.carrier}")

    @activity.defn
    async def notify_customer_delivery_failed(self, order: Order, round: Round) -> None:
        """Leave a card."""
        async with self._step(order):
            return

    @activity.defn
    async def confirm_delivery(self, order: Order, shipment: Shipment) -> str:
        """Ask for a signature and return it."""
        async with self._step(order):
            return f"signed by {order.customer.name}"

    @activity.defn
    async def process_delivery_failure(self, order: Order, shipment: Shipment) -> str:
        """Take the package back and return where it went."""
        async with self._step(order):
            return f"{shipment.tracking_number} is on its way back"

    @property
    def steps(self) -> list[Callable[..., object]]:
        """All activities, for a worker."""
        return [
            self.verify_customer,
            self.check_inventory,
            self.verify_payment,
            self.reserve_inventory,
            self.pick_items,
            self.pack_items_in_box,
            self.seal_package,
            self.quality_check_package,
            self.print_shipping_label,
            self.release_inventory,
            self.assign_carrier,
            self.attempt_delivery,
            self.notify_customer_delivery_failed,
            self.confirm_delivery,
            self.process_delivery_failure,
        ]

    def _call_the_carrier(self, order: Order) -> None:
        """A line that is dead is an exception, not a verdict: the retry policy calls again."""
        is_down = _chance(order, "the carrier's line", Round(1)).random() < self._odds.carrier_down
        if is_down and activity.info().attempt == 1:
            raise ApplicationError("the carrier's line is dead", category=ApplicationErrorCategory.BENIGN)

    @asynccontextmanager
    async def _step(self, order: Order) -> AsyncIterator[None]:
        about = activity.info()
        self._tell(of_step("begin", order.order_id, about))
        await asyncio.sleep(self._delay)
        try:
            yield
        except Exception as problem:
            self._tell(of_step("fail", order.order_id, about, str(problem)))
            raise
        self._tell(of_step("end", order.order_id, about))


def _keep_quiet(_report: object) -> None:
    pass


def _verdict(order: Order, round: Round, odds: tuple[float, ...], problem: str) -> Verdict:
    likely = odds[round.number - 1] if round.number <= len(odds) else 0.0
    failed = _chance(order, activity.info().activity_type, round).random() < likely
    return Verdict(passed=False, problem=problem) if failed else Verdict(passed=True)


def _chance(order: Order, activity_type: str, round: Round) -> Random:
    """The same for every attempt of a step, and for every order with the same seed."""
    return Random(f"{order.seed}/{activity_type}/{round.outer}.{round.number}")
