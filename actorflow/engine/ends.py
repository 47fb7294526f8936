"""How an execution ended, or why it does not go on, as it is on disk."""

from __future__ import annotations

from actorflow.core import events as ev
from actorflow.core.failing import decode_failing
from actorflow.engine.execution import last_turn_of
from actorflow.exceptions import CorruptJournalError
from actorflow.service import Closed, Parked
from actorflow.store.protocol import RunRecord, Store
from actorflow.store.reading import ReadableStore


async def end_of(store: Store | ReadableStore, record: RunRecord) -> Closed | None:
    """The event a run closed with; None while it is open.

    Raises:
        CorruptJournalError, msgspec.DecodeError: its last row can't be read, or is no end.
    """
    if record.head.status == "running":
        return None
    identity = record.identity
    rows = await store.journal(identity.key)
    end = last_turn_of(identity, rows).events[-1:] if rows else ()
    if not end or type(end[0]) not in ev.CLOSING:
        raise CorruptJournalError(
            f"workflow {identity.workflow_id!r} (run {identity.run_id}) is {record.head.status}, but its journal does "
            "not end so; restore the database from a backup"
        )
    return Closed(identity.run_id, end[0])


def parking_of(record: RunRecord) -> Parked | None:
    """Why an open run can't go on, if so.

    Raises:
        CorruptJournalError: what its head says about that can't be read.
    """
    head = record.head
    if head.status != "running" or head.parked is None or head.failing is None:
        return None
    failing = decode_failing(head.failing)
    return Parked(record.identity.run_id, failing.reason, failing.failure)
