"""What every store promises about finding runs, and how SQLite finds them."""

from __future__ import annotations

import asyncio
import gzip
import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from actorflow.core import limits
from actorflow.core.policy.filter_tree import Condition, CountQuery, ListQuery, Order
from actorflow.core.policy.filter_values import nanos
from actorflow.core.policy.list_filter import parse_count_query, parse_list_query
from actorflow.exceptions import ListTimeoutError, OlderSchemaError, StorageError
from actorflow.store.memory import MemoryStore
from actorflow.store.protocol import COMMITTED, Begin, Change, Count, Head, Position, RunRecord, Store
from actorflow.store.sqlite import ReadOnlyStore, SqliteStore, schema
from actorflow.store.sqlite.filter_sql import successor
from actorflow.store.sqlite.listing_reader import ListingReader
from actorflow.store.sqlite.looker import Looker
from actorflow.store.sqlite.reader import Reader
from actorflow.store.sqlite.session import Profile
from actorflow.store.sqlite.visibility import BRANCHES_MAX, CountStatement, ListStatement, Visibility, probe
from actorflow.store.visibility import position_of
from tests.core.filters import orders, trees
from tests.store.given import NOON, SECOND, TURN_WIDTH, begin, closes, identity

STATUSES = ("running", "completed", "failed", "cancelled", "terminated", "timed_out", "continued")


def a_run(
    key: int,
    workflow_id: str | None = None,
    *,
    type: str = "Order",
    status: str = "running",
    at: datetime = NOON,
    namespace: str = "default",
    **more: Any,
) -> Change:
    """A run that began, and perhaps closed a second later, in one change."""
    task_queue = more.pop("task_queue", "orders")
    run = msgspec.structs.replace(
        identity(key, workflow_id, task_queue=task_queue), workflow_type=type, started_at=at, namespace=namespace
    )
    closed_at = None if status == "running" else more.pop("closed_at", at + SECOND)
    return Change(key, head=Head(5, 1, status, closed_at=closed_at, **more), begin=Begin(run))


async def given_runs(store: Store, *changes: Change) -> None:
    assert set(map(type, await store.commit(changes))) <= {type(COMMITTED)}


async def ids(store: Store, query: str = "", *, namespace: str = "default", limit: int = 500) -> list[str]:
    return [run.identity.workflow_id for run in await store.list(namespace, parse_list_query(query), None, limit)]


async def count(store: Store, query: str = "", *, namespace: str = "default") -> Count:
    return await store.count(namespace, parse_count_query(query))


# Which runs


async def test_without_a_filter_all_runs_of_the_namespace_are_listed_newest_start_first(store: Store) -> None:
    await given_runs(
        store,
        a_run(1, "old"),
        a_run(2, "new", at=NOON + 2 * SECOND),
        a_run(3, "between", at=NOON + SECOND, status="failed"),
        a_run(4, "elsewhere", namespace="other"),
    )
    assert await ids(store) == ["new", "between", "old"]
    assert await ids(store, namespace="other") == ["elsewhere"]
    assert await ids(store, namespace="nowhere") == []


async def test_runs_that_started_together_are_listed_in_the_order_in_which_they_began(store: Store) -> None:
    await given_runs(store, *(a_run(key, str(key), status=STATUSES[key % 3]) for key in range(1, 8)))
    assert await ids(store) == ["7", "6", "5", "4", "3", "2", "1"]
    assert await ids(store, "ORDER BY StartTime") == ["1", "2", "3", "4", "5", "6", "7"]


