"""Checks a file from outside: its structure, and every run in it. Blocks, and changes nothing.

Each run is read by one statement and so seen at one moment: one that turns meanwhile, beside its owner, is not reported
falsely. What runs say of each other is looked up run by run, so memory is bounded by the longest run.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from actorflow.core import limits
from actorflow.core.invariants import StoredActivity, StoredRun, Violation, inspected, violation
from actorflow.core.relations import INVARIANTS, Relation, objection, relations
from actorflow.exceptions import StorageError
from actorflow.store.protocol import LoadedRun
from actorflow.store.sqlite import queries, rows, schema
from actorflow.store.sqlite.ownership import acknowledged_batch
from actorflow.store.sqlite.read_only_file import ReadOnlyFile
from actorflow.store.sqlite.references import sound
from actorflow.store.sqlite.related import related

Progress = Callable[[int, int], object]
"""Told how much is done, and of how much; what it raises ends the work."""

_EVENTS_AT_ONCE: Final = 1_000  # read with one statement: fewer cost time, more cost memory
_FIRST_KEY: Final = -(2**63)
_LAST_KEY: Final = 2**63 - 1


def unwatched(_done: int, _total: int) -> None:
    """Progress nobody wants to know of."""


class Verification(msgspec.Struct, frozen=True):
    """What was checked, and what was found.

    Attributes:
        runs, turns, inbox, activities: how many rows were read.
        structure: what SQLite finds wrong with the file, and tables and indexes that are missing, a line each.
        violations: what does not hold; the first `limits.VIOLATIONS_MAX` of them.
        violations_count: all of them.
        is_complete: False if the file is so damaged that not every run could be listed.
        seconds: how long it took.
    """

    path: str
    runs: int
    turns: int
    inbox: int
    activities: int
    structure: tuple[str, ...]
    violations: tuple[Violation, ...]
    violations_count: int
    is_complete: bool
    seconds: float

    @property
    def is_sound(self) -> bool:
        """True if nothing was found."""
        return not self.structure and not self.violations_count and self.is_complete


def verify(path: str | os.PathLike[str], progress: Progress | None = None, *, is_quick: bool = False) -> Verification:
    """Check a file, owned or not.

    Args:
        path: of the database.
        progress: told after each page of runs.
        is_quick: leave out whether indexes agree with their tables.

    Raises:
        StorageError: there is nothing to read here, or it can't be read at all.
    """
    file = ReadOnlyFile(path)
    try:
        return _Verifier(file, progress or unwatched).verify(is_quick=is_quick)
    finally:
        file.close()


class _Verifier:
    def __init__(self, file: ReadOnlyFile, progress: Progress) -> None:
        self._file = file
        self._progress = progress
        self._violations: list[Violation] = []
        self._count = 0
        self._runs = self._turns = self._inbox = self._activities = 0

    def verify(self, *, is_quick: bool) -> Verification:
        begun = time.monotonic()
        structure = (
            *self._structure(queries.STRUCTURE_CHECK if is_quick else queries.INTEGRITY_CHECK),
            *self._missing(),
        )
        is_complete = True
        try:
            self._check_numbers()
            self._check_pages()
            self._check_payloads()
        except StorageError as problem:
            # The tables themselves can't be walked: say how far it came instead of nothing.
            is_complete = False
            structure = (*structure, f"not every run could be listed: {problem}")
        return Verification(
            path=str(self._file.path),
            runs=self._runs,
            turns=self._turns,
            inbox=self._inbox,
            activities=self._activities,
            structure=structure,
            violations=tuple(self._violations),
            violations_count=self._count,
            is_complete=is_complete,
            seconds=time.monotonic() - begun,
        )

    def _structure(self, query: str) -> tuple[str, ...]:
        try:
            found = [str(line) for (line,) in self._file.fetch(query)]
        except StorageError as problem:
            return (str(problem),)
        return () if found == ["ok"] else tuple(found)

    def _missing(self) -> Sequence[str]:
        """SQLite does not know what should be there."""
        try:
            ((version,),) = self._file.fetch(queries.SCHEMA_VERSION)  # first: an owner may bring more meanwhile
            present = dict(self._file.fetch(queries.TABLES_AND_INDEXES))
        except StorageError as problem:
            return [str(problem)]
        expected = schema.tables_and_indexes(version)
        return [f"{kind} {name} is missing" for name, kind in expected.items() if name not in present]

    def _check_pages(self) -> None:
        ((total,),) = self._file.fetch(queries.COUNT_RUNS)
        after = _FIRST_KEY
        while page := self._file.fetch(queries.KEYS, (after, limits.RECOVERY_PAGE)):
            last: int = page[-1][0]
            self._check_page(after, last)
            for keys in _portions(page):
                self._check_runs(keys)
            after = last
            self._progress(self._runs, max(total, self._runs))
        self._check_page(after, _LAST_KEY)

    def _check_page(self, after: int, last: int) -> None:
        between = {"after": after, "last": last}
        for table, key, count in self._file.fetch(queries.STRAY_ROWS, between):
            self._found("I10", f"{count} rows of {table} belong to run {key}, which does not exist")
        for _, workflow_id, run_id, epoch, current in self._file.fetch(queries.RUNS_TO_COME, between):
            self._found("I12", f"written under epoch {epoch}, the file is at epoch {current}", workflow_id, run_id)

    def _check_payloads(self) -> None:
        for query, what in (
            (queries.MISSING_PAYLOADS, "is not there"),
            (queries.STRAY_USES, "is not referred to"),
        ):
            for key, holder, name in self._file.fetch(query):
                self._found("I13", f"large payload {name} of run {key}, {holder}, {what}")
        for (name,) in self._file.fetch(queries.UNUSED_PAYLOADS):
            self._found("I13", f"nothing uses large payload {name}")
        after = _FIRST_KEY
        while found := self._file.fetch(queries.PAYLOADS, (after,)):  # one at a time: each may be large
            ((after, name, size, body),) = found
            if not sound(name, body) or len(body.encode()) != size:
                self._found("I13", f"large payload {name} is not what its name says")

    def _check_runs(self, keys: Sequence[int]) -> None:
        try:
            loaded = rows.loaded_runs(keys, self._file.fetch(queries.LOAD_ALL, {"keys": str(keys)}))
        except (StorageError, ValueError, OverflowError) as problem:
            if len(keys) > 1:  # find out which of them it is
                for key in keys:
                    self._check_runs([key])
                return
            self._runs += 1
            self._found("I2", f"the rows of run {keys[0]} can't be read: {problem}")
            return
        for run in loaded:  # fewer, if some were deleted since their keys were read
            self._check_run(run)

    def _check_run(self, run: LoadedRun) -> None:
        self._runs += 1
        self._turns += len(run.turns)
        self._inbox += len(run.inbox)
        self._activities += len(run.activities)
        stored = stored_run(run)
        found = inspected(stored)
        for one in found.violations:
            self._add(one)
        if found.story is not None and (said := list(relations(found.story))):
            self._check_relations(stored, said)

    def _check_relations(self, run: StoredRun, said: Sequence[Relation]) -> None:
        """Others are read later than the run: what they must agree to was written with it, or before."""
        for relation, other in related(self._file, said):
            what = objection(run, relation, other)
            if what is not None:
                self._add(violation(run, INVARIANTS[type(relation)], what))

    def _check_numbers(self) -> None:
        acknowledged = acknowledged_batch(self._file.path)  # first: the journal may only get ahead of it
        ((batch, run_key, inbox_seq, last_key, last_seq),) = self._file.fetch(queries.LAST_NUMBERS)
        if batch < acknowledged:
            self._found("I12", f"it ends with commit {batch}, but commit {acknowledged} was acknowledged")
        if last_key > run_key or last_seq > inbox_seq:
            self._found("I12", f"run {last_key} or message {last_seq} has a number that was not given out yet")

    def _found(self, invariant: str, what: str, workflow_id: str = "", run_id: str = "") -> None:
        self._add(Violation(invariant, workflow_id, run_id, what))

    def _add(self, found: Violation) -> None:
        self._count += 1
        if len(self._violations) < limits.VIOLATIONS_MAX:
            self._violations.append(found)


def _portions(page: Sequence[tuple[int, int]]) -> Iterator[Sequence[int]]:
    """Keys that are read together: many short runs, or one long one."""
    keys: list[int] = []
    events = 0
    for key, last_event in page:
        keys.append(key)
        events += last_event
        if events > _EVENTS_AT_ONCE:
            yield keys
            keys, events = [], 0
    if keys:
        yield keys


def stored_run(loaded: LoadedRun) -> StoredRun:
    """A run as the invariants want it."""
    run, head = loaded.record.identity, loaded.record.head
    return StoredRun(
        namespace=run.namespace,
        workflow_id=run.workflow_id,
        run_id=run.run_id,
        workflow_type=run.workflow_type,
        task_queue=run.task_queue,
        last_event=head.last_event,
        checksum=head.checksum,
        status=head.status,
        wake_at=head.wake_at,
        open_activities=head.open_activities,
        closed_at=head.closed_at,
        failing=head.failing,
        parked=head.parked,
        first_run_id=run.first_run_id,
        turns=loaded.turns,
        inbox=[row.message for row in loaded.inbox],
        activities=[StoredActivity(row.activity_id, row.attempt, row.charged) for row in loaded.activities],
        notes=loaded.notes,
        found_by=[(one.name, one.type, one.term) for one in loaded.found_by],
    )
