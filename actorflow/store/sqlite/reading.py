"""The reading half of `Store`, given something that runs queries: the same for an owner and for somebody who looks."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from actorflow.core.journal import TurnRow
from actorflow.core.messages import TERMINATION
from actorflow.core.notes import Notes
from actorflow.core.policy.filter_tree import CountQuery, ListQuery
from actorflow.search_attributes import SearchAttributeIndexedValueType
from actorflow.store.protocol import AttributeType, Count, LoadedRun, Position, RunRecord, ScheduleRow, Share
from actorflow.store.sqlite import queries, rows, visibility
from actorflow.store.sqlite.finder import Finder


class Fetch(Protocol):
    """Runs a query and gives all its rows, as they are at one moment."""

    def __call__(
        self, query: str, values: Sequence[object] | Mapping[str, object], /
    ) -> Awaitable[Sequence[tuple[Any, ...]]]:
        """All rows of a query."""
        ...


class Reading:
    """What a store of either kind can tell.

    Args:
        fetch: runs the queries.
        fetch_listed: runs those for lists and counts, which may take long.
    """

    def __init__(self, fetch: Fetch, fetch_listed: visibility.Fetch | None = None) -> None:
        self._read = fetch
        self._finder = Finder(fetch)
        self._visibility = visibility.Visibility(fetch_listed or fetch)

    async def find(self, namespace: str, workflow_id: str, run_id: str | None = None) -> RunRecord | None:
        """See `Store.find`."""
        return await self._finder.find((namespace, workflow_id, run_id))

    async def load(self, keys: Sequence[int]) -> Sequence[LoadedRun]:
        """See `Store.load`."""
        return rows.loaded_runs(keys, await self._read(queries.LOAD, {"keys": _json(list(dict.fromkeys(keys)))}))

    async def busy(self, after: int, limit: int) -> Sequence[int]:
        """See `Store.busy`."""
        return [key for (key,) in await self._read(queries.BUSY, (after, limit))]

    async def arrivals(
        self, share: Share, workflow_types: Sequence[str] | None, after: int, limit: int
    ) -> Sequence[int]:
        """See `Store.arrivals`."""
        values = {**_hosted(share, workflow_types), "after": after, "limit": limit}
        return [key for (key,) in await self._read(queries.ARRIVALS, values)]

    async def unattended(self, after: int, limit: int) -> Sequence[int]:
        """See `Store.unattended`."""
        values = {"termination": TERMINATION, "after": after, "limit": limit}
        return [key for (key,) in await self._read(queries.UNATTENDED, values)]

    async def due(
        self, share: Share, workflow_types: Sequence[str] | None, now: datetime, limit: int
    ) -> tuple[Sequence[int], datetime | None]:
        """See `Store.due`."""
        values = {**_hosted(share, workflow_types), "now": rows.to_micros(now)}
        due = await self._read(queries.DUE, {**values, "limit": limit})
        upcoming = await self._read(queries.NEXT_DUE, values)
        return [key for (key,) in due], rows.from_micros(upcoming[0][0]) if upcoming else None

    async def list(self, namespace: str, query: ListQuery, after: Position | None, limit: int) -> Sequence[RunRecord]:
        """See `Store.list`."""
        return await self._visibility.list(namespace, query, after, limit)

    async def count(self, namespace: str, query: CountQuery) -> Count:
        """See `Store.count`."""
        return await self._visibility.count(namespace, query)

    async def journal(self, key: int) -> Sequence[TurnRow]:
        """See `Store.journal`."""
        return [rows.read_turn(row) for row in await self._read(queries.JOURNAL, (key,))]

    async def schedule(self, namespace: str, schedule_id: str) -> ScheduleRow | None:
        """See `Store.schedule`."""
        found = await self._read(queries.SCHEDULE, (namespace, schedule_id))
        return rows.read_schedule(found[0]) if found else None

    async def schedules(self, after: tuple[str, str], limit: int) -> Sequence[ScheduleRow]:
        """See `Store.schedules`."""
        return [rows.read_schedule(row) for row in await self._read(queries.SCHEDULES, (*after, limit))]

    async def notes(self, keys: Sequence[int]) -> Mapping[int, Notes]:
        """See `Store.notes`."""
        return dict([rows.read_notes(row) for row in await self._read(queries.NOTES, (_json(list(keys)),))])

    async def attribute_types(self, namespace: str | None = None) -> Sequence[AttributeType]:
        """See `Store.attribute_types`."""
        found = await self._read(queries.ATTRIBUTE_TYPES, (namespace,))
        return [AttributeType(space, name, SearchAttributeIndexedValueType(kind)) for space, name, kind in found]


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _hosted(share: Share, workflow_types: Sequence[str] | None) -> Mapping[str, object]:
    types = None if workflow_types is None else _json(workflow_types)
    return {**msgspec.structs.asdict(share), "workflow_types": types}