async def test_open_runs_close_after_all_others(store: Store) -> None:
    await given_runs(
        store,
        a_run(1, "open"),
        a_run(2, "first", status="failed", closed_at=NOON),
        a_run(3, "last", status="completed", closed_at=NOON + SECOND),
    )
    assert await ids(store, "ORDER BY CloseTime") == ["first", "last", "open"]
    assert await ids(store, "ORDER BY CloseTime DESC") == ["open", "last", "first"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("WorkflowId = 'b'", ["b"]),
        ("WorkflowId IN ('a', 'c', 'z')", ["c", "a"]),
        ("WorkflowId NOT IN ('a', 'c')", ["d", "b"]),
        ("RunId = 'run-2'", ["b"]),
        ("RunId = 'run-2' AND WorkflowId = 'a'", []),
        ("RunId != 'run-2'", ["d", "c", "a"]),
        ("WorkflowType = 'Order'", ["d", "a"]),
        ("WorkflowType IN ('Order', 'Refund', 'Order')", ["d", "c", "a"]),
        ("WorkflowType = 'order'", []),
        ("WorkflowType STARTS_WITH 'Re'", ["c"]),
        ("NOT WorkflowType STARTS_WITH 'Re'", ["d", "b", "a"]),
        ("TaskQueue = 'slow'", ["c"]),
        ("ExecutionStatus = 'Running'", ["d", "a"]),
        ("ExecutionStatus != 'Running'", ["c", "b"]),
        ("ExecutionStatus NOT IN ('Completed', 'TimedOut')", ["d", "c", "a"]),
        ("ExecutionStatus = 'Running' AND ExecutionStatus = 'Failed'", []),
        ("ExecutionStatus = 'Failed' OR WorkflowId = 'a'", ["c", "a"]),
        ("NOT (ExecutionStatus = 'Running' OR WorkflowId = 'b')", ["c"]),
        ("WorkflowType = 'Order' AND ExecutionStatus = 'Running' AND TaskQueue = 'orders'", ["d", "a"]),
        ("StartTime > '2030-06-01T12:00:01Z'", ["d", "c"]),
        ("StartTime >= '2030-06-01T12:00:01Z'", ["d", "c", "b"]),
        ("StartTime < '2030-06-01T14:00:01+02:00'", ["a"]),
        ("StartTime BETWEEN '2030-06-01T12:00:01Z' AND '2030-06-01T12:00:02Z'", ["c", "b"]),
        ("StartTime NOT BETWEEN '2030-06-01T12:00:01Z' AND '2030-06-01T12:00:02Z'", ["d", "a"]),
        ("StartTime = '2030-06-01T12:00:01.000000001Z'", []),
        ("StartTime > '2030-06-01T12:00:00.999999999Z' AND StartTime < '2030-06-01T12:00:01.000000001Z'", ["b"]),
        ("CloseTime IS NULL", ["d", "a"]),
        ("CloseTime IS NOT NULL", ["c", "b"]),
        ("CloseTime > '2030-06-01T12:00:02Z'", ["c"]),
        ("NOT CloseTime > '2030-06-01T12:00:02Z'", ["b"]),
        ("CloseTime != '2030-06-01T12:00:02Z'", ["c"]),
        ("Parked = TRUE", ["d"]),
        ("Parked != FALSE AND WorkflowId = 'a'", []),
        ("Parked = FALSE", ["c", "b", "a"]),
    ],
)
async def test_a_filter_finds(store: Store, query: str, found: list[str]) -> None:
    await given_runs(
        store,
        a_run(1, "a"),
        a_run(2, "b", type="Ship", status="completed", at=NOON + SECOND),
        a_run(3, "c", type="Refund", status="failed", at=NOON + 2 * SECOND, task_queue="slow"),
        a_run(4, "d", at=NOON + 3 * SECOND, parked="stuck"),
        a_run(5, "b", namespace="other"),
    )
    assert await ids(store, query) == found
    assert (await count(store, query)).total == len(found)
    grouped = await count(store, f"{query} GROUP BY ExecutionStatus")
    assert (grouped.total, sum(grouped.by_status.values())) == (len(found), len(found))


async def test_counts_by_status_leave_out_statuses_without_a_run(store: Store) -> None:
    await given_runs(store, a_run(1), a_run(2), a_run(3, status="continued"), a_run(4, type="Ship", status="failed"))
    assert await count(store) == Count(4)
    assert await count(store, "GROUP BY ExecutionStatus") == Count(4, {"running": 2, "continued": 1, "failed": 1})
    of_type = await count(store, "WorkflowType = 'Order' GROUP BY ExecutionStatus")
    assert of_type == Count(3, {"running": 2, "continued": 1})
    assert await count(store, "GROUP BY ExecutionStatus", namespace="nowhere") == Count(0)


