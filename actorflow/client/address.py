"""Where a client connects to: a file, or memory."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path
from urllib.parse import unquote
from uuid import UUID

from actorflow.clock import Clock, SystemClock
from actorflow.engine.engine import Engine
from actorflow.engine.ownership import acquire
from actorflow.store.memory import MemoryStore

_EXAMPLES = 'use "sqlite:///orders.db" (relative), "sqlite:////var/lib/orders.db" (absolute) or "memory://"'


async def connect_engine(address: str, clock: Clock | None = None) -> Engine:
    """The engine behind an address, opened if it is not open yet; to be given back with `ownership.release`.

    Raises:
        ValueError: the address is none we know.
        StorageError: the journal can't be opened.
    """
    if not isinstance(address, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"an address must be a str, not {type(address).__name__}; {_EXAMPLES}")
    chosen = clock or SystemClock()
    scheme, separator, rest = address.partition("://")
    match scheme:
        case "memory" if separator:
            key = f"memory://{rest}" if rest else f"memory://{UUID(chosen.new_run_id())}"
            return await acquire(lambda: (key,), key, lambda: Engine(MemoryStore(), chosen, key))
        case "sqlite" if separator and rest.startswith("/") and len(rest) > 1:
            return await _connect_file(_resolved(unquote(rest[1:])), chosen)
        case _:
            raise ValueError(f"can't connect to {address!r}: {_EXAMPLES}")


def _resolved(path: str) -> str:
    if "\0" in path:
        raise ValueError("a path can't hold a NUL character")
    return str(Path(path).resolve())


async def _connect_file(name: str, clock: Clock) -> Engine:
    from actorflow.store.sqlite import SqliteStore, file_identity  # noqa: PLC0415 - aiosqlite is slow to import

    def keys() -> Sequence[Hashable]:
        identity = file_identity(name)
        return (name,) if identity is None else (identity, name)

    return await acquire(keys, name, lambda: Engine(SqliteStore(name, clock=clock), clock, name))
