"""Metrics as an ASGI application, to be mounted in a web application or served alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

import anyio.to_thread
from prometheus_client import CollectorRegistry

from actorflow.observability.page import METHODS, Page, Rendered, registry_of

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]


def asgi(*, registry: CollectorRegistry | None = None) -> Application:
    """An ASGI application that answers on any path with the metrics of all engines of this process.

    Args:
        registry: serve this one instead of our own; register `Collector()` with it to have our metrics in it.
    """
    return Application(Page(registry or registry_of()))


class Application:
    """Answers GET and HEAD. Pages are rendered in a thread, so that the event loop goes on meanwhile."""

    def __init__(self, page: Page) -> None:
        self._page = page

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        match scope["type"]:
            case "http":
                await self._answer(scope, send)
            case "lifespan":
                await _live(receive, send)
            case "websocket":
                await send({"type": "websocket.close"})
            case unknown:
                raise ValueError(f"metrics are served over http, not over {unknown!r}; check where they are mounted")

    async def _answer(self, scope: Event, send: Send) -> None:
        method = scope["method"]
        if method not in METHODS:
            await _send(send, HTTPStatus.METHOD_NOT_ALLOWED, [(b"allow", ", ".join(METHODS).encode())], b"")
            return
        rendered: Rendered = await anyio.to_thread.run_sync(self._page.rendered, _accept(scope))
        headers = [
            (b"content-type", rendered.content_type.encode()),
            (b"content-length", str(len(rendered.body)).encode()),
        ]
        await _send(send, HTTPStatus.OK, headers, rendered.body if method == "GET" else b"")


def _accept(scope: Event) -> str:
    return ",".join(value.decode("latin-1") for name, value in scope["headers"] if name.lower() == b"accept")


async def _send(send: Send, status: HTTPStatus, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _live(receive: Receive, send: Send) -> None:
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return
