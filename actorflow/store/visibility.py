"""What a list filter sees of a run, and where a run stands in a list: the same for every store."""

from __future__ import annotations

from actorflow.core.notes import IndexedValue, Notes, is_multiple, terms_of
from actorflow.core.policy.filter_tree import Attribute, Column, Kind, Order, Test, Value
from actorflow.core.policy.filter_truth import judge_value
from actorflow.core.policy.filter_values import nanos
from actorflow.store.protocol import Position, RunRecord


def value_of(record: RunRecord, column: Column) -> Value | None:
    """The value of a column, as filters hold it."""
    identity, head = record.identity, record.head
    match column:
        case Column.WORKFLOW_TYPE:
            return identity.workflow_type
        case Column.WORKFLOW_ID:
            return identity.workflow_id
        case Column.RUN_ID:
            return identity.run_id
        case Column.EXECUTION_STATUS:
            return head.status
        case Column.START_TIME:
            return nanos(identity.started_at)
        case Column.CLOSE_TIME:
            return None if head.closed_at is None else nanos(head.closed_at)
        case Column.TASK_QUEUE:
            return identity.task_queue
        case Column.PARKED:
            return head.parked is not None


def values_of(notes: Notes, attribute: Attribute) -> Value | tuple[Value, ...] | None:
    """The value of a search attribute, or the terms of one that has several, as filters hold them."""
    value: IndexedValue | None = notes.search_attributes.get(attribute.value)
    if value is None:
        return None
    terms = terms_of(value)
    if is_multiple(attribute.type):
        return tuple(terms)
    # Filters count nanoseconds.
    return int(terms[0]) * 1_000 if attribute.kind is Kind.TIME else terms[0]


def judge_run(record: RunRecord, notes: Notes, test: Test) -> bool | None:
    """Whether a test holds for a run."""
    column = test.column
    return judge_value(test, values_of(notes, column) if isinstance(column, Attribute) else value_of(record, column))


def position_of(record: RunRecord, order: Order) -> Position:
    """Where a run stands in a list of this order."""
    is_by_start = order.column is Column.START_TIME
    return Position(record.identity.started_at if is_by_start else record.head.closed_at, record.identity.key)