async def test_a_run_that_closes_changes_its_place_at_once(store: Store) -> None:
    run = begin(store, "order", parked="stuck")
    await given_runs(store, run)
    assert await ids(store, "Parked = TRUE AND ExecutionStatus = 'Running'") == ["order"]
    await store.commit([closes(run.key, TURN_WIDTH, "terminated")])
    assert await ids(store, "Parked = TRUE") == []
    assert await ids(store, "ExecutionStatus = 'Terminated'") == ["order"]


PREFIXES = ("a", "a%", "a_", "A", "é", "\ud7ff", "\ue000", "🎉", "a\U0010ffff", "\U0010ffff", "\x7f", "'")


async def test_a_prefix_is_text_not_a_pattern(store: Store) -> None:
    names = [prefix + rest for prefix in PREFIXES for rest in ("", "b", "\U0010ffff", "é")]
    names = list(dict.fromkeys(names))
    await given_runs(store, *(a_run(key, name, type=name) for key, name in enumerate(names, 1)))
    for prefix in PREFIXES:
        expected = sorted(name for name in names if name.startswith(prefix))
        quoted = prefix.replace("'", "''")
        for column in ("WorkflowId", "WorkflowType"):
            assert sorted(await ids(store, f"{column} STARTS_WITH '{quoted}'")) == expected
            others = await ids(store, f"{column} NOT STARTS_WITH '{quoted}'")
            assert sorted([*expected, *others]) == sorted(names)
    assert len(await ids(store, "WorkflowId STARTS_WITH ''")) == len(names)


@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")))
def test_what_starts_with_a_prefix_lies_before_its_successor(prefix: str, rest: str) -> None:
    end = successor(prefix)
    assert end is None or (prefix + rest).encode() < end.encode()
    assert rest.startswith(prefix) or rest.encode() < prefix.encode() or end is None or rest.encode() >= end.encode()


# Pages


async def pages(store: Store, query: str, size: int) -> AsyncIterator[Sequence[RunRecord]]:
    parsed, after = parse_list_query(query), None
    while page := await store.list("default", parsed, after, size):
        yield page
        after = position_of(page[-1], parsed.order)


@pytest.mark.parametrize("order", ["StartTime", "StartTime DESC", "CloseTime", "CloseTime DESC"])
@pytest.mark.parametrize("where", ["", "WorkflowType = 'Order'", "ExecutionStatus IN ('Failed', 'Running')"])
async def test_pages_follow_each_other_without_gap_or_repetition(store: Store, order: str, where: str) -> None:
    runs = [
        a_run(key, str(key), type=type_, status=status, at=NOON + (key % 5) * SECOND)
        for key, status, type_ in zip(range(1, 36), cycle(STATUSES), cycle(("Order", "Ship")), strict=False)
    ]
    await given_runs(store, *runs)
    query = f"{where} ORDER BY {order}"
    whole = await ids(store, query)
    paged = [run.identity.workflow_id async for page in pages(store, query, 4) for run in page]
    assert paged == whole
    assert len(set(paged)) == len(paged) == (await count(store, where)).total


async def test_pages_stay_while_runs_come_and_go(store: Store) -> None:
    begun = [begin(store, str(number)) for number in range(6)]
    await given_runs(store, *begun)
    listing = pages(store, "", 2)
    first = await anext(listing)
    await store.commit([begin(store, "later"), closes(begun[3].key, TURN_WIDTH)])
    rest = [run async for page in listing for run in page]
    assert [run.identity.workflow_id for run in (*first, *rest)] == ["5", "4", "3", "2", "1", "0"]


# Both stores agree, whatever the filter


TEXTS = st.sampled_from(["", "a", "ab", "b", "Order", "run-1", "run-2", "é", "🎉", "a\U0010ffff", "\ud7ff", "'", "a%"])
INSTANTS = st.sampled_from([nanos(NOON) + moved for moved in (-1, 0, 1, 999, 1_000, 1_500, 10**9, 2 * 10**9)])


