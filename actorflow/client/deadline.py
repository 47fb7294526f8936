"""How long a call of a client may take."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from actorflow.service import RPCError, RPCStatusCode

T = TypeVar("T")


def answered(call: Coroutine[Any, Any, T], timeout: timedelta | None) -> Coroutine[Any, Any, T]:
    """A call, to be awaited, that gives up in time.

    Args:
        call: of a service.
        timeout: how long to wait for its answer; None means for ever.

    Raises (when awaited):
        RPCError: DEADLINE_EXCEEDED. What was asked for may have happened all the same.

    Raises:
        TypeError: the timeout is not a timedelta.
    """
    if timeout is None:
        return call
    if not isinstance(timeout, timedelta):  # pyright: ignore[reportUnnecessaryIsInstance]
        call.close()
        raise TypeError(f"rpc_timeout must be a timedelta, not {type(timeout).__name__}")
    return _answered(call, timeout.total_seconds())


async def _answered(call: Coroutine[Any, Any, T], seconds: float) -> T:
    try:
        async with asyncio.timeout(seconds):
            return await call
    except TimeoutError as late:
        raise RPCError(
            f"Timeout expired: there was no answer within {seconds:g} s; whether the call took effect is unknown, ask "
            "again or describe the execution",
            RPCStatusCode.DEADLINE_EXCEEDED,
        ) from late
