"""How a schedule goes on: what becomes due, what that does beside what still runs, and what people ask of it.

Each step is a function of a record and an instant, and returns the record after it. What a record owes is done by
whoever stores it, after it is durable.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final, NamedTuple

import msgspec

from actorflow.common import ScheduleOverlapPolicy
from actorflow.converter import Failure, Payload
from actorflow.core import events as ev, limits
from actorflow.core.schedules.record import (
    Action,
    ActionResult,
    Backfill,
    Counts,
    Definition,
    Patch,
    RunningAction,
    ScheduleRecord,
    State,
)
from actorflow.core.schedules.times import Due, dues, next_due, next_nominal
from actorflow.exceptions import ScheduleSpecError, TimeoutType

_TICK: Final = timedelta(microseconds=1)
_STOPS: Final = {
    ScheduleOverlapPolicy.CANCEL_OTHER: "cancel",
    ScheduleOverlapPolicy.TERMINATE_OTHER: "terminate",
}

_BUFFER_MAX: Final = {
    ScheduleOverlapPolicy.BUFFER_ONE: 1,
    ScheduleOverlapPolicy.BUFFER_ALL: limits.SCHEDULE_BUFFER_MAX,
}


class Start(NamedTuple):
    """A start that was made: of which workflow, its first run, when, and whether it is this action's own."""

    workflow_id: str
    run_id: str
    started_at: datetime
    is_own: bool = True


# What is due


def advance(record: ScheduleRecord, now: datetime) -> ScheduleRecord:
    """Decide what is due by now, a bounded part of it; call it again until nothing changes."""
    step = _Step(record, now)
    step.take_due()
    step.take_backfills()
    step.release()
    return step.record()


def wakes_at(record: ScheduleRecord) -> datetime | None:
    """When it is due next by itself; None for never."""
    if _is_idle(record.definition.state):
        return None
    due = next_due(record.definition.spec, record.handled_until, record.seed)
    return None if due is None else due.at


def next_times(record: ScheduleRecord, now: datetime) -> Sequence[datetime]:
    """When it would be due next, paused or not: as many times as a description shows."""
    count = limits.SCHEDULE_NEXT_MAX
    state = record.definition.state
    if state.is_limited:
        count = min(count, state.remaining)
    coming = dues(record.definition.spec, max(record.handled_until, now - record.definition.spec.jitter), record.seed)
    return [due.at for due in islice((due for due in coming if due.at > now), count)]


def _is_idle(state: State) -> bool:
    return state.is_paused or (state.is_limited and state.remaining <= 0)


