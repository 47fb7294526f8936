"""What a list filter says, as a frozen tree.

A comparison with a time that is not there (an open run has no close time) is neither true nor false, as in SQL:
negating it does not make it true. See `actorflow.core.policy.filter_truth`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

import msgspec

from actorflow.search_attributes import SearchAttributeIndexedValueType as Type


class Kind(Enum):
    """What can be compared with a column; the values are for people."""

    TEXT = "text"
    STATUS = "a status"
    TIME = "a time"
    FLAG = "TRUE or FALSE"
    INTEGER = "a whole number"
    NUMBER = "a number"
    KEYWORDS = "a keyword of a list"
    WORDS = "words"


class Column(Enum):
    """What a filter may ask about, by its name in the public API."""

    WORKFLOW_TYPE = "WorkflowType"
    WORKFLOW_ID = "WorkflowId"
    RUN_ID = "RunId"
    EXECUTION_STATUS = "ExecutionStatus"
    START_TIME = "StartTime"
    CLOSE_TIME = "CloseTime"
    TASK_QUEUE = "TaskQueue"
    PARKED = "Parked"

    @property
    def kind(self) -> Kind:
        """What can be compared with it."""
        return _KINDS.get(self, Kind.TEXT)


_KINDS: Final = {
    Column.EXECUTION_STATUS: Kind.STATUS,
    Column.START_TIME: Kind.TIME,
    Column.CLOSE_TIME: Kind.TIME,
    Column.PARKED: Kind.FLAG,
}


class Attribute(msgspec.Struct, frozen=True):
    """A search attribute, as a filter may ask about it too; a run may have no value of it."""

    value: str
    type: Type

    @property
    def kind(self) -> Kind:
        """What can be compared with it."""
        return _KIND_BY_TYPE[self.type]


_KIND_BY_TYPE: Final = {
    Type.TEXT: Kind.WORDS,
    Type.KEYWORD: Kind.TEXT,
    Type.INT: Kind.INTEGER,
    Type.DOUBLE: Kind.NUMBER,
    Type.BOOL: Kind.FLAG,
    Type.DATETIME: Kind.TIME,
    Type.KEYWORD_LIST: Kind.KEYWORDS,
}

Field = Column | Attribute
"""What a test is about; ``value`` is its name."""

STATUS_BY_NAME: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Running": "running",
        "Completed": "completed",
        "Failed": "failed",
        "Canceled": "cancelled",
        "Terminated": "terminated",
        "ContinuedAsNew": "continued",
        "TimedOut": "timed_out",
    }
)
"""The status a head holds, by its name in the public API."""

NAME_BY_STATUS: Final[Mapping[str, str]] = MappingProxyType({status: name for name, status in STATUS_BY_NAME.items()})

Value = str | int | float | bool
"""Text, a status as heads hold it, nanoseconds since 1970, a number, or a flag."""


class Operator(Enum):
    """How a column is compared with one value."""

    EQUAL = "="
    NOT_EQUAL = "!="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="
    LESS = "<"
    LESS_OR_EQUAL = "<="


class Comparison(msgspec.Struct, frozen=True, tag=True):
    """``WorkflowType = 'Order'``."""

    column: Field
    operator: Operator
    value: Value


class OneOf(msgspec.Struct, frozen=True, tag=True):
    """``TaskQueue IN ('a', 'b')``, ``TaskQueue NOT IN ('a', 'b')``."""

    column: Field
    values: tuple[Value, ...]
    is_negated: bool = False


class Between(msgspec.Struct, frozen=True, tag=True):
    """``StartTime BETWEEN a AND b``, both ends included."""

    column: Field
    low: int | float
    high: int | float
    is_negated: bool = False


class StartsWith(msgspec.Struct, frozen=True, tag=True):
    """``WorkflowId STARTS_WITH 'order-'``."""

    column: Field
    prefix: str
    is_negated: bool = False


class IsNull(msgspec.Struct, frozen=True, tag=True):
    """``CloseTime IS NULL``."""

    column: Field
    is_negated: bool = False


class Not(msgspec.Struct, frozen=True, tag=True):
    """``NOT …``."""

    term: Condition


class And(msgspec.Struct, frozen=True, tag=True):
    """``… AND …``, two or more."""

    terms: tuple[Condition, ...]


class Or(msgspec.Struct, frozen=True, tag=True):
    """``… OR …``, two or more."""

    terms: tuple[Condition, ...]


Test = Comparison | OneOf | Between | StartsWith | IsNull
Condition = Test | Not | And | Or


class Order(msgspec.Struct, frozen=True):
    """By start or close time; among equals the run that began later counts as later. Open runs close last."""

    column: Column = Column.START_TIME
    is_descending: bool = True


class ListQuery(msgspec.Struct, frozen=True):
    """Which runs, in which order; without a condition all of them."""

    where: Condition | None = None
    order: Order = Order()


class CountQuery(msgspec.Struct, frozen=True):
    """Which runs to count, and whether each status by itself."""

    where: Condition | None = None
    is_by_status: bool = False
