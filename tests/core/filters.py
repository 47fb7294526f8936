"""Filters to draw at random, and how a tree is written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from actorflow.core.policy.filter_tree import (
    NAME_BY_STATUS,
    And,
    Between,
    Column,
    Comparison,
    Condition,
    Field,
    IsNull,
    Kind,
    ListQuery,
    Not,
    OneOf,
    Operator,
    Or,
    Order,
    StartsWith,
    Value,
)

DEPTH_MAX = 5
EQUALITY = (Operator.EQUAL, Operator.NOT_EQUAL)


def columns(*kinds: Kind) -> st.SearchStrategy[Column]:
    return st.sampled_from([column for column in Column if column.kind in kinds])


def trees(texts: st.SearchStrategy[str], instants: st.SearchStrategy[int]) -> st.SearchStrategy[Condition]:
    """Conditions over these texts and instants (nanoseconds)."""
    values: dict[Kind, st.SearchStrategy[Any]] = {
        Kind.TEXT: texts,
        Kind.STATUS: st.sampled_from(sorted(NAME_BY_STATUS)),
        Kind.TIME: instants,
        Kind.FLAG: st.booleans(),
    }

    def compared(column: Column) -> st.SearchStrategy[Condition]:
        operators = st.sampled_from(list(Operator) if column.kind is Kind.TIME else EQUALITY)
        return st.builds(Comparison, st.just(column), operators, values[column.kind])

    def among(column: Column) -> st.SearchStrategy[Condition]:
        some = st.lists(values[column.kind], min_size=1, max_size=4).map(tuple)
        return st.builds(OneOf, st.just(column), some, st.booleans())

    tests = st.one_of(
        columns(*Kind).flatmap(compared),
        columns(Kind.TEXT, Kind.STATUS, Kind.TIME).flatmap(among),
        st.builds(Between, columns(Kind.TIME), instants, instants, st.booleans()),
        st.builds(StartsWith, columns(Kind.TEXT), texts, st.booleans()),
        st.builds(IsNull, st.just(Column.CLOSE_TIME), st.booleans()),
    )

    def combined(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
        several = st.lists(inner, min_size=2, max_size=4).map(tuple)
        return st.one_of(inner.map(Not), several.map(And), several.map(Or))

    return st.recursive(tests, combined, max_leaves=8).filter(lambda tree: depth_of(tree) <= DEPTH_MAX)


def orders() -> st.SearchStrategy[Order]:
    return st.builds(Order, columns(Kind.TIME), st.booleans())


def depth_of(condition: Condition) -> int:
    match condition:
        case Not(term):
            return 1 + depth_of(term)
        case And(terms) | Or(terms):
            return 1 + max(depth_of(term) for term in terms)
        case _:
            return 0


def written(query: ListQuery) -> str:
    """The filter a tree says."""
    order = f"ORDER BY {query.order.column.value} {'DESC' if query.order.is_descending else 'ASC'}"
    return f"{condition(query.where)} {order}" if query.where is not None else order


def condition(tree: Condition) -> str:
    match tree:
        case Not(term):
            return f"NOT {enclosed(term)}"
        case And(terms):
            return " AND ".join(enclosed(term) for term in terms)
        case Or(terms):
            return " OR ".join(enclosed(term) for term in terms)
        case Comparison(column, operator, value):
            return f"{column.value} {operator.value} {literal(column, value)}"
        case OneOf(column, values, is_negated):
            listed = ", ".join(literal(column, value) for value in values)
            return f"{column.value} {negation(is_negated)}IN ({listed})"
        case Between(column, low, high, is_negated):
            return f"{column.value} {negation(is_negated)}BETWEEN {literal(column, low)} AND {literal(column, high)}"
        case StartsWith(column, prefix, is_negated):
            return f"{column.value} {negation(is_negated)}STARTS_WITH {literal(column, prefix)}"
        case IsNull(column, is_negated):
            return f"{column.value} IS {negation(is_negated)}NULL"


def enclosed(term: Condition) -> str:
    return f"({condition(term)})" if isinstance(term, And | Or) else condition(term)


def negation(is_negated: bool) -> str:
    return "NOT " if is_negated else ""


def literal(column: Field, value: Value) -> str:
    match column.kind:
        case Kind.TEXT | Kind.KEYWORDS | Kind.WORDS:
            return quoted(str(value))
        case Kind.STATUS:
            return quoted(NAME_BY_STATUS[str(value)])
        case Kind.TIME:
            return quoted(rfc_3339(int(value))) if int(value) % 2 else str(value)
        case Kind.INTEGER | Kind.NUMBER:
            return str(value)
        case Kind.FLAG:
            return "TRUE" if value else "FALSE"


def quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def rfc_3339(instant: int) -> str:
    """Nanoseconds since 1970 as text."""
    seconds, fraction = divmod(instant, 1_000_000_000)
    whole = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    return f"{whole.replace(tzinfo=None).isoformat()}.{fraction:09}Z"
