"""Serves an application with uvicorn inside a running event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette

_GOODBYE_SECONDS = 2


class ServerFailedError(Exception):
    """The server did not start; its log says why."""


@asynccontextmanager
async def serving(app: Starlette, port: int = 0) -> AsyncIterator[str]:
    """Serve on a loopback port (0: any free one) while the block lasts; yields the address.

    Raises:
        OSError, OverflowError: the port can't be used.
        ExceptionGroup: of `ServerFailedError`, and of what the block raised.
    """
    # The socket listens from here on, so nobody has to wait until the server is up.
    with socket.create_server(("127.0.0.1", port)) as listener:
        # A caller who still waits for an order (?wait=true) must not keep the server from leaving.
        config = uvicorn.Config(
            app, log_level="warning", lifespan="on", ws="none", timeout_graceful_shutdown=_GOODBYE_SECONDS
        )
        server = uvicorn.Server(config)
        async with asyncio.TaskGroup() as group:
            group.create_task(_serve(server, listener))
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                server.should_exit = True


async def _serve(server: uvicorn.Server, listener: socket.socket) -> None:
    try:
        await server.serve([listener])
    except SystemExit as left:  # uvicorn's way to say so; it would tear the loop down
        raise ServerFailedError("the server did not start; its log says why") from left
