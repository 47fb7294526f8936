"""The engines of this process: one for each journal, shared by every client and worker that names it.

This is the one piece of process-wide state: two engines on one file would fight for it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Final

from actorflow.engine.engine import Engine
from actorflow.exceptions import StorageError, StorageOwnedError


@dataclass
class _Shared:
    engine: Engine
    loop: asyncio.AbstractEventLoop
    thread: str
    users: int = 0


_shared_by_key: Final[dict[Hashable, _Shared]] = {}
_lock: Final = threading.Lock()


async def acquire(keys: Callable[[], Sequence[Hashable]], name: str, create: Callable[[], Engine]) -> Engine:
    """The open engine of a journal; give it back with `release`.

    Args:
        keys: what identifies the journal (a file has two names before it exists and after).
        name: for error messages.
        create: makes the engine if there is none.

    Raises:
        StorageOwnedError: the journal is open on another event loop of this process, or in another process.
        StorageError: it can't be opened.
    """
    loop = asyncio.get_running_loop()
    while (shared := _use(keys(), name, create, loop)).engine.is_stopped:
        await shared.engine.ended()  # its last user is just leaving
        with _lock:
            _forget(shared)
    try:
        await shared.engine.opened()
    except BaseException:
        await release(shared.engine)
        raise
    with _lock:
        if shared.users:
            _keep(keys(), shared)
    return shared.engine


async def join(keys: Callable[[], Sequence[Hashable]]) -> Engine | None:
    """The engine of this event loop that has a journal open, if there is one; give it back with `release`."""
    loop = asyncio.get_running_loop()
    with _lock:
        shared = _find(keys())
        if shared is None or shared.loop is not loop or shared.engine.is_stopped:
            return None
        shared.users += 1
    try:
        await shared.engine.opened()
    except BaseException as problem:
        await release(shared.engine)
        if not isinstance(problem, StorageError):
            raise
        return None  # whoever created it hears why; there is nothing to share
    return shared.engine


def _use(keys: Sequence[Hashable], name: str, create: Callable[[], Engine], loop: asyncio.AbstractEventLoop) -> _Shared:
    with _lock:
        shared = _find(keys)
        if shared is not None and shared.loop is not loop:
            raise StorageOwnedError(
                f"{name} is open in this process on another event loop (thread {shared.thread!r}); "
                "use one loop for all clients and workers of a file, or close the other one first"
            )
        if shared is None:
            shared = _Shared(create(), loop, threading.current_thread().name)
            _keep(keys, shared)
        if not shared.engine.is_stopped:
            shared.users += 1
        return shared


async def release(engine: Engine) -> None:
    """One user less; the last one closes the engine."""
    with _lock:
        shared = next((known for known in _shared_by_key.values() if known.engine is engine), None)
        if shared is not None:
            shared.users -= 1
            if shared.users > 0:
                return
    engine.stop()
    await engine.ended()
    with _lock:
        if shared is not None:
            _forget(shared)


def _find(keys: Sequence[Hashable]) -> _Shared | None:
    for key in keys:
        shared = _shared_by_key.get(key)
        if shared is None:
            continue
        if not shared.loop.is_closed():
            return shared
        _forget(shared)
    return None


def _keep(keys: Sequence[Hashable], shared: _Shared) -> None:
    for key in keys:
        _shared_by_key[key] = shared


def _forget(shared: _Shared) -> None:
    for key in [key for key, known in _shared_by_key.items() if known is shared]:
        del _shared_by_key[key]
