"""The order that waits for a person: every answer, no answer, and what is taken back when a step fails."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from subprocess import Popen

import pytest

from actorflow import activity
from actorflow.client import Client, RPCError, RPCStatusCode, WorkflowFailureError, WorkflowHandle
from actorflow.clock import Clock
from actorflow.exceptions import ApplicationError, CancelledError
from examples.order_approval.activities import Shop
from examples.order_approval.approval_sender import Answer, send
from examples.order_approval.models import (
    TASK_QUEUE,
    Approval,
    ApprovalStatus,
    Customer,
    Delivery,
    Item,
    Order,
    OrderStatus,
    Payment,
    Reservation,
    Result,
)
from examples.order_approval.starter import Size, an_order, start
from examples.order_approval.workflow import OrderApproval
from tests.crashes import invariants
from tests.crashes.processes import expect, killed_after, running
from tests.examples.clocks import MovableClock
from tests.support import a_client, a_worker

AT_ONCE = timedelta(milliseconds=1)
PROGRAM = ("-m", "examples.order_approval")
READY = "the worker is ready; Ctrl-C stops it"
WAITS = """
import asyncio, sys
from actorflow.client import Client
from examples.order_approval.activities import Shop
from examples.order_approval.starter import Size, an_order, start
from examples.order_approval.worker import a_worker
from examples.order_approval.workflow import OrderApproval

async def main():
    async with await Client.connect(f"sqlite:///{sys.argv[1]}") as client, a_worker(client, Shop()):
        order = await start(client, an_order(Size.LARGE, "ORD-002"))
        print((await order.query(OrderApproval.get_approval_status)).value, flush=True)
        await order.result()