class _Step:
    """One step under way."""

    def __init__(self, record: ScheduleRecord, now: datetime) -> None:
        self._record = record
        self._now = now
        self._handled_until = record.handled_until
        self._owed = list(record.owed)
        self._buffer = list(record.buffer)
        self._backfills = list(record.backfills)
        self._skipped = record.counts.skipped
        self._missed = record.counts.missed

    def record(self) -> ScheduleRecord:
        """The record after it."""
        old = self._record
        return msgspec.structs.replace(
            old,
            handled_until=self._handled_until,
            owed=tuple(self._owed),
            buffer=tuple(self._buffer),
            backfills=tuple(self._backfills),
            running=self._stopped(old.running),
            counts=msgspec.structs.replace(old.counts, skipped=self._skipped, missed=self._missed),
        )

    def _stopped(self, running: tuple[RunningAction, ...]) -> tuple[RunningAction, ...]:
        """What runs, told to stop if that is what the first one in the buffer wants."""
        stop = _STOPS.get(self._buffer[0].overlap) if self._buffer else None
        if stop is None:
            return running
        return tuple([one if one.stop in (stop, "terminate") else _told(one, stop) for one in running])

    def take_due(self) -> None:
        """Times that have come."""
        if _is_idle(self._record.definition.state):
            return
        policy = self._record.definition.policy
        late = self._now - policy.catchup_window
        taken = missed = 0
        for due in dues(self._record.definition.spec, self._handled_until, self._record.seed):
            if due.at > self._now or taken == limits.SCHEDULE_STEP_MAX or not self._has_room():
                break
            if due.at >= late:
                self._take(due, policy.overlap)
                taken += 1
            elif missed < limits.SCHEDULE_MISSED_MAX:
                missed += 1
            else:  # there may be millions: go on where they are not too late
                self._handled_until = max(self._handled_until, late - self._record.definition.spec.jitter)
                break
            self._handled_until = due.nominal
        self._missed += missed

    def _has_room(self) -> bool:
        """True if the limit allows one more start beside those that are owed."""
        state = self._record.definition.state
        return not state.is_limited or state.remaining > sum(not action.is_manual for action in self._owed)

    def _take(self, due: Due, overlap: ScheduleOverlapPolicy, *, is_manual: bool = False) -> None:
        self.take(Action(due.nominal, overlap, self._now, is_manual))

    def take(self, action: Action) -> None:
        """Start it, or what its policy says if something runs."""
        if action.overlap == ScheduleOverlapPolicy.ALLOW_ALL or not (
            self._record.running or self._owed or self._buffer
        ):
            self._owed.append(action)
        elif action.overlap in _STOPS:
            self._skipped += len(self._buffer)
            self._buffer = [action]
        elif len(self._buffer) < _BUFFER_MAX.get(action.overlap, 0):
            self._buffer.append(action)
        else:
            self._skipped += 1

    def take_backfills(self) -> None:
        """Times that somebody wants to be taken; they wait while the buffer is full."""
        left = limits.SCHEDULE_STEP_MAX - len(self._owed)
        while self._backfills and left > 0 and len(self._buffer) < limits.SCHEDULE_BUFFER_MAX:
            backfill = self._backfills[0]
            nominal = next_nominal(self._record.definition.spec, backfill.after)
            if nominal is None or nominal > backfill.end_at:
                del self._backfills[0]
                continue
            overlap = backfill.overlap or self._record.definition.policy.overlap
            self._take(Due(nominal, nominal), overlap, is_manual=True)
            self._backfills[0] = msgspec.structs.replace(backfill, after=nominal)
            left -= 1

    def release(self) -> None:
        """The next one of the buffer, if nothing runs any more."""
        while self._buffer and not (self._record.running or self._owed):
            action = self._buffer.pop(0)
            if action.is_manual or not _is_idle(self._record.definition.state):
                self._owed.append(action)
            else:
                self._skipped += 1


def _told(running: RunningAction, stop: str) -> RunningAction:
    return msgspec.structs.replace(running, stop=stop, is_asked=False)


# What became of it


def begun(record: ScheduleRecord, action: Action, start: Start) -> ScheduleRecord:
    """An action has started its workflow."""
    state = record.definition.state
    running = RunningAction(start.workflow_id, start.run_id)
    is_known = any(one.first_run_id == start.run_id for one in record.running)
    if not is_known and len(record.running) < limits.SCHEDULE_RUNNING_MAX:
        record = msgspec.structs.replace(record, running=(*record.running, running))
    record = _paid(record, action)
    if not start.is_own:
        return record
    result = ActionResult(action.nominal, start.started_at, start.workflow_id, start.run_id)
    record = msgspec.structs.replace(
        record,
        recent=(*record.recent, result)[-limits.SCHEDULE_RECENT_MAX :],
        counts=msgspec.structs.replace(record.counts, started=record.counts.started + 1),
    )
    if action.is_manual or not state.is_limited:
        return record
    return _with_state(record, msgspec.structs.replace(state, remaining=max(state.remaining - 1, 0)))


def refused(record: ScheduleRecord, action: Action) -> ScheduleRecord:
    """An action has met a workflow of its id that is none of this schedule's."""
    counts = msgspec.structs.replace(record.counts, refused=record.counts.refused + 1)
    return msgspec.structs.replace(_paid(record, action), counts=counts)


def _paid(record: ScheduleRecord, action: Action) -> ScheduleRecord:
    owed = list(record.owed)
    owed.remove(action)
    return msgspec.structs.replace(record, owed=tuple(owed))


def asked(record: ScheduleRecord, told: RunningAction) -> ScheduleRecord:
    """What runs was told to stop."""
    running = [msgspec.structs.replace(one, is_asked=True) if one == told else one for one in record.running]
    return msgspec.structs.replace(record, running=tuple(running))


