"""Runs, turns and changes as the stories about stores need them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from actorflow.core import events as ev
from actorflow.core.journal import Turn, TurnRow, encode_turn, identity_checksum
from actorflow.store.protocol import Begin, Change, Head, Identity, InboxRow, Share, Store

NOON = datetime(2030, 6, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ORDERS = Share("default", "orders")
TYPES = ("Order",)

TURN_WIDTH = 5
"""Events of the turns made here: a signal, the three task events and a timer."""


def identity(key: int, workflow_id: str | None = None, *, request_id: str = "", task_queue: str = "orders") -> Identity:
    return Identity(
        key=key,
        namespace="default",
        workflow_id=workflow_id or f"order-{key}",
        run_id=f"run-{key}",
        workflow_type="Order",
        task_queue=task_queue,
        started_at=NOON,
        request_id=request_id,
    )


def seed(run: Identity) -> int:
    return identity_checksum(run.namespace, run.workflow_id, run.run_id, run.workflow_type)


def turn(number: int, previous: int = 0, at: datetime = NOON) -> TurnRow:
    """A turn that ends with an event number."""
    events = (ev.SignalReceived(f"signal-{number}"), ev.TimerStarted(str(number), SECOND))
    return encode_turn(Turn(number, at, events), previous=previous)


def begin(
    store: Store,
    workflow_id: str | None = None,
    *,
    reuse: str = "allow",
    request_id: str = "",
    task_queue: str = "orders",
    **head: object,
) -> Change:
    """A run that begins with one turn."""
    run = identity(store.new_run_key(), workflow_id, request_id=request_id, task_queue=task_queue)
    row = turn(TURN_WIDTH, seed(run))
    fields = {"last_event": TURN_WIDTH, "checksum": row.checksum, **head}
    return Change(run.key, head=msgspec.convert(fields, Head), begin=Begin(run, reuse), turns=(row,))


def turns(key: int, expected: int, **head: object) -> Change:
    """A run that turns once more."""
    row = turn(expected + TURN_WIDTH)
    fields = {"last_event": row.number, "checksum": row.checksum, **head}
    return Change(key, expected=expected, head=msgspec.convert(fields, Head), turns=(row,))


def closes(key: int, expected: int, status: str = "completed") -> Change:
    """A run that turns a last time."""
    return turns(key, expected, status=status, closed_at=NOON)


def receives(store: Store, key: int, text: str = '{"event":"SignalReceived","name":"paid"}') -> Change:
    """A message from outside for a run."""
    return Change(key, arrived=(InboxRow(store.new_inbox_seq(), text, NOON),))
