"""Failures with large details: the failure arrives whatever it carries, and what is too large is named."""

from __future__ import annotations

import asyncio
import sqlite3
from base64 import b64encode
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actorflow import activity, workflow
from actorflow.client import Client, WorkflowParkedError
from actorflow.common import RetryPolicy
from actorflow.converter import FAILURE_BYTES_MAX, Failure, Payload
from actorflow.core import limits
from actorflow.exceptions import ActivityError, ApplicationError, TimeoutError
from actorflow.service import ActivityReport, ActivityTarget, Target
from tests.examples.clocks import MovableClock
from tests.support import a_client, a_place, a_worker, failure_of, start

SOON = timedelta(seconds=5)
HOUR = timedelta(hours=1)
ONCE = RetryPolicy(maximum_attempts=1)
MEBIBYTE = 1024 * 1024
LARGE = "x" * MEBIBYTE
TOO_MANY = [LARGE] * 12

left_open: asyncio.Queue[None] = asyncio.Queue()


@activity.defn
async def boom(count: int) -> None:
    raise ApplicationError("boo", *[LARGE] * count)


@activity.defn
async def chained() -> None:
    raise ApplicationError("outer", *[LARGE] * 3) from ApplicationError("inner", *[LARGE] * 3)


@activity.defn
async def left() -> None:
    left_open.put_nowait(None)
    activity.raise_complete_async()


@activity.defn
async def beats_and_hangs() -> None:
    if activity.info().attempt == 1:
        raise ApplicationError("first", *[LARGE] * 3)
    activity.heartbeat(*[LARGE] * 3)
    left_open.put_nowait(None)
    await asyncio.Event().wait()


ACTIVITIES = [boom, chained, left, beats_and_hangs]


@pytest.fixture(autouse=True)
def nothing_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "left_open", asyncio.Queue())  # a queue belongs to one loop


@workflow.defn
class Asks:
    @workflow.run
    async def run(self, name: str, args: list[Any]) -> None:
        await workflow.execute_activity(name, args=args, start_to_close_timeout=SOON, retry_policy=ONCE)


@workflow.defn
class AsksTwice:
    @workflow.run
    async def run(self) -> None:
        quick = RetryPolicy(initial_interval=timedelta(milliseconds=1))
        await workflow.execute_activity(beats_and_hangs, schedule_to_close_timeout=HOUR, retry_policy=quick)


@workflow.defn
class Fails:
    @workflow.run
    async def run(self) -> None:
        raise ApplicationError("boo", *TOO_MANY)


async def cause_of(client: Client, name: str, *args: Any) -> ApplicationError:
    failed = await failure_of(await start(client, Asks.run, name, list(args)))
    assert isinstance(failed, ActivityError)
    assert isinstance(failed.cause, ApplicationError)
    return failed.cause


def is_said(details: Any) -> bool:
    """True if one text says what was left out."""
    (text,) = details
    return text.startswith("<not stored: details of ") and text.endswith(f"{FAILURE_BYTES_MAX:,}>")


async def test_an_activity_that_fails_with_too_many_details_fails_with_its_own_message() -> None:
    assert FAILURE_BYTES_MAX == limits.CALL_PAYLOAD_BYTES_MAX
    async with a_place(Asks, activities=ACTIVITIES) as client:
        cause = await cause_of(client, "boom", 12)
    assert cause.message == "boo"
    assert cause.details == ("<not stored: details of 12,582,936 bytes, where there was room for 4,194,304>",)


async def test_details_that_fit_arrive_whole() -> None:
    async with a_place(Asks, activities=ACTIVITIES) as client:
        assert (await cause_of(client, "boom", 3)).details == (LARGE,) * 3


async def test_a_failure_shares_the_room_with_its_causes_and_comes_before_them() -> None:
    async with a_place(Asks, activities=ACTIVITIES) as client:
        outer = await cause_of(client, "chained")
    inner = outer.cause
    assert isinstance(inner, ApplicationError)
    assert (outer.message, outer.details, inner.message) == ("outer", (LARGE,) * 3, "inner")
    assert inner.details[0].startswith("<not stored: details of 3,145,734 bytes")