def ended(record: ScheduleRecord, first_run_id: str, close: Any) -> ScheduleRecord:
    """A workflow has closed for good.

    Args:
        record: before it.
        first_run_id: of the workflow.
        close: the event its last run closed with; None if it is not known.
    """
    left = tuple([one for one in record.running if one.first_run_id != first_run_id])
    if len(left) == len(record.running):
        return record
    record = msgspec.structs.replace(record, running=left)
    match close:
        case ev.Completed(result=result):
            return msgspec.structs.replace(record, last_result=result, last_failure=None)
        case ev.Failed(failure=failure):
            return _after_failure(record, first_run_id, failure)
        case ev.TimedOut():
            failure = Failure("Workflow timed out", kind="timeout", timeout_type=TimeoutType.START_TO_CLOSE)
            return _after_failure(record, first_run_id, failure)
        case _:
            return record


def _after_failure(record: ScheduleRecord, first_run_id: str, failure: Failure) -> ScheduleRecord:
    record = msgspec.structs.replace(record, last_failure=failure)
    state = record.definition.state
    if not record.definition.policy.pause_on_failure or state.is_paused:
        return record
    note = f"paused because run {first_run_id} failed: {failure.message}"[:1000]
    return _with_state(record, msgspec.structs.replace(state, is_paused=True, note=note))


# What people ask


def created(
    schedule_id: str, definition: Definition, now: datetime, *, patch: Patch, memo: dict[str, Payload] | None
) -> ScheduleRecord:
    """A schedule that begins now; ``definition`` is a checked one.

    Raises:
        ScheduleSpecError: see `backfilled`.
    """
    return patched(ScheduleRecord(schedule_id, definition, created_at=now, handled_until=now, memo=memo), patch, now)


def updated(record: ScheduleRecord, definition: Definition, now: datetime) -> ScheduleRecord:
    """It is to do something else from now on; ``definition`` is a checked one."""
    return msgspec.structs.replace(
        record, definition=definition, updated_at=now, handled_until=now, revision=record.revision + 1
    )


def paused(record: ScheduleRecord, note: str) -> ScheduleRecord:
    """It takes no actions by itself any more."""
    return _with_state(record, msgspec.structs.replace(record.definition.state, is_paused=True, note=note))


def unpaused(record: ScheduleRecord, note: str, now: datetime) -> ScheduleRecord:
    """It takes actions again; times that have passed meanwhile are not made up for."""
    state = record.definition.state
    if state.is_paused:
        record = msgspec.structs.replace(record, handled_until=max(record.handled_until, now))
    return _with_state(record, msgspec.structs.replace(state, is_paused=False, note=note))


def triggered(record: ScheduleRecord, overlap: ScheduleOverlapPolicy | None, now: datetime) -> ScheduleRecord:
    """It takes an action now."""
    step = _Step(record, now)
    known = [action.nominal for action in (*record.owed, *record.buffer)]
    known.extend(result.nominal for result in record.recent)
    nominal = now
    while nominal in known:  # two may be asked for before a clock moves on
        nominal += _TICK
    step.take(Action(nominal, overlap or record.definition.policy.overlap, now, is_manual=True))
    return step.record()


def backfilled(record: ScheduleRecord, backfills: Sequence[Backfill]) -> ScheduleRecord:
    """It takes actions for all times of some spans.

    Raises:
        ScheduleSpecError: too many of them are waiting.
    """
    every = (*record.backfills, *backfills)
    if len(every) > limits.SCHEDULE_BACKFILLS_MAX:
        raise ScheduleSpecError("backfill", f"{len(every)} spans", f"at most {limits.SCHEDULE_BACKFILLS_MAX} may wait")
    return msgspec.structs.replace(record, backfills=every)


def patched(record: ScheduleRecord, patch: Patch, now: datetime) -> ScheduleRecord:
    """All that a patch says.

    Raises:
        ScheduleSpecError: see `backfilled`.
    """
    if patch.pause is not None:
        record = paused(record, patch.pause)
    if patch.unpause is not None:
        record = unpaused(record, patch.unpause, now)
    if patch.is_triggered:
        record = triggered(record, patch.trigger_overlap, now)
    return backfilled(record, patch.backfills) if patch.backfills else record


def _with_state(record: ScheduleRecord, state: State) -> ScheduleRecord:
    definition = msgspec.structs.replace(record.definition, state=state)
    return msgspec.structs.replace(record, definition=definition, revision=record.revision + 1)


def counted(before: Counts, after: Counts) -> Counts:
    """What was counted between two records."""
    return Counts(
        after.started - before.started,
        after.skipped - before.skipped,
        after.missed - before.missed,
        after.refused - before.refused,
    )
