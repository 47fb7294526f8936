"""What must hold before a change is made: the decisions every store shares, as functions of what it has read."""

from __future__ import annotations

from collections.abc import Sequence

from actorflow.store.protocol import Begin, Change, Conflict, Head, RunRecord, ScheduleWrite

RUNNING = "running"
"""The status of an open run; any other one is closed for good."""


def check_shape(batch: Sequence[Change]) -> None:
    """Refuse a batch no engine should send, before anything is written.

    Raises:
        ValueError: a run begins without a head, or its identity has another key than the change.
    """
    for change in batch:
        if change.begin is None:
            continue
        if change.head is None:
            raise ValueError(f"the change that begins run {change.key} has no head")
        if change.begin.identity.key != change.key:
            raise ValueError(f"the change of run {change.key} begins run {change.begin.identity.key}")


def is_open(head: Head) -> bool:
    """True while a run may still turn."""
    return head.status == RUNNING


def begin_conflict(
    begin: Begin, *, repeated: RunRecord | None, open_run: RunRecord | None, last: RunRecord | None
) -> Conflict | None:
    """What stands in the way of a begin, if anything.

    Args:
        begin: the run that wants to begin.
        repeated: the run of this workflow id with the same request id, if the request id is not empty.
        open_run: the open run of this workflow id.
        last: the run of this workflow id that began last.
    """
    if repeated is not None:
        return Conflict(repeated, repeated=True)
    if open_run is not None:
        return Conflict(open_run)
    if last is None or begin.reuse == "allow":
        return None
    if begin.reuse == "failed_only" and last.head.status != "completed":
        return None
    return Conflict(last)


def schedule_conflict(write: ScheduleWrite, version: int) -> Conflict | None:
    """What stands in the way of writing a schedule: another version of it than was expected; 0 if there is none."""
    expected = write.row.version if write.is_deleted else write.row.version - 1
    return None if version == expected else Conflict()


def change_conflict(change: Change, record: RunRecord | None) -> Conflict | None:
    """What stands in the way of a change of a run that exists: it is gone, closed, or has turned meanwhile."""
    if record is None or not is_open(record.head):
        return Conflict(record)
    if change.expected is not None and change.expected != record.head.last_event:
        return Conflict(record)
    return None
