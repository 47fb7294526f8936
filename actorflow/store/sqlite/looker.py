"""A file read from outside on a thread of its own: waited for like anything else, and its query can be ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from actorflow.store.sqlite.read_only_file import ReadOnlyFile

T = TypeVar("T")


class Looker:
    """One `ReadOnlyFile` and its thread.

    Args:
        path: of the database.
        busy_timeout: how long a lock of somebody else is waited for.
        name: of the thread.
    """

    def __init__(self, path: Path, busy_timeout: timedelta, *, name: str) -> None:
        self._path = path
        self._busy_timeout = busy_timeout
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._file: ReadOnlyFile | None = None

    async def open(self) -> None:
        """Connect; if that fails or is cancelled, nothing stays open.

        Raises:
            StorageError: see `ReadOnlyFile`.
        """
        try:
            await self._run(self._open)
        except BaseException:
            await self.close()
            raise

    def _open(self) -> None:
        self._file = ReadOnlyFile(self._path, busy_timeout=self._busy_timeout)

    async def ask(self, question: Callable[[ReadOnlyFile], T]) -> T:
        """Run something with the file, on its thread."""
        file = self._file
        assert file is not None
        return await self._run(lambda: question(file))

    async def fetch(self, query: str, values: Sequence[object] | Mapping[str, object]) -> Sequence[tuple[Any, ...]]:
        """See `ReadOnlyFile.fetch`."""
        return await self.ask(lambda file: file.fetch(query, values))

    def interrupt(self) -> None:
        """See `ReadOnlyFile.interrupt`."""
        if self._file is not None:
            self._file.interrupt()

    async def close(self) -> None:
        """Wait for the read under way, let go of the file and end the thread."""
        closed = asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)
        await asyncio.shield(closed)

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()

    async def _run(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)
