"""Where a client connects to: a file, or memory."""

from __future__ import annotations

import os
from collections.abc import Hashable, Sequence
from functools import partial
from urllib.parse import unquote
from uuid import UUID

from actorflow.client.connection import Connection, Hosting, Looking
from actorflow.client.ported import check_ported
from actorflow.clock import Clock, SystemClock
from actorflow.engine.engine import Engine
from actorflow.engine.inspection import Inspection
from actorflow.engine.ownership import acquire, join, release
from actorflow.engine.stored_readings import StoredReadings
from actorflow.service import ConnectConfig
from actorflow.store.memory import MemoryStore

_EXAMPLES = 'use "sqlite:///orders.db" (relative), "sqlite:////var/lib/orders.db" (absolute) or "memory://"'


def address_of_file(path: str | os.PathLike[str]) -> str:
    """The address of the journal in a file, whatever the file's name holds."""
    return f"sqlite:///{os.fsdecode(path).replace('%', '%25')}"


async def connected(config: ConnectConfig) -> Connection:
    """What stands behind an address, as plugins want it opened.

    Raises:
        UnsupportedOptionError: something is wanted that can't be honoured here.
        ValueError, StorageError: as `connect` and `connect_read_only`.
    """
    check_ported({name: getattr(config, name) for name in ("tls", "api_key", "http_connect_proxy_config")})
    opened = connect_read_only if config.read_only else connect
    return await opened(config.target_host, config.clock)


async def connect(address: str, clock: Clock | None = None) -> Connection:
    """The engine behind an address, opened if it is not open yet.

    Raises:
        ValueError: the address is none we know.
        StorageError: the journal can't be opened.
    """
    chosen = clock or SystemClock()
    match _scheme_and_name(address):
        case "memory", name:
            key = f"memory://{name}" if name else f"memory://{UUID(chosen.new_run_id())}"
            return Hosting(await acquire(lambda: (key,), key, lambda: Engine(MemoryStore(), chosen, key)))
        case _, name:
            return Hosting(await _acquire_file(name, chosen))


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


async def _acquire_file(name: str, clock: Clock) -> Engine:
    from actorflow.store.sqlite import SqliteStore  # noqa: PLC0415 - aiosqlite is slow to import

    return await acquire(lambda: _file_keys(name), name, lambda: Engine(SqliteStore(name, clock=clock), clock, name))
