"""Where a client connects to: a file, memory, or what stands in for a node."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence
from functools import partial
from typing import Literal, NamedTuple
from urllib.parse import unquote
from uuid import UUID

from actorflow.client.connection import Connection, Hosting, Looking
from actorflow.client.host import EXAMPLES, parse_host
from actorflow.client.ported import check_ported
from actorflow.client.standin import JOURNALS, TEMPORARY, StandIn, address_of_file, named_stand_in
from actorflow.clock import Clock, SystemClock
from actorflow.core import limits
from actorflow.engine.engine import Engine
from actorflow.engine.inspection import Inspection
from actorflow.engine.ownership import acquire, join, release
from actorflow.engine.stored_readings import StoredReadings
from actorflow.exceptions import AddressError, StorageOwnedError
from actorflow.service import ConnectConfig
from actorflow.store.memory import MemoryStore

__all__ = ["address_of_file", "connect", "connect_read_only", "connected"]


class _Place(NamedTuple):
    """A journal; ``stands_for`` says for which address, and why, if it was not named itself."""

    scheme: Literal["memory", "sqlite"]
    name: str
    stands_for: str = ""


async def connected(config: ConnectConfig) -> Connection:
    """What stands behind an address, as plugins want it opened.

    Raises:
        UnsupportedOptionError: something is wanted that can't be honoured here.
        ValueError, StorageError: as `connect` and `connect_read_only`.
    """
    check_ported({name: getattr(config, name) for name in ("tls", "api_key", "http_connect_proxy_config")})
    if config.read_only:
        return await connect_read_only(config.target_host, config.clock)
    return await connect(config.target_host, config.clock, large_payload_bytes=config.large_payload_bytes)


async def connect(
    address: str,
    clock: Clock | None = None,
    *,
    large_payload_bytes: int | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Connection:
    """The engine behind an address, opened if it is not open yet.

    Args:
        address: see `Client.connect`, as the others.
        clock: of a new engine.
        large_payload_bytes: of a file.
        environment: may say where the journal of a node's address is.

    Raises:
        AddressError: the address is none we know.
        ValueError: the engine is open with another ``large_payload_bytes``.
        StorageError: the journal can't be opened.
    """
    chosen = clock or SystemClock()
    place = _place(address, environment, is_maker=True)
    if place.scheme == "memory":
        key = f"memory://{place.name}" if place.name else f"memory://{UUID(chosen.new_run_id())}"
        return Hosting(await acquire(lambda: (key,), key, lambda: Engine(MemoryStore(), chosen, key)))
    try:
        return Hosting(await _acquire_file(place.name, chosen, large_payload_bytes))
    except StorageOwnedError as problem:
        if not place.stands_for:
            raise
        raise StorageOwnedError(
            f"{place.stands_for}, and a journal is one process's at a time: {problem}; or look at it with "
            "read_only=True"
        ) from problem


async def connect_read_only(
    address: str, clock: Clock | None = None, *, environment: Mapping[str, str] = os.environ
) -> Connection:
    """A look at the journal behind an address: through the engine of this event loop if it has it open, else beside
    whoever owns it.

    Raises:
        AddressError: the address is none we know, or one of memory that nobody here uses.
        StorageError: the journal can't be read.
    """
    scheme, name, _ = _place(address, environment, is_maker=False)
    engine = await join(lambda: (f"memory://{name}",) if scheme == "memory" else _file_keys(name))
    if engine is not None:
        return Looking(Inspection(engine.service, engine.name), partial(release, engine), engine.name)
    if scheme == "memory":
        raise AddressError(address, "there is nothing to read, nobody in this process has it open")
    from actorflow.store.sqlite import ReadOnlyStore  # noqa: PLC0415 - aiosqlite is slow to import

    store = ReadOnlyStore(name)
    await store.open()
    return Looking(Inspection(StoredReadings(store, clock or SystemClock()), name), store.close, name)


def _place(address: str, environment: Mapping[str, str], *, is_maker: bool) -> _Place:
    if not isinstance(address, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"an address must be a str, not {type(address).__name__}; {EXAMPLES}")
    if address.startswith(JOURNALS):
        return _journal(address)
    host = parse_host(address)
    journal: StandIn | None = named_stand_in(host, environment)
    if journal is None:
        journal = TEMPORARY.stand_in(host) if is_maker else TEMPORARY.known(host)
    try:
        place = _journal(journal.address)
    except AddressError as problem:
        raise AddressError(journal.address, f"{journal.origin} names it for {host}; {problem.why}") from problem
    return place._replace(stands_for=f"{address!r} stands for {place.name} here ({journal.origin})")


def _journal(address: str) -> _Place:
    scheme, separator, rest = address.partition("://")
    match scheme:
        case "memory" if separator:
            return _Place(scheme, rest)
        case "sqlite" if separator and rest.startswith("/") and len(rest) > 1:
            if rest == "/:memory:":
                raise AddressError(address, "a journal in memory is memory://, or memory://NAME for several clients")
            return _Place(scheme, _resolved(unquote(rest[1:])))
        case _:
            raise AddressError(address, EXAMPLES)


def _resolved(path: str) -> str:
    if "\0" in path:
        raise AddressError(path, "a path can't hold a NUL character")
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