def population() -> Sequence[Change]:
    names = ("a", "ab", "b", "é", "🎉", "a\U0010ffff", "\ud7ff", "'", "a%", "\ue000")
    moments = (0, 1, 2, 1_000_000, 1_000_001, 2_000_000)
    varied = zip(
        range(1, 121), cycle(names), cycle(STATUSES), cycle(("Order", "ab", "a")), cycle(moments), strict=False
    )
    return [
        a_run(
            key,
            f"{name}{key // 30 or ''}{key}",
            type=type_,
            status=status,
            at=NOON + timedelta(microseconds=moment),
            task_queue=name,
            parked="stuck" if status == "running" and key % 3 == 0 else None,
        )
        for key, name, status, type_, moment in varied
    ]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[MemoryStore, Visibility]]:
    """A memory store, and a reader of a file, with the same runs."""
    memory, path = MemoryStore(), tmp_path_factory.mktemp("both") / "runs.db"

    async def fill() -> None:
        await given_runs(memory, *population())
        store = SqliteStore(path)
        await store.open()
        await given_runs(store, *population())
        await store.close()

    asyncio.run(fill())
    with closing(sqlite3.connect(path)) as connection:

        async def fetch(query: str, values: Mapping[str, object]) -> Sequence[tuple[Any, ...]]:
            return connection.execute(query, values).fetchall()

        yield memory, Visibility(fetch)


@settings(max_examples=100, deadline=None)
@given(where=st.none() | trees(TEXTS, INSTANTS), order=orders(), start=st.none() | st.integers(1, 120))
def test_both_stores_give_the_same_answer(
    both: tuple[MemoryStore, Visibility], where: Condition | None, order: Order, start: int | None
) -> None:
    async def ask() -> None:
        memory, file = both
        query = ListQuery(where, order)
        after = None
        if start is not None:
            (loaded,) = await memory.load([start])
            after = position_of(loaded.record, order)
        assert await file.list("default", query, after, 7) == await memory.list("default", query, after, 7)
        assert await file.list("default", query, None, 500) == await memory.list("default", query, None, 500)
        for is_by_status in (False, True):
            counted = CountQuery(where, is_by_status)
            assert await file.count("default", counted) == await memory.count("default", counted)

    asyncio.run(ask())


# How SQLite finds them


@pytest.mark.parametrize(
    "pattern",
    [
        "NOT (",
        "(",
        "WorkflowId = 'a' AND (TaskQueue = 'b' OR ",
        "WorkflowId = 'a' OR TaskQueue = 'b' AND (",
        "WorkflowId = 'a' OR NOT TaskQueue = 'b' AND (",
        "WorkflowId = 'a' OR StartTime BETWEEN 1 AND 2 AND WorkflowId STARTS_WITH 'b' AND (",
    ],
)
async def test_a_filter_as_deep_as_it_may_be_is_not_too_deep_for_sqlite(sqlite: SqliteStore, pattern: str) -> None:
    depth = limits.FILTER_DEPTH_MAX // (pattern.count("(") + pattern.startswith("NOT"))
    text = f"{pattern * depth}WorkflowId = 'a'{')' * depth}"
    assert await ids(sqlite, text) == await ids(sqlite, f"{text} ORDER BY CloseTime") == []
    assert await count(sqlite, text) == Count(0)


@pytest.mark.parametrize(
    "text",
    [
        " OR ".join(["WorkflowId STARTS_WITH 'a'"] * limits.FILTER_TERMS_MAX),
        " AND ".join(["WorkflowId != 'a'"] * limits.FILTER_TERMS_MAX),
        "WorkflowId IN (" + ", ".join(f"'{number}'" for number in range(limits.FILTER_TERMS_MAX)) + ")",
        "WorkflowType IN (" + ", ".join(f"'{number}'" for number in range(limits.FILTER_TERMS_MAX)) + ")",
        "WorkflowType IN (" + ", ".join(f"'{number}'" for number in range(BRANCHES_MAX)) + ")",
    ],
)
async def test_a_filter_as_long_as_it_may_be_is_not_too_long_for_sqlite(sqlite: SqliteStore, text: str) -> None:
    assert await ids(sqlite, text) == []
    assert await count(sqlite, text) == Count(0)


