"""Notices a blocked event loop from outside: a thread that looks at the loop's pulse.

Workflow code runs on the loop's thread and must never block it. Nothing on the loop itself could report that it does.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
import traceback
from functools import partial
from time import perf_counter

from actorflow.core import limits
from actorflow.engine.counting import Counting
from actorflow.store.protocol import Identity

_log = logging.getLogger("actorflow.engine")


class Health:
    """Watches one event loop. `turn_started` and `turn_ended` tell it who is running.

    Args:
        loop: to be watched; its thread is the one that calls `start`.
        counting: is told how long turns take, and how late the loop is.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, counting: Counting) -> None:
        self._loop = loop
        self._counting = counting
        self._turn_at = 0.0
        self._running: Identity | None = None
        self._pulse_at = 0.0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop_thread = threading.get_ident()

    def turn_started(self, identity: Identity) -> None:
        """A turn of this run begins."""
        self._running = identity
        self._turn_at = perf_counter()

    def turn_ended(self) -> None:
        """The turn is over."""
        seconds = perf_counter() - self._turn_at
        running, self._running = self._running, None
        if running is not None:
            self._counting.types[running.workflow_type].turn_seconds(seconds)

    def start(self) -> None:
        """Begin to watch, from the loop's own thread."""
        self._loop_thread = threading.get_ident()
        self._pulse_at = time.monotonic()
        self._thread = threading.Thread(target=self._watch, name="actorflow-watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=1.0)

    def _watch(self) -> None:
        interval = limits.LOOP_STALL_SECONDS / 2
        is_reported = False
        while not self._stop.wait(interval):
            silent = time.monotonic() - self._pulse_at
            if silent < limits.LOOP_STALL_SECONDS:
                is_reported = False
            elif not is_reported:
                is_reported = True
                self._report(silent)
            self._counting.metrics.fold()
            try:
                self._loop.call_soon_threadsafe(partial(self._beat, time.monotonic()))
            except RuntimeError:
                return  # the loop has been closed

    def _beat(self, asked_at: float) -> None:
        self._pulse_at = time.monotonic()
        self._counting.loop_lag(self._pulse_at - asked_at)

    def _report(self, silent: float) -> None:
        frame = sys._current_frames().get(self._loop_thread)  # pyright: ignore[reportPrivateUsage]
        stack = "".join(traceback.format_stack(frame)) if frame is not None else "(no stack)"
        running = self._running
        if running is None:
            who = "something outside a workflow"
        else:
            self._counting.stalled(running.workflow_type)
            who = f"workflow {running.workflow_id!r} (type {running.workflow_type!r}, run {running.run_id})"
        _log.error(
            "the event loop has been blocked for %.1f s by %s; move blocking work into an activity. Its stack:\n%s",
            silent,
            who,
            stack,
        )
