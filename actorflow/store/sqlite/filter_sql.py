"""List filters as SQL: columns from a table, operators from an enum, every value a bound parameter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from actorflow.core.notes import is_multiple
from actorflow.core.policy.filter_tree import (
    And,
    Attribute,
    Between,
    Column,
    Comparison,
    Condition,
    IsNull,
    Kind,
    Not,
    OneOf,
    Operator,
    Or,
    StartsWith,
    Test,
)
from actorflow.core.policy.filter_truth import positive_of

NAMES: Final[Mapping[Column, str]] = {
    Column.WORKFLOW_TYPE: "workflow_type",
    Column.WORKFLOW_ID: "workflow_id",
    Column.RUN_ID: "run_id",
    Column.EXECUTION_STATUS: "status",
    Column.START_TIME: "run.started_at",  # the index of search attributes has one, too
    Column.CLOSE_TIME: "closed_at",
    Column.TASK_QUEUE: "task_queue",
    Column.PARKED: "parked",
}
"""The column of ``run`` for each column of a filter."""

NEVER: Final = -(2**63)
"""Microseconds at which nothing happens: stands for instants between two microseconds."""

_ROUNDED_UP: Final = (Operator.GREATER_OR_EQUAL, Operator.LESS)
_LAST_CODE_POINT: Final = "\U0010ffff"


class Parameters:
    """The values of one statement, by the names they have in it."""

    def __init__(self, **values: object) -> None:
        self.values: dict[str, object] = dict(values)

    def bind(self, value: object) -> str:
        """The placeholder of a value."""
        name = f"v{len(self.values)}"
        self.values[name] = value
        return f":{name}"

    def bind_all(self, values: Iterable[object]) -> str:
        """A list of placeholders in parentheses."""
        return f"({', '.join([self.bind(value) for value in values])})"


def condition_sql(condition: Condition, parameters: Parameters) -> str:
    """A condition; what it says of times that are not there is NULL, as `core.policy.filter_truth` has it."""
    match condition:
        case Not(term):
            return f"NOT ({condition_sql(term, parameters)})"
        case And(terms):
            return " AND ".join([conjunct_sql(term, parameters) for term in terms])
        case Or(terms):
            return " OR ".join([condition_sql(term, parameters) for term in terms])
        case Comparison() | OneOf() | Between() | StartsWith() | IsNull():
            column = condition.column
            if isinstance(column, Attribute):
                return _attribute_sql(column, condition, parameters)
            return test_sql(NAMES[column], condition, parameters)


def test_sql(name: str, test: Test, parameters: Parameters) -> str:
    """A test of whatever has this name in SQL."""
    match test:
        case Comparison():
            return _comparison(name, test, parameters)
        case OneOf(column, values, is_negated):
            bound = [_exact(value) for value in values] if column.kind is Kind.TIME else values
            return f"{name} {_not(is_negated)}IN {parameters.bind_all(bound)}"
        case Between(column, low, high, is_negated):
            if column.kind is Kind.TIME:
                low, high = _up(int(low)), _down(int(high))
            return f"{name} {_not(is_negated)}BETWEEN {parameters.bind(low)} AND {parameters.bind(high)}"
        case StartsWith(_, prefix, is_negated):
            return f"{_not(is_negated)}({prefix_sql(name, prefix, parameters)})"
        case IsNull(_, is_negated):
            return f"{name} IS {_not(is_negated)}NULL"


# Search attributes: what a run is found by stands in rows of their own. A test of one that a run does not have is NULL,
# as is the value of a subquery without a row, and the maximum of none.

VALUE: Final = "search_value.value"


def attribute_sql(attribute: Attribute, parameters: Parameters) -> str:
    """The number of a search attribute, as a condition on its rows."""
    name = parameters.bind(attribute.value)
    number = f"(SELECT id FROM search_attribute WHERE namespace = :namespace AND name = {name})"
    return f"search_value.attribute = {number}"


def _attribute_sql(attribute: Attribute, test: Test, parameters: Parameters) -> str:
    rows = f"FROM search_value WHERE search_value.run = run.key AND {attribute_sql(attribute, parameters)}"
    if not is_multiple(attribute.type):
        return test_sql(f"(SELECT {VALUE} {rows})", test, parameters)
    if isinstance(test, IsNull):
        return f"{_not(not test.is_negated)}EXISTS (SELECT 1 {rows})"
    positive, is_negated = positive_of(test)
    return f"{_not(is_negated)}(SELECT max({test_sql(VALUE, positive, parameters)}) {rows})"


def conjunct_sql(condition: Condition, parameters: Parameters) -> str:
    """A condition that stands beside others. Parentheses are few, because SQLite's parser does not go deep."""
    text = condition_sql(condition, parameters)
    return f"({text})" if isinstance(condition, Or) else text


def _not(is_negated: bool) -> str:
    return "NOT " if is_negated else ""


def _comparison(name: str, test: Comparison, parameters: Parameters) -> str:
    column, operator, value = test.column, test.operator, test.value
    if column is Column.PARKED:
        is_set = (operator is Operator.EQUAL) is value
        return f"{name} IS {_not(is_set)}NULL"
    if column.kind is Kind.TIME:
        value = _micros(operator, int(value))
    return f"{name} {operator.value} {parameters.bind(value)}"


def prefix_sql(name: str, prefix: str, parameters: Parameters) -> str:
    """A range that an index can search: text is compared by its UTF-8 bytes, which sort as code points do."""
    end = successor(prefix)
    lower = f"{name} >= {parameters.bind(prefix)}"
    return lower if end is None else f"{lower} AND {name} < {parameters.bind(end)}"


def successor(prefix: str) -> str | None:
    """The least text greater than every text that starts with this one; None if there is none."""
    stem = prefix.rstrip(_LAST_CODE_POINT)
    if not stem:
        return None
    following = ord(stem[-1]) + 1
    if 0xD800 <= following <= 0xDFFF:  # surrogates are not text
        following = 0xE000
    return stem[:-1] + chr(following)


# Filters count nanoseconds, the store microseconds.


def _micros(operator: Operator, instant: int) -> int:
    if operator in (Operator.EQUAL, Operator.NOT_EQUAL):
        return _exact(instant)
    return _up(instant) if operator in _ROUNDED_UP else _down(instant)


def _exact(instant: object) -> int:
    micros, rest = divmod(int(str(instant)), 1_000)
    return NEVER if rest else micros


def _down(instant: int) -> int:
    return instant // 1_000


def _up(instant: int) -> int:
    return -(-instant // 1_000)
