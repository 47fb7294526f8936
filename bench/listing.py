"""LISTING: how long it takes to find executions among a million, and to count them."""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Final

from actorflow.client import Client
from actorflow.store.protocol import Begin, Change, Head, Identity
from actorflow.store.sqlite import SqliteStore
from bench.durable import described
from bench.progress import Progress
from bench.report import Figure, Table, at_most
from bench.samples import Sample, take_rounds
from bench.settings import Settings, address_of

_RUNS: Final = 1_000_000
_BATCH: Final = 5_000
_REPEATS: Final = 15
_PAGES: Final = (50, 500)
_PAGE_MS_MAX: Final = 50
_COUNT_MS_MAX: Final = 200
_FIRST_START: Final = datetime(2026, 1, 1, tzinfo=UTC)

_TYPES: Final = {"Order": 30, "Invoice": 20, "Shipment": 20, "Refund": 15, "Import": 10, "Report": 5, "Audit": 0.01}
_STATUSES: Final = {
    "running": 5,
    "completed": 85,
    "failed": 5,
    "cancelled": 2,
    "terminated": 1,
    "timed_out": 1,
    "continued": 1,
}
_PARKED_SHARE: Final = 0.01


@dataclass(frozen=True)
class Question:
    """A filter, and the least SQLite has to do for it on the same file."""

    name: str
    query: str
    raw: str


_RUN: Final = "SELECT * FROM run WHERE namespace = 'default'"
_NEWEST: Final = "ORDER BY started_at DESC LIMIT ?"
_LISTS: Final = (
    Question("unfiltered", "", f"{_RUN} AND status = 'completed' {_NEWEST}"),
    Question("by status", "ExecutionStatus = 'Failed'", f"{_RUN} AND status = 'failed' {_NEWEST}"),
    Question("by type", "WorkflowType = 'Order'", f"{_RUN} AND workflow_type = 'Order' {_NEWEST}"),
    Question("by rare type", "WorkflowType = 'Audit'", f"{_RUN} AND workflow_type = 'Audit' {_NEWEST}"),
    Question(
        "by type and status",
        "WorkflowType = 'Order' AND ExecutionStatus = 'Failed'",
        f"{_RUN} AND status = 'failed' AND workflow_type = 'Order' {_NEWEST}",
    ),
    Question(
        "by id prefix",
        "WorkflowId STARTS_WITH 'order-12'",
        f"{_RUN} AND workflow_id >= 'order-12' AND workflow_id < 'order-13' LIMIT ?",
    ),
    Question(
        "by wide id prefix",
        "WorkflowId STARTS_WITH 'order-'",
        f"{_RUN} AND workflow_id >= 'order-' AND workflow_id < 'order.' LIMIT ?",
    ),
    Question("parked", "Parked = TRUE", f"{_RUN} AND parked IS NOT NULL {_NEWEST}"),
)
_COUNT: Final = "count(*) FROM run WHERE namespace = 'default'"
_COUNTS: Final = (
    Question("by status", "GROUP BY ExecutionStatus", f"SELECT status, {_COUNT} GROUP BY status"),
    Question("of one status", "ExecutionStatus = 'Completed'", f"SELECT {_COUNT} AND status = 'completed'"),
    Question("of one type", "WorkflowType = 'Order'", f"SELECT {_COUNT} AND workflow_type = 'Order'"),
)


def listing(settings: Settings, progress: Progress) -> Table:
    """Build the file once, then ask everything in every round."""
    count = settings.sized(_RUNS)
    with settings.scratch() as scratch:
        progress.show(f"building a journal of {count:,} runs")
        built = asyncio.run(_build(scratch / "journal.db", count))
        rounds = take_rounds(
            settings,
            progress,
            {"actorflow": lambda: asyncio.run(_asked(scratch)), "raw SQLite": lambda: _raw(scratch / "journal.db")},
        )
        size = (scratch / "journal.db").stat().st_size
    figures = [
        Figure(name, rounds.of("actorflow", name), raw=rounds.of("raw SQLite", name), target=at_most(bound))
        for name, bound in _figures()
    ]
    notes = (
        f"{count:,} runs without turns, {built:.0f} s to build through the store, {size / 2**20:,.0f} MiB",
        f"each value is the median of {_REPEATS} calls through a client on the file, one after another",
        "raw SQLite: the least statement over the same rows on the same file, rows as they come, on the calling thread",
        *rounds.journals,
    )
    return Table("listing", f"first pages and counts among {count:,} executions", figures, notes)


