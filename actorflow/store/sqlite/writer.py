"""The one thread that writes: takes batches from a queue, one hop of threads for a whole group commit."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Final

from actorflow.exceptions import StorageError
from actorflow.store.protocol import Change, Outcome
from actorflow.store.sqlite.session import Session

_PAUSE_SECONDS: Final = 0.005
"""Nothing to write for so long is a pause, good for a checkpoint."""

_ENDING_SECONDS: Final = 1.0

_Request = tuple[Callable[[], Any], "asyncio.Future[Any]"]


class Writer:
    """Runs a session on a thread of its own.

    Args:
        open_session: makes the session, on the thread.
        on_failure: told, on the event loop, that the session has failed outside a call.
    """

    def __init__(self, open_session: Callable[[], Session], *, on_failure: Callable[[StorageError], None]) -> None:
        self._open_session = open_session
        self._on_failure = on_failure
        self._requests: SimpleQueue[_Request | None] = SimpleQueue()
        self._session: Session | None = None
        self._loop = asyncio.get_running_loop()
        # A daemon: a program that forgets to close must still be able to end; a kill is what we are made for.
        self._thread = threading.Thread(target=self._run, name="actorflow-writer", daemon=True)

    async def start(self) -> Session:
        """Start the thread and open the session."""
        self._thread.start()
        return await self._call(self._open)

    def commit(self, batch: Sequence[Change], run_key: int, inbox_seq: int) -> asyncio.Future[Sequence[Outcome]]:
        """Queue a batch. Cancelling the future forgets the answer, not the commit."""
        return self._call(lambda: self._commit(batch, run_key, inbox_seq))

    async def stop(self) -> None:
        """Finish what is queued, close the session and end the thread."""
        await self._call(self._close)
        self._thread.join(_ENDING_SECONDS)  # it has nothing left to do

    def abandon(self) -> None:
        """End the thread after what is queued, without waiting for it."""
        self._requests.put((self._close, self._loop.create_future()))
        self._requests.put(None)

    def _call(self, function: Callable[[], Any]) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = self._loop.create_future()
        self._requests.put((function, future))
        if function == self._close:
            self._requests.put(None)
        return future

    # On the thread

    def _run(self) -> None:
        while (request := self._next()) is not None:
            self._answer(*request)

    def _next(self) -> _Request | None:
        """The next request; before it, a checkpoint if one is due and there is a pause, or no more time for one."""
        wal = self._session.wal if self._session is not None else None
        if wal is not None and wal.is_due:
            with suppress(Empty):
                if not wal.is_overdue:
                    return self._requests.get(timeout=_PAUSE_SECONDS)
            self._checkpoint()
        return self._requests.get()

    def _answer(self, function: Callable[[], Any], future: asyncio.Future[Any]) -> None:
        try:
            result = function()
        except BaseException as error:
            self._tell(_reject, future, error)
        else:
            self._tell(_resolve, future, result)

    def _tell(self, function: Callable[..., None], *values: object) -> None:
        # The loop is closed if its program ended without closing the store.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, *values)

    def _open(self) -> Session:
        self._session = self._open_session()
        return self._session

    def _commit(self, batch: Sequence[Change], run_key: int, inbox_seq: int) -> Sequence[Outcome]:
        assert self._session is not None
        return self._session.commit(batch, run_key=run_key, inbox_seq=inbox_seq)

    def _checkpoint(self) -> None:
        assert self._session is not None
        try:
            self._session.checkpoint()
        except StorageError as error:
            self._tell(self._on_failure, error)

    def _close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()


def _resolve(future: asyncio.Future[Any], result: object) -> None:
    if not future.done():
        future.set_result(result)


def _reject(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