def plans(path: Path, *statements: tuple[str, Mapping[str, object]]) -> list[list[str]]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        schema.migrate(connection, path)
        return [
            [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", values)] for text, values in statements
        ]


def listed(query: str, *, is_narrow: bool = False, after: Position | None = None) -> tuple[str, Mapping[str, object]]:
    statement = ListStatement("default", parse_list_query(query), after, 50)
    narrow = statement.sources.certain or (statement.sources.possible[0] if is_narrow else None)
    return statement.compiled(narrow)


STATUS = "SEARCH run USING INDEX run_status (namespace=? AND status=?)"
AFTER = Position(NOON, 7)


@pytest.mark.parametrize(
    ("statement", "searches", "is_sorted"),
    [
        (listed(""), [STATUS] * 7, False),
        (listed("TaskQueue = 'a'"), [STATUS] * 7, False),
        (listed("ExecutionStatus = 'Failed'"), [STATUS], False),
        (listed("ExecutionStatus != 'Completed'"), [STATUS] * 6, False),
        (
            listed("StartTime > 5"),
            ["SEARCH run USING INDEX run_status (namespace=? AND status=? AND started_at>?)"] * 7,
            False,
        ),
        (
            listed("ExecutionStatus = 'Failed'", after=AFTER),
            ["SEARCH run USING INDEX run_status (namespace=? AND status=? AND started_at<?)"],
            False,
        ),
        (
            listed("WorkflowType = 'Order'"),
            ["SEARCH run USING INDEX run_type (namespace=? AND workflow_type=?)"],
            False,
        ),
        (
            listed("WorkflowType IN ('Order', 'Ship')"),
            ["SEARCH run USING INDEX run_type (namespace=? AND workflow_type=?)"] * 2,
            False,
        ),
        (
            listed("Parked = TRUE"),
            ["SEARCH run USING INDEX run_parked (namespace=?)"],
            False,
        ),
        (
            listed("WorkflowId = 'a'"),
            ["SEARCH run USING INDEX run_workflow (namespace=? AND workflow_id=?)"],
            True,
        ),
        (listed("RunId = 'a'"), ["SEARCH run USING INDEX run_run_id (run_id=?)"], True),
        (
            listed("WorkflowId STARTS_WITH 'a'", is_narrow=True),
            ["SEARCH run USING INDEX run_workflow (namespace=? AND workflow_id>? AND workflow_id<?)"],
            True,
        ),
        (listed("WorkflowId STARTS_WITH 'a'"), [STATUS] * 7, False),
        (listed("ExecutionStatus = 'Failed' ORDER BY CloseTime", is_narrow=True), [STATUS], True),
        (listed("ORDER BY CloseTime"), ["SCAN run"], True),
    ],
)
def test_pages_are_read_from_an_index(
    path: Path, statement: tuple[str, Mapping[str, object]], searches: list[str], is_sorted: bool
) -> None:
    (found,) = plans(path, statement)
    assert [step for step in found if step.startswith(("SEARCH", "SCAN"))] == searches, found
    assert any("TEMP B-TREE" in step for step in found) == is_sorted, found


def counted(query: str) -> tuple[str, Mapping[str, object]]:
    statement = CountStatement("default", parse_count_query(query))
    return statement.compiled(statement.covering)


@pytest.mark.parametrize(
    ("statement", "search"),
    [
        (counted(""), "run_status (namespace=? AND status=?)"),
        (counted("GROUP BY ExecutionStatus"), "run_status (namespace=? AND status=?)"),
        (counted("ExecutionStatus = 'Failed'"), "run_status (namespace=? AND status=?)"),
        (counted("StartTime > 5 GROUP BY ExecutionStatus"), "run_status (namespace=? AND status=? AND started_at>?)"),
        (counted("WorkflowType = 'Order'"), "run_type (namespace=? AND workflow_type=?)"),
        (
            counted("WorkflowId STARTS_WITH 'a'"),
            "run_workflow (namespace=? AND workflow_id>? AND workflow_id<?)",
        ),
    ],
)
def test_counts_need_the_index_only(path: Path, statement: tuple[str, Mapping[str, object]], search: str) -> None:
    assert plans(path, statement) == [[f"SEARCH run USING COVERING INDEX {search}"]]


def test_how_narrow_a_source_is_is_seen_in_its_index_only(path: Path) -> None:
    text = "WorkflowType = 'Order' AND ExecutionStatus = 'Failed' AND WorkflowId STARTS_WITH 'a'"
    sources = ListStatement("default", parse_list_query(text), None, 50).sources
    indexes = [source.table.split()[-1] for source in sources.possible]
    assert indexes == ["run_type", "run_workflow", "run_status"]
    (found,) = plans(path, (probe(sources.possible), sources.parameters.values))
    searches = [step for step in found if "run" in step.split()]
    assert len(searches) == 3
    assert all(step.startswith("SEARCH run USING COVERING INDEX") for step in searches), found


async def test_the_narrower_way_in_is_taken(path: Path) -> None:
    asked: list[str] = []

    async def fetch(query: str, values: Mapping[str, object]) -> Sequence[tuple[Any, ...]]:
        asked.append(query)
        return [(9_999, 3)] if len(asked) == 1 else []

    text = "WorkflowType = 'Order' AND ExecutionStatus = 'Failed'"
    await Visibility(fetch).list("default", parse_list_query(text), None, 50)
    assert "INDEXED BY run_status" in asked[1]
    assert "INDEXED BY run_type" not in asked[1]


# Values stay values


async def test_text_of_a_filter_is_never_run(sqlite: SqliteStore) -> None:
    await given_runs(sqlite, a_run(1, "x"), a_run(2, "x' OR 1=1 --"))
    for text in ("x'' OR 1=1 --", "x''; DROP TABLE run; --", "x'' UNION SELECT * FROM meta --", ":namespace", "?1"):
        found = await ids(sqlite, f"WorkflowId = '{text}' OR WorkflowType STARTS_WITH '{text}'")
        assert found == (["x' OR 1=1 --"] if text == "x'' OR 1=1 --" else [])
    assert await ids(sqlite) == ["x' OR 1=1 --", "x"]


@pytest.mark.parametrize("query", ["WorkflowId = 'secret'", "TaskQueue = 'secret'", "WorkflowType = 'secret'"])
def test_no_value_stands_in_the_statement(query: str) -> None:
    text, values = listed(query)
    assert "secret" not in text
    assert "secret" in values.values()


# A connection of their own


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture(params=["of the owner", "from outside"])
async def reader(request: pytest.FixtureRequest, path: Path, sqlite: SqliteStore) -> AsyncIterator[ListingReader]:
    patience = timedelta(milliseconds=50)
    opened = ListingReader(
        path,
        (lambda: Reader(path, Profile("full", patience), name="list"))
        if request.param == "of the owner"
        else (lambda: Looker(path, patience, name="list")),
    )
    yield opened
    await opened.close()


async def test_a_query_without_end_is_ended_and_harms_nobody(
    reader: ListingReader, sqlite: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as soon:
        soon.setattr(limits, "LIST_TIMEOUT", timedelta(milliseconds=20))
        endless = asyncio.create_task(reader.fetch(ENDLESS, {}))
        run = begin(sqlite, "order")
        assert await sqlite.commit([run]) == [COMMITTED]
        assert len(await sqlite.load([run.key])) == 1
        with pytest.raises(ListTimeoutError, match="narrow it down with WorkflowId, WorkflowType or ExecutionStatus"):
            await endless
    assert await reader.fetch("SELECT 1", {}) == [(1,)]


async def test_a_query_nobody_waits_for_any_more_is_ended(reader: ListingReader) -> None:
    await reader.fetch("SELECT 1", {})
    endless = asyncio.create_task(reader.fetch(ENDLESS, {}))
    next_one = asyncio.create_task(reader.fetch("SELECT 2", {}))
    await asyncio.sleep(0)
    endless.cancel()
    assert await next_one == [(2,)]
    assert endless.cancelled()


async def test_closing_ends_the_query_under_way(reader: ListingReader) -> None:
    await reader.fetch("SELECT 1", {})
    endless = asyncio.create_task(reader.fetch(ENDLESS, {}))
    await asyncio.sleep(0)
    await reader.close()
    with pytest.raises(StorageError, match="was closed while"):
        await endless
    with pytest.raises(StorageError, match="was closed while"):
        await reader.fetch("SELECT 1", {})


async def test_closing_while_the_connection_is_being_opened_starts_nothing(reader: ListingReader) -> None:
    endless = asyncio.create_task(reader.fetch(ENDLESS, {}))
    await asyncio.sleep(0)
    await reader.close()
    with pytest.raises(StorageError, match="was closed while"):
        await endless


async def test_waiting_for_other_lists_has_an_end_too(reader: ListingReader, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as soon:
        soon.setattr(limits, "LIST_TIMEOUT", timedelta(milliseconds=20))
        async with reader._turn:
            with pytest.raises(ListTimeoutError):
                await reader.fetch("SELECT 1", {})
    assert await reader.fetch("SELECT 1", {}) == [(1,)]


async def test_a_query_that_is_cancelled_twice_is_still_waited_for(reader: ListingReader) -> None:
    await reader.fetch("SELECT 1", {})
    endless = asyncio.create_task(reader.fetch(ENDLESS, {}))
    await asyncio.sleep(0)
    endless.cancel()
    await asyncio.sleep(0)
    endless.cancel()
    await asyncio.wait([endless])
    assert reader._running is not None
    assert reader._running.done()


async def test_a_statement_sqlite_refuses_does_not_stop_the_store(reader: ListingReader) -> None:
    with pytest.raises(StorageError, match="syntax error"):
        await reader.fetch("no statement", {})
    assert await reader.fetch("SELECT 1", {}) == [(1,)]


async def test_a_store_can_list_again_after_it_was_closed_and_opened(sqlite: SqliteStore) -> None:
    await given_runs(sqlite, a_run(1, "order"))
    assert await ids(sqlite) == ["order"]
    await sqlite.close()
    await sqlite.open()
    assert await ids(sqlite) == ["order"]


async def test_who_looks_from_outside_goes_on_while_a_list_takes_long_and_closing_ends_it(
    path: Path, sqlite: SqliteStore
) -> None:
    await sqlite.commit([begin(sqlite, "order")])
    store = ReadOnlyStore(path)
    await store.open()
    abandoned = asyncio.create_task(store._fetch_listed(ENDLESS, {}))
    assert await store.find("default", "order") is not None
    abandoned.cancel()
    await asyncio.wait([abandoned])
    endless = asyncio.create_task(store._fetch_listed(ENDLESS, {}))
    assert await store.find("default", "order") is not None
    await store.close()
    with pytest.raises(StorageError, match="was closed while"):
        await endless


# Journals from before there were lists


@pytest.fixture
def from_schema_1(path: Path) -> Path:
    """A journal written at schema 1: order-0 completed, order-1 open and waiting, order-2 terminated."""
    path.write_bytes(gzip.decompress((Path(__file__).parent / "schema_1.gz").read_bytes()))
    return path


async def test_a_journal_of_schema_1_is_migrated_and_listed(from_schema_1: Path) -> None:
    with closing(sqlite3.connect(from_schema_1)) as before:
        assert before.execute("PRAGMA user_version").fetchone() == (1,)
    store = SqliteStore(from_schema_1)
    await store.open()
    assert await ids(store) == ["order-2", "order-1", "order-0"]
    expected = Count(3, {"running": 1, "completed": 1, "terminated": 1})
    assert await count(store, "GROUP BY ExecutionStatus") == expected
    open_run = await store.find("default", "order-1")
    assert open_run is not None
    (loaded,) = await store.load([open_run.identity.key])
    assert len(loaded.turns) == 1
    await store.close()
    with closing(sqlite3.connect(from_schema_1)) as after:
        assert after.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)
        assert after.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_a_journal_of_schema_1_cannot_be_looked_at_before_it_was_opened_for_writing(from_schema_1: Path) -> None:
    before = from_schema_1.read_bytes()
    store = ReadOnlyStore(from_schema_1)
    with pytest.raises(OlderSchemaError, match="open it once for writing"):
        await store.open()
    assert from_schema_1.read_bytes() == before
