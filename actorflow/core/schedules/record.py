"""A schedule as it is stored: what it is to do, and how far it has come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from actorflow.common import ScheduleOverlapPolicy
from actorflow.converter import Failure, Payload
from actorflow.core import limits
from actorflow.core.events import RunOptions
from actorflow.core.policy.checks import check_id, check_name, check_payloads, check_text
from actorflow.core.schedules.spec import Spec, check_duration
from actorflow.core.schedules.times import possible_spec
from actorflow.exceptions import CorruptJournalError, ScheduleSpecError


class StartAction(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which workflow is started each time; its id gets the time behind it."""

    workflow_type: str
    workflow_id: str
    task_queue: str
    input: tuple[Payload, ...] = ()
    options: RunOptions | None = None


class Policy(msgspec.Struct, frozen=True, omit_defaults=True):
    """How it is started.

    Attributes:
        overlap: what if something it started still runs.
        catchup_window: an action later than this is missed.
        pause_on_failure: a workflow that fails or times out pauses the schedule.
    """

    overlap: ScheduleOverlapPolicy = ScheduleOverlapPolicy.SKIP
    catchup_window: timedelta = limits.SCHEDULE_CATCHUP_WINDOW
    pause_on_failure: bool = False


class State(msgspec.Struct, frozen=True, omit_defaults=True):
    """What people switch: a paused schedule, or a limited one without remaining actions, takes none by itself."""

    note: str = ""
    is_paused: bool = False
    is_limited: bool = False
    remaining: int = 0


class Definition(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a schedule is to do."""

    action: StartAction
    spec: Spec = Spec()
    policy: Policy = Policy()
    state: State = State()


class Action(msgspec.Struct, frozen=True, omit_defaults=True):
    """One start that is to be made.

    Attributes:
        nominal: the time it is for.
        overlap: what if something still runs.
        decided_at: when it was decided to make it.
        is_manual: somebody asked for it, so neither a pause nor a limit holds it back.
    """

    nominal: datetime
    overlap: ScheduleOverlapPolicy
    decided_at: datetime
    is_manual: bool = False


class RunningAction(msgspec.Struct, frozen=True, omit_defaults=True):
    """A workflow that was started, until its last run closes.

    Attributes:
        stop: 'cancel' or 'terminate' if it must end; empty otherwise.
        is_asked: it was told so.
    """

    workflow_id: str
    first_run_id: str
    stop: str = ""
    is_asked: bool = False


class ActionResult(msgspec.Struct, frozen=True):
    """A start that was made."""

    nominal: datetime
    started_at: datetime
    workflow_id: str
    first_run_id: str


class Backfill(msgspec.Struct, frozen=True, omit_defaults=True):
    """Times that are to be taken as if they were now.

    Attributes:
        after: those up to here are done.
        end_at: the last one, if it is one.
        overlap: instead of the schedule's own policy; None for that.
    """

    after: datetime
    end_at: datetime
    overlap: ScheduleOverlapPolicy | None = None


class Patch(msgspec.Struct, frozen=True, omit_defaults=True):
    """What somebody asks of a schedule once.

    Attributes:
        pause, unpause: the note to do it with; None leaves it alone.
        is_triggered: take an action now, with ``trigger_overlap`` instead of its own policy if given.
        backfills: take actions for these spans.
    """

    pause: str | None = None
    unpause: str | None = None
    is_triggered: bool = False
    trigger_overlap: ScheduleOverlapPolicy | None = None
    backfills: tuple[Backfill, ...] = ()


class Counts(msgspec.Struct, frozen=True, omit_defaults=True):
    """How many starts were made, how many actions were skipped because something still ran, were too late, or met
    another workflow of their id."""

    started: int = 0
    skipped: int = 0
    missed: int = 0
    refused: int = 0


class ScheduleRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """A schedule.

    Attributes:
        revision: rises whenever the definition changes.
        handled_until: times up to here are dealt with.
        owed: decided, and about to be started.
        buffer: waits until what runs has ended.
        backfills: what is left of them.
        running: workflows that it waits for.
        recent: the latest starts.
        last_result: of the workflow that completed last; last_failure: of the last one, if that failed.
    """

    schedule_id: str
    definition: Definition
    created_at: datetime
    handled_until: datetime
    revision: int = 1
    updated_at: datetime | None = None
    owed: tuple[Action, ...] = ()
    buffer: tuple[Action, ...] = ()
    backfills: tuple[Backfill, ...] = ()
    running: tuple[RunningAction, ...] = ()
    recent: tuple[ActionResult, ...] = ()
    counts: Counts = Counts()
    last_result: Payload | None = None
    last_failure: Failure | None = None
    memo: dict[str, Payload] | None = None

    @property
    def seed(self) -> str:
        """Of its jitter."""
        return self.schedule_id


def checked_definition(definition: Definition) -> Definition:
    """A definition that makes sense.

    Raises:
        ScheduleSpecError: its spec or its policy doesn't; the error names the field.
        ValueError, TypeError: an id, a name, a note or the limit doesn't.
    """
    action, policy, state = definition.action, definition.policy, definition.state
    check_name("workflow type", action.workflow_type)
    check_name("task queue", action.task_queue)
    check_id(action.workflow_id)
    check_id(stamped(action.workflow_id, _LONGEST))
    check_payloads(f"the action of workflow {action.workflow_id!r}", action.input)
    if action.options is not None and action.options.memo:
        check_payloads(f"the memo of workflow {action.workflow_id!r}", action.options.memo.values())
    check_text("note", state.note)
    if not isinstance(state.remaining, int) or state.remaining < 0:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ScheduleSpecError("state.remaining_actions", repr(state.remaining), "it must not be negative")
    if state.remaining and not state.is_limited:
        raise ScheduleSpecError(
            "state.remaining_actions", str(state.remaining), "limited_actions must be True for it to count"
        )
    check_duration("policy.catchup_window", policy.catchup_window)
    window = max(policy.catchup_window, limits.SCHEDULE_CATCHUP_WINDOW_MIN)
    return msgspec.structs.replace(
        definition,
        spec=possible_spec(definition.spec),
        policy=msgspec.structs.replace(policy, catchup_window=window),
    )


def stamped(workflow_id: str, nominal: datetime) -> str:
    """The id of the workflow for a time: the schedule's, and the time."""
    return f"{workflow_id}-{nominal.astimezone(UTC).replace(tzinfo=None).isoformat()}Z"


def request_id_of(record: ScheduleRecord, action: Action) -> str:
    """Makes sure that a time of this schedule starts one workflow, however often it is tried."""
    return f"schedule {record.schedule_id} {record.created_at.isoformat()} {action.nominal.isoformat()}"


def encode_record(record: ScheduleRecord) -> str:
    """A record as JSON."""
    return msgspec.json.encode(record).decode()


def decode_record(schedule_id: str, text: str) -> ScheduleRecord:
    """A record from JSON.

    Raises:
        CorruptJournalError: it is none.
    """
    try:
        return msgspec.json.decode(text, type=ScheduleRecord)
    except msgspec.DecodeError as problem:
        raise CorruptJournalError(
            f"the row of schedule {schedule_id!r} can't be read ({problem}); restore the database from a backup"
        ) from problem


_LONGEST: Final = datetime(2000, 1, 1, microsecond=1, tzinfo=UTC)
