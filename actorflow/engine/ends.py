"""How an execution ended, or why it does not go on, as it is on disk."""

from __future__ import annotations

from actorflow.engine.execution import last_turn_of
from actorflow.engine.failing import decode_failing
from actorflow.service import Closed, Parked
from actorflow.store.protocol import RunRecord, Store
from actorflow.store.reading import ReadableStore


async def end_of(store: Store | ReadableStore, record: RunRecord) -> Closed | None:
    """The event a run closed with; None while it is open.

    Raises:
        CorruptJournalError, msgspec.DecodeError: its last row can't be read.
    """
    if record.head.status == "running":
        return None
    last = last_turn_of(record.identity, await store.journal(record.identity.key))
    return Closed(record.identity.run_id, last.events[-1])


def parking_of(record: RunRecord) -> Parked | None:
    """Why an open run can't go on, if so."""
    head = record.head
    if head.status != "running" or head.parked is None or head.failing is None:
        return None
    failing = decode_failing(head.failing)
    return Parked(record.identity.run_id, failing.reason, failing.failure)
