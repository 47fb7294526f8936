"""A handle to a schedule, and lists of schedules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Self

from actorflow.client.asking import Access
from actorflow.client.inputs import (
    BackfillScheduleInput,
    DeleteScheduleInput,
    DescribeScheduleInput,
    PauseScheduleInput,
    TriggerScheduleInput,
    UnpauseScheduleInput,
    UpdateScheduleInput,
)
from actorflow.client.schedule import ScheduleBackfill
from actorflow.client.schedule_update import Updater
from actorflow.client.schedule_views import ScheduleDescription, ScheduleListDescription
from actorflow.client.start import NO_METADATA
from actorflow.common import ScheduleOverlapPolicy
from actorflow.core import limits
from actorflow.service import RPCError, RPCStatusCode

_Metadata = Mapping[str, str | bytes]


class ScheduleHandle:
    """A schedule that may or may not exist; calls tell. Made by `Client`, not by hand.

    Raises (all methods):
        RPCError: NOT_FOUND: there is no such schedule.
        StorageError, EngineStoppedError: the journal can't be written or read.
        RPCError: DEADLINE_EXCEEDED: there was no answer within ``rpc_timeout``.

    All methods accept ``rpc_metadata`` for ported programs.
    """

    def __init__(self, access: Access, id: str) -> None:
        self._outbound = access.outbound
        self._id = id

    @property
    def id(self) -> str:
        """The id of the schedule."""
        return self._id

    async def describe(
        self, *, rpc_metadata: _Metadata = NO_METADATA, rpc_timeout: timedelta | None = None
    ) -> ScheduleDescription:
        """The schedule as it stands."""
        return await self._outbound.describe_schedule(DescribeScheduleInput(self._id, rpc_metadata, rpc_timeout))

    async def update(
        self, updater: Updater, *, rpc_metadata: _Metadata = NO_METADATA, rpc_timeout: timedelta | None = None
    ) -> None:
        """Change the schedule; times that have passed are not made up for.

        Args:
            updater: is given the description and returns what the schedule is to be, or None to leave it; it may be
                asynchronous, and is asked again if the schedule changes meanwhile.
            rpc_metadata: accepted for ported programs.
            rpc_timeout: how long to wait for each answer.

        Raises:
            ScheduleSpecError, ValueError, TypeError, PayloadError, CodecError: as `Client.create_schedule`. Nothing is
                changed then.
            RPCError: ABORTED: it changes all the time.
        """
        await self._outbound.update_schedule(UpdateScheduleInput(self._id, updater, rpc_metadata, rpc_timeout))

    async def pause(
        self,
        *,
        note: str | None = None,
        rpc_metadata: _Metadata = NO_METADATA,
        rpc_timeout: timedelta | None = None,
    ) -> None:
        """Take no actions any more but those somebody asks for; ``note`` says why."""
        await self._outbound.pause_schedule(PauseScheduleInput(self._id, note, rpc_metadata, rpc_timeout))

    async def unpause(
        self,
        *,
        note: str | None = None,
        rpc_metadata: _Metadata = NO_METADATA,
        rpc_timeout: timedelta | None = None,
    ) -> None:
        """Take actions again; those of the time in between are not made up for."""
        await self._outbound.unpause_schedule(UnpauseScheduleInput(self._id, note, rpc_metadata, rpc_timeout))

    async def trigger(
        self,
        *,
        overlap: ScheduleOverlapPolicy | None = None,
        rpc_metadata: _Metadata = NO_METADATA,
        rpc_timeout: timedelta | None = None,
    ) -> None:
        """Take an action now, paused or not; ``overlap`` is used instead of the schedule's own policy."""
        await self._outbound.trigger_schedule(TriggerScheduleInput(self._id, overlap, rpc_metadata, rpc_timeout))

    async def backfill(
        self,
        *backfill: ScheduleBackfill,
        rpc_metadata: _Metadata = NO_METADATA,
        rpc_timeout: timedelta | None = None,
    ) -> None:
        """Take the actions of some spans now; a time that has its workflow already does not get another one.

        Raises:
            ScheduleSpecError: an end is naive or before its start, or too many spans are waiting.
            ValueError: no span at all.
        """
        await self._outbound.backfill_schedule(BackfillScheduleInput(self._id, backfill, rpc_metadata, rpc_timeout))

    async def delete(self, *, rpc_metadata: _Metadata = NO_METADATA, rpc_timeout: timedelta | None = None) -> None:
        """Remove the schedule; what it started goes on."""
        await self._outbound.delete_schedule(DeleteScheduleInput(self._id, rpc_metadata, rpc_timeout))


class ScheduleAsyncIterator:
    """Yields schedules in order of their ids, reading a page whenever it runs out. Made by `Client.list_schedules`."""

    def __init__(self, access: Access, *, page_size: int, next_page_token: bytes) -> None:
        self._access = access
        self._page_size = page_size
        self._token = next_page_token
        self._page: Sequence[ScheduleListDescription] | None = None
        self._index = 0

    @property
    def current_page_index(self) -> int:
        """Index of the next schedule of the current page."""
        return self._index

    @property
    def current_page(self) -> Sequence[ScheduleListDescription] | None:
        """The page read last; None before the first."""
        return self._page

    @property
    def next_page_token(self) -> bytes | None:
        """Where the page after the current one begins; None if that is the last, or if none was read from the start."""
        return self._token or None

    async def fetch_next_page(self, *, page_size: int | None = None) -> None:
        """Read the next page and go on with its first schedule; after the last page the first one follows.

        Raises:
            RPCError: INVALID_ARGUMENT: a page size below 1.
        """
        size = self._page_size if page_size is None else page_size
        if size < 1:
            raise RPCError(
                f"a page of {size} schedules makes no sense; ask for 1 or more", RPCStatusCode.INVALID_ARGUMENT
            )
        size = min(size, limits.LIST_PAGE_MAX)
        access = self._access
        found = await access.service.list_schedules(access.namespace, self._token.decode(), size)
        self._token = found.next_after.encode()
        self._page = [ScheduleListDescription.of(one, access.converter, access.namespace) for one in found.schedules]
        self._index = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ScheduleListDescription:
        """The next schedule."""
        if self._page is None:
            await self.fetch_next_page()
        while self._page is not None and self._index >= len(self._page):
            if self.next_page_token is None:
                raise StopAsyncIteration
            await self.fetch_next_page()
        assert self._page is not None
        found = self._page[self._index]
        self._index += 1
        return found
