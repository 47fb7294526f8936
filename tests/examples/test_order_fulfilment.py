"""The order of the first example: every way it can end, and that a killed program goes on where it was."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

import actorflow
from actorflow import activity
from actorflow.client import WorkflowFailureError
from actorflow.core import events as ev
from actorflow.exceptions import ActivityError, ApplicationError
from examples.order_fulfilment.activities import Shop
from examples.order_fulfilment.models import (
    Customer,
    Item,
    Limits,
    Odds,
    Order,
    Package,
    Phase,
    Progress,
    Receipt,
    Shipment,
    Status,
)
from examples.order_fulfilment.workflow import OrderFulfilment
from tests.crashes import invariants
from tests.support import a_client, a_worker

AT_ONCE = timedelta(milliseconds=1)
ALWAYS = (1.0,) * 9
ONCE = (1.0,)
LUCKY = Odds(low_credit=(), inventory=(), payment=(), picking=(), quality=(), delivery=())
BEGIN = re.compile(r"begin \S+ (\w+) \(activity (\d+), attempt (\d+)\)")


def an_order(limits: Limits | None = None, *, credit: int = 700, seed: int = 1) -> Order:
    return Order(
        order_id="o",
        customer=Customer("Ada", "here", credit),
        items=(Item("lamp", 1, 4_900),),
        seed=seed,
        limits=limits or Limits(),
    )


async def run(order: Order, odds: Odds | Shop) -> tuple[Receipt, Counter[str]]:
    """The receipt, and how often each step was taken."""
    said: list[str] = []
    shop = odds if isinstance(odds, Shop) else Shop(odds=odds)
    shop._tell = said.append
    async with a_client() as client, a_worker(client, workflows=[OrderFulfilment], activities=shop.steps):
        receipt = await client.execute_workflow(OrderFulfilment.run, order, id="o", task_queue="q")
        progress = await client.get_workflow_handle_for(OrderFulfilment.run, "o").query(OrderFulfilment.progress)
        assert progress == receipt.progress
    begun = [BEGIN.match(line.strip()) for line in said]
    return receipt, Counter(found.group(1) for found in begun if found)


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
    assert receipt == Receipt("o", Status.REJECTED, Progress(Phase.CLOSED, 3, last_problem="an item is out of stock"))
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


# A real program, killed


class Program:
    """Lives of `python -m examples.order_fulfilment` on one file, and everything they said."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lives: list[list[str]] = []

    def run_until(self, line_number: int | None, word: str = "begin", *, delay: float = 0.01) -> bool:
        """Let the program live until it says the nth line with this word, then kill it; True if it finished."""
        said: list[str] = []
        self.lives.append(said)
        with subprocess.Popen(
            [sys.executable, "-m", "examples.order_fulfilment", "--db", str(self.path), "--delay", str(delay)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(actorflow.__file__).parent.parent)},
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                said.append(line.strip())
                if line_number is not None and word in line:
                    line_number -= 1
                    if line_number == 0:
                        process.kill()
                        break
            said.extend(line.strip() for line in process.stdout if line.endswith("\n"))
        assert process.returncode in (0, -9), "\n".join(said)
        return process.returncode == 0

    @property
    def receipt(self) -> list[str]:
        """The last lines of the last life."""
        return self.lives[-1][-3:]

    def begun(self, life: int) -> list[tuple[str, str]]:
        """(activity id, attempt) of each body that began in a life."""
        found = [BEGIN.match(line) for line in self.lives[life]]
        return [(body.group(2), body.group(3)) for body in found if body]

    def completed(self) -> set[str]:
        """Ids of activities whose result is in the journal."""
        return {
            event.activity_id for run in invariants.read_runs(self.path) for event in run.all_of(ev.ActivityCompleted)
        }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Program:
    program = Program(tmp_path_factory.mktemp("undisturbed") / "orders.db")
    assert program.run_until(None, delay=0)
    return program


def test_the_default_order_takes_every_loop_more_than_once(undisturbed: Program) -> None:
    assert undisturbed.receipt[0] == "order order-1: delivered"
    rounds = [int(number) for number in re.findall(r"\d+", undisturbed.receipt[1])]
    assert len(rounds) == 4
    assert min(rounds) > 1


@pytest.mark.parametrize(("number", "word"), [(1, "begin"), (4, "end "), (12, "begin"), (17, "end "), (20, "begin")])
def test_a_killed_order_goes_on_where_it_was(tmp_path: Path, undisturbed: Program, number: int, word: str) -> None:
    program = Program(tmp_path / "orders.db")
    assert not program.run_until(number, word, delay=0.03)
    done = program.completed()
    assert program.run_until(None)
    assert program.receipt == undisturbed.receipt
    assert any(line.startswith("recovered order order-1: ") for line in program.lives[1])
    assert not done & {activity_id for activity_id, _ in program.begun(1)}
    begun = [*program.begun(0), *program.begun(1)]
    assert len(begun) == len(set(begun))
    assert {name for name, _ in begun} == {name for name, _ in undisturbed.begun(0)}
    invariants.check(program.path)


def test_an_order_killed_again_and_again_ends_as_if_nothing_had_happened(tmp_path: Path, undisturbed: Program) -> None:
    program = Program(tmp_path / "orders.db")
    lives = 0
    for life in itertools.count():
        if program.run_until(5):
            break
        lives = life + 1
    assert lives > 4
    assert program.receipt == undisturbed.receipt
    begun = [body for life in range(len(program.lives)) for body in program.begun(life)]
    assert len(begun) == len(set(begun))
    invariants.check(program.path)


def test_a_finished_order_is_not_done_again(undisturbed: Program) -> None:
    receipt = undisturbed.receipt
    assert undisturbed.run_until(None)
    assert undisturbed.begun(-1) == []
    assert undisturbed.lives.pop()[-3:] == receipt
