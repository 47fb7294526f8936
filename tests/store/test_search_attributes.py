"""What every store promises about notes of runs, and how SQLite finds runs by them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from actorflow.converter import default
from actorflow.core.notes import IndexedValue, Notes, Type
from actorflow.core.policy.filter_tree import (
    And,
    Attribute,
    Between,
    Comparison,
    Condition,
    IsNull,
    Kind,
    ListQuery,
    Not,
    OneOf,
    Operator,
    Or,
    Order,
    StartsWith,
)
from actorflow.core.policy.list_filter import parse_count_query, parse_list_query
from actorflow.store.memory import MemoryStore
from actorflow.store.protocol import AttributeType, Begin, Change, Head, NewRun, Position, Send, Store
from actorflow.store.sqlite import SqliteStore, schema
from actorflow.store.sqlite.visibility import ListStatement
from tests.store.given import NOON, SECOND, begin, closes, identity

TYPES = {
    "Customer": Type.KEYWORD,
    "Title": Type.TEXT,
    "Amount": Type.INT,
    "Rate": Type.DOUBLE,
    "IsPaid": Type.BOOL,
    "DueAt": Type.DATETIME,
    "Tags": Type.KEYWORD_LIST,
}


def notes(**attributes: Any) -> Notes:
    return Notes(search_attributes={name: IndexedValue(TYPES[name], value) for name, value in attributes.items()})


def a_run(key: int, workflow_id: str, noted: Notes | None, *, second: int = 0) -> Change:
    run = msgspec.structs.replace(identity(key, workflow_id), started_at=NOON + second * SECOND)
    return Change(key, head=Head(5, 1), begin=Begin(run), notes=noted)


async def given_runs(store: Store) -> None:
    await store.commit(
        (
            a_run(
                1,
                "a",
                notes(Customer="acme", Title="A long way home", Amount=1, Rate=0.5, IsPaid=True, Tags=("x", "y")),
            ),
            a_run(2, "b", notes(Customer="bolt", Title="the way", Amount=2, IsPaid=False, Tags=("y",)), second=1),
            a_run(3, "c", notes(Customer="acme", Amount=-3, DueAt="2030-06-01T12:00:00Z"), second=2),
            a_run(4, "d", None, second=3),
        )
    )


async def ids(store: Store, query: str) -> list[str]:
    return [run.identity.workflow_id for run in await store.list("default", parse_list_query(query, TYPES), None, 500)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("Customer = 'acme'", ["c", "a"]),
        ("Customer = 'acme' ORDER BY StartTime", ["a", "c"]),
        ("Customer = 'acme' ORDER BY CloseTime", ["a", "c"]),
        ("Customer = 'Acme'", []),
        ("Customer != 'acme'", ["b"]),
        ("NOT Customer = 'acme'", ["b"]),
        ("Customer IN ('acme', 'bolt', 'nobody')", ["c", "b", "a"]),
        ("Customer NOT IN ('acme')", ["b"]),
        ("Customer STARTS_WITH 'ac'", ["c", "a"]),
        ("Customer NOT STARTS_WITH 'ac'", ["b"]),
        ("Customer IS NULL", ["d"]),
        ("Customer IS NOT NULL AND Amount > 0", ["b", "a"]),
        ("Amount = 2", ["b"]),
        ("Amount < 1.5", ["c", "a"]),
        ("Amount BETWEEN -3 AND 1", ["c", "a"]),
        ("Amount NOT BETWEEN -3 AND 1", ["b"]),
        ("Amount IN (1, 2)", ["b", "a"]),
        ("Rate >= 0.5", ["a"]),
        ("IsPaid = TRUE", ["a"]),
        ("IsPaid != TRUE", ["b"]),
        ("IsPaid IS NULL", ["d", "c"]),
        ("DueAt = '2030-06-01T14:00:00+02:00'", ["c"]),
        ("DueAt > '2030-06-01T11:59:59.999999999Z'", ["c"]),
        ("DueAt > '2030-06-01T12:00:00Z'", []),
        ("Tags = 'y'", ["b", "a"]),
        ("Tags = 'x' AND Tags = 'y'", ["a"]),
        ("Tags != 'x'", ["b"]),
        ("Tags IN ('x', 'y')", ["b", "a"]),
        ("Tags NOT IN ('x')", ["b"]),
        ("Tags STARTS_WITH 'x'", ["a"]),
        ("Tags IS NULL", ["d", "c"]),
        ("Tags IS NOT NULL", ["b", "a"]),
        ("Title = 'way'", ["b", "a"]),
        ("Title = 'HOME way'", ["a"]),
        ("Title != 'long'", ["b"]),
        ("Title = 'wa'", []),
        ("Customer = 'acme' OR WorkflowId = 'd'", ["d", "c", "a"]),
        ("Customer = 'acme' AND StartTime > '2030-06-01T12:00:01Z'", ["c"]),
        ("WorkflowType = 'Order' AND Customer = 'bolt'", ["b"]),
    ],
)
async def test_runs_are_found_and_counted_by_their_search_attributes(
    store: Store, query: str, found: Sequence[str]
) -> None:
    await given_runs(store)
    assert await ids(store, query) == found
    counted = query.split(" ORDER")[0]
    assert (await store.count("default", parse_count_query(counted, TYPES))).total == len(found)
    by_status = await store.count("default", parse_count_query(f"{counted} GROUP BY ExecutionStatus", TYPES))
    assert by_status.by_status == ({"running": len(found)} if found else {})


async def test_pages_of_one_value_go_on_where_they_stopped(store: Store) -> None:
    await store.commit([a_run(key, str(key), notes(Customer="acme"), second=key % 3) for key in range(1, 12)])
    query = parse_list_query("Customer = 'acme'", TYPES)
    seen: list[int] = []
    after = None
    while page := await store.list("default", query, after, 4):
        seen.extend([run.identity.key for run in page])
        after = Position(page[-1].identity.started_at, page[-1].identity.key)
    assert seen == [11, 8, 5, 2, 10, 7, 4, 1, 9, 6, 3]


async def test_new_notes_take_the_place_of_those_there_were(store: Store) -> None:
    await given_runs(store)
    memo = {"a": default().values.encode_one(1)}
    await store.commit([Change(1, notes=Notes(memo, notes(Customer="bolt").search_attributes, "one line", "more"))])
    assert await ids(store, "Customer = 'bolt'") == ["b", "a"]
    assert await ids(store, "Tags = 'x'") == []
    known = await store.notes([1, 4, 99])
    assert list(known) == [1]
    assert (known[1].memo, known[1].summary, known[1].details) == (memo, "one line", "more")


async def test_closed_runs_are_found_too(store: Store) -> None:
    await given_runs(store)
    await store.commit([closes(2, 5)])
    assert await ids(store, "Customer = 'bolt'") == ["b"]
    assert await ids(store, "Customer = 'bolt' AND ExecutionStatus = 'Running'") == []


async def test_the_first_use_of_a_name_decides_its_type_in_a_namespace(store: Store) -> None:
    await given_runs(store)
    assert await store.attribute_types("elsewhere") == []
    assert {one.name: one.type for one in await store.attribute_types("default")} == TYPES
    assert AttributeType("default", "Customer", Type.KEYWORD) in await store.attribute_types()


async def test_a_run_that_begins_with_another_s_turn_brings_its_notes(store: Store) -> None:
    parent = begin(store)
    child = identity(store.new_run_key(), "child")
    born = NewRun(Begin(child), Head(0, 1), (), notes(Customer="acme"))
    await store.commit([msgspec.structs.replace(parent, sends=(Send(born),))])
    heir = identity(store.new_run_key(), "order-1")
    follows = NewRun(Begin(heir), Head(0, 1), (), notes(Customer="bolt"))
    await store.commit([msgspec.structs.replace(closes(parent.key, 5, "continued"), successor=follows)])
    assert await ids(store, "Customer = 'acme'") == ["child"]
    assert await ids(store, "Customer = 'bolt'") == ["order-1"]


async def test_a_begin_that_is_refused_leaves_no_notes(store: Store) -> None:
    await given_runs(store)
    await store.commit([a_run(9, "a", notes(Customer="acme"))])
    assert await ids(store, "Customer = 'acme'") == ["c", "a"]


# Any filter means the same to every store

_texts = st.sampled_from(["", "a", "ab", "b", "\U0010ffff"])
_micros = st.integers(0, 3)
_values: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.TEXT: _texts,
    Kind.KEYWORDS: _texts,
    Kind.WORDS: st.sampled_from(["a", "b"]),
    Kind.INTEGER: st.integers(-2, 2),
    Kind.NUMBER: st.sampled_from([-1.5, 0.0, 0.5, 1]),
    Kind.FLAG: st.booleans(),
    Kind.TIME: st.integers(-500, 4_500),  # nanoseconds
}
_FIELDS = [Attribute(name, kind) for name, kind in TYPES.items()]
_ORDERED = (Kind.TIME, Kind.INTEGER, Kind.NUMBER)


def _tests_of(field: Attribute) -> st.SearchStrategy[Condition]:
    one = _values[field.kind]
    operators = list(Operator) if field.kind in _ORDERED else [Operator.EQUAL, Operator.NOT_EQUAL]
    made: list[st.SearchStrategy[Condition]] = [
        st.builds(Comparison, st.just(field), st.sampled_from(operators), one),
        st.builds(IsNull, st.just(field), st.booleans()),
    ]
    if field.kind not in (Kind.FLAG, Kind.WORDS):
        several = st.lists(one, min_size=1, max_size=3).map(tuple)
        made.append(st.builds(OneOf, st.just(field), several, st.booleans()))
    if field.kind in _ORDERED:
        made.append(st.builds(Between, st.just(field), one, one, st.booleans()))
    if field.kind in (Kind.TEXT, Kind.KEYWORDS):
        made.append(st.builds(StartsWith, st.just(field), one, st.booleans()))
    return st.one_of(made)


_conditions = st.recursive(
    st.sampled_from(_FIELDS).flatmap(_tests_of),
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=2, max_size=3).map(lambda terms: And(tuple(terms))),
        st.lists(inner, min_size=2, max_size=3).map(lambda terms: Or(tuple(terms))),
    ),
    max_leaves=5,
)
_kept: dict[str, st.SearchStrategy[Any]] = {
    "Customer": _texts,
    "Title": st.sampled_from(["a", "A b", "!"]),
    "Amount": st.integers(-2, 2),
    "Rate": st.sampled_from([-1.5, 0.0, 0.5, 1.0]),
    "IsPaid": st.booleans(),
    "DueAt": _micros.map(lambda micros: f"1970-01-01T00:00:00.{micros:06}Z"),
    "Tags": st.lists(_texts, min_size=1, max_size=3).map(tuple),
}
_noted = st.none() | st.fixed_dictionaries({}, optional=_kept).map(lambda chosen: notes(**chosen))


@given(st.lists(_noted, min_size=1, max_size=6), st.lists(_conditions, min_size=1, max_size=8))
@settings(max_examples=40, deadline=timedelta(seconds=10))
def test_every_filter_means_the_same_in_every_store(
    tmp_path_factory: pytest.TempPathFactory, noted: list[Notes | None], conditions: list[Condition]
) -> None:
    asyncio.run(_compare(tmp_path_factory.mktemp("any") / "journal.db", noted, conditions))


async def _compare(path: Path, noted: list[Notes | None], conditions: list[Condition]) -> None:
    runs = [a_run(key, str(key), one, second=key % 2) for key, one in enumerate(noted, 1)]
    memory, sqlite = MemoryStore(), SqliteStore(path)
    await sqlite.open()
    try:
        for store in (memory, sqlite):
            await store.commit(runs)
        for condition in conditions:
            for order in (Order(), Order(is_descending=False)):
                query = ListQuery(condition, order)
                assert await sqlite.list("default", query, None, 9) == await memory.list("default", query, None, 9)
    finally:
        await sqlite.close()


# How SQLite does it


def test_a_page_of_one_value_is_read_in_order_from_its_index(path: Path) -> None:
    statement = ListStatement("default", parse_list_query("Customer = 'acme'", TYPES), None, 50)
    (source,) = [one for one in statement.sources.possible if one.branch_table]
    with closing(sqlite3.connect(path)) as connection:
        for step in (text for migration in schema.MIGRATIONS for text in migration):
            connection.execute(step)
        plan = connection.execute("EXPLAIN QUERY PLAN " + statement.compiled(source)[0], statement.compiled(source)[1])
        steps = [row[3] for row in plan]
    assert steps[0] == "SEARCH search_value USING PRIMARY KEY (attribute=? AND value=?)"
    assert not [step for step in steps if "TEMP B-TREE" in step], steps


async def test_the_view_shows_one_row_for_each_search_attribute(path: Path, sqlite: SqliteStore) -> None:
    await sqlite.commit([a_run(1, "a", notes(Customer="acme", Tags=("x", "y"), Amount=1))])
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT workflow_id, name, type, value FROM af_search_attribute ORDER BY name")
        assert rows.fetchall() == [
            ("a", "Amount", "Int", 1),
            ("a", "Customer", "Keyword", "acme"),
            ("a", "Tags", "KeywordList", '["x","y"]'),
        ]
