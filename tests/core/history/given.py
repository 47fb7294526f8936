"""Journals and histories to begin with."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta
from typing import Any

import msgspec

from actorflow.converter import Failure, default
from actorflow.core import events as ev
from actorflow.core.history import read_history, written_history
from actorflow.core.journal import Turn
from actorflow.core.state import turn_width
from tests.core.given import NOON, SECOND

FAILURE = Failure("no", type="Nope")


def turns_of(*groups: tuple[Any, ...]) -> list[Turn]:
    """Turns a second apart, numbered as the journal does."""
    found: list[Turn] = []
    number = 0
    for place, events in enumerate(groups):
        number += turn_width(events)
        found.append(Turn(number, NOON + place * SECOND, tuple(events)))
    return found


def written(turns: list[Turn], *, started_at: datetime | None = None) -> list[dict[str, Any]]:
    """Events of the history, as a reader of the JSON text sees them."""
    document = written_history(turns, workflow_id="w", run_id="run-1", started_at=started_at)
    return json.loads(json.dumps(document))["events"]


def read(*events: dict[str, Any]) -> list[Turn]:
    return list(read_history({"events": list(events)}).turns)


def read_back(turns: list[Turn]) -> list[Turn]:
    return read(*written(turns))


def as_written(turns: list[Turn]) -> list[Turn]:
    """Turns without what the public shape has no place for."""

    def kept(event: Any) -> Any:
        if isinstance(event, ev.ActivityScheduled):
            return msgspec.structs.replace(event, waiting=False, cancellation=0)
        if isinstance(event, ev.ChildScheduled):
            return msgspec.structs.replace(event, run_id="", cancellation=2)
        if isinstance(event, ev.ContinuedAsNew):
            return msgspec.structs.replace(event, retry=None)
        return event

    return [
        Turn(turn.number, turn.at, tuple(kept(event) for event in turn.events if type(event) not in ev.UNSEEN))
        for turn in turns
    ]


def scheduled(activity_id: str, **options: Any) -> ev.ActivityScheduled:
    return ev.ActivityScheduled(activity_id, "charge", "q", **options)


def child(workflow_id: str = "c", **options: Any) -> ev.ChildScheduled:
    return ev.ChildScheduled(workflow_id, "Parcel", "q", **options)


STARTED = ev.Started("Order", "q", default().values.encode(["book", 3]), "3.11")
ORDER = turns_of(
    (STARTED, ev.SignalReceived("hurry", default().values.encode([1]), "r-1")),
    (ev.CancelRequested("too late"), ev.TimerFired("1")),
)


def event(number: int, type_: str, attributes: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    first, *others = type_.lower().split("_")
    key = "".join((first, *(word.capitalize() for word in others), "EventAttributes"))
    at = NOON + number * SECOND
    return {
        "eventId": str(number),
        "eventTime": at.isoformat().replace("+00:00", ".123456400Z"),
        "eventType": f"EVENT_TYPE_{type_}",
        "version": "0",
        "taskId": "1048576",
        key: attributes or {},
        **more,
    }


def payload(value: Any) -> dict[str, Any]:
    encoding, data = base64.b64encode(b"json/plain").decode(), base64.b64encode(json.dumps(value).encode()).decode()
    return {"metadata": {"encoding": encoding}, "data": data}


BEGINNING = [
    event(
        1,
        "WORKFLOW_EXECUTION_STARTED",
        {
            "workflowType": {"name": "Order"},
            "taskQueue": {"name": "orders", "kind": "TASK_QUEUE_KIND_NORMAL"},
            "input": {"payloads": [payload("book")]},
            "workflowTaskTimeout": "10s",
            "originalExecutionRunId": "a-run",
            "identity": "1@there",
            "attempt": 1,
            "header": None,
        },
    ),
    event(2, "WORKFLOW_TASK_SCHEDULED", {"attempt": 1}),
    event(3, "WORKFLOW_TASK_STARTED", {"scheduledEventId": "2"}),
    event(4, "WORKFLOW_TASK_COMPLETED", {"scheduledEventId": "2", "startedEventId": "3"}),
]


def at(number: int) -> datetime:
    return NOON + number * SECOND + timedelta(microseconds=123456)
