"""The way of an order: validate it, pick and pack it, deliver it; each a loop that ends by success or by its limit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar

from actorflow import RetryPolicy, workflow
from examples.order_fulfilment.activities import Shop
from examples.order_fulfilment.models import Order, Package, Phase, Progress, Receipt, Round, Shipment, Status

R = TypeVar("R")

_RETRIES = RetryPolicy(
    initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=5), maximum_attempts=8
)


@workflow.defn
class OrderFulfilment:
    """One order, from its arrival to a receipt."""

    @workflow.init
    def __init__(self, order: Order) -> None:
        self._order = order
        self._progress = Progress()

    @workflow.run
    async def run(self, order: Order) -> Receipt:
        """See the module's head."""
        if not await self._validate():
            return self._close(Status.REJECTED)
        tracking_number = await self._fulfil()
        if tracking_number is None:
            await self._do(Shop.release_inventory, order)
            return self._close(Status.UNFULFILLED)
        return await self._deliver(tracking_number)

    @workflow.query
    def progress(self) -> Progress:
        """Where the order is."""
        return self._progress

    async def _validate(self) -> bool:
        """Loop 1: any problem leads back to the first check."""
        order = self._order
        self._enter(Phase.VALIDATION)
        for number in range(1, order.limits.validation_rounds + 1):
            self._begin_round(validation_rounds=number)
            if await self._is_valid(Round(number)):
                await self._do(Shop.reserve_inventory, order)
                return True
        return False

    async def _is_valid(self, round: Round) -> bool:
        for check in (Shop.verify_customer, Shop.check_inventory, Shop.verify_payment):
            verdict = await self._do(check, self._order, round)
            if not verdict.passed:
                self._note(verdict.problem)
                return False
        return True

    async def _fulfil(self) -> str | None:
        """Loop 2: pick until the package is good, then label it; returns the tracking number."""
        order = self._order
        self._enter(Phase.FULFILMENT)
        for number in range(1, order.limits.fulfilment_rounds + 1):
            self._begin_round(fulfilment_rounds=number)
            picked = await self._do(Shop.pick_items, order, Round(number))
            if not picked.passed:
                self._note(picked.problem)
                continue
            package = await self._package(number)
            if package is not None:
                return await self._do(Shop.print_shipping_label, order, package)
        return None

    async def _package(self, outer: int) -> Package | None:
        """Loop 2a, inside loop 2: pack until the package passes; giving up here leads back to picking."""
        order = self._order
        for number in range(1, order.limits.packaging_rounds + 1):
            round = Round(number, outer)
            self._begin_round(packaging_rounds=self._progress.packaging_rounds + 1)
            package = await self._do(Shop.pack_items_in_box, order, round)
            package = await self._do(Shop.seal_package, order, package)
            quality = await self._do(Shop.quality_check_package, order, package, round)
            if quality.passed:
                return package
            self._note(quality.problem)
        return None

    async def _deliver(self, tracking_number: str) -> Receipt:
        """Loop 3: ring until somebody opens; leave a card each time nobody does."""
        order = self._order
        self._enter(Phase.DELIVERY)
        shipment = await self._do(Shop.assign_carrier, order, tracking_number)
        for number in range(1, order.limits.delivery_rounds + 1):
            self._begin_round(delivery_rounds=number)
            delivery = await self._do(Shop.attempt_delivery, order, shipment, Round(number))
            if delivery.passed:
                proof = await self._do(Shop.confirm_delivery, order, shipment)
                return self._close(Status.DELIVERED, shipment, proof)
            self._note(delivery.problem)
            await self._do(Shop.notify_customer_delivery_failed, order, Round(number))
        proof = await self._do(Shop.process_delivery_failure, order, shipment)
        return self._close(Status.UNDELIVERED, shipment, proof)

    async def _do(self, step: Callable[..., Awaitable[R]], *args: Any) -> R:
        # Only what raises is retried here; a verdict that says no is a result, and the loops act on it.
        return await workflow.execute_activity_method(
            step, args=args, start_to_close_timeout=timedelta(minutes=5), retry_policy=_RETRIES
        )

    def _enter(self, phase: Phase) -> None:
        self._progress = replace(self._progress, phase=phase)
        workflow.logger.info("== %s", phase.value)

    def _begin_round(self, **rounds: int) -> None:
        self._progress = replace(self._progress, **rounds)
        workflow.logger.info("-- %s", ", ".join(f"{name.replace('_', ' ')}: {count}" for name, count in rounds.items()))

    def _note(self, problem: str) -> None:
        self._progress = replace(self._progress, last_problem=problem)
        workflow.logger.info("-- problem: %s", problem)

    def _close(self, status: Status, shipment: Shipment | None = None, proof: str = "") -> Receipt:
        self._enter(Phase.CLOSED)
        return Receipt(self._order.order_id, status, self._progress, shipment, proof)
