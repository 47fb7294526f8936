"""A run's history as a client gets it, keeps it and reads it again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from actorflow import activity, diagram, workflow
from actorflow.client import WorkflowHistory
from actorflow.common import RetryPolicy
from actorflow.exceptions import ActivityError, ApplicationError, HistoryFormatError
from tests.support import a_place, failure_of, start

SOON = timedelta(seconds=5)
TWICE = RetryPolicy(initial_interval=timedelta(milliseconds=1), maximum_attempts=2)


@activity.defn
async def fails() -> None:
    raise ApplicationError("no", {"a": 1}, type="Nope")


@workflow.defn
class Order:
    def __init__(self) -> None:
        self.is_paid = False

    @workflow.signal
    async def pay(self, amount: int) -> None:
        self.is_paid = True

    @workflow.run
    async def run(self, item: str) -> None:
        await workflow.wait_condition(lambda: self.is_paid, timeout=60)
        await workflow.execute_activity(fails, start_to_close_timeout=SOON, retry_policy=TWICE, summary="charge")


async def history() -> WorkflowHistory:
    async with a_place(Order, activities=[fails]) as client:
        handle = await start(client, Order.run, "book")
        await handle.signal(Order.pay, 3)
        assert isinstance(await failure_of(handle), ActivityError)
        return await handle.fetch_history()


def keys_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        for item in value.values():
            yield from keys_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from keys_of(item)


async def test_a_history_is_the_same_after_a_way_through_json() -> None:
    found = await history()
    read = WorkflowHistory.from_json("w", found.to_json())
    assert (read.workflow_id, read.run_id, read.start_time) == ("w", found.run_id, found.start_time)
    assert [(event.event_id, event.event_type, event.event_time) for event in read.events] == [
        (event.event_id, event.event_type, event.event_time) for event in found.events
    ]
    assert diagram.markdown(read) == diagram.markdown(found)
    assert WorkflowHistory.from_json("w", found.to_json_dict()) == read


async def test_the_numbers_of_both_views_agree() -> None:
    found = await history()
    written = {int(event["eventId"]) for event in found.to_json_dict()["events"]}
    assert written == set(range(1, found.events[-1].event_id + 1))
    assert {event.event_id for event in found.events} < written


async def test_the_chain_of_a_failure_stands_in_the_public_shape() -> None:
    last = (await history()).to_json_dict()["events"][-1]
    failure = last["workflowExecutionFailedEventAttributes"]["failure"]
    about = failure["activityFailureInfo"]
    assert (about["activityId"], about["activityType"]) == ("1", {"name": "fails"})
    assert about["retryState"] == "RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED"
    assert failure["cause"]["message"] == "no"
    assert failure["cause"]["applicationFailureInfo"]["type"] == "Nope"
    events = {event["eventId"]: event["eventType"] for event in (await history()).to_json_dict()["events"]}
    assert events[about["scheduledEventId"]] == "EVENT_TYPE_ACTIVITY_TASK_SCHEDULED"


async def test_an_attempts_number_and_a_summary_are_shown() -> None:
    events = (await history()).to_json_dict()["events"]
    (started,) = [event for event in events if event["eventType"] == "EVENT_TYPE_ACTIVITY_TASK_STARTED"]
    assert started["activityTaskStartedEventAttributes"]["attempt"] == 2
    (scheduled,) = [event for event in events if event["eventType"] == "EVENT_TYPE_ACTIVITY_TASK_SCHEDULED"]
    assert "summary" in scheduled["userMetadata"]


async def test_json_is_plain_and_leaves_out_what_is_not_set() -> None:
    document = (await history()).to_json_dict()
    assert json.loads(json.dumps(document)) == document
    assert not [key for key in keys_of(document) if "_" in key]
    assert all(value not in (None, "") for event in document["events"] for value in event.values())


def test_a_foreign_history_gives_its_json_back_unchanged() -> None:
    document = {
        "events": [
            {
                "eventId": "1",
                "eventTime": "2030-01-01T00:00:00Z",
                "eventType": "EVENT_TYPE_WORKFLOW_EXECUTION_STARTED",
                "taskId": "42",
                "workflowExecutionStartedEventAttributes": {
                    "workflowType": {"name": "Order"},
                    "originalExecutionRunId": "a-run",
                    "workflowTaskTimeout": "10s",
                },
            }
        ]
    }
    history = WorkflowHistory.from_json("w", json.dumps(document))
    assert (history.run_id, history.to_json_dict()) == ("a-run", document)
    assert json.loads(history.to_json()) == document


@pytest.mark.parametrize("text", ["", "{", "7", "[]", '{"events": 7}', "[" * 100_000])
def test_text_that_is_no_history_is_refused(text: str) -> None:
    with pytest.raises(HistoryFormatError):
        WorkflowHistory.from_json("w", text)
