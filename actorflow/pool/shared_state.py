"""What an activity in another process shares with its worker: events, and a line for heartbeats.

Names, signatures and meaning follow the Temporal Python SDK. The module is light, because child processes import it.
"""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any, Final

from actorflow.pool.threads import DaemonThreads

if TYPE_CHECKING:
    from multiprocessing.managers import SyncManager

_log = logging.getLogger("actorflow.worker")
_HEARTBEATS_WAITING_MAX: Final = 1_000
"""Heartbeats nobody has taken yet; whoever beats faster than they are taken waits."""


class SharedHeartbeatSender(ABC):
    """Sends heartbeats from a child process; can be pickled."""

    @abstractmethod
    def send_heartbeat(self, task_token: bytes, *details: Any) -> None:
        """Send details to whoever was registered for this token."""


class SharedStateManager(ABC):
    """Makes what is shared; a worker whose activities run in processes needs one.

    Its methods are called in threads, and may wait for another process.
    """

    @staticmethod
    def create_from_multiprocessing(
        mgr: SyncManager, queue_poller_executor: Executor | None = None
    ) -> SharedStateManager:
        """One on top of a manager of the standard library, which goes on living as long as it is used.

        Args:
            mgr: such as ``multiprocessing.Manager()``. Start it before the journal is opened, or with the start method
                spawn: a fork would inherit the journal's lock.
            queue_poller_executor: where heartbeats are received; by default a thread of our own.
        """
        return _OfManager(mgr, queue_poller_executor or DaemonThreads(1, "actorflow-heartbeats"))

    @abstractmethod
    def new_event(self) -> threading.Event:
        """An event that may be pickled into a child process, and is the same one there."""

    @abstractmethod
    def register_heartbeater(self, task_token: bytes, heartbeat: Callable[..., None]) -> SharedHeartbeatSender:
        """Call ``heartbeat`` with the details of each heartbeat of this token, in a thread."""

    @abstractmethod
    def unregister_heartbeater(self, task_token: bytes) -> None:
        """Call it no more, once what was sent until now has been taken."""


class _OfManager(SharedStateManager):
    """Heartbeats of all children wait in one queue of the manager, and one thread takes them while anybody listens."""

    def __init__(self, manager: SyncManager, executor: Executor) -> None:
        self._manager = manager
        self._executor = executor
        self._queue: Any = manager.Queue(_HEARTBEATS_WAITING_MAX)
        self._lock = threading.Lock()
        self._heartbeaters: dict[bytes, Callable[..., None]] = {}
        self._leaving: dict[bytes, threading.Event] = {}
        self._is_listening = False

    def new_event(self) -> threading.Event:
        return self._manager.Event()

    def register_heartbeater(self, task_token: bytes, heartbeat: Callable[..., None]) -> SharedHeartbeatSender:
        with self._lock:
            self._heartbeaters[task_token] = heartbeat
            if not self._is_listening:
                self._is_listening = True
                self._executor.submit(self._listen)
        return _QueueSender(self._queue)

    def unregister_heartbeater(self, task_token: bytes) -> None:
        with self._lock:
            if not self._is_listening:
                self._heartbeaters.pop(task_token, None)
                return
            left = self._leaving[task_token] = threading.Event()
        self._queue.put((task_token, None))  # behind every heartbeat that was sent
        left.wait()

    def _listen(self) -> None:
        try:
            while self._take(*self._queue.get()):
                pass
        except (EOFError, OSError) as problem:
            _log.error("heartbeats of activities in processes are lost, their manager is gone: %r", problem)
            with self._lock:
                self._end_listening()

    def _take(self, task_token: bytes, details: tuple[Any, ...] | None) -> bool:
        """Take one item of the queue; False if it was the last one anybody waits for."""
        if details is None:
            with self._lock:
                self._heartbeaters.pop(task_token, None)
                if not self._heartbeaters:
                    self._end_listening()
                else:
                    self._leaving.pop(task_token).set()
                return self._is_listening
        heartbeat = self._heartbeaters.get(task_token)
        if heartbeat is not None:
            heartbeat(*details)
        return True

    def _end_listening(self) -> None:
        self._is_listening = False
        for left in self._leaving.values():
            left.set()
        self._leaving.clear()


class _QueueSender(SharedHeartbeatSender):
    def __init__(self, queue: Any) -> None:
        self._queue = queue

    def send_heartbeat(self, task_token: bytes, *details: Any) -> None:
        self._queue.put((task_token, details))
