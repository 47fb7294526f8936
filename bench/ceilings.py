"""What the disk, SQLite and a thread allow at best: one row of 200 bytes and nothing else.

`group_commit` is the ceiling the other tables stand beside: callers on an event loop hand rows to a writer thread,
which takes whatever waits, writes it in one transaction, and tells the loop once.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from time import perf_counter
from typing import Final

from bench.load import crowd, one_by_one
from bench.progress import Progress
from bench.report import Figure, Table
from bench.samples import Rounds, Sample, Values, latencies, percentile, take_rounds
from bench.settings import Settings

_ROW: Final = ("x" * 200,)
_INSERT: Final = "INSERT INTO row (body) VALUES (?)"
_BLOCK: Final = b"x" * 4096
_BATCHES: Final = (1, 10, 100, 200)
_SYNCS: Final = 400
_COMMITS: Final = 400

Waiting = SimpleQueue["asyncio.Future[None] | None"]


def ceilings(settings: Settings, progress: Progress) -> Table:
    """Measure them all."""
    sides: dict[str, Callable[[], Sample]] = {
        "fdatasync, append": lambda: _synced(settings, is_append=True),
        "fdatasync, overwrite": lambda: _synced(settings, is_append=False),
        "thread hop": lambda: _hops(settings),
    }
    for rows in _BATCHES:
        sides[f"inline {rows}"] = lambda rows=rows: _inline(settings, rows)
        sides[f"thread {rows}"] = lambda rows=rows: group_commit(settings, waiters=rows)
    rounds = take_rounds(settings, progress, sides)
    return Table("ceilings", "what this machine allows", _figures(rounds), rounds.journals)


def _figures(rounds: Rounds) -> Sequence[Figure]:
    figures = [
        Figure(f"{side}, {name}, µs", raw=rounds.scaled(side, name, 1e3))
        for side in ("fdatasync, append", "fdatasync, overwrite")
        for name in ("p50", "p99")
    ]
    figures += [
        Figure(f"rows per commit, inline: {rows}; rows/s", raw=rounds.of(f"inline {rows}", "rows")) for rows in _BATCHES
    ]
    figures += [
        Figure(f"waiters, group commit: {rows}; {unit}", raw=rounds.of(f"thread {rows}", name))
        for rows in _BATCHES
        for name, unit in (("rows", "rows/s"), ("p50", "p50, ms"))
    ]
    return [*figures, Figure("loop → thread → loop, p50, µs", raw=rounds.scaled("thread hop", "p50", 1e3))]


def group_commit(settings: Settings, *, waiters: int) -> Sample:
    """Rows per second, and the latency of one in ms, of so many callers that each wait for their row."""
    count = settings.sized(_COMMITS * waiters if waiters <= 10 else 100 * waiters, least=waiters)
    with _database(settings) as database:
        values = asyncio.run(_grouped(database, count, waiters))
        return Sample(values, _described(database))


def commit_chain(settings: Settings, *, commits: int) -> Sample:
    """The latency in ms of so many commits in a row, each awaited by the loop."""

    async def run() -> Values:
        with _writer(lambda rows: _commit(database, rows)) as waiting:

            async def chain(_: int) -> None:
                for _ in range(commits):
                    await _written(waiting)

            return latencies(await one_by_one(chain, settings.sized(_COMMITS)))

    with _database(settings) as database:
        return Sample(asyncio.run(run()), _described(database))


async def _grouped(database: sqlite3.Connection, count: int, waiters: int) -> Values:
    seconds_each: list[float] = []
    batches: list[int] = []

    def commit(rows: int) -> None:
        batches.append(rows)
        _commit(database, rows)

    with _writer(commit) as waiting:

        async def one(_: int) -> None:
            started = perf_counter()
            await _written(waiting)
            seconds_each.append(perf_counter() - started)

        seconds = await crowd(one, count, in_flight=waiters)
    journal = {"commits": len(batches) / seconds, "batch": count / len(batches)}
    return {"rows": count / seconds, **latencies(seconds_each), **journal}


def _inline(settings: Settings, rows: int) -> Sample:
    count = settings.sized(_COMMITS if rows <= 10 else 100)
    with _database(settings) as database:
        started = perf_counter()
        for _ in range(count):
            _commit(database, rows)
        return Sample({"rows": count * rows / (perf_counter() - started)}, _described(database))


def _hops(settings: Settings) -> Sample:
    async def run() -> Values:
        with _writer(lambda rows: None) as waiting:
            return latencies(await one_by_one(lambda _: _written(waiting), settings.sized(2_000)))

    return Sample(asyncio.run(run()))


def _synced(settings: Settings, *, is_append: bool) -> Sample:
    """The latency in ms of making one block durable, at the end of a file or over a block that is there."""
    seconds: list[float] = []
    with settings.scratch() as scratch, (scratch / "blocks").open("wb", buffering=0) as file:
        file.write(_BLOCK * 100)
        os.fsync(file.fileno())
        for number in range(settings.sized(_SYNCS)):
            if not is_append:
                file.seek(number % 100 * len(_BLOCK))
            file.write(_BLOCK)
            started = perf_counter()
            _data_sync(file.fileno())
            seconds.append(perf_counter() - started)
    return Sample({"p50": statistics.median(seconds) * 1e3, "p99": percentile(seconds, 0.99) * 1e3})


def _data_sync(descriptor: int) -> None:
    getattr(os, "fdatasync", os.fsync)(descriptor)


@contextmanager
def _database(settings: Settings) -> Iterator[sqlite3.Connection]:
    with settings.scratch() as scratch, closing(_created(scratch)) as database:
        yield database


def _created(scratch: Path) -> sqlite3.Connection:
    database = sqlite3.connect(scratch / "raw.db", isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA journal_mode = wal").fetchall()
    database.execute("PRAGMA synchronous = full")
    database.execute("CREATE TABLE row (id INTEGER PRIMARY KEY, body TEXT)")
    return database


def _commit(database: sqlite3.Connection, rows: int) -> None:
    database.execute("BEGIN IMMEDIATE")
    database.executemany(_INSERT, [_ROW] * rows)
    database.execute("COMMIT")


def _described(database: sqlite3.Connection) -> str:
    level = database.execute("PRAGMA synchronous").fetchone()[0]
    mode = database.execute("PRAGMA journal_mode").fetchone()[0]
    names = {0: "off", 1: "normal", 2: "full", 3: "extra"}
    return f"raw SQLite: {sqlite3.sqlite_version}, read back: synchronous={names[level]}, journal_mode={mode}"


@contextmanager
def _writer(commit: Callable[[int], None]) -> Iterator[Waiting]:
    """A thread that commits whatever waits, as long as the block lasts."""
    waiting: Waiting = SimpleQueue()
    thread = Thread(target=_write, args=(asyncio.get_running_loop(), waiting, commit), name="raw-writer")
    thread.start()
    try:
        yield waiting
    finally:
        waiting.put(None)
        thread.join()


def _write(loop: asyncio.AbstractEventLoop, waiting: Waiting, commit: Callable[[int], None]) -> None:
    while True:
        batch = _all_of(waiting)
        callers = [caller for caller in batch if caller is not None]
        if callers:
            commit(len(callers))
            loop.call_soon_threadsafe(_answer, callers)
        if len(callers) < len(batch):
            return


def _all_of(waiting: Waiting) -> Sequence[asyncio.Future[None] | None]:
    batch = [waiting.get()]
    while True:
        try:
            batch.append(waiting.get_nowait())
        except Empty:
            return batch


def _answer(callers: Sequence[asyncio.Future[None]]) -> None:
    for caller in callers:
        if not caller.done():
            caller.set_result(None)


def _written(waiting: Waiting) -> asyncio.Future[None]:
    """Hand one row over; the future is done when it is on disk."""
    caller: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    waiting.put(caller)
    return caller
