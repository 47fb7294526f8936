"""What can be asked of a journal by somebody who does not own it: the reading half of `Store`."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Protocol

from actorflow.core.journal import TurnRow
from actorflow.core.notes import Notes
from actorflow.core.policy.filter_tree import CountQuery, ListQuery
from actorflow.store.protocol import AttributeType, Count, LoadedRun, Position, RunRecord, ScheduleRow


class ReadableStore(Protocol):
    """Tells, and changes nothing.

    Raises (all methods):
        StorageError: one of its subclasses.
    """

    async def open(self) -> None:
        """Connect, owned or not."""
        ...

    async def close(self) -> None:
        """Let go; safe to call twice, and after a failed `open`."""
        ...

    async def version(self) -> Hashable:
        """A value that is another one once anything was committed; much cheaper than reading."""
        ...

    async def find(self, namespace: str, workflow_id: str, run_id: str | None = None) -> RunRecord | None:
        """See `Store.find`."""
        ...

    async def load(self, keys: Sequence[int]) -> Sequence[LoadedRun]:
        """See `Store.load`."""
        ...

    async def list(self, namespace: str, query: ListQuery, after: Position | None, limit: int) -> Sequence[RunRecord]:
        """See `Store.list`."""
        ...

    async def count(self, namespace: str, query: CountQuery) -> Count:
        """See `Store.count`."""
        ...

    async def journal(self, key: int) -> Sequence[TurnRow]:
        """See `Store.journal`."""
        ...

    async def schedule(self, namespace: str, schedule_id: str) -> ScheduleRow | None:
        """See `Store.schedule`."""
        ...

    async def schedules(self, after: tuple[str, str], limit: int) -> Sequence[ScheduleRow]:
        """See `Store.schedules`."""
        ...

    async def notes(self, keys: Sequence[int]) -> Mapping[int, Notes]:
        """See `Store.notes`."""
        ...

    async def attribute_types(self, namespace: str | None = None) -> Sequence[AttributeType]:
        """See `Store.attribute_types`."""
        ...

    def facts(self) -> dict[str, object]:
        """See `Store.facts`."""
        ...
