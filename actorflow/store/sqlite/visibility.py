"""Lists and counts runs: chooses where to look, and compiles a filter to one statement.

A page is read in its order from an index, so its cost does not grow with the journal. One index serves several values
of its first column (all statuses, say) by merging a branch for each: every branch is in order, and SQLite takes from
them only what the page needs. Where a filter names more than one way in, a short look at each says which is narrow.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from actorflow.core.notes import is_multiple
from actorflow.core.policy.filter_tree import (
    NAME_BY_STATUS,
    And,
    Attribute,
    Between,
    Column,
    Comparison,
    Condition,
    CountQuery,
    Field,
    ListQuery,
    Not,
    OneOf,
    Operator,
    Or,
    Order,
    StartsWith,
    Test,
    Value,
)
from actorflow.core.policy.filter_truth import columns_of, conjuncts_of, may_have_status
from actorflow.store.protocol import Count, Position, RunRecord
from actorflow.store.sqlite import queries, rows
from actorflow.store.sqlite.filter_sql import (
    NAMES,
    VALUE,
    Parameters,
    attribute_sql,
    conjunct_sql,
    prefix_sql,
    test_sql,
)

Fetch = Callable[[str, Mapping[str, object]], Awaitable[Sequence[tuple[Any, ...]]]]

NARROW_MAX: Final = 10_000
"""Runs that are looked at one by one and sorted without hesitation: it takes 20 ms."""

BRANCHES_MAX: Final = 20
"""Values of an index that are merged; a filter with more of them is checked run by run."""

_OPEN_LAST: Final = 2**63 - 1
_NAMESPACE: Final = "namespace = :namespace"


@dataclass(frozen=True)
class Source:
    """A part of an index that holds every run a filter can mean.

    Attributes:
        table: with its index.
        whole: the part, as a condition.
        branches: conditions that divide it into parts which are in order of start; empty if there are none.
        columns: of filters; the index knows them without looking at the run.
        is_exact: it holds no other runs than those the filter means, so the filter need not be asked again.
        entries: what is counted to see how many runs it holds, if not the table.
        branch_table: what branches are conditions of, if not the table.
    """

    table: str
    whole: str
    branches: Sequence[str]
    columns: frozenset[Field]
    is_exact: bool
    entries: str = ""
    branch_table: str = ""


class Visibility:
    """See the module's head.

    Args:
        fetch: runs a query and gives all its rows.
    """

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    async def list(self, namespace: str, query: ListQuery, after: Position | None, limit: int) -> Sequence[RunRecord]:
        """See `Store.list`."""
        statement = ListStatement(namespace, query, after, limit)
        source = await self._narrowest(namespace, statement.sources)
        return [rows.run_record(row) for row in await self._fetch(*statement.compiled(source))]

    async def count(self, namespace: str, query: CountQuery) -> Count:
        """See `Store.count`."""
        statement = CountStatement(namespace, query)
        source = statement.covering or await self._narrowest(namespace, statement.sources)
        found = await self._fetch(*statement.compiled(source))
        if not query.is_by_status:
            return Count(found[0][0])
        return Count(sum(count for _, count in found), dict(found))

    async def _narrowest(self, namespace: str, sources: Sources) -> Source | None:
        """The source with the fewest runs, if they are few."""
        if sources.certain is not None:
            return sources.certain
        if not sources.possible:
            return None
        (counts,) = await self._fetch(probe(sources.possible), sources.parameters.values)
        count, place = min((count, place) for place, count in enumerate(counts))
        return sources.possible[place] if count < NARROW_MAX else None


def probe(sources: Sequence[Source]) -> str:
    """A query for how many runs each source holds, up to `NARROW_MAX`."""
    counts = [
        f"(SELECT count(*) FROM (SELECT 1 FROM {source.entries or f'{source.table} WHERE {source.whole}'}"
        f" LIMIT {NARROW_MAX}))"
        for source in sources
    ]
    return f"SELECT {', '.join(counts)}"


class Sources:
    """The ways into the runs a condition can mean.

    Attributes:
        certain: one that is narrow by its nature, if there is one.
        possible: others, narrow or not.
        statuses: every run by status and start.
    """

    def __init__(self, namespace: str, where: Condition | None) -> None:
        self.parameters = Parameters(namespace=namespace)
        self.where = where
        # Both tell that what a source says is all there is to say.
        self._is_one_test = not isinstance(where, And | Or | Not)
        is_about_status = {*columns_of(where)} <= {Column.EXECUTION_STATUS}
        wanted = [status for status in NAME_BY_STATUS if may_have_status(where, status)]
        statuses = self._values("run_status", Column.EXECUTION_STATUS, wanted)
        self.statuses = replace(statuses, is_exact=is_about_status)
        equal: dict[Field, Sequence[Value]] = dict(_equalities(where))
        self.certain = self._certain(equal)
        self.possible = [*self._possible(equal)]
        if len(wanted) < len(NAME_BY_STATUS):
            self.possible.append(self.statuses)

    def _certain(self, equal: Mapping[Field, Sequence[Value]]) -> Source | None:
        if Column.RUN_ID in equal:
            ids = self.parameters.bind_all(equal[Column.RUN_ID])
            return self._part("run_run_id", f"run_id IN {ids}", Column.RUN_ID)
        if Column.WORKFLOW_ID in equal:
            ids = self.parameters.bind_all(equal[Column.WORKFLOW_ID])
            return self._part("run_workflow", f"workflow_id IN {ids}", Column.WORKFLOW_ID)
        if equal.get(Column.PARKED) == (True,):
            parked = self._part("run_parked", "parked IS NOT NULL", Column.PARKED, Column.START_TIME)
            return replace(parked, branches=(parked.whole,))
        return None

    def _possible(self, equal: Mapping[Field, Sequence[Value]]) -> Iterable[Source]:
        for test in conjuncts_of(self.where):
            if isinstance(test, Test) and isinstance(test.column, Attribute) and _is_narrowing(test):
                yield self._attribute(test.column, test)
        if Column.WORKFLOW_TYPE in equal:
            yield self._values("run_type", Column.WORKFLOW_TYPE, equal[Column.WORKFLOW_TYPE])
        for test in conjuncts_of(self.where):
            match test:
                case StartsWith(Column.WORKFLOW_ID, prefix, False) if prefix:
                    yield self._part("run_workflow", self._range(test), Column.WORKFLOW_ID)
                case StartsWith(Column.WORKFLOW_TYPE, prefix, False) if prefix:
                    yield self._part("run_type", self._range(test), Column.WORKFLOW_TYPE, Column.START_TIME)
                case _:
                    pass

    def _range(self, test: StartsWith) -> str:
        assert isinstance(test.column, Column)
        return prefix_sql(NAMES[test.column], test.prefix, self.parameters)

    def _attribute(self, attribute: Attribute, test: Test) -> Source:
        """Runs by what they are found by: each once as a whole, and in order of start where one value is meant."""
        number = attribute_sql(attribute, self.parameters)
        entries = f"search_value WHERE {number} AND {test_sql(VALUE, test, self.parameters)}"
        values: Sequence[Value] = ()
        match test:
            case Comparison(_, Operator.EQUAL, value):
                values = (value,)
            case OneOf(_, several, False) if not is_multiple(attribute.type):  # of several it may have more than one
                values = tuple(dict.fromkeys(several))
            case _:
                pass
        each = [Comparison(attribute, Operator.EQUAL, value) for value in values if len(values) <= BRANCHES_MAX]
        return Source(
            table="run NOT INDEXED",
            whole=f"run.key IN (SELECT search_value.run FROM {entries})",
            branches=[f"{number} AND {test_sql(VALUE, one, self.parameters)}" for one in each],
            columns=frozenset((attribute,)),
            is_exact=self._is_one_test,
            entries=entries,
            branch_table="search_value CROSS JOIN run ON run.key = search_value.run",
        )

    def _values(self, index: str, column: Column, values: Sequence[Value]) -> Source:
        names = [self.parameters.bind(value) for value in values]
        one_by_one = [f"{_NAMESPACE} AND {NAMES[column]} = {name}" for name in names]
        whole = f"{NAMES[column]} IN ({', '.join(names)})"
        source = self._part(index, whole, column, Column.START_TIME)
        return replace(source, branches=one_by_one) if len(names) <= BRANCHES_MAX else source

    def _part(self, index: str, whole: str, *columns: Column) -> Source:
        return Source(f"run INDEXED BY {index}", f"{_NAMESPACE} AND {whole}", (), frozenset(columns), self._is_one_test)


def _is_narrowing(test: Test) -> bool:
    """True for tests of search attributes that mean a part of their index."""
    match test:
        case Comparison(_, operator):
            return operator is not Operator.NOT_EQUAL
        case OneOf(_, _, is_negated) | Between(_, _, _, is_negated):
            return not is_negated
        case StartsWith(_, prefix, is_negated):
            return bool(prefix) and not is_negated
        case _:
            return False


def _equalities(where: Condition | None) -> Iterable[tuple[Field, Sequence[Value]]]:
    """Columns that must have one of some values."""
    for test in conjuncts_of(where):
        match test:
            case Comparison(column, Operator.EQUAL, value):
                yield column, (value,)
            case OneOf(column, values, False):
                yield column, tuple(dict.fromkeys(values))
            case Comparison(Column.PARKED, Operator.NOT_EQUAL, False):
                yield Column.PARKED, (True,)
            case _:
                pass


class ListStatement:
    """A page of runs."""

    def __init__(self, namespace: str, query: ListQuery, after: Position | None, limit: int) -> None:
        self.sources = Sources(namespace, query.where)
        self._order = query.order
        parameters = self.sources.parameters
        self._filter = [conjunct_sql(query.where, parameters)] if query.where is not None else []
        self._beyond = [_beyond(query.order, after, parameters)] if after is not None else []
        self._beyond_value = [
            text.replace("(started_at, key)", "(search_value.started_at, search_value.run)") for text in self._beyond
        ]
        self._limit = parameters.bind(limit)

    def compiled(self, source: Source | None) -> tuple[str, Mapping[str, object]]:
        """The statement over a source; None if none of them is narrow."""
        parameters = self.sources.parameters.values
        if self._order.column is not Column.START_TIME:
            return self._sorted(source), parameters
        if source is None:
            ordered = [possible for possible in self.sources.possible if possible.branches]
            source = (*ordered, self.sources.statuses)[0]
        return self._merged(source) if source.branches else self._sorted(source), parameters

    def _merged(self, source: Source) -> str:
        branches = [self._select(source, branch, source.branch_table) for branch in source.branches]
        return f"{' UNION ALL '.join(branches)} {self._ordered(_START)}"

    def _sorted(self, source: Source | None) -> str:
        select = self._select(source, _NAMESPACE if source is None else source.whole)
        return f"{select} {self._ordered(_START if self._order.column is Column.START_TIME else _CLOSE)}"

    def _select(self, source: Source | None, where: str, table: str = "") -> str:
        # The same values, from where they are in order.
        columns, beyond = (queries.RUN_OF_VALUE, self._beyond_value) if table else (queries.RUN, self._beyond)
        conditions = [where, *_unsaid(self._filter, source), *beyond]
        return f"SELECT {columns} FROM {table or _table(source)} WHERE {' AND '.join(conditions)}"

    def _ordered(self, by: str) -> str:
        direction = "DESC" if self._order.is_descending else "ASC"
        return f"ORDER BY {by} {direction}, {_KEY} {direction} LIMIT {self._limit}"


# By number: the branches of a compound statement have no common names.
_KEY: Final = str(queries.RUN_COLUMNS.index("key") + 1)
_START: Final = str(queries.RUN_COLUMNS.index("started_at") + 1)
_CLOSE: Final = f"coalesce(closed_at, {_OPEN_LAST})"


def _beyond(order: Order, after: Position, parameters: Parameters) -> str:
    compared = "<" if order.is_descending else ">"
    at = parameters.bind(_OPEN_LAST if after.at is None else rows.to_micros(after.at))
    column = "started_at" if order.column is Column.START_TIME else _CLOSE
    return f"({column}, key) {compared} ({at}, {parameters.bind(after.key)})"


def _table(source: Source | None) -> str:
    # Without a narrow source the table is read from end to end: looking up each run from an index takes longer.
    return "run NOT INDEXED" if source is None else source.table


def _unsaid(conditions: Sequence[str], source: Source | None) -> Sequence[str]:
    """What has to be asked of each run of a source."""
    return () if source is not None and source.is_exact else conditions


class CountStatement:
    """How many runs."""

    def __init__(self, namespace: str, query: CountQuery) -> None:
        self.sources = Sources(namespace, query.where)
        self._is_by_status = query.is_by_status
        self._needed = {*columns_of(query.where), *([Column.EXECUTION_STATUS] if query.is_by_status else ())}
        self._filter = [conjunct_sql(query.where, self.sources.parameters)] if query.where is not None else []

    @property
    def covering(self) -> Source | None:
        """A source whose index knows all that is needed."""
        known = [self.sources.certain, *self.sources.possible, self.sources.statuses]
        return next((source for source in known if source is not None and source.columns >= self._needed), None)

    def compiled(self, source: Source | None) -> tuple[str, Mapping[str, object]]:
        """The statement over a source; None if none is narrow."""
        conditions = [source.whole if source else _NAMESPACE, *_unsaid(self._filter, source)]
        counted = f"FROM {_table(source)} WHERE {' AND '.join(conditions)}"
        parameters = self.sources.parameters.values
        if self._is_by_status:
            return f"SELECT status, count(*) {counted} GROUP BY status", parameters
        return f"SELECT count(*) {counted}", parameters