def _figures() -> Iterator[tuple[str, float]]:
    for question in _LISTS:
        for size in _PAGES:
            yield _page_name(question, size), _PAGE_MS_MAX
    for question in _COUNTS:
        yield _count_name(question), _COUNT_MS_MAX


def _page_name(question: Question, size: int) -> str:
    return f"{question.name}, page of {size}, ms"


def _count_name(question: Question) -> str:
    return f"count {question.name}, ms"


async def _asked(scratch: Path) -> Sample:
    values: dict[str, float] = {}
    async with await Client.connect(address_of(scratch)) as client:
        for question in _LISTS:
            for size in _PAGES:
                values[_page_name(question, size)] = await _median(client, question, size)
        for question in _COUNTS:
            values[_count_name(question)] = await _median(client, question, None)
        return Sample(values, described(client))


async def _median(client: Client, question: Question, size: int | None) -> float:
    seconds: list[float] = []
    for _ in range(_REPEATS):
        started = perf_counter()
        if size is None:
            await client.count_workflows(question.query)
        else:
            await client.list_workflows(question.query, page_size=size).fetch_next_page()
        seconds.append(perf_counter() - started)
    return statistics.median(seconds) * 1e3


def _raw(path: Path) -> Sample:
    values: dict[str, float] = {}
    with closing(sqlite3.connect(path)) as database:
        for question in _LISTS:
            for size in _PAGES:
                values[_page_name(question, size)] = _raw_median(database, question, (size,))
        for question in _COUNTS:
            values[_count_name(question)] = _raw_median(database, question, ())
    return Sample(values)


def _raw_median(database: sqlite3.Connection, question: Question, values: Sequence[object]) -> float:
    seconds: list[float] = []
    for _ in range(_REPEATS):
        started = perf_counter()
        database.execute(question.raw, values).fetchall()
        seconds.append(perf_counter() - started)
    return statistics.median(seconds) * 1e3


async def _build(path: Path, count: int) -> float:
    """Commit so many runs, spread over types, statuses and time; returns the seconds it took."""
    started = perf_counter()
    store = SqliteStore(path)
    await store.open()
    chance = Random(1)
    for first in range(0, count, _BATCH):
        await store.commit([_run(store.new_run_key(), chance) for _ in range(min(_BATCH, count - first))])
    await store.close()
    return perf_counter() - started


def _run(key: int, chance: Random) -> Change:
    workflow_type, status = _drawn(_TYPES, chance), _drawn(_STATUSES, chance)
    at = _FIRST_START + timedelta(seconds=key, microseconds=chance.randrange(1_000_000))
    identity = Identity(
        key=key,
        namespace="default",
        workflow_id=f"{workflow_type.lower()}-{chance.randrange(10_000):04}-{key}",
        run_id=f"{key:032x}",
        workflow_type=workflow_type,
        task_queue="orders",
        started_at=at,
    )
    is_open = status == "running"
    head = Head(
        last_event=11,
        checksum=key,
        status=status,
        closed_at=None if is_open else at + timedelta(seconds=chance.randrange(86_400)),
        parked="RuntimeError: a bug" if is_open and chance.random() < _PARKED_SHARE else None,
    )
    return Change(key, head=head, begin=Begin(identity))


def _drawn(shares: Mapping[str, float], chance: Random) -> str:
    return chance.choices(list(shares), list(shares.values()))[0]