async def test_a_workflow_that_fails_with_too_many_details_fails_with_its_own_message() -> None:
    async with a_place(Fails) as client:
        cause = await failure_of(await start(client, Fails.run))
    assert isinstance(cause, ApplicationError)
    assert cause.message == "boo"
    assert is_said(cause.details)


@pytest.mark.parametrize("is_ours", [True, False])
async def test_somebody_outside_who_fails_an_activity_with_too_many_details_is_heard(is_ours: bool) -> None:
    async with a_place(Asks, activities=ACTIVITIES) as client:
        handle = await start(client, Asks.run, "left", [])
        await left_open.get()
        if is_ours:
            outside = client.get_async_activity_handle(workflow_id="w", run_id=None, activity_id="1")
            await outside.fail(ApplicationError("boo", *TOO_MANY))
        else:
            details = tuple(Payload(json=msgspec.Raw(msgspec.json.encode(one))) for one in TOO_MANY)
            report = ActivityReport(failure=Failure(message="boo", details=details))
            await client.engine.service.settle_activity(ActivityTarget(Target("default", "w"), "1"), report)
        failed = await failure_of(handle)
        assert isinstance(failed, ActivityError)
        assert isinstance(failed.cause, ApplicationError)
        assert failed.cause.message == "boo"
        assert is_said(failed.cause.details)


async def test_a_timeout_shares_the_room_with_the_failure_before_it() -> None:
    clock = MovableClock()
    async with (
        asyncio.timeout(10),
        a_client(clock=clock) as client,
        a_worker(client, workflows=[AsksTwice], activities=ACTIVITIES),
    ):
        handle = await start(client, AsksTwice.run)
        await left_open.get()
        clock.skip(HOUR)
        failed = await failure_of(handle)
    assert isinstance(failed, ActivityError)
    timeout = failed.cause
    assert isinstance(timeout, TimeoutError)
    before = timeout.cause
    assert isinstance(before, ApplicationError)
    assert list(timeout.last_heartbeat_details) == [LARGE] * 3
    assert before.message == "first"
    assert before.details[0].startswith("<not stored: details of 3,145,734 bytes")


@workflow.defn
class Broken:
    @workflow.run
    async def run(self) -> None:
        await workflow.sleep(0.001)  # what fails at once is not journaled: the start waits in the inbox
        raise KeyError("broken code") from ApplicationError("because", LARGE)


@workflow.defn
class SlightlyBroken:
    @workflow.run
    async def run(self) -> None:
        await workflow.sleep(0.001)
        raise KeyError("broken code") from ApplicationError("because", "small")


@pytest.mark.parametrize(("kind", "kept", "shown"), [(Broken, LARGE, ()), (SlightlyBroken, "small", ("small",))])
async def test_the_head_of_a_parked_run_is_without_large_details_which_are_in_its_history(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: Any, kept: str, shown: tuple[str, ...]
) -> None:
    monkeypatch.setattr(limits, "TURN_RETRY_DELAY_MIN", timedelta(milliseconds=1))
    path = tmp_path / "journal.db"
    async with asyncio.timeout(10), a_client(path) as client, a_worker(client, workflows=[kind]):
        handle = await start(client, kind.run)
        with pytest.raises(WorkflowParkedError, match="KeyError: 'broken code'") as parked:
            await handle.result()
        cause = parked.value.__cause__
        assert isinstance(cause, ApplicationError)
        assert isinstance(cause.cause, ApplicationError)
        assert (cause.cause.message, cause.cause.details) == ("because", shown)
        about = await handle.describe()
        assert about.last_failure is not None
        assert "broken code" in about.last_failure
        assert "test_large_failures.py" in about.last_failure
        history = (await handle.fetch_history()).to_json()
        assert b64encode(f'"{kept}"'.encode()).decode() in history
    with closing(sqlite3.connect(path)) as connection:
        (failing,) = connection.execute("SELECT failing FROM run").fetchone()
    assert len(failing) < limits.FAILING_PAYLOAD_BYTES_MAX
