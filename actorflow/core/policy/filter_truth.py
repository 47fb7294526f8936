"""Whether a filter holds for one run: true, false, or None where it can't be said.

As in SQL, a test of a time that is not there is None, and so is its negation. The same logic says which statuses a
filter leaves possible: there every test of another column is None.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, cast

import msgspec

from actorflow.core.policy.filter_tree import (
    And,
    Between,
    Column,
    Comparison,
    Condition,
    Field,
    IsNull,
    Not,
    OneOf,
    Operator,
    Or,
    StartsWith,
    Test,
    Value,
)

Judge = Callable[[Test], bool | None]

_COMPARE: Final[Mapping[Operator, Callable[[Any, Any], bool]]] = {
    Operator.EQUAL: operator.eq,
    Operator.NOT_EQUAL: operator.ne,
    Operator.GREATER: operator.gt,
    Operator.GREATER_OR_EQUAL: operator.ge,
    Operator.LESS: operator.lt,
    Operator.LESS_OR_EQUAL: operator.le,
}


def holds(condition: Condition, judge: Judge) -> bool | None:
    """The truth of a condition, given that of its tests."""
    match condition:
        case Not(term):
            truth = holds(term, judge)
            return None if truth is None else not truth
        case And(terms):
            return _first(False, (holds(term, judge) for term in terms))
        case Or(terms):
            return _first(True, (holds(term, judge) for term in terms))
        case Comparison() | OneOf() | Between() | StartsWith() | IsNull():
            return judge(condition)


def _first(decisive: bool, truths: Iterable[bool | None]) -> bool | None:
    """The decisive truth if there is one, else None if there is one, else the other truth."""
    found: bool | None = not decisive
    for truth in truths:
        if truth is decisive:
            return decisive
        if truth is None:
            found = None
    return found


def judge_value(test: Test, value: Value | tuple[Value, ...] | None) -> bool | None:
    """Whether a test holds for the value of its column; of several values, one that it holds for is enough."""
    if isinstance(value, tuple):
        return _judge_values(test, value)
    if isinstance(test, IsNull):
        return (value is None) is not test.is_negated
    if value is None:
        return None
    match test:
        case Comparison(_, how, other):
            return _COMPARE[how](value, other)
        case OneOf(_, values, is_negated):
            return (value in values) is not is_negated
        case Between(_, low, high, is_negated):
            return (low <= cast("int | float", value) <= high) is not is_negated
        case StartsWith(_, prefix, is_negated):
            return str(value).startswith(prefix) is not is_negated


def _judge_values(test: Test, values: tuple[Value, ...]) -> bool | None:
    """What a negated test says is the contrary of what it would say without that."""
    if isinstance(test, IsNull):
        return test.is_negated
    positive, is_negated = positive_of(test)
    return any(judge_value(positive, value) for value in values) is not is_negated


def positive_of(test: Test) -> tuple[Test, bool]:
    """A test without its negation, and whether it has one."""
    if isinstance(test, Comparison):
        is_negated = test.operator is Operator.NOT_EQUAL
        return (Comparison(test.column, Operator.EQUAL, test.value) if is_negated else test), is_negated
    return msgspec.structs.replace(test, is_negated=False), test.is_negated


def may_have_status(condition: Condition | None, status: str) -> bool:
    """False if no run of this status can meet the condition, whatever its other columns are."""

    def judge(test: Test) -> bool | None:
        return judge_value(test, status) if test.column is Column.EXECUTION_STATUS else None

    return condition is None or holds(condition, judge) is not False


def columns_of(condition: Condition | None) -> Iterable[Field]:
    """The columns a condition looks at, some more than once."""
    match condition:
        case None:
            return
        case Not(term):
            yield from columns_of(term)
        case And(terms) | Or(terms):
            for term in terms:
                yield from columns_of(term)
        case _:
            yield condition.column


def conjuncts_of(condition: Condition | None) -> Iterable[Condition]:
    """Conditions that must all hold for the condition to hold."""
    match condition:
        case None:
            return
        case And(terms):
            for term in terms:
                yield from conjuncts_of(term)
        case _:
            yield condition
