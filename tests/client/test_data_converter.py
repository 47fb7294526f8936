"""The data converter of a client is that of its workers, its clones, and of whoever replays its histories."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from ipaddress import IPv4Address
from typing import Any

import pytest

from actorflow import activity, workflow
from actorflow.client import Client, WorkflowFailureError, WorkflowParkedError
from actorflow.converter import (
    AdvancedJSONEncoder,
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    JSONPlainPayloadConverter,
    JSONTypeConverter,
)
from actorflow.exceptions import ActivityError, ApplicationError, PayloadError
from actorflow.worker import Replayer
from tests.support import a_client, a_worker, execute, start

SOON = timedelta(seconds=5)


class Writes(AdvancedJSONEncoder):
    def default(self, o: Any) -> Any:
        return str(o) if isinstance(o, IPv4Address) else super().default(o)


class Reads(JSONTypeConverter):
    def to_typed_value(self, hint: Any, value: Any) -> Any:
        return IPv4Address(value) if hint is IPv4Address else JSONTypeConverter.Unhandled


class Addresses(CompositePayloadConverter):
    def __init__(self) -> None:
        super().__init__(JSONPlainPayloadConverter(encoder=Writes, custom_type_converters=[Reads()]))


ADDRESSES = DataConverter(payload_converter_class=Addresses)


@activity.defn
async def next_one(address: IPv4Address) -> IPv4Address:
    return address + 1


@activity.defn
async def refuse() -> None:
    raise ApplicationError("the secret message", type="Refused", non_retryable=True)


@workflow.defn
class Count:
    @workflow.run
    async def run(self, address: IPv4Address) -> IPv4Address:
        return await workflow.execute_activity(next_one, address, start_to_close_timeout=SOON)


@workflow.defn
class Refused:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(refuse, start_to_close_timeout=SOON)


FIRST, SECOND = IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2")


async def test_a_converter_given_to_the_client_is_used_everywhere() -> None:
    async with a_client(data_converter=ADDRESSES) as client, a_worker(client, workflows=[Count], activities=[next_one]):
        handle = await start(client, Count.run, FIRST)
        assert await handle.result() == SECOND
        await Replayer(workflows=[Count], data_converter=ADDRESSES).replay_workflow(await handle.fetch_history())


async def test_a_clone_lives_on_the_same_engine_and_may_convert_otherwise() -> None:
    async with a_client() as client:
        clone = Client(**{**client.config(), "data_converter": ADDRESSES})
        async with a_worker(clone, workflows=[Count], activities=[next_one]):
            assert await execute(clone, Count.run, FIRST) == SECOND
            plain = client.get_workflow_handle("w")
            assert await plain.result() == str(SECOND)
            assert (clone.engine, clone.namespace) == (client.engine, client.namespace)
        await clone.close()
        assert (await plain.describe()).id == "w"


async def test_a_value_its_converter_does_not_take_surfaces_at_the_call() -> None:
    async with a_client() as client:
        with pytest.raises(PayloadError, match="IPv4Address"):
            await start(client, Count.run, FIRST)
        with pytest.raises(PayloadError, match="Addresses can't encode a value of type set"):
            await start(Client(**{**client.config(), "data_converter": ADDRESSES}), Count.run, {object()})
        assert (await client.count_workflows()).count == 0


@pytest.mark.usefixtures("parks_at_once")
async def test_an_input_that_does_not_fit_parks_the_run_and_is_kept() -> None:
    async with a_client(data_converter=ADDRESSES) as client:
        async with a_worker(client, workflows=[Count], activities=[next_one]):
            handle = await start(client, "Count", "not an address")
            with pytest.raises(WorkflowParkedError, match="Addresses can't decode a payload"):
                await handle.result()
        assert (await handle.describe()).inbox_messages == 1


async def test_messages_of_failures_are_hidden_from_the_journal_if_that_is_wanted() -> None:
    hiding = dataclasses.replace(
        DataConverter.default, failure_converter_class=DefaultFailureConverterWithEncodedAttributes
    )
    async with a_client(data_converter=hiding) as client, a_worker(client, workflows=[Refused], activities=[refuse]):
        handle = await start(client, Refused.run)
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
        cause = failed.value.cause
        assert isinstance(cause, ActivityError)
        assert isinstance(cause.cause, ApplicationError)
        assert (cause.cause.message, cause.cause.type) == ("the secret message", "Refused")
        history = (await handle.fetch_history()).to_json_dict()["events"]
        failure = history[-1]["workflowExecutionFailedEventAttributes"]["failure"]["cause"]
        assert (failure["message"], "encodedAttributes" in failure) == ("Encoded failure", True)
        await Replayer(workflows=[Refused], data_converter=hiding).replay_workflow(await handle.fetch_history())
