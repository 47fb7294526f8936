"""Pydantic models as arguments, results, signals and details."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import pytest
from pydantic import BaseModel, Field

from actorflow import activity, workflow
from actorflow.client import Client
from actorflow.contrib.pydantic import (
    PydanticJSONPlainPayloadConverter,
    PydanticPayloadConverter,
    ToJsonOptions,
    pydantic_data_converter,
)
from actorflow.exceptions import PayloadError
from tests.support import a_worker


class Item(BaseModel):
    name: str
    price: Annotated[Decimal, Field(gt=0)]
    tags: frozenset[str] = frozenset()


class Order(BaseModel):
    id: UUID
    items: list[Item]
    at: datetime


@dataclass
class Receipt:
    order: Order
    took: timedelta


ORDER = Order(id=UUID(int=1), items=[Item(name="x", price=Decimal("1.50"))], at=datetime(2030, 1, 1, tzinfo=UTC))


@activity.defn
async def charge(order: Order) -> Receipt:
    assert isinstance(order, Order)
    return Receipt(order, timedelta(seconds=1))


@workflow.defn
class Sell:
    def __init__(self) -> None:
        self.note: Item | None = None

    @workflow.run
    async def run(self, order: Order) -> Receipt:
        receipt = await workflow.execute_activity(charge, order, start_to_close_timeout=timedelta(seconds=5))
        await workflow.wait_condition(lambda: self.note is not None)
        assert isinstance(receipt.order, Order)
        return receipt

    @workflow.signal
    def add(self, item: Item) -> None:
        self.note = item

    @workflow.query
    def last(self) -> Item | None:
        return self.note


async def test_models_travel_as_arguments_results_signals_and_answers() -> None:
    async with (
        await Client.connect("memory://", data_converter=pydantic_data_converter) as client,
        a_worker(client, workflows=[Sell], activities=[charge]),
    ):
        handle = await client.start_workflow(Sell.run, ORDER, id="w", task_queue="q")
        await handle.signal(Sell.add, ORDER.items[0])
        assert await handle.result() == Receipt(ORDER, timedelta(seconds=1))
        assert await handle.query(Sell.last) == ORDER.items[0]


@pytest.mark.parametrize(
    ("value", "hint"),
    [(None, None), (b"\xff", bytes), (ORDER, Order), ([ORDER], list[Order]), (ORDER, Order | None), (7, Any)],
    ids=str,
)
def test_everything_else_comes_back_too(value: Any, hint: Any) -> None:
    values = pydantic_data_converter.values
    assert values.decode_one(values.encode_one(value), hint) == value


def test_a_model_that_does_not_fit_says_what_pydantic_says() -> None:
    values = pydantic_data_converter.values
    with pytest.raises(PayloadError, match=r"(?s)PydanticPayloadConverter can't decode .* as Item.*greater than 0"):
        values.decode_one(values.encode_one({"name": "x", "price": "-1"}), Item)


def test_fields_that_were_not_set_can_be_left_out() -> None:
    class Short(PydanticPayloadConverter):
        def __init__(self) -> None:
            super().__init__(ToJsonOptions(exclude_unset=True))

    short = dataclasses.replace(pydantic_data_converter, payload_converter_class=Short)
    assert bytes(short.values.encode_one(ORDER.items[0]).json) == b'{"name":"x","price":"1.50"}'


def test_readers_of_types_are_kept_within_their_bound() -> None:
    converter = PydanticJSONPlainPayloadConverter(max_cached_type_adapters=1)
    payload = converter.to_payload(1)
    assert payload is not None
    assert [converter.from_payload(payload, hint) for hint in (int, float, int, Annotated[int, []])] == [1, 1, 1, 1]
