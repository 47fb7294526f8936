"""A user hands large values about: they are kept once, come back whole, and too large ones are refused by name."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actorflow import activity, workflow
from actorflow.api.common.v1 import Payload
from actorflow.client import Client, Schedule, ScheduleActionStartWorkflow, ScheduleSpec, WorkflowParkedError
from actorflow.common import RawValue
from actorflow.core import limits
from actorflow.exceptions import ActivityError, ApplicationError, PayloadTooLargeError, RetryState
from actorflow.store.sqlite.stats import stats
from actorflow.store.sqlite.verify import verify
from tests.support import a_client, a_place, execute, failure_of, start

SOON = timedelta(seconds=5)
MEBIBYTE = 1024 * 1024
LARGE = "x" * MEBIBYTE
TOO_LARGE = "x" * (2 * MEBIBYTE)


@activity.defn
async def doubled(parcel: str) -> str:
    return parcel[: len(parcel) // 2] * 2


@activity.defn
async def inflated(size: int) -> str:
    return "x" * size


@activity.defn
async def swollen(size: int) -> str:
    activity.heartbeat("x" * size)
    return "unreachable"


@workflow.defn
class Parcel:
    """Passes what it gets through everything there is."""

    def __init__(self) -> None:
        self._received: list[str] = []

    @workflow.run
    async def run(self, parcel: str) -> str:
        workflow.upsert_memo({"parcel": parcel})
        parcel = await workflow.execute_activity(doubled, parcel, start_to_close_timeout=SOON)
        parcel = await workflow.execute_child_workflow(Inner.run, parcel)
        await workflow.wait_condition(lambda: len(self._received) == 2)
        assert self._received == [parcel, parcel]
        return parcel

    @workflow.signal
    def receive(self, parcel: str) -> None:
        self._received.append(parcel)

    @workflow.update
    async def exchange(self, parcel: str) -> str:
        self._received.append(parcel)
        return parcel

    @workflow.query
    def look(self) -> str:
        return self._received[0]


@workflow.defn
class Inner:
    @workflow.run
    async def run(self, parcel: str) -> str:
        return parcel


@workflow.defn
class Asks:
    """Runs an activity that makes something of so many bytes, once or as often as it takes."""

    @workflow.run
    async def run(self, name: str, size: int) -> str:
        return await workflow.execute_activity(name, size, result_type=str, start_to_close_timeout=SOON)


@workflow.defn
class Sends:
    """Tries to send what is too large, and says what came of it."""

    @workflow.run
    async def run(self, what: str, size: int) -> str:
        value = "x" * size
        try:
            match what:
                case "activity":
                    await workflow.execute_activity(doubled, value, start_to_close_timeout=SOON)
                case "local activity":
                    await workflow.execute_local_activity(doubled, value, start_to_close_timeout=SOON)
                case "child":
                    await workflow.execute_child_workflow(Inner.run, value)
                case "signal":
                    await workflow.get_external_workflow_handle("other").signal("receive", value)
                case "memo":
                    workflow.upsert_memo({"parcel": value})
                case "many":
                    await workflow.execute_activity("any", args=[value] * 5, start_to_close_timeout=SOON)
                case _:
                    for _ in range(100):
                        workflow.start_activity(doubled, value, start_to_close_timeout=SOON)
        except PayloadTooLargeError as refusal:
            return str(refusal)
        return "sent"


# Kept once


async def test_a_large_value_goes_through_everything_and_is_kept_once(tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    async with a_place(Parcel, Inner, activities=[doubled], path=path) as client:
        handle = await start(client, Parcel.run, LARGE, memo={"first": LARGE})
        await handle.signal(Parcel.receive, LARGE)
        assert await handle.execute_update(Parcel.exchange, LARGE) == LARGE
        assert await handle.result() == LARGE
        assert await handle.query(Parcel.look) == LARGE
        assert await (await handle.describe()).memo() == {"first": LARGE, "parcel": LARGE}
        exported = (await handle.fetch_history()).to_json()
        assert exported.count("$payload") == 0
    found = stats(path)
    assert (found.rows_by_table["payload"], found.payload_bytes) == (1, MEBIBYTE + 2)
    assert found.journal_bytes < 20_000
    assert verify(path).is_sound


async def test_it_comes_back_whole_in_another_process_of_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    async with a_client(path) as client:
        handle = await start(client, Inner.run, LARGE)
        await start(client, Parcel.run, LARGE, id="parcel")
        await client.get_workflow_handle("parcel").signal(Parcel.receive, LARGE)
    async with a_place(Inner, Parcel, activities=[doubled], path=path) as client:
        assert await client.get_workflow_handle_for(Inner.run, handle.id).result() == LARGE
        parcel = client.get_workflow_handle_for(Parcel.run, "parcel")
        await parcel.signal(Parcel.receive, LARGE)
        assert await parcel.result() == LARGE
    assert verify(path).is_sound
    assert stats(path).rows_by_table["payload"] == 1


async def test_a_thousand_workflows_with_the_same_argument_keep_it_once(tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    async with a_client(path) as client:
        for _ in range(20):
            await asyncio.gather(*[start(client, Inner.run, LARGE, id=f"w-{_}-{number}") for number in range(50)])
    assert path.stat().st_size < 3 * MEBIBYTE
    assert stats(path).rows_by_table["payload"] == 1


async def test_a_schedule_keeps_what_it_starts_with_once(tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    async with a_place(Inner, path=path) as client:
        action = ScheduleActionStartWorkflow(Inner.run, LARGE, id="daily", task_queue="q")
        schedule = await client.create_schedule("daily", Schedule(action=action, spec=ScheduleSpec()))
        await schedule.trigger()
        await schedule.pause(note="enough")
    assert stats(path).rows_by_table["payload"] == 1
    assert verify(path).is_sound
    async with a_client(path) as client:
        await client.get_schedule_handle("daily").delete()
    assert verify(path).is_sound


async def test_what_is_large_may_be_said(tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    async with a_client(path, large_payload_bytes=2_000) as client:
        await start(client, Inner.run, "x" * 3_000)
        async with a_client(path), a_client(path, large_payload_bytes=2_000):
            pass
        with pytest.raises(ValueError, match="is open in this process with large_payload_bytes=2000, not 5000"):
            await Client.connect(f"sqlite:///{path}", large_payload_bytes=5_000)
    assert stats(path).payload_bytes == 3_002
    with pytest.raises(ValueError, match="at least 1,024, not 100"):
        await Client.connect(f"sqlite:///{path}", large_payload_bytes=100)
    async with a_place(Inner, path=path) as client:  # now with the default
        assert await client.get_workflow_handle_for(Inner.run, "w").result() == "x" * 3_000


async def test_a_workflow_whose_value_is_lost_is_parked_and_no_other_notices(tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    async with a_client(path) as client:
        await start(client, Inner.run, LARGE)
        await start(client, Inner.run, LARGE[1:], id="other")
    with closing(sqlite3.connect(path, isolation_level=None)) as another_program:
        another_program.execute("DELETE FROM payload WHERE size = (SELECT max(size) FROM payload)")
    async with a_place(Inner, path=path) as client:
        assert await client.get_workflow_handle_for(Inner.run, "other").result() == LARGE[1:]
        with pytest.raises(WorkflowParkedError, match="Restore the database from a backup"):
            await client.get_workflow_handle("w").result()


# Too large


@pytest.mark.parametrize(
    ("what", "size", "says"),
    [
        ("activity", 2 * MEBIBYTE, "a value of type str takes 2,097,154 bytes encoded, over the limit of 2,097,152"),
        ("local activity", 2 * MEBIBYTE, "a value of type str takes"),
        ("child", 2 * MEBIBYTE, "a value of type str takes"),
        ("signal", 2 * MEBIBYTE, "a value of type str takes"),
        ("memo", 2 * MEBIBYTE, "a value of type str takes"),
        (
            "many",
            MEBIBYTE,
            "activity 'any' with all its payloads takes 5,242,890 bytes encoded, over the limit of 4,194,304",
        ),
        ("much", MEBIBYTE, "wait for some of it before you ask for more"),
    ],
)
async def test_a_workflow_that_asks_for_too_much_is_told_at_the_call(what: str, size: int, says: str) -> None:
    async with a_place(Sends, Inner, activities=[doubled]) as client:
        assert says in await execute(client, Sends.run, what, size)


@pytest.mark.parametrize("name", ["inflated", "swollen"])
async def test_an_activity_that_makes_something_too_large_fails_at_once(name: str) -> None:
    async with a_place(Asks, activities=[inflated, swollen]) as client:
        failed = await failure_of(await start(client, Asks.run, name, 2 * MEBIBYTE))
    assert isinstance(failed, ActivityError)
    assert failed.retry_state == RetryState.NON_RETRYABLE_FAILURE
    assert isinstance(failed.cause, ApplicationError)
    assert failed.cause.type == "PayloadTooLargeError"
    assert "over the limit of 2,097,152; store it elsewhere" in failed.cause.message
    assert name == "swollen" or "the result of inflated (id 1 of w) takes 2,097,154 bytes" in failed.cause.message


async def test_what_is_too_large_is_refused_before_anything_is_written() -> None:
    raw = RawValue(Payload(metadata={"encoding": b"json/plain"}, data=f'"{TOO_LARGE}"'.encode()))
    async with a_client() as client:
        handle = await start(client, Inner.run, "small")
        before = client.engine.store.facts()["commits"]
        calls: list[Any] = [
            lambda value: start(client, Inner.run, value, id="other"),
            lambda value: start(client, Inner.run, "small", id="other", memo={"parcel": value}),
            lambda value: handle.signal("receive", value),
            lambda value: handle.execute_update("exchange", value),
            lambda value: handle.query("look", value),
            lambda value: handle.terminate(value),
        ]
        for value in (TOO_LARGE, raw):
            for call in calls:
                with pytest.raises(PayloadTooLargeError, match="over the limit of 2,097,152"):
                    await call(value)
        with pytest.raises(PayloadTooLargeError, match="signal 'receive' with all its payloads takes"):
            await handle.signal("receive", args=[LARGE] * 4)
        assert client.engine.store.facts()["commits"] == before


async def test_what_is_left_of_a_turn_counts_from_anew() -> None:
    assert limits.TURN_PAYLOAD_BYTES_MAX // MEBIBYTE == 64

    @workflow.defn
    class Patient:
        @workflow.run
        async def run(self) -> int:
            for _ in range(2):
                for _ in range(40):
                    workflow.start_activity(doubled, LARGE, start_to_close_timeout=SOON).cancel()
                await workflow.sleep(0.001)
            return 80

    async with a_place(Patient) as client:
        assert await execute(client, Patient.run) == 80
