"""What all engines of this process have counted: Prometheus scrapes processes, not engines.

This is process-wide state, and all there is of it here: the engines that are open, the numbers of those that have
closed (so that no counter ever falls), which label values have a series, and the metrics of programs.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Final, Protocol

from actorflow.observability.admission import Admission
from actorflow.observability.custom import CustomMetrics, Family
from actorflow.observability.snapshot import Snapshot
from actorflow.observability.table import TABLE

_LASTING: Final = tuple(spec for spec in TABLE if spec.kind != "gauge")


class Source(Protocol):
    """Something that can say what it has counted."""

    def snapshot(self) -> Snapshot:
        """The numbers of this moment; callable from any thread."""
        ...

    def families(self) -> Iterable[Family]:
        """Metrics of programs, if they are part of it."""
        ...


class Process:
    """The sum over engines. Readers take no lock: what is open and what was left is one value, replaced as a whole."""

    def __init__(self) -> None:
        self.admission = Admission()
        self.custom = CustomMetrics()
        self._lock = threading.Lock()
        self._state: tuple[tuple[Source, ...], Snapshot] = ((), Snapshot())

    def join(self, source: Source) -> None:
        """An engine has opened."""
        with self._lock:
            open_ones, left = self._state
            self._state = ((*open_ones, source), left)

    def leave(self, source: Source) -> None:
        """An engine has closed: its counts stay, its gauges go. Harmless if it never joined."""
        with self._lock:
            open_ones, left = self._state
            if source not in open_ones:
                return
            total = Snapshot()
            total.merge(left, _LASTING)
            total.merge(source.snapshot(), _LASTING)
            self._state = (tuple(other for other in open_ones if other is not source), total)

    def snapshot(self) -> Snapshot:
        """See `Source`."""
        open_ones, left = self._state
        total = Snapshot()
        total.merge(left, TABLE)
        for source in open_ones:
            total.merge(source.snapshot(), TABLE)
        return total

    def families(self) -> Iterable[Family]:
        """See `Source`."""
        return self.custom.families()


PROCESS: Final = Process()
"""The process we are in."""
