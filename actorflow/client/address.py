"""Where a client connects to: a file, or memory."""

from __future__ import annotations

import os
from collections.abc import Hashable, Sequence
from functools import partial
from urllib.parse import unquote
from uuid import UUID

from actorflow.client.connection import Connection, Hosting, Looking
from actorflow.clock import Clock, SystemClock
from actorflow.core import limits
from actorflow.engine.engine import Engine
from actorflow.engine.inspection import Inspection
from actorflow.engine.ownership import acquire, join, release
from actorflow.engine.stored_readings import StoredReadings
from actorflow.store.memory import MemoryStore

_EXAMPLES = 'use "sqlite:///orders.db" (relative), "sqlite:////var/lib/orders.db" (absolute) or "memory://"'


def address_of_file(path: str | os.PathLike[str]) -> str:
    """The address of the journal in a file, whatever the file's name holds."""
    return f"sqlite:///{os.fsdecode(path).replace('%', '%25')}"


async def connect(address: str, clock: Clock | None = None, *, large_payload_bytes: int | None = None) -> Connection:
    """The engine behind an address, opened if it is not open yet.

    Args:
        address: see `Client.connect`, as the others.
        clock: of a new engine.
        large_payload_bytes: of a file.

    Raises:
        ValueError: the address is none we know; or the engine is open with another ``large_payload_bytes``.
        StorageError: the journal can't be opened.
    """
    chosen = clock or SystemClock()
    match _scheme_and_name(address):
        case "memory", name:
            key = f"memory://{name}" if name else f"memory://{UUID(chosen.new_run_id())}"
            return Hosting(await acquire(lambda: (key,), key, lambda: Engine(MemoryStore(), chosen, key)))
        case _, name:
            return Hosting(await _acquire_file(name, chosen, large_payload_bytes))


async def connect_read_only(address: str, clock: Clock | None = None) -> Connection:
    """A look at the journal behind an address: through the engine of this event loop if it has it open, else beside
    whoever owns it.

    Raises:
        ValueError: the address is none we know, or one of memory that nobody here uses.
        StorageError: the journal can't be read.
    """
    scheme, name = _scheme_and_name(address)
    engine = await join(lambda: (f"memory://{name}",) if scheme == "memory" else _file_keys(name))
    if engine is not None:
        return Looking(Inspection(engine.service, engine.name), partial(release, engine), engine.name)
    if scheme == "memory":
        raise ValueError(f"there is nothing to read at {address!r}: nobody in this process has it open")
    from actorflow.store.sqlite import ReadOnlyStore  # noqa: PLC0415 - aiosqlite is slow to import

    store = ReadOnlyStore(name)
    await store.open()
    return Looking(Inspection(StoredReadings(store, clock or SystemClock()), name), store.close, name)


def _scheme_and_name(address: str) -> tuple[str, str]:
    if not isinstance(address, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"an address must be a str, not {type(address).__name__}; {_EXAMPLES}")
    scheme, separator, rest = address.partition("://")
    match scheme:
        case "memory" if separator:
            return scheme, rest
        case "sqlite" if separator and rest.startswith("/") and len(rest) > 1:
            return scheme, _resolved(unquote(rest[1:]))
        case _:
            raise ValueError(f"can't connect to {address!r}: {_EXAMPLES}")


def _resolved(path: str) -> str:
    if "\0" in path:
        raise ValueError("a path can't hold a NUL character")
    return os.path.realpath(path)  # `Path.resolve` raises where links lead in a circle; the store says so in words


def _file_keys(name: str) -> Sequence[Hashable]:
    from actorflow.store.sqlite import file_identity  # noqa: PLC0415 - aiosqlite is slow to import

    identity = file_identity(name)
    return (name,) if identity is None else (identity, name)


async def _acquire_file(name: str, clock: Clock, large_payload_bytes: int | None) -> Engine:
    from actorflow.store.sqlite import SqliteStore  # noqa: PLC0415 - aiosqlite is slow to import

    wanted = limits.LARGE_PAYLOAD_BYTES if large_payload_bytes is None else large_payload_bytes
    if wanted < limits.LARGE_PAYLOAD_BYTES_MIN:
        raise ValueError(f"large_payload_bytes must be at least {limits.LARGE_PAYLOAD_BYTES_MIN:,}, not {wanted}")
    engine = await acquire(
        lambda: _file_keys(name),
        name,
        lambda: Engine(SqliteStore(name, clock=clock, large_payload_bytes=wanted), clock, name),
    )
    found = engine.store.facts()["large_payload_bytes"]
    if large_payload_bytes not in (None, found):
        await release(engine)
        raise ValueError(
            f"{name} is open in this process with large_payload_bytes={found}, not {large_payload_bytes}; "
            "give all clients of a journal the same, or only the first"
        )
    return engine
