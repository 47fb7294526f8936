"""Executions found by a filter, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import msgspec

from actorflow.client.asking import Access
from actorflow.client.handle import WorkflowHandle
from actorflow.client.history import WorkflowHistory
from actorflow.client.views import WorkflowExecution
from actorflow.core.policy.filter_tree import NAME_BY_STATUS
from actorflow.service import ExecutionCount, ListRequest


def check_list(
    query: str | None, page_size: int = 1, next_page_token: bytes | None = None, limit: int | None = None
) -> None:
    """Refuse what is of another type than the signature says: it would fail later, and somewhere else.

    Raises:
        TypeError: see above.
    """
    _check_type("query", query, str)
    _check_type("page_size", page_size, int)
    _check_type("next_page_token", next_page_token, bytes)
    _check_type("limit", limit, int)


def _check_type(name: str, value: object, kind: type) -> None:
    if value is not None and not isinstance(value, kind):
        raise TypeError(f"{name} must be of type {kind.__name__}, not {type(value).__name__}")


class WorkflowExecutionAsyncIterator:
    """Yields executions, reading a page whenever it runs out. Made by `Client.list_workflows`, not by hand."""

    def __init__(self, access: Access, request: ListRequest, *, limit: int | None = None) -> None:
        self._access = access
        self._request = request
        self._limit = limit
        self._yielded = 0
        self._page: Sequence[WorkflowExecution] | None = None
        self._index = 0

    @property
    def current_page_index(self) -> int:
        """Index of the next execution of the current page."""
        return self._index

    @property
    def current_page(self) -> Sequence[WorkflowExecution] | None:
        """The page read last; None before the first."""
        return self._page

    @property
    def next_page_token(self) -> bytes | None:
        """Where the page after the current one begins; None if that is the last, or if none was read from the start."""
        return self._request.next_page_token or None

    async def fetch_next_page(self, *, page_size: int | None = None) -> None:
        """Read the next page and go on with its first execution; after the last page the first one follows.

        Args:
            page_size: how many executions, if not as many as `Client.list_workflows` was told.

        Raises:
            RPCError: see `Client.list_workflows`.
        """
        request = self._request
        if page_size is not None:
            request = msgspec.structs.replace(request, page_size=page_size)
        page = await self._access.service.list(request)
        self._request = msgspec.structs.replace(self._request, next_page_token=page.next_page_token)
        self._page = [WorkflowExecution.of(execution, self._access.converter) for execution in page.executions]
        self._index = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> WorkflowExecution:
        """The next execution."""
        if self._limit is not None and self._yielded >= self._limit:
            raise StopAsyncIteration
        if self._page is None:
            await self._fetch_wanted()
        while self._page is not None and self._index >= len(self._page):
            if self.next_page_token is None:
                raise StopAsyncIteration
            await self._fetch_wanted()
        assert self._page is not None
        execution = self._page[self._index]
        self._index += 1
        self._yielded += 1
        return execution

    async def _fetch_wanted(self) -> None:
        """The next page, no longer than what is still wanted."""
        left = self._request.page_size if self._limit is None else self._limit - self._yielded
        await self.fetch_next_page(page_size=min(self._request.page_size, left))

    async def map_histories(self) -> AsyncIterator[WorkflowHistory]:
        """The histories of the executions that are left.

        Raises:
            RPCError, CorruptJournalError: see `WorkflowHandle.fetch_history`.
        """
        async for execution in self:
            yield await self._handle(execution).fetch_history()

    def _handle(self, execution: WorkflowExecution) -> WorkflowHandle[Any, Any]:
        return WorkflowHandle(self._access, execution.id, run_id=execution.run_id)


@dataclass(frozen=True)
class WorkflowExecutionCountAggregationGroup:
    """How many executions have these values of what they are grouped by."""

    count: int
    group_values: Sequence[str]


@dataclass(frozen=True)
class WorkflowExecutionCount:
    """How many executions, and the groups if the query asks for them; the name of a status is its only value."""

    count: int
    groups: Sequence[WorkflowExecutionCountAggregationGroup]

    @classmethod
    def of(cls, found: ExecutionCount) -> Self:
        """From what the service says; statuses in the order of the public API."""
        groups = [
            WorkflowExecutionCountAggregationGroup(found.by_status[status], [name])
            for status, name in NAME_BY_STATUS.items()
            if status in found.by_status
        ]
        return cls(found.total, groups)
