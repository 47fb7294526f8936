"""The way of an order: validate it, pick and pack it, deliver it; each a loop that ends by success or by its limit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeVar

from actorflow import RetryPolicy, workflow
from examples.order_fulfilment.activities import Shop
from examples.order_fulfilment.models import (
    Approval,
    Loop,
    Order,
    Package,
    Phase,
    Progress,
    Receipt,
    Round,
    Shipment,
    Snapshot,
    Status,
    Verdict,
)
from examples.order_fulfilment.record import Record
from examples.order_fulfilment.reports import Report, of_approval, of_phase, of_problem, of_round

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
        self._record = Record(order)
        self._answer: Verdict | None = None

    @workflow.run
    async def run(self, order: Order) -> Receipt:
        """See the module's head."""
        if not await self._validate():
            return self._close(Status.REJECTED)
        tracking_number = await self._fulfil()
        if tracking_number is None:
            await self._do(Loop.FULFILMENT, Shop.release_inventory, order)
            return self._close(Status.UNFULFILLED)
        return await self._deliver(tracking_number)

    @workflow.query
    def progress(self) -> Progress:
        """Where the order is."""
        return self._record.progress

    @workflow.query
    def snapshot(self) -> Snapshot:
        """All that the program remembers."""
        return self._record.snapshot()

    @workflow.signal
    def approve_customer(self, reason: str) -> None:
        """Vouch for the customer, also before anybody asks; the first answer counts."""
        self._hear(Verdict(passed=True, problem=reason))

    @workflow.signal
    def reject_customer(self, reason: str) -> None:
        """Turn the customer down, also before anybody asks; the first answer counts."""
        self._hear(Verdict(passed=False, problem=reason))

    async def _validate(self) -> bool:
        """Loop 1: any problem leads back to the first check."""
        limit = self._order.limits.validation_rounds
        self._enter(Phase.VALIDATION)
        for number in range(1, limit + 1):
            await self._begin_round(Loop.VALIDATION, number, limit)
            if await self._is_valid(Round(number)):
                await self._do(Loop.VALIDATION, Shop.reserve_inventory, self._order)
                return True
            if self._record.approval is Approval.REJECTED:
                return False
        return False

    async def _is_valid(self, round: Round) -> bool:
        checks = (self._check_customer, self._check_inventory, self._check_payment)
        if self._order.handling.is_parallel:
            verdicts = await asyncio.gather(*[check(round) for check in checks])
            problems = [verdict.problem for verdict in verdicts if not verdict.passed]
        else:
            problems = await self._first_problem(checks, round)
        if problems:
            self._note("; ".join(problems))
        return not problems

    async def _first_problem(
        self, checks: tuple[Callable[[Round], Awaitable[Verdict]], ...], round: Round
    ) -> list[str]:
        for check in checks:
            verdict = await check(round)
            if not verdict.passed:
                return [verdict.problem]
        return []

    async def _check_customer(self, round: Round) -> Verdict:
        if self._record.approval is Approval.APPROVED:
            return Verdict(passed=True)
        verdict = await self._do(Loop.VALIDATION, Shop.verify_customer, self._order, round)
        deadline = self._order.handling.approval_deadline
        if verdict.passed or deadline is None or self._record.approval is not Approval.NOT_ASKED:
            return verdict
        return await self._ask(verdict, deadline)

    async def _check_inventory(self, round: Round) -> Verdict:
        return await self._do(Loop.VALIDATION, Shop.check_inventory, self._order, round)

    async def _check_payment(self, round: Round) -> Verdict:
        return await self._do(Loop.VALIDATION, Shop.verify_payment, self._order, round)

    async def _ask(self, verdict: Verdict, deadline: timedelta) -> Verdict:
        """Wait until somebody says what to think of the customer; without an answer the verdict stays as it is."""
        self._set_approval(Approval.PENDING, f"{verdict.problem}; waiting {deadline.total_seconds():g} s for an answer")
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._answer is not None,
                timeout=deadline,
                timeout_summary=f"approval of the customer of {self._order.order_id}",
            )
        # An answer that came together with the deadline is still an answer.
        if self._answer is None:
            self._set_approval(Approval.UNANSWERED, "nobody answered")
            return verdict
        if self._answer.passed:
            self._set_approval(Approval.APPROVED, f"approved {self._answer.problem}".strip())
            return Verdict(passed=True)
        self._set_approval(Approval.REJECTED, f"rejected {self._answer.problem}".strip())
        return Verdict(
            passed=False, problem=f"the customer was turned down: {self._answer.problem or 'no reason given'}"
        )

    async def _fulfil(self) -> str | None:
        """Loop 2: pick until the package is good, then label it; returns the tracking number."""
        order = self._order
        limit = order.limits.fulfilment_rounds
        self._enter(Phase.FULFILMENT)
        for number in range(1, limit + 1):
            await self._begin_round(Loop.FULFILMENT, number, limit)
            picked = await self._do(Loop.FULFILMENT, Shop.pick_items, order, Round(number))
            if not picked.passed:
                self._note(picked.problem)
                continue
            package = await self._package(number)
            if package is not None:
                return await self._do(Loop.FULFILMENT, Shop.print_shipping_label, order, package)
        return None

    async def _package(self, outer: int) -> Package | None:
        """Loop 2a, inside loop 2: pack until the package passes; giving up here leads back to picking."""
        order = self._order
        limit = order.limits.packaging_rounds
        for number in range(1, limit + 1):
            round = Round(number, outer)
            await self._begin_round(Loop.PACKAGING, number, limit)
            package = await self._do(Loop.PACKAGING, Shop.pack_items_in_box, order, round)
            package = await self._do(Loop.PACKAGING, Shop.seal_package, order, package)
            quality = await self._do(Loop.PACKAGING, Shop.quality_check_package, order, package, round)
            if quality.passed:
                return package
            self._note(quality.problem)
        return None

    async def _deliver(self, tracking_number: str) -> Receipt:
        """Loop 3: ring until somebody opens; leave a card each time nobody does."""
        order = self._order
        limit = order.limits.delivery_rounds
        self._enter(Phase.DELIVERY)
        shipment = await self._do(Loop.DELIVERY, Shop.assign_carrier, order, tracking_number)
        for number in range(1, limit + 1):
            await self._begin_round(Loop.DELIVERY, number, limit)
            delivery = await self._do(Loop.DELIVERY, Shop.attempt_delivery, order, shipment, Round(number))
            if delivery.passed:
                proof = await self._do(Loop.DELIVERY, Shop.confirm_delivery, order, shipment)
                return self._close(Status.DELIVERED, shipment, proof)
            self._note(delivery.problem)
            await self._do(Loop.DELIVERY, Shop.notify_customer_delivery_failed, order, Round(number))
        proof = await self._do(Loop.DELIVERY, Shop.process_delivery_failure, order, shipment)
        return self._close(Status.UNDELIVERED, shipment, proof)

    async def _do(self, loop: Loop, step: Callable[..., Awaitable[R]], *args: Any) -> R:
        # Only what raises is retried here; a verdict that says no is a result, and the loops act on it.
        self._record.count_run(loop, step.__name__)
        return await workflow.execute_activity_method(
            step, args=args, start_to_close_timeout=timedelta(minutes=5), retry_policy=_RETRIES
        )

    async def _begin_round(self, loop: Loop, number: int, limit: int) -> None:
        delay = self._order.handling.round_delay
        if number > 1 and delay:
            await workflow.sleep(delay, summary=f"before another round of {loop.value}")
        _tell(of_round(loop, number, limit, self._record.snapshot()))
        self._record.count_round(loop)

    def _enter(self, phase: Phase) -> None:
        self._record.phase = phase
        _tell(of_phase(self._order.order_id, phase))

    def _note(self, problem: str) -> None:
        self._record.last_problem = problem
        _tell(of_problem(self._order.order_id, problem))

    def _set_approval(self, approval: Approval, words: str) -> None:
        self._record.approval = approval
        _tell(of_approval(self._order.order_id, approval, words))

    def _hear(self, answer: Verdict) -> None:
        if self._answer is None and self._record.approval in (Approval.NOT_ASKED, Approval.PENDING):
            self._answer = answer
        else:
            _tell(of_approval(self._order.order_id, self._record.approval, "another answer came, too late"))

    def _close(self, status: Status, shipment: Shipment | None = None, proof: str = "") -> Receipt:
        self._enter(Phase.CLOSED)
        record = self._record
        return Receipt(
            self._order.order_id, status, record.progress, shipment, proof, record.approval, record.statistics
        )


def _tell(report: Report) -> None:
    # The logger is silent while a program is only being rebuilt, so everything is said once.
    workflow.logger.info("%s", report.text, extra={"report": report})
