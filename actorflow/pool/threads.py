"""Threads for activities that are not async, which never hold a program that wants to end.

The standard library's pool is joined when the interpreter exits, whatever its threads are doing: one activity stuck in
a call would keep the whole program.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import Empty, SimpleQueue
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_Work = tuple[Future[Any], Callable[[], Any]]


class DaemonThreads(Executor):
    """Runs calls in at most so many threads, started when they are needed; see `concurrent.futures.Executor`.

    Args:
        threads_max: at the same time; further calls wait in order.
        name: of the threads.
    """

    def __init__(self, threads_max: int, name: str) -> None:
        self._threads_max = threads_max
        self._name = name
        self._waiting: SimpleQueue[_Work | None] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._is_shut_down = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a call in a thread.

        Raises:
            RuntimeError: the executor was shut down.
        """
        with self._lock:
            if self._is_shut_down:
                raise RuntimeError("these threads were shut down; they run nothing more")
            future: Future[T] = Future()
            self._waiting.put((future, lambda: fn(*args, **kwargs)))
            if not self._idle.acquire(blocking=False) and len(self._threads) < self._threads_max:
                self._start()
            return future

    def _start(self) -> None:
        number = len(self._threads) + 1
        thread = threading.Thread(target=self._run, name=f"{self._name}-{number}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run(self) -> None:
        while (work := self._waiting.get()) is not None:
            _perform(*work)
            del work  # a thread that rests holds nothing of the last call
            self._idle.release()
        self._waiting.put(None)  # for the next thread

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Run what was submitted, or with ``cancel_futures`` what has begun, and then nothing more.

        Args:
            wait: until the threads have ended.
            cancel_futures: cancel what has not begun.
        """
        with self._lock:
            self._is_shut_down = True
            if cancel_futures:
                self._cancel_waiting()
            self._waiting.put(None)
        if wait:
            for thread in self._threads:
                thread.join()

    def _cancel_waiting(self) -> None:
        while True:
            try:
                work = self._waiting.get_nowait()
            except Empty:
                return
            if work is not None:
                work[0].cancel()


def _perform(future: Future[Any], call: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = call()
    except BaseException as problem:
        future.set_exception(problem)
    else:
        future.set_result(result)
