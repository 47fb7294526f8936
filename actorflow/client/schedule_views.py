"""Schedules as they are described and listed. Instants are UTC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from actorflow.api.common.v1 import Payload as PublicPayload
from actorflow.client.data import WorkflowData
from actorflow.client.schedule import Schedule, ScheduleSpec
from actorflow.client.schedule_terms import schedule_of, spec_of
from actorflow.converter import DataConverter, Payload, public_payload
from actorflow.core.schedules.record import ScheduleRecord
from actorflow.service import ScheduleDescribed
from actorflow.workflow.arguments import UNSET


class ScheduleActionExecution:
    """What an action did: see `ScheduleActionExecutionStartWorkflow`."""


@dataclass(frozen=True)
class ScheduleActionExecutionStartWorkflow(ScheduleActionExecution):
    """The workflow that an action started."""

    workflow_id: str
    first_execution_run_id: str


@dataclass(frozen=True)
class ScheduleActionResult:
    """An action that was taken: the time it was for, when it was taken, and what it did."""

    scheduled_at: datetime
    started_at: datetime
    action: ScheduleActionExecution


@dataclass(frozen=True)
class ScheduleInfo:
    """How far a schedule has come.

    Attributes:
        num_actions: actions taken, triggers and backfills included.
        num_actions_missed_catchup_window: times that were too late for it.
        num_actions_skipped_overlap: actions not taken because something still ran.
        running_actions: what it started and waits for.
        recent_actions: the ten latest, oldest first.
        next_action_times: the ten next ones.
    """

    num_actions: int
    num_actions_missed_catchup_window: int
    num_actions_skipped_overlap: int
    running_actions: Sequence[ScheduleActionExecution]
    recent_actions: Sequence[ScheduleActionResult]
    next_action_times: Sequence[datetime]
    created_at: datetime
    last_updated_at: datetime | None


class _Noted:
    """Something with a memo."""

    _data: WorkflowData
    _memo: Mapping[str, Payload]

    @property
    def data_converter(self) -> DataConverter:
        """Of the client."""
        return self._data.converter

    @property
    def raw_memo(self) -> Mapping[str, PublicPayload]:
        """The memo as it is stored."""
        return {key: public_payload(payload) for key, payload in self._memo.items()}

    async def memo(self) -> Mapping[str, Any]:
        """See `WorkflowData.memo`."""
        return await self._data.memo(self._memo)

    async def memo_value(self, key: str, default: Any = UNSET, *, type_hint: Any = None) -> Any:
        """See `WorkflowData.memo_value`."""
        return await self._data.memo_value(self._memo, key, default, type_hint=type_hint)


@dataclass(frozen=True)
class ScheduleDescription(_Noted):
    """A schedule as it stands. Its cron expressions are calendars and intervals, the arguments of its action payloads.

    Attributes:
        revision: rises with each change of the schedule.
    """

    id: str
    schedule: Schedule
    info: ScheduleInfo
    revision: int
    _data: WorkflowData = field(repr=False, compare=False)
    _memo: Mapping[str, Payload] = field(repr=False)

    @classmethod
    def of(cls, found: ScheduleDescribed, converter: DataConverter, namespace: str) -> Self:
        """From what the service says."""
        record = found.record
        return cls(
            id=record.schedule_id,
            schedule=schedule_of(record.definition),
            info=_info_of(found),
            revision=record.revision,
            _data=WorkflowData(converter, namespace, record.schedule_id),
            _memo=record.memo or {},
        )


def _info_of(found: ScheduleDescribed) -> ScheduleInfo:
    record = found.record
    return ScheduleInfo(
        num_actions=record.counts.started,
        num_actions_missed_catchup_window=record.counts.missed,
        num_actions_skipped_overlap=record.counts.skipped,
        running_actions=[
            ScheduleActionExecutionStartWorkflow(one.workflow_id, one.first_run_id) for one in record.running
        ],
        recent_actions=_recent_of(record),
        next_action_times=list(found.next_times),
        created_at=record.created_at,
        last_updated_at=record.updated_at,
    )


def _recent_of(record: ScheduleRecord) -> Sequence[ScheduleActionResult]:
    return [
        ScheduleActionResult(
            one.nominal, one.started_at, ScheduleActionExecutionStartWorkflow(one.workflow_id, one.first_run_id)
        )
        for one in record.recent
    ]


class ScheduleListAction:
    """What a listed schedule does: see `ScheduleListActionStartWorkflow`."""


@dataclass(frozen=True)
class ScheduleListActionStartWorkflow(ScheduleListAction):
    """Starts a workflow of that type."""

    workflow: str


@dataclass(frozen=True)
class ScheduleListState:
    """Whether it is paused, and the note."""

    note: str | None
    paused: bool


@dataclass(frozen=True)
class ScheduleListInfo:
    """Its latest and next actions."""

    recent_actions: Sequence[ScheduleActionResult]
    next_action_times: Sequence[datetime]


@dataclass(frozen=True)
class ScheduleListSchedule:
    """What a listed schedule does, and when."""

    action: ScheduleListAction
    spec: ScheduleSpec
    state: ScheduleListState


@dataclass(frozen=True)
class ScheduleListDescription(_Noted):
    """A schedule of a list."""

    id: str
    schedule: ScheduleListSchedule | None
    info: ScheduleListInfo | None
    _data: WorkflowData = field(repr=False, compare=False)
    _memo: Mapping[str, Payload] = field(repr=False)

    @classmethod
    def of(cls, found: ScheduleDescribed, converter: DataConverter, namespace: str) -> Self:
        """From what the service says."""
        record = found.record
        definition = record.definition
        return cls(
            id=record.schedule_id,
            schedule=ScheduleListSchedule(
                ScheduleListActionStartWorkflow(definition.action.workflow_type),
                spec_of(definition.spec),
                ScheduleListState(definition.state.note or None, definition.state.is_paused),
            ),
            info=ScheduleListInfo(_recent_of(record), list(found.next_times)),
            _data=WorkflowData(converter, namespace, record.schedule_id),
            _memo=record.memo or {},
        )
