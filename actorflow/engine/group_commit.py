"""Turns decided changes into group commits: everything that is ready goes into one transaction with one sync.

There is no lingering and no cap. While one batch is being written the next one collects, so the slower the disk, the
larger the batches.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from time import perf_counter

import msgspec

from actorflow.clock import Clock
from actorflow.core import limits
from actorflow.engine.counting import Counting
from actorflow.engine.rest import Rest
from actorflow.exceptions import (
    EngineStoppedError,
    StorageBusyError,
    StorageError,
    StorageFailedError,
    StorageFullError,
)
from actorflow.store.protocol import Change, Outcome, Store

_log = logging.getLogger("actorflow.engine")

OnOutcome = Callable[[Outcome], None]
OnStall = Callable[[StorageError], None]


class _Entry(msgspec.Struct, eq=False):
    change: Change
    on_outcome: OnOutcome
    on_stall: OnStall | None


_Settled = tuple[Callable[[], None], OnStall | None]


class _Batch:
    __slots__ = ("entries", "settled")

    def __init__(self, entries: list[_Entry], settled: list[_Settled]) -> None:
        self.entries = entries
        self.settled = settled


class GroupCommit:
    """The one queue of changes of an engine, in the order in which they were decided.

    Args:
        store: where they are written.
        clock: for waiting before a batch is repeated.
        on_fatal: called once if the store is of no use any more.
        counting: told of every batch.
        rest: stirred after every batch.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        on_fatal: Callable[[BaseException], None],
        counting: Counting,
        rest: Rest,
    ) -> None:
        self._store = store
        self._clock = clock
        self._on_fatal = on_fatal
        self._counting = counting
        self._rest = rest
        self._queue: list[_Entry] = []
        self._settled: list[_Settled] = []
        self._waits: set[asyncio.Future[None]] = set()
        self._writing: _Batch | None = None
        self._is_closed = False
        self._is_flush_due = False
        self.stalled: StorageError | None = None

    @property
    def is_settled(self) -> bool:
        """True when everything submitted is durable and told."""
        return not self._queue and self._writing is None

    @property
    def under_way(self) -> Sequence[Change]:
        """What is decided and not durable yet; a copy any thread may take."""
        writing = self._writing
        queued = list(self._queue)
        return [entry.change for entry in chain(() if writing is None else writing.entries, queued)]

    def submit(self, change: Change, on_outcome: OnOutcome, on_stall: OnStall | None = None) -> None:
        """Queue a change; `flush` writes it.

        Args:
            change: what to write.
            on_outcome: called on the loop once it is durable, or in conflict.
            on_stall: called if the disk is full or the file locked: the change is kept and tried again, but whoever
                waits for it should know.
        """
        self._queue.append(_Entry(change, on_outcome, on_stall))
        if self.stalled is not None and on_stall is not None:
            on_stall(self.stalled)

    def when_settled(self, callback: Callable[[], None], on_stall: OnStall | None = None) -> None:
        """Call back once everything submitted so far is durable and told; at once if it is.

        Args:
            callback: is never called if the journal fails.
            on_stall: as for `submit`.
        """
        if self.is_settled:
            callback()
            return
        if not self._queue and self._writing is not None:
            self._writing.settled.append((callback, on_stall))
        else:
            self._settled.append((callback, on_stall))
            self.flush_soon()
        if self.stalled is not None and on_stall is not None:
            on_stall(self.stalled)

    async def settled(self, *, is_patient: bool = True) -> None:
        """Wait until everything submitted so far is durable and told.

        Args:
            is_patient: also while the disk is full or the file locked.

        Raises:
            EngineStoppedError: it never will be.
            StorageError: it can't be now, and the caller is not patient.
        """
        if self._is_closed:
            raise stopped(None)
        wait: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waits.add(wait)

        def give_up(problem: StorageError) -> None:
            if not wait.done():
                wait.set_exception(problem)

        self.when_settled(lambda: None if wait.done() else wait.set_result(None), None if is_patient else give_up)
        try:
            await wait
        finally:
            self._waits.discard(wait)

    def flush_soon(self) -> None:
        """Write what is queued once this round of the event loop is over, together with what else it brings."""
        if not self._is_flush_due:
            self._is_flush_due = True
            asyncio.get_running_loop().call_soon(self._flush_due)

    def _flush_due(self) -> None:
        self._is_flush_due = False
        self.flush()

    def flush(self) -> None:
        """Write what is queued, unless a batch is on its way: then it follows when that one is done."""
        if self._writing is not None or not self._queue or self._is_closed:
            return
        self._writing = _Batch(self._queue, self._settled)
        self._queue, self._settled = [], []
        self._write(self._writing)

    def close(self, problem: BaseException | None = None) -> None:
        """Write and tell nothing more, because of that problem or for good."""
        self._is_closed = True
        for wait in self._waits:
            if not wait.done():
                wait.set_exception(stopped(problem))

    def _write(self, batch: _Batch) -> None:
        if self._is_closed:
            return
        began = perf_counter()
        changes = [entry.change for entry in batch.entries]
        try:
            committed = self._store.commit(changes)
        except Exception as problem:
            self._on_fatal(problem)  # whatever it is, nothing may wait for it in silence
            return
        committed.add_done_callback(partial(self._on_written, batch, changes, began))

    def _on_written(
        self, batch: _Batch, changes: Sequence[Change], began: float, committed: asyncio.Future[Sequence[Outcome]]
    ) -> None:
        seconds = perf_counter() - began
        problem = committed.exception()
        if problem is None:
            self._writing = None
            self.flush()  # the next batch is on its way to the disk while this one is performed
            self._tell(batch, committed.result())
            self._counting.batch(seconds, changes, committed.result())
            self._rest.stir()
        elif isinstance(problem, StorageFullError | StorageBusyError):
            self._counting.journal.failed("full" if isinstance(problem, StorageFullError) else "busy")
            self._stall(batch, problem)
        else:
            self._counting.journal.failed("failed")
            self._on_fatal(problem)

    def _stall(self, batch: _Batch, problem: StorageError) -> None:
        """Nothing was written. What was decided is never rolled back: write the same batch again, until it works."""
        if self.stalled is None:
            _log.error("the journal can't be written, trying again each second: %s", problem)
            self.stalled = problem
            told = [entry.on_stall for entry in (*batch.entries, *self._queue)]
            told.extend(on_stall for _, on_stall in (*batch.settled, *self._settled))
            for on_stall in told:
                if on_stall is not None:
                    on_stall(problem)
        self._clock.call_later(limits.STORE_RETRY_DELAY.total_seconds(), partial(self._write, batch))

    def _tell(self, batch: _Batch, outcomes: Sequence[Outcome]) -> None:
        if self._is_closed:
            return  # what is durable will be performed by whoever opens the journal next
        if self.stalled is not None:
            _log.warning("the journal can be written again")
            self.stalled = None
        try:
            for entry, outcome in zip(batch.entries, outcomes, strict=True):
                entry.on_outcome(outcome)
            for callback, _ in batch.settled:
                callback()
        except Exception as problem:
            # A bug of ours: what is on disk is right, what is in memory may not be. Start again from the disk.
            _log.critical("performing a committed change failed", exc_info=True)
            self._on_fatal(StorageFailedError(f"performing a committed change failed: {problem!r}; restart"))


def stopped(problem: BaseException | None) -> EngineStoppedError:
    """The error of calls to an engine that has stopped."""
    if problem is None:
        return EngineStoppedError("this client is closed; connect again")
    error = EngineStoppedError(f"the engine has stopped: {problem}")
    error.__cause__ = problem
    return error
