"""Finds runs by their ids, many callers with one query.

After a restart thousands of callers look for their executions at once. Whoever asks first leads: it lets the others of
this round of the event loop join and asks for all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec

from actorflow.store.protocol import RunRecord
from actorflow.store.sqlite import queries, rows

Fetch = Callable[[str, Sequence[object]], Awaitable[Sequence[tuple[Any, ...]]]]
Wanted = tuple[str, str, str | None]
"""Namespace, workflow id, run id (None: the open run, else the last)."""

_ASK_AGAIN: Final = object()
_TOGETHER_MAX: Final = 500


class Finder:
    """See the module's head.

    Args:
        fetch: runs a query and gives all its rows.
    """

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._waiting: list[tuple[Wanted, asyncio.Future[Any]]] = []

    async def find(self, wanted: Wanted) -> RunRecord | None:
        """See `Store.find`."""
        while True:
            answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            self._waiting.append((wanted, answer))
            if len(self._waiting) == 1:
                await self._lead()
            found = await answer
            if found is not _ASK_AGAIN:
                return found

    async def _lead(self) -> None:
        batch: list[tuple[Wanted, asyncio.Future[Any]]] = []
        try:
            await asyncio.sleep(0)
            batch, self._waiting = self._waiting, []
            for start in range(0, len(batch), _TOGETHER_MAX):
                await self._answer(batch[start : start + _TOGETHER_MAX])
        except BaseException as problem:
            # A leader that was cancelled speaks for itself alone: the others ask again.
            batch, self._waiting = [*batch, *self._waiting], []
            for _, answer in batch:
                if not answer.done():
                    if isinstance(problem, Exception):
                        answer.set_exception(problem)
                    else:
                        answer.set_result(_ASK_AGAIN)
            if not isinstance(problem, Exception):
                raise

    async def _answer(self, batch: Sequence[tuple[Wanted, asyncio.Future[Any]]]) -> None:
        asked = msgspec.json.encode([wanted for wanted, _ in batch]).decode()
        found = {
            place: msgspec.structs.replace(rows.run_record(columns), inbox=inbox)
            for place, inbox, *columns in await self._fetch(queries.FIND_RUNS, (asked,))
        }
        for index, (_, answer) in enumerate(batch):
            if not answer.done():
                answer.set_result(found.get(index))
