"""Metrics over HTTP for a program that has no web server of its own: threads, so that the event loop never notices."""

from __future__ import annotations

import logging
import selectors
import socket
import sys
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from types import TracebackType
from typing import Final, Self

from prometheus_client import CollectorRegistry

from actorflow.core import limits
from actorflow.exceptions import PortUnavailableError
from actorflow.observability.page import METHODS, Page, registry_of

_log = logging.getLogger("actorflow.observability")
_PORT_MAX: Final = 65_535


class MetricsServer:
    """Serves until it is closed, also with ``with``.

    Attributes:
        addr: where it listens.
        port: the one it was given, or the one it found.
    """

    def __init__(self, page: Page, port: int, addr: str) -> None:
        if not 0 <= port <= _PORT_MAX:
            raise ValueError(f"a port is a number from 0 (any free one) to {_PORT_MAX}, not {port}")
        try:
            self._server = _Server(addr, port, page)
        except OSError as problem:
            raise PortUnavailableError(addr, port, problem.strerror or str(problem)) from problem
        self.addr = addr
        self.port: int = self._server.server_address[1]
        self._asleep, self._alarm = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, name="actorflow-metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Serve no more and give the port back; safe to call twice."""
        self._alarm.close()
        self._thread.join()

    def _serve(self) -> None:
        with self._server, self._asleep, selectors.DefaultSelector() as selector:
            selector.register(self._server, selectors.EVENT_READ)
            selector.register(self._asleep, selectors.EVENT_READ)
            while self._asleep not in [key.fileobj for key, _ in selector.select()]:
                self._server.handle_request()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def start_http_server(
    port: int,
    addr: str = "127.0.0.1",
    *,
    registry: CollectorRegistry | None = None,
    labels: Mapping[str, str] | None = None,
) -> MetricsServer:
    """Serve the metrics of all engines of this process, on any path.

    Args:
        port: 0 takes a free one; see `MetricsServer.port`.
        addr: "0.0.0.0" lets other machines scrape; there is no access control.
        registry: serve this one instead of our own; register `Collector()` with it to have our metrics in it.
        labels: of every series of our own registry's `Collector`.

    Raises:
        PortUnavailableError: somebody else listens there, or the address is none of this machine's.
    """
    return MetricsServer(Page(registry or registry_of(labels=labels)), port, addr)


class _Server(ThreadingMixIn, TCPServer):
    """Unlike the standard library's server for HTTP it asks no name server for its own name."""

    daemon_threads = True
    allow_reuse_address = True
    timeout = 0  # whoever calls `handle_request` knows that there is one

    def __init__(self, addr: str, port: int, page: Page) -> None:
        self.address_family = socket.AF_INET6 if ":" in addr else socket.AF_INET
        super().__init__((addr, port), _handler_of(page))

    def handle_error(self, request: object, client_address: object) -> None:
        """Say what failed; a scraper that hangs up is nothing to speak of."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            _log.error("answering a scrape from %s failed", client_address, exc_info=True)


def _handler_of(page: Page) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Answers one request."""

        timeout = limits.METRICS_REQUEST_TIMEOUT.total_seconds()

        def do_GET(self) -> None:
            self._answer()

        def do_HEAD(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._refuse()

        do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_POST

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: a line each second is of use to nobody."""

        def _answer(self) -> None:
            rendered = page.rendered(",".join(self.headers.get_all("Accept", ())))
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", rendered.content_type)
            self.send_header("Content-Length", str(len(rendered.body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(rendered.body)

        def _refuse(self) -> None:
            self.send_response(HTTPStatus.METHOD_NOT_ALLOWED)
            self.send_header("Allow", ", ".join(METHODS))
            self.send_header("Content-Length", "0")
            self.end_headers()

    return Handler
