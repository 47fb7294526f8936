"""The filter language of the public list API over our columns, parsed to a tree.

Names, operators, quotes and escapes are those of the public API; so are statuses by name and instants as RFC 3339 text
or whole nanoseconds since 1970. `Parked` is our own.

    ``WorkflowType = 'Order' AND ExecutionStatus IN ('Failed', 'TimedOut') AND StartTime > '2030-01-01T00:00:00Z'``
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

from actorflow.core import limits
from actorflow.core.notes import words_of
from actorflow.core.policy.filter_lexer import Token, TokenKind, tokens_of
from actorflow.core.policy.filter_tree import (
    STATUS_BY_NAME,
    And,
    Attribute,
    Between,
    Column,
    Comparison,
    Condition,
    CountQuery,
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
from actorflow.core.policy.filter_values import InvalidTimeError, nanos_of_number, nanos_of_text
from actorflow.exceptions import ListFilterError
from actorflow.search_attributes import SearchAttributeIndexedValueType

T = TypeVar("T")
Known = Mapping[str, SearchAttributeIndexedValueType]
"""The search attributes of a namespace, by name."""

_KEYWORDS: Final = frozenset(
    "AND ASC BETWEEN BY DESC FALSE GROUP IN IS NOT NULL OR ORDER STARTS_WITH TRUE".split()  # noqa: SIM905 - readable
)
_OPERATORS: Final = {operator.value: operator for operator in Operator} | {"<>": Operator.NOT_EQUAL}
_EQUALITY: Final = (Operator.EQUAL, Operator.NOT_EQUAL)
_COLUMNS: Final = ", ".join(column.value for column in Column)
_STATUSES: Final = ", ".join(STATUS_BY_NAME)
_STATUS_BY_ANY_NAME: Final = {name.lower(): status for name, status in STATUS_BY_NAME.items()} | {
    "cancelled": STATUS_BY_NAME["Canceled"]
}
_MARGIN: Final = 0.6
_ORDERED: Final = (Kind.TIME, Kind.INTEGER, Kind.NUMBER)
_ATTRIBUTES_SHOWN_MAX: Final = 20


def parse_list_query(query: str, known: Known | None = None) -> ListQuery:
    """A filter and its ORDER BY; an empty one means every execution, newest start first.

    Args:
        query: the filter.
        known: search attributes it may ask about.

    Raises:
        ListFilterError: it can't be understood, or it is over a bound.
    """
    parser = _Parser(query, known or {})
    where = parser.condition()
    order = parser.order()
    parser.end("AND, OR, ORDER BY or the end" if order is None else "the end")
    return ListQuery(where, order or Order())


def parse_count_query(query: str, known: Known | None = None) -> CountQuery:
    """A filter and its GROUP BY; an empty one means every execution.

    Args:
        query: the filter.
        known: search attributes it may ask about.

    Raises:
        ListFilterError: it can't be understood, or it is over a bound.
    """
    parser = _Parser(query, known or {})
    where = parser.condition()
    is_by_status = parser.group()
    parser.end("the end" if is_by_status else "AND, OR, GROUP BY or the end")
    return CountQuery(where, is_by_status)


class _Parser:
    """Descends recursively; each method takes the words it understands and leaves the rest."""

    def __init__(self, query: str, known: Known) -> None:
        self._query = query
        self._known = known
        if len(query) > limits.FILTER_CHARS_MAX:
            raise ListFilterError(
                query,
                limits.FILTER_CHARS_MAX,
                f"the filter has {len(query):,} characters",
                f"at most {limits.FILTER_CHARS_MAX:,}",
            )
        self._words = tokens_of(query)
        self._token = next(self._words)
        self._depth = 0
        self._terms = 0

    # The whole

    def condition(self) -> Condition | None:
        """The condition, if there is one before ORDER BY, GROUP BY or the end."""
        if self._token.keyword in ("ORDER", "GROUP") or self._token.kind is TokenKind.END:
            return None
        return self._or()

    def order(self) -> Order | None:
        """``ORDER BY`` a time."""
        if not self._take("ORDER"):
            return None
        self._expect("BY")
        token, column = self._column()
        if isinstance(column, Attribute) or column.kind is not Kind.TIME:
            raise self._error(token, "StartTime or CloseTime, by which lists can be ordered")
        is_descending = self._take("DESC")
        if not is_descending:
            self._take("ASC")
        return Order(column, is_descending)

    def group(self) -> bool:
        """``GROUP BY ExecutionStatus``."""
        if not self._take("GROUP"):
            return False
        self._expect("BY")
        token, column = self._column()
        if column is not Column.EXECUTION_STATUS:
            raise self._error(token, "ExecutionStatus, by which counts can be grouped")
        return True

    def end(self, expected: str) -> None:
        """Nothing may follow."""
        if self._token.keyword in ("ORDER", "GROUP"):
            expected = "the end: ORDER BY belongs to lists, GROUP BY to counts, and each stands once"
        if self._token.kind is not TokenKind.END:
            raise self._error(self._token, expected)

    # Conditions

    def _or(self) -> Condition:
        terms = self._separated("OR", self._and)
        return terms[0] if len(terms) == 1 else Or(tuple(terms))

    def _and(self) -> Condition:
        terms = self._separated("AND", self._not)
        return terms[0] if len(terms) == 1 else And(tuple(terms))

    def _separated(self, separator: str, parse: Callable[[], T]) -> list[T]:
        terms = [parse()]
        while self._take(separator):
            terms.append(parse())
        return terms

    def _not(self) -> Condition:
        token = self._token
        if self._take("NOT"):
            return Not(self._nested(token, self._not))
        if self._take("("):
            inner = self._nested(token, self._or)
            self._expect(")", "AND, OR or ')'")
            return inner
        return self._test()

    def _nested(self, token: Token, parse: Callable[[], Condition]) -> Condition:
        self._depth += 1
        if self._depth > limits.FILTER_DEPTH_MAX:
            raise self._error(token, f"at most {limits.FILTER_DEPTH_MAX} parentheses and NOTs inside each other")
        inner = parse()
        self._depth -= 1
        return inner

    def _test(self) -> Condition:
        token, column = self._column()
        operator = self._token
        if operator.keyword in _OPERATORS:
            self._skip()
            return self._comparison(column, operator)
        if self._take("IS"):
            return self._null(column, operator)
        is_negated = self._take("NOT")
        name = self._token
        for keyword, parse in self._tests(column, is_negated).items():
            if self._take(keyword):
                return parse(name)
        raise self._error(name, f"an operator after {token.text}: {_operators(column)}")

    def _tests(self, column: Field, is_negated: bool) -> dict[str, Callable[[Token], Condition]]:
        return {
            "IN": lambda name: self._one_of(column, name, is_negated),
            "BETWEEN": lambda name: self._between(column, name, is_negated),
            "STARTS_WITH": lambda name: self._starts_with(column, name, is_negated),
        }

    def _comparison(self, column: Field, token: Token) -> Condition:
        operator = _OPERATORS[token.keyword]
        if operator not in _EQUALITY and column.kind not in _ORDERED:
            raise self._error(token, f"an operator for {column.value}: {_operators(column)}")
        if column.kind is Kind.WORDS:
            return self._all_words(column, operator)
        return Comparison(column, operator, self._value(column))

    def _all_words(self, column: Field, operator: Operator) -> Condition:
        """A text is meant if it has all the words."""
        token = self._token
        words = words_of(self._text(column))
        if not words:
            raise self._error(token, f"a word or more for {column.value}")
        for _ in words[1:]:
            self._count(token)
        if len(words) == 1:
            return Comparison(column, operator, words[0])
        together = And(tuple([Comparison(column, Operator.EQUAL, word) for word in words]))
        return together if operator is Operator.EQUAL else Not(together)

    def _null(self, column: Field, token: Token) -> Condition:
        is_negated = self._take("NOT")
        self._expect("NULL", "NULL" if is_negated else "NULL or NOT NULL")
        if column is not Column.CLOSE_TIME and isinstance(column, Column):
            raise self._error(token, f"an operator for {column.value}, which is never NULL: {_operators(column)}")
        self._count(token)
        return IsNull(column, is_negated)

    def _one_of(self, column: Field, token: Token, is_negated: bool) -> Condition:
        if column.kind in (Kind.FLAG, Kind.WORDS):
            raise self._error(token, f"an operator for {column.value}: {_operators(column)}")
        self._expect("(")
        values = self._separated(",", lambda: self._value(column))
        self._expect(")", "',' or ')'")
        return OneOf(column, tuple(values), is_negated)

    def _between(self, column: Field, token: Token, is_negated: bool) -> Condition:
        if column.kind not in _ORDERED:
            raise self._error(token, f"an operator for {column.value}: {_operators(column)}")
        low = self._ordered(column)
        self._expect("AND")
        return Between(column, low, self._ordered(column), is_negated)

    def _starts_with(self, column: Field, token: Token, is_negated: bool) -> Condition:
        if column.kind not in (Kind.TEXT, Kind.KEYWORDS):
            raise self._error(token, f"an operator for {column.value}: {_operators(column)}")
        return StartsWith(column, self._text(column), is_negated)

    # Columns and values

    def _column(self) -> tuple[Token, Field]:
        token = self._skip()
        is_name = token.kind is TokenKind.QUOTED or (token.kind is TokenKind.WORD and token.keyword not in _KEYWORDS)
        if not is_name:
            raise self._error(token, f"a column: {self._columns()}")
        if token.text in self._known:
            return token, Attribute(token.text, self._known[token.text])
        try:
            return token, Column(token.text)
        except ValueError:
            nearest = _nearest(token.text, [*self._known, *[column.value for column in Column]])
            raise self._error(token, f"one of {self._columns()}", "unknown column", nearest) from None

    def _columns(self) -> str:
        shown = sorted(self._known)[:_ATTRIBUTES_SHOWN_MAX]
        more = ", …" if len(self._known) > len(shown) else ""
        return ", ".join((_COLUMNS, *shown)) + more

    def _value(self, column: Field) -> Value:
        match column.kind:
            case Kind.TEXT | Kind.KEYWORDS | Kind.WORDS:
                return self._text(column)
            case Kind.STATUS:
                return self._status(column)
            case Kind.TIME:
                return self._time(column)
            case Kind.INTEGER | Kind.NUMBER:
                return self._number(column)
            case Kind.FLAG:
                return self._flag(column)

    def _ordered(self, column: Field) -> int | float:
        return self._time(column) if column.kind is Kind.TIME else self._number(column)

    def _number(self, column: Field) -> int | float:
        """A number; as text, too, since filters that programs put together often quote everything."""
        token = self._skip()
        self._count(token)
        is_whole = column.kind is Kind.INTEGER
        number: int | float = 0
        if token.kind in (TokenKind.NUMBER, TokenKind.TEXT):
            try:
                number = float(token.text) if not is_whole or "." in token.text else int(token.text)
            except ValueError:
                number = math.nan
        else:
            number = math.nan
        if math.isfinite(number) and (isinstance(number, float) or abs(number) < 2**63):
            return number
        raise self._error(token, f"a number of 64 bits for {column.value}, such as {'12' if is_whole else '1.5'}")

    def _text(self, column: Field) -> str:
        token = self._skip()
        self._count(token)
        if token.kind is not TokenKind.TEXT:
            raise self._error(token, f"text for {column.value}, in quotes")
        return token.text

    def _status(self, column: Field) -> str:
        token = self._token
        text = self._text(column)
        status = _STATUS_BY_ANY_NAME.get(text.lower())
        if status is None:
            raise self._error(token, f"one of {_STATUSES}", "unknown status", _nearest(text, STATUS_BY_NAME))
        return status

    def _time(self, column: Field) -> int:
        token = self._skip()
        self._count(token)
        try:
            if token.kind is TokenKind.TEXT:
                return nanos_of_text(token.text)
            if token.kind is TokenKind.NUMBER:
                return nanos_of_number(token.text)
        except InvalidTimeError as problem:
            raise self._error(token, problem.expected) from None
        raise self._error(token, f"a time for {column.value}, as '2030-01-31T12:00:00Z' or in nanoseconds since 1970")

    def _flag(self, column: Field) -> bool:
        token = self._skip()
        self._count(token)
        if token.keyword not in ("TRUE", "FALSE"):
            raise self._error(token, f"TRUE or FALSE for {column.value}")
        return token.keyword == "TRUE"

    # Words

    def _skip(self) -> Token:
        token = self._token
        if token.kind is not TokenKind.END:
            self._token = next(self._words)
        return token

    def _take(self, keyword: str) -> bool:
        if self._token.keyword != keyword:
            return False
        self._skip()
        return True

    def _expect(self, keyword: str, expected: str | None = None) -> None:
        if not self._take(keyword):
            raise self._error(self._token, expected or (keyword if keyword.isalpha() else f"'{keyword}'"))

    def _count(self, token: Token) -> None:
        self._terms += 1
        if self._terms > limits.FILTER_TERMS_MAX:
            raise self._error(token, f"at most {limits.FILTER_TERMS_MAX} values in one filter; ask in several")

    def _error(self, token: Token, expected: str, what: str = "found", nearest: str = "") -> ListFilterError:
        return ListFilterError(self._query, token.position, f"{what} {_shown(token)}", expected, nearest)


_SHOWN_MAX: Final = 60


def _shown(token: Token) -> str:
    if token.kind is TokenKind.END:
        return "the end"
    source = token.source if len(token.source) <= _SHOWN_MAX else token.source[:_SHOWN_MAX] + "…"
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in source)


def _nearest(name: str, known: Iterable[str]) -> str:
    """The known name that looks most like this one; empty if none does."""
    by_lower = {each.lower(): each for each in known}
    found = difflib.get_close_matches(name[:_SHOWN_MAX].lower(), by_lower, n=1, cutoff=_MARGIN)
    return by_lower[found[0]] if found else ""


def _operators(column: Field) -> str:
    null = ", IS [NOT] NULL" if column is Column.CLOSE_TIME or isinstance(column, Attribute) else ""
    match column.kind:
        case Kind.TEXT | Kind.KEYWORDS:
            return f"=, !=, [NOT] IN, [NOT] STARTS_WITH{null}"
        case Kind.STATUS:
            return "=, !=, [NOT] IN"
        case Kind.FLAG | Kind.WORDS:
            return f"=, !={null}"
        case Kind.TIME | Kind.INTEGER | Kind.NUMBER:
            return f"=, !=, >, >=, <, <=, [NOT] IN, [NOT] BETWEEN{null}"
