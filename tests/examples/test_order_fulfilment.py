"""The order with the loops: every way it can end, who is asked, and what it remembers of its way."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from actorflow import activity
from actorflow.client import WorkflowFailureError, WorkflowHandle
from actorflow.clock import Clock
from actorflow.exceptions import ActivityError, ApplicationError
from examples.order_fulfilment.activities import Shop
from examples.order_fulfilment.models import (
    Approval,
    Customer,
    Handling,
    Item,
    Limits,
    Loop,
    LoopStatistics,
    Odds,
    Order,
    Package,
    Phase,
    Progress,
    Receipt,
    Shipment,
    Snapshot,
    Status,
)
from examples.order_fulfilment.reports import Report
from examples.order_fulfilment.workflow import OrderFulfilment
from tests.examples.clocks import MovableClock
from tests.support import a_client, a_worker

AT_ONCE = timedelta(milliseconds=1)
HOUR = timedelta(hours=1)
ALWAYS = (1.0,) * 9
ONCE = (1.0,)
LUCKY = Odds(low_credit=(), inventory=(), payment=(), picking=(), quality=(), delivery=(), carrier_down=0)


def an_order(
    limits: Limits | None = None, *, credit: int = 700, seed: int = 1, handling: Handling | None = None
) -> Order:
    return Order(
        order_id="o",
        customer=Customer("Ada", "here", credit),
        items=(Item("lamp", 1, 4_900),),
        seed=seed,
        limits=limits or Limits(),
        handling=handling or Handling(),
    )


class Steps(list[Report]):
    """What a shop said."""

    @property
    def begun(self) -> Counter[str]:
        """How often each step was taken."""
        return Counter(report.facts["activity_type"] for report in self if report.kind == "begin")


@asynccontextmanager
async def an_order_on_its_way(
    order: Order, odds: Odds, clock: Clock | None = None
) -> AsyncIterator[tuple[WorkflowHandle[OrderFulfilment, Receipt], Steps]]:
    """The handle of an order that was just started, and what its shop says."""
    steps = Steps()
    shop = Shop(odds=odds, tell=steps.append)
    async with (
        asyncio.timeout(10),
        a_client(clock=clock) as client,
        a_worker(client, workflows=[OrderFulfilment], activities=shop.steps),
    ):
        yield await client.start_workflow(OrderFulfilment.run, order, id="o", task_queue="q"), steps


async def run(order: Order, odds: Odds | Shop) -> tuple[Receipt, Counter[str]]:
    """The receipt, and how often each step was taken."""
    steps = Steps()
    shop = odds if isinstance(odds, Shop) else Shop(odds=odds)
    shop._tell = steps.append
    async with a_client() as client, a_worker(client, workflows=[OrderFulfilment], activities=shop.steps):
        receipt = await client.execute_workflow(OrderFulfilment.run, order, id="o", task_queue="q")
        progress = await client.get_workflow_handle_for(OrderFulfilment.run, "o").query(OrderFulfilment.progress)
        assert progress == receipt.progress
    return receipt, steps.begun


def runs_of(receipt: Receipt) -> Counter[str]:
    """How often each activity ran, over all loops."""
    total: Counter[str] = Counter()
    for statistics in receipt.statistics.values():
        total.update(statistics.runs)
    return total


def test_the_shop_has_fifteen_different_steps() -> None:
    names = [step.__name__ for step in Shop().steps]
    assert len(names) == len(set(names)) == 15


async def test_a_lucky_order_takes_each_loop_once() -> None:
    receipt, steps = await run(an_order(), LUCKY)
    assert receipt.status is Status.DELIVERED
    assert receipt.progress == Progress(Phase.CLOSED, 1, 1, 1, 1)
    assert receipt.proof == "signed by Ada"
    assert set(steps.values()) == {1}
    assert not steps.keys() & {"release_inventory", "notify_customer_delivery_failed", "process_delivery_failure"}


async def test_an_unlucky_order_goes_round_in_every_loop() -> None:
    odds = Odds(low_credit=ONCE, inventory=ALWAYS[:2], payment=ALWAYS[:3], picking=ONCE, quality=ONCE)
    receipt, steps = await run(an_order(Limits(validation_rounds=9), credit=500), odds)
    assert receipt.status is Status.DELIVERED
    assert receipt.progress.validation_rounds == 4
    assert receipt.progress.fulfilment_rounds == 2
    assert receipt.progress.packaging_rounds == 2
    assert steps["verify_customer"] == 4
    assert steps["check_inventory"] == 3
    assert steps["verify_payment"] == 2
    assert steps["reserve_inventory"] == 1
    assert steps["pick_items"] == 2
    assert steps["notify_customer_delivery_failed"] == receipt.progress.delivery_rounds - 1


async def test_a_customer_with_good_credit_is_never_turned_down() -> None:
    receipt, _ = await run(an_order(credit=600), Odds(low_credit=ALWAYS, inventory=(), payment=()))
    assert receipt.progress.validation_rounds == 1


async def test_an_order_that_never_validates_is_rejected() -> None:
    receipt, steps = await run(an_order(), Odds(inventory=ALWAYS))
    assert receipt.status is Status.REJECTED
    assert receipt.progress == Progress(Phase.CLOSED, 3, last_problem="an item is out of stock")
    assert steps == {"verify_customer": 3, "check_inventory": 3}


async def test_wrong_picks_end_an_order_and_release_its_inventory() -> None:
    receipt, steps = await run(an_order(Limits(fulfilment_rounds=2)), Odds(inventory=(), payment=(), picking=ALWAYS))
    assert receipt.status is Status.UNFULFILLED
    assert steps["pick_items"] == 2
    assert steps["release_inventory"] == 1
    assert "pack_items_in_box" not in steps


async def test_a_package_that_never_passes_leads_back_to_picking() -> None:
    odds = Odds(inventory=(), payment=(), picking=(), quality=ALWAYS)
    receipt, steps = await run(an_order(Limits(fulfilment_rounds=2, packaging_rounds=3)), odds)
    assert receipt.status is Status.UNFULFILLED
    assert receipt.progress.packaging_rounds == 6
    assert steps["pick_items"] == 2
    assert steps["pack_items_in_box"] == steps["seal_package"] == steps["quality_check_package"] == 6
    assert steps["release_inventory"] == 1


async def test_an_order_nobody_opens_for_goes_back() -> None:
    receipt, steps = await run(an_order(), Odds(inventory=(), payment=(), picking=(), quality=(), delivery=ALWAYS))
    assert receipt.status is Status.UNDELIVERED
    assert receipt.proof.endswith("is on its way back")
    assert steps["attempt_delivery"] == steps["notify_customer_delivery_failed"] == 3
    assert steps["process_delivery_failure"] == 1
    assert "confirm_delivery" not in steps


async def test_the_same_seed_meets_the_same_fate() -> None:
    one, another = await run(an_order(seed=5), Odds()), await run(an_order(seed=5), Odds())
    assert one == another


async def test_a_step_that_raises_is_tried_again_and_decides_the_same() -> None:
    class Shaky(Shop):
        @activity.defn
        async def assign_carrier(self, order: Order, tracking_number: str) -> Shipment:
            if activity.info().attempt < 3:
                raise ApplicationError("the line is dead", next_retry_delay=AT_ONCE)
            return await super().assign_carrier(order, tracking_number)

    shaky, _ = await run(an_order(), Shaky(odds=LUCKY))
    calm, _ = await run(an_order(), LUCKY)
    assert shaky == calm


async def test_a_step_that_keeps_raising_fails_the_order() -> None:
    class Broken(Shop):
        @activity.defn
        async def seal_package(self, order: Order, package: Package) -> Package:
            raise ApplicationError("no tape", non_retryable=True)

    with pytest.raises(WorkflowFailureError) as failure:
        await run(an_order(), Broken(odds=LUCKY))
    assert isinstance(failure.value.cause, ActivityError)
    assert "no tape" in str(failure.value.cause.cause)


async def test_a_dead_line_to_the_carrier_is_an_exception_and_called_again() -> None:
    steps = Steps()
    shop = Shop(odds=replace(LUCKY, carrier_down=1.0), tell=steps.append)
    receipt, begun = await run(an_order(), shop)
    calm, _ = await run(an_order(), LUCKY)
    assert receipt == calm
    assert begun["assign_carrier"] == 2
    assert receipt.statistics[Loop.DELIVERY].runs["assign_carrier"] == 1


# What the receipt says of the loops


async def test_the_receipt_says_what_each_loop_took() -> None:
    receipt, _ = await run(an_order(), LUCKY)
    assert receipt.statistics == {
        Loop.VALIDATION: LoopStatistics(
            1, {"verify_customer": 1, "check_inventory": 1, "verify_payment": 1, "reserve_inventory": 1}
        ),
        Loop.FULFILMENT: LoopStatistics(1, {"pick_items": 1, "print_shipping_label": 1}),
        Loop.PACKAGING: LoopStatistics(1, {"pack_items_in_box": 1, "seal_package": 1, "quality_check_package": 1}),
        Loop.DELIVERY: LoopStatistics(1, {"assign_carrier": 1, "attempt_delivery": 1, "confirm_delivery": 1}),
    }


@pytest.mark.parametrize("is_parallel", [False, True])
async def test_the_statistics_of_an_unlucky_order_are_what_the_shop_saw(is_parallel: bool) -> None:
    odds = Odds(low_credit=ONCE, inventory=ALWAYS[:2], payment=ONCE, quality=ALWAYS[:5], carrier_down=0)
    limits = Limits(validation_rounds=9, packaging_rounds=2)
    receipt, steps = await run(an_order(limits, credit=500, handling=Handling(is_parallel=is_parallel)), odds)
    assert receipt.status is Status.UNFULFILLED
    assert runs_of(receipt) == steps
    rounds = {loop: statistics.rounds for loop, statistics in receipt.statistics.items()}
    progress = receipt.progress
    assert rounds == {
        Loop.VALIDATION: progress.validation_rounds,
        Loop.FULFILMENT: progress.fulfilment_rounds,
        Loop.PACKAGING: progress.packaging_rounds,
        Loop.DELIVERY: 0,
    }
    assert rounds[Loop.PACKAGING] == 2 * rounds[Loop.FULFILMENT] > 0


# Validation at once


async def test_parallel_checks_begin_together_and_all_their_problems_are_told() -> None:
    odds = Odds(low_credit=ONCE, inventory=ONCE, payment=ONCE, picking=(), quality=(), delivery=(), carrier_down=0)
    order = an_order(credit=500, handling=Handling(is_parallel=True))
    async with an_order_on_its_way(order, odds) as (handle, steps):
        receipt = await handle.result()
    assert [report.kind for report in steps[:6]] == ["begin"] * 3 + ["end"] * 3
    assert receipt.status is Status.DELIVERED
    assert receipt.progress.validation_rounds == 2
    assert receipt.progress.last_problem == (
        "the customer's credit needs a second look; an item is out of stock; the bank has not answered for 4900 cents"
    )
    assert runs_of(receipt)["verify_payment"] == 2


async def test_checks_one_after_the_other_stop_at_the_first_problem() -> None:
    odds = Odds(low_credit=ONCE, inventory=ONCE, payment=ONCE, picking=(), quality=(), delivery=(), carrier_down=0)
    receipt, steps = await run(an_order(credit=500), odds)
    assert receipt.progress.validation_rounds == 2
    assert receipt.progress.last_problem == "the customer's credit needs a second look"
    assert (steps["verify_customer"], steps["check_inventory"], steps["verify_payment"]) == (2, 1, 1)


# Somebody is asked about the customer

DOUBTFUL = replace(LUCKY, low_credit=ONCE)
ASKS = Handling(approval_deadline=HOUR)


class Heard(logging.Handler):
    """What workflows reported through their logger."""

    def __init__(self) -> None:
        super().__init__()
        self.reports: list[Report] = []
        self._awaited: dict[Approval, asyncio.Event] = defaultdict(asyncio.Event)

    def emit(self, record: logging.LogRecord) -> None:
        report = getattr(record, "report", None)
        assert isinstance(report, Report)
        self.reports.append(report)
        if report.kind == "approval":
            self._awaited[report.facts["approval"]].set()

    async def until(self, handle: WorkflowHandle[OrderFulfilment, Receipt], approval: Approval) -> Snapshot:
        """Wait until the program says so; what it remembers then, once that is durable."""
        await self._awaited[approval].wait()
        return await handle.query(OrderFulfilment.snapshot)


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture) -> Iterator[Heard]:
    caplog.set_level(logging.INFO, logger="actorflow.workflow")
    handler = Heard()
    logging.getLogger("actorflow.workflow").addHandler(handler)
    yield handler
    logging.getLogger("actorflow.workflow").removeHandler(handler)


async def test_nobody_is_asked_about_a_good_customer_or_if_the_order_does_not_want_it() -> None:
    good, _ = await run(an_order(handling=ASKS), DOUBTFUL)
    unasked, _ = await run(an_order(credit=500), DOUBTFUL)
    assert (good.approval, good.progress.validation_rounds) == (Approval.NOT_ASKED, 1)
    assert (unasked.approval, unasked.progress.validation_rounds) == (Approval.NOT_ASKED, 2)


@pytest.mark.parametrize("is_parallel", [False, True])
async def test_an_approved_customer_passes_at_once_and_is_not_verified_again(heard: Heard, is_parallel: bool) -> None:
    order = an_order(credit=500, handling=replace(ASKS, is_parallel=is_parallel))
    odds = replace(DOUBTFUL, low_credit=ALWAYS, inventory=ONCE)
    async with an_order_on_its_way(order, odds) as (handle, _):
        snapshot = await heard.until(handle, Approval.PENDING)
        assert snapshot.progress.phase is Phase.VALIDATION
        assert snapshot.statistics[Loop.VALIDATION].runs["verify_customer"] == 1
        await handle.signal(OrderFulfilment.approve_customer, "I know her")
        receipt = await handle.result()
    assert (receipt.status, receipt.approval) == (Status.DELIVERED, Approval.APPROVED)
    assert receipt.progress.validation_rounds == 2
    assert runs_of(receipt)["verify_customer"] == 1
    assert runs_of(receipt)["check_inventory"] == 2


async def test_a_customer_who_is_turned_down_ends_the_order(heard: Heard) -> None:
    async with an_order_on_its_way(an_order(credit=500, handling=ASKS), DOUBTFUL) as (handle, _):
        await heard.until(handle, Approval.PENDING)
        await handle.signal(OrderFulfilment.reject_customer, "no")
        receipt = await handle.result()
    assert (receipt.status, receipt.approval) == (Status.REJECTED, Approval.REJECTED)
    assert receipt.progress == Progress(Phase.CLOSED, 1, last_problem="the customer was turned down: no")


async def test_without_an_answer_the_loop_goes_on_and_an_answer_after_the_deadline_changes_nothing(
    heard: Heard,
) -> None:
    clock = MovableClock()
    order = an_order(credit=500, handling=replace(ASKS, round_delay=2 * HOUR))
    async with an_order_on_its_way(order, DOUBTFUL, clock) as (handle, steps):
        await heard.until(handle, Approval.PENDING)
        clock.skip(HOUR)
        await heard.until(handle, Approval.UNANSWERED)
        await handle.signal(OrderFulfilment.reject_customer, "too late")
        snapshot = await handle.query(OrderFulfilment.snapshot)
        assert snapshot.approval is Approval.UNANSWERED
        assert snapshot.progress.validation_rounds == 1
        assert steps.begun == {"verify_customer": 1}
        clock.skip(2 * HOUR)
        receipt = await handle.result()
    assert (receipt.status, receipt.approval) == (Status.DELIVERED, Approval.UNANSWERED)
    assert receipt.progress.validation_rounds == 2


@pytest.mark.parametrize("is_approved", [True, False])
async def test_an_answer_given_before_it_is_asked_for_counts_and_the_first_one_alone(is_approved: bool) -> None:
    answers = (OrderFulfilment.approve_customer, OrderFulfilment.reject_customer)
    first, second = answers if is_approved else reversed(answers)
    shop = Shop(odds=DOUBTFUL)
    async with asyncio.timeout(10), a_client() as client:
        order = an_order(credit=500, handling=ASKS)
        handle = await client.start_workflow(OrderFulfilment.run, order, id="o", task_queue="q")
        await handle.signal(first, "first")
        await handle.signal(second, "second")
        async with a_worker(client, workflows=[OrderFulfilment], activities=shop.steps):
            receipt = await handle.result()
    assert receipt.approval is (Approval.APPROVED if is_approved else Approval.REJECTED)
    assert receipt.status is (Status.DELIVERED if is_approved else Status.REJECTED)


# Snapshots, and waits between rounds


async def test_the_program_tells_what_it_remembers_before_each_round(heard: Heard) -> None:
    odds = replace(LUCKY, inventory=ONCE, quality=ONCE, delivery=ONCE)
    receipt, _ = await run(an_order(), odds)
    rounds = [report.facts for report in heard.reports if report.kind == "round"]
    assert [(facts["loop"], facts["number"]) for facts in rounds] == [
        (Loop.VALIDATION, 1),
        (Loop.VALIDATION, 2),
        (Loop.FULFILMENT, 1),
        (Loop.PACKAGING, 1),
        (Loop.PACKAGING, 2),
        (Loop.DELIVERY, 1),
        (Loop.DELIVERY, 2),
    ]
    assert [facts["snapshot"].statistics[facts["loop"]].rounds for facts in rounds] == [0, 1, 0, 0, 1, 0, 1]
    assert rounds[1]["snapshot"].progress.last_problem == "an item is out of stock"
    assert rounds[-1]["snapshot"].statistics[Loop.PACKAGING] == receipt.statistics[Loop.PACKAGING]


async def test_the_last_snapshot_says_what_the_receipt_says() -> None:
    async with an_order_on_its_way(an_order(), LUCKY) as (handle, _):
        receipt = await handle.result()
        snapshot = await handle.query(OrderFulfilment.snapshot)
    assert snapshot == Snapshot("o", receipt.progress, receipt.approval, receipt.statistics)


async def test_a_loop_waits_before_it_starts_over_and_not_before_it_starts() -> None:
    odds = replace(LUCKY, quality=ONCE, delivery=ONCE)
    order = an_order(handling=Handling(round_delay=AT_ONCE))
    async with an_order_on_its_way(order, odds) as (handle, _):
        await handle.result()
        history = await handle.fetch_history()
    timers = [event for event in history.events if event.event_type == "TimerStarted"]
    assert [timer.attributes["summary"] for timer in timers] == [
        "before another round of packaging",
        "before another round of delivery",
    ]
