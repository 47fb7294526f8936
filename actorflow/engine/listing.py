"""Lists and counts for clients: a filter as text, pages with tokens, refusals as the service knows them."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from actorflow.core import limits
from actorflow.core.notes import NO_NOTES, PREDEFINED, Notes
from actorflow.core.policy.filter_tree import CountQuery, ListQuery
from actorflow.core.policy.list_filter import Known, parse_count_query, parse_list_query
from actorflow.core.policy.page_token import Place, decode_token, encode_token
from actorflow.exceptions import ListFilterError, ListTimeoutError, PageTokenError
from actorflow.service import Execution, ExecutionCount, ExecutionPage, ListRequest, RPCError, RPCStatusCode
from actorflow.store.protocol import AttributeType, Count, Position, RunRecord
from actorflow.store.visibility import position_of


class Listable(Protocol):
    """The part of a `Store` that lists and counts."""

    async def list(self, namespace: str, query: ListQuery, after: Position | None, limit: int) -> Sequence[RunRecord]:
        """See `Store.list`."""
        ...

    async def count(self, namespace: str, query: CountQuery) -> Count:
        """See `Store.count`."""
        ...

    async def notes(self, keys: Sequence[int]) -> Mapping[int, Notes]:
        """See `Store.notes`."""
        ...

    async def attribute_types(self, namespace: str | None = None) -> Sequence[AttributeType]:
        """See `Store.attribute_types`."""
        ...


async def list_page(store: Listable, request: ListRequest, known: Known = PREDEFINED) -> ExecutionPage:
    """See `Service.list`.

    Args:
        store: what is listed.
        request: which.
        known: search attributes there are beside those that the store knows.
    """
    with _refusing():
        if request.page_size < 1:
            raise RPCError(
                f"a page of {request.page_size} executions makes no sense; ask for 1 or more",
                RPCStatusCode.INVALID_ARGUMENT,
            )
        query = parse_list_query(request.query, {**known, **await _stored(store, request.namespace)})
        after = _after(request)
        size = min(request.page_size, limits.LIST_PAGE_MAX)
        # One more than is shown tells whether there is another page.
        found = await store.list(request.namespace, query, after, size + 1)
        notes = await store.notes([record.identity.key for record in found[:size]])
    page = found[:size]
    token = _token(request, position_of(page[-1], query.order)) if len(found) > size else b""
    return ExecutionPage(tuple([_execution(one, notes.get(one.identity.key, NO_NOTES)) for one in page]), token)


async def count_runs(store: Listable, namespace: str, query: str, known: Known = PREDEFINED) -> ExecutionCount:
    """See `Service.count`; ``known`` as above."""
    with _refusing():
        asked = parse_count_query(query, {**known, **await _stored(store, namespace)})
        found = await store.count(namespace, asked)
    return ExecutionCount(found.total, found.by_status)


async def _stored(store: Listable, namespace: str) -> Known:
    return {one.name: one.type for one in await store.attribute_types(namespace)}


def _after(request: ListRequest) -> Position | None:
    if not request.next_page_token:
        return None
    place = decode_token(request.next_page_token, request.namespace, request.query)
    return Position(place.at, place.key)


def _token(request: ListRequest, last: Position) -> bytes:
    return encode_token(Place(last.at, last.key), request.namespace, request.query)


def _execution(record: RunRecord, notes: Notes) -> Execution:
    identity, head = record.identity, record.head
    return Execution(
        workflow_id=identity.workflow_id,
        run_id=identity.run_id,
        workflow_type=identity.workflow_type,
        task_queue=identity.task_queue,
        namespace=identity.namespace,
        status=head.status,
        started_at=identity.started_at,
        closed_at=head.closed_at,
        history_length=head.last_event,
        parked=head.parked,
        notes=notes,
    )


@contextmanager
def _refusing() -> Generator[None]:
    try:
        yield
    except (ListFilterError, PageTokenError) as problem:
        raise RPCError(str(problem), RPCStatusCode.INVALID_ARGUMENT) from problem
    except ListTimeoutError as problem:
        raise RPCError(str(problem), RPCStatusCode.DEADLINE_EXCEEDED) from problem
