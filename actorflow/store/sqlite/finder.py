"""Finds runs by their ids, many callers with one query.

After a restart thousands of callers look for their executions at once. While one query is under way the next callers
gather; all of them are asked for together, and answered in the order in which they came.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from actorflow.store.protocol import RunRecord
from actorflow.store.sqlite import queries, rows

Fetch = Callable[[str, Sequence[object]], Awaitable[Sequence[tuple[Any, ...]]]]
Wanted = tuple[str, str, str | None]
"""Namespace, workflow id, run id (None: the open run, else the last)."""

_Asked = tuple[Wanted, "asyncio.Future[RunRecord | None]"]


class Finder:
    """See the module's head.

    Args:
        fetch: runs a query and gives all its rows.
    """

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._waiting: list[_Asked] = []
        self._asking: asyncio.Task[None] | None = None

    async def find(self, wanted: Wanted) -> RunRecord | None:
        """See `Store.find`."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[RunRecord | None] = loop.create_future()
        self._waiting.append((wanted, answer))
        if self._asking is None or self._asking.done():
            self._asking = loop.create_task(self._ask(), name="actorflow-finder")
        return await answer

    async def _ask(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await self._answer(batch)
            except Exception as problem:
                for _, answer in batch:
                    if not answer.done():
                        answer.set_exception(problem)
            finally:
                for _, answer in batch:
                    answer.cancel()  # only if the event loop is being closed is there one left

    async def _answer(self, batch: Sequence[_Asked]) -> None:
        asked = msgspec.json.encode([wanted for wanted, _ in batch]).decode()
        found = {
            place: msgspec.structs.replace(rows.run_record(columns), inbox=inbox)
            for place, inbox, *columns in await self._fetch(queries.FIND_RUNS, (asked,))
        }
        for index, (_, answer) in enumerate(batch):
            if not answer.done():
                answer.set_result(found.get(index))