asyncio.run(main())
"""


class Unreliable(Shop):
    """A shop in which one activity raises, as often as it is told."""

    def __init__(self, broken: str, times: int, *, non_retryable: bool = False) -> None:
        self.said: list[str] = []
        super().__init__(tell=self.said.append)
        self._broken = broken
        self._times = times
        self._non_retryable = non_retryable

    def _may_fail(self) -> None:
        if activity.info().activity_type == self._broken and activity.info().attempt <= self._times:
            raise ApplicationError("no answer", next_retry_delay=AT_ONCE, non_retryable=self._non_retryable)

    @activity.defn
    async def process_payment(self, order: Order) -> Payment:
        self._may_fail()
        return await super().process_payment(order)

    @activity.defn
    async def reserve_inventory(self, order: Order) -> Reservation:
        self._may_fail()
        return await super().reserve_inventory(order)

    @activity.defn
    async def arrange_delivery(self, order: Order) -> Delivery:
        self._may_fail()
        return await super().arrange_delivery(order)

    @activity.defn
    async def send_confirmation_email(self, order: Order, result: Result) -> None:
        self._may_fail()
        await super().send_confirmation_email(order, result)


@asynccontextmanager
async def a_shop(
    shop: Shop | None = None, *, path: Path | None = None, clock: Clock | None = None
) -> AsyncIterator[Client]:
    """A client, and a worker that runs orders in this shop."""
    activities = (shop or Shop()).activities
    async with (
        asyncio.timeout(10),
        a_client(path, clock=clock) as client,
        a_worker(client, task_queue=TASK_QUEUE, workflows=[OrderApproval], activities=activities),
    ):
        yield client


async def a_large_order(client: Client) -> WorkflowHandle[OrderApproval, Result]:
    """A large order that waits."""
    handle = await start(client, an_order(Size.LARGE, "ORD-002"))
    assert await handle.query(OrderApproval.get_approval_status) is ApprovalStatus.PENDING
    return handle


@pytest.mark.parametrize(("price", "required"), [(1_000_00, False), (1_000_01, True)])
def test_only_what_costs_more_than_a_thousand_needs_an_approval(price: int, required: bool) -> None:
    order = Order("o", Customer("Ada", "ada@example.com", "here"), (Item("lamp", 1, price),))
    assert order.requires_approval is required


async def test_a_small_order_is_completed_without_asking_anybody() -> None:
    said: list[str] = []
    async with a_shop(Shop(tell=said.append)) as client:
        handle = await start(client, an_order(Size.SMALL, "ORD-001"))
        result = await handle.result()
        assert await handle.query(OrderApproval.get_approval_status) is ApprovalStatus.NOT_REQUIRED
    assert result.status is OrderStatus.COMPLETED
    assert result.approval == Approval(ApprovalStatus.NOT_REQUIRED)
    assert result.payment is not None
    assert result.payment.amount == 89_95
    assert result.reservation is not None
    assert result.reservation.quantity == 2
    assert result.delivery is not None
    assert result.delivery.address == "123 Main St, Springfield"
    assert [line.split()[1] for line in said] == ["took", "put", "gave", "wrote"]


async def test_an_approval_lets_a_large_order_go_on() -> None:
    async with a_shop() as client:
        handle = await a_large_order(client)
        assert await handle.query(OrderApproval.get_approval_reason) == ""
        await send(client, "ORD-002", Answer.APPROVE, "a good customer")
        result = await handle.result()
        assert await handle.query(OrderApproval.get_approval_status) is ApprovalStatus.APPROVED
        assert await handle.query(OrderApproval.get_approval_reason) == "a good customer"
    assert result.status is OrderStatus.COMPLETED
    assert result.approval == Approval(ApprovalStatus.APPROVED, "a good customer")
    assert result.payment is not None
    assert result.payment.amount == 1_899_97


async def test_a_rejected_order_has_done_nothing() -> None:
    said: list[str] = []
    async with a_shop(Shop(tell=said.append)) as client:
        handle = await a_large_order(client)
        await send(client, "ORD-002", Answer.REJECT, "not paid")
        result = await handle.result()
    approval = Approval(ApprovalStatus.REJECTED, "not paid")
    assert result == Result("ORD-002", OrderStatus.REJECTED, "not paid", approval)
    assert said == []


async def test_an_order_that_nobody_answers_times_out_after_five_minutes_and_has_done_nothing() -> None:
    said: list[str] = []
    clock = MovableClock()
    async with a_shop(Shop(tell=said.append), clock=clock) as client:
        handle = await a_large_order(client)
        clock.skip(timedelta(minutes=4))
        assert await handle.query(OrderApproval.get_approval_status) is ApprovalStatus.PENDING
        clock.skip(timedelta(minutes=1))
        result = await handle.result()
        assert await handle.query(OrderApproval.get_approval_status) is ApprovalStatus.TIMED_OUT
    approval = Approval(ApprovalStatus.TIMED_OUT)
    assert result == Result("ORD-002", OrderStatus.TIMED_OUT, "no answer within 5 minutes", approval)
    assert said == []


async def test_an_order_says_itself_how_long_it_waits() -> None:
    async with a_shop() as client:
        result = await (await start(client, an_order(Size.LARGE, "ORD-002", AT_ONCE))).result()
    assert result.status is OrderStatus.TIMED_OUT


async def test_the_first_answer_counts() -> None:
    async with a_client() as client, asyncio.timeout(10):
        handle = await start(client, an_order(Size.LARGE, "ORD-002"))
        await send(client, "ORD-002", Answer.REJECT, "first")
        await send(client, "ORD-002", Answer.APPROVE, "second")
        await send(client, "ORD-002", Answer.REJECT, "third")
        async with a_worker(client, task_queue=TASK_QUEUE, workflows=[OrderApproval], activities=Shop().activities):
            result = await handle.result()
    assert result.approval == Approval(ApprovalStatus.REJECTED, "first")


async def test_a_small_order_takes_no_answer() -> None:
    async with a_client() as client, asyncio.timeout(10):
        handle = await start(client, an_order(Size.SMALL, "ORD-001"))
        await send(client, "ORD-001", Answer.REJECT, "too cheap")
        async with a_worker(client, task_queue=TASK_QUEUE, workflows=[OrderApproval], activities=Shop().activities):
            result = await handle.result()
    assert result.status is OrderStatus.COMPLETED
    assert result.approval == Approval(ApprovalStatus.NOT_REQUIRED)


async def test_an_answer_after_the_end_is_refused() -> None:
    async with a_shop() as client:
        await (await start(client, an_order(Size.SMALL, "ORD-001"))).result()
        for order_id in ("ORD-001", "ORD-000"):
            with pytest.raises(RPCError) as refusal:
                await send(client, order_id, Answer.APPROVE, "late")
            assert refusal.value.status is RPCStatusCode.NOT_FOUND


async def test_a_payment_that_fails_twice_is_tried_again_and_taken_once() -> None:
    shop = Unreliable("process_payment", 2)
    async with a_shop(shop) as client:
        result = await (await start(client, an_order(Size.SMALL, "ORD-001"))).result()
    assert result.status is OrderStatus.COMPLETED
    assert len([line for line in shop.said if "took $89.95" in line]) == 1


async def test_a_payment_that_never_goes_through_ends_the_order() -> None:
    shop = Unreliable("process_payment", 5)
    async with a_shop(shop) as client:
        result = await (await start(client, an_order(Size.SMALL, "ORD-001"))).result()
    assert (result.status, result.payment, result.undone) == (OrderStatus.FAILED, None, ("refund_payment",))
    assert result.message == "process_payment failed: no answer"
    assert [line.split()[1:3] for line in shop.said] == [["gave", "back"]]


@pytest.mark.parametrize("broken", ["reserve_inventory", "arrange_delivery"])
async def test_a_step_that_fails_after_the_payment_takes_everything_back(broken: str) -> None:
    shop = Unreliable(broken, 1, non_retryable=True)
    async with a_shop(shop) as client:
        result = await (await start(client, an_order(Size.SMALL, "ORD-001"))).result()
    assert result.status is OrderStatus.FAILED
    assert result.undone == ("release_inventory", "refund_payment")
    assert (result.payment, result.reservation, result.delivery) == (None, None, None)
    assert [line.split()[1:3] for line in shop.said[-2:]] == [["put", "back"], ["gave", "back"]]


async def test_an_email_that_can_not_be_sent_does_not_undo_the_order() -> None:
    async with a_shop(Unreliable("send_confirmation_email", 5)) as client:
        result = await (await start(client, an_order(Size.SMALL, "ORD-001"))).result()
    assert result.status is OrderStatus.COMPLETED
    assert result.delivery is not None


async def test_an_order_cancelled_while_it_reserves_gives_the_money_back() -> None:
    class Slow(Shop):
        reserving: asyncio.Event

        @activity.defn
        async def reserve_inventory(self, order: Order) -> Reservation:
            self.reserving.set()
            await asyncio.Event().wait()
            raise AssertionError("nobody sets it")

    said: list[str] = []
    shop = Slow(tell=said.append)
    shop.reserving = asyncio.Event()
    async with a_shop(shop) as client:
        handle = await start(client, an_order(Size.SMALL, "ORD-001"))
        await shop.reserving.wait()
        await handle.cancel()
        with pytest.raises(WorkflowFailureError) as failure:
            await handle.result()
    assert isinstance(failure.value.cause, CancelledError)
    assert [line.split()[1:3] for line in said[1:]] == [["put", "back"], ["gave", "back"]]


async def test_an_order_cancelled_while_it_waits_has_done_nothing() -> None:
    said: list[str] = []
    async with a_shop(Shop(tell=said.append)) as client:
        handle = await a_large_order(client)
        await handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    assert said == []


# Real processes


def life(*arguments: object, path: Path) -> str:
    """What a process said that was left alone; it must have ended well."""
    with running(*PROGRAM, "--db", path, *arguments) as process:
        said, complaints = process.communicate()
    assert process.returncode == 0, complaints
    return said


def line_with(process: Popen[str], wanted: str) -> str:
    """Wait for a line that holds these words."""
    assert process.stdout is not None
    said: list[str] = []
    for line in process.stdout:
        said.append(line)
        if wanted in line:
            return line
    raise AssertionError(f"it never said {wanted!r}, but {said}")


def killed_while_waiting(path: Path) -> None:
    """A large order waits, durably, and the process that runs it dies."""
    killed_after("pending", "-c", WAITS, path)


def test_the_whole_story_is_played_in_one_process_in_the_file_that_was_named(tmp_path: Path) -> None:
    path = tmp_path / "e%20f.db"
    said = life(path=path)
    ends = [line for line in said.splitlines() if line.startswith("ORD-")]
    assert ends == [
        "ORD-001 completed: paid $89.95, on its way",
        "ORD-002 completed: paid $1,899.97, on its way",
        "ORD-003 rejected: the last one is not paid",
        "ORD-004 timed out: no answer within 0.5 seconds",
    ]
    runs = {run.workflow_id: run for run in invariants.check(path)}
    assert {run.status for run in runs.values()} == {"completed"}


async def test_an_order_killed_while_it_waits_is_answered_while_nobody_runs_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    killed_while_waiting(path)
    assert "is in the journal" in life("approve", "ORD-002", "for the office", path=path)
    with running(*PROGRAM, "--db", path, "worker") as process:
        expect(process, READY)
        expect(process, "ORD-002: approved")
        line_with(process, "wrote to bob@example.com")
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate()
    assert process.returncode == 0
    assert said.strip() == "the worker has stopped"
    # Ctrl-C came somewhere around the end; what was left of it is done now.
    async with a_shop(path=path) as client:
        result = await client.get_workflow_handle_for(OrderApproval.run, "ORD-002").result()
    assert result.status is OrderStatus.COMPLETED
    assert result.approval == Approval(ApprovalStatus.APPROVED, "for the office")
    invariants.check(path)


async def test_an_order_killed_while_it_waits_still_waits(tmp_path: Path) -> None:
    killed_while_waiting(tmp_path / "j.db")
    async with a_shop(path=tmp_path / "j.db") as client:
        handle = client.get_workflow_handle_for(OrderApproval.run, "ORD-002")
        assert await handle.query(OrderApproval.get_approval_status) is ApprovalStatus.PENDING
        await send(client, "ORD-002", Answer.REJECT, "after the crash")
        assert (await handle.result()).approval.reason == "after the crash"


async def test_the_deadline_of_an_order_runs_while_no_process_does(tmp_path: Path) -> None:
    killed_while_waiting(tmp_path / "j.db")
    clock = MovableClock()
    clock.skip(timedelta(minutes=6))
    async with a_shop(path=tmp_path / "j.db", clock=clock) as client:
        handle = client.get_workflow_handle_for(OrderApproval.run, "ORD-002")
        assert (await handle.result()).status is OrderStatus.TIMED_OUT


@pytest.mark.parametrize("arguments", [("start", "small"), ("approve", "ORD-002"), ("worker",), ()])
def test_a_second_process_is_told_that_the_journal_is_in_use(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    path = tmp_path / "j.db"
    with running(*PROGRAM, "--db", path, "worker") as owner:
        expect(owner, READY)
        with running(*PROGRAM, "--db", path, *arguments) as second:
            said, complaints = second.communicate()
        owner.kill()
    assert second.returncode == 1
    assert said == ""
    assert f"is in use by process {owner.pid}" in complaints
    assert "One process may have the journal open at a time" in complaints
    assert "Traceback" not in complaints


@pytest.mark.parametrize(("arguments", "code"), [(("approve", "ORD-009"), 1), (("start", "huge"), 2)])
def test_what_can_not_be_done_is_refused_in_a_sentence(tmp_path: Path, arguments: tuple[str, ...], code: int) -> None:
    with running(*PROGRAM, "--db", tmp_path / "j.db", *arguments) as process:
        _, complaints = process.communicate()
    assert process.returncode == code
    assert complaints
    assert "Traceback" not in complaints
