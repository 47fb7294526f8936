"""A batch folded per run: what one transaction has to write so that it comes to the same as change after change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from actorflow.core.journal import TurnRow
from actorflow.core.notes import Notes
from actorflow.store.preconditions import is_open
from actorflow.store.protocol import ActivityRow, Begin, Change, Head, InboxRow, NewRun, ScheduleWrite, Send


class InconsistentBatchError(Exception):
    """The changes can't all be made: one contradicts another, or the database. Each has to be looked at by itself."""


class RunPlan:
    """What a batch does to the head of one run: checked against the first expectation, set to the last head.

    Args:
        change: the first one of the run.
        is_successor: it begins with the end of another run.
    """

    def __init__(self, change: Change, *, is_successor: bool = False) -> None:
        self.key = change.key
        self.begin = change.begin
        self.is_successor = is_successor
        self.expected = None if change.begin else change.expected
        self.head = change.head
        self._known = change.head.last_event if change.head else self.expected

    def add(self, change: Change) -> None:
        """Take a later change of the run in.

        Raises:
            InconsistentBatchError: the run is closed by then, begins again, or is expected to be elsewhere.
        """
        if change.begin or (self.head is not None and not is_open(self.head)):
            raise InconsistentBatchError
        if change.expected is not None:
            if self._known is None:
                self.expected = change.expected
            elif self._known != change.expected:
                raise InconsistentBatchError
            self._known = change.expected
        if change.head is not None:
            self.head = change.head
            self._known = change.head.last_event


class Plan:
    """What a batch does to all its runs.

    Raises:
        InconsistentBatchError: the batch contradicts itself, or one workflow id begins twice.
    """

    def __init__(self, batch: Iterable[Change]) -> None:
        self._runs: dict[int, RunPlan] = {}
        self.turns: list[tuple[int, TurnRow]] = []
        self.arrived: list[tuple[int, InboxRow]] = []
        self.consumed: list[tuple[int, int]] = []
        """Run and seq."""
        self._activities: dict[tuple[int, str], ActivityRow | None] = {}
        self._began: set[tuple[str, str]] = set()
        self.sends: list[tuple[int, int, Send]] = []
        """Place of the change in the batch, its run, and what it sends."""
        self.swept: list[tuple[int]] = []
        self.schedules: list[ScheduleWrite] = []
        self.notes: dict[int, Notes] = {}
        """Runs whose notes change, and what they are then."""
        for place, change in enumerate(batch):
            if change.schedule is not None:
                self.schedules.append(change.schedule)
                continue
            self._add(change)
            if change.successor is not None:
                self._succeed(change.successor)
            if change.sends:
                self.sends.extend([(place, change.key, send) for send in change.sends])
            if change.is_swept:
                self.swept.append((change.key,))

    def _succeed(self, new: NewRun) -> None:
        key = new.begin.identity.key
        self._runs[key] = RunPlan(Change(key, 0, new.head, new.begin), is_successor=True)
        self.arrived.extend([(key, row) for row in new.inbox])
        if new.notes is not None:
            self.notes[key] = new.notes

    def is_open(self, key: int) -> bool:
        """True if the batch does not leave this run of it closed."""
        head = self._runs[key].head
        return head is None or is_open(head)

    def _add(self, change: Change) -> None:
        self._add_head(change)
        key = change.key
        if change.turns:
            self.turns.extend([(key, turn) for turn in change.turns])
        if change.arrived:
            self.arrived.extend([(key, row) for row in change.arrived])
        if change.consumed:
            self.consumed.extend([(key, seq) for seq in change.consumed])
        if change.notes is not None:
            self.notes[key] = change.notes
        for row in change.activities:
            self._activities[key, row.activity_id] = row
        for activity_id in change.finished:
            self._activities[key, activity_id] = None

    def _add_head(self, change: Change) -> None:
        run = self._runs.get(change.key)
        if run is not None:
            run.add(change)
            return
        self._runs[change.key] = RunPlan(change)
        if change.begin is not None:
            workflow = (change.begin.identity.namespace, change.begin.identity.workflow_id)
            if workflow in self._began:
                raise InconsistentBatchError
            self._began.add(workflow)

    @property
    def begins(self) -> Sequence[tuple[Begin, Head]]:
        """Runs to insert."""
        return [(run.begin, run.head) for run in self._runs.values() if run.begin and run.head and not run.is_successor]

    @property
    def successors(self) -> Sequence[tuple[Begin, Head]]:
        """Runs to insert once their predecessors are closed."""
        return [(run.begin, run.head) for run in self._runs.values() if run.begin and run.head and run.is_successor]

    @property
    def updates(self) -> Sequence[tuple[int, int | None, Head]]:
        """Key, expected event number and new head of the runs to update."""
        return [(run.key, run.expected, run.head) for run in self._runs.values() if run.head and not run.begin]

    @property
    def untouched(self) -> Sequence[tuple[int, int | None]]:
        """Key and expected event number of runs whose head stays, but which must be open."""
        return [(run.key, run.expected) for run in self._runs.values() if not run.head]

    @property
    def activities(self) -> Sequence[tuple[int, ActivityRow]]:
        """Activity rows to put."""
        return [(key, row) for (key, _), row in self._activities.items() if row]

    @property
    def finished(self) -> Sequence[tuple[int, str]]:
        """Activities whose rows go."""
        return [name for name, row in self._activities.items() if row is None]
