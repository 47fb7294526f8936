"""A journal, its client and its time, for one test."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from difflib import get_close_matches
from types import TracebackType
from typing import Any, Self, TypedDict, Unpack

from actorflow import activity
from actorflow.client import Client, Interceptor, Plugin
from actorflow.client.address import address_of_file
from actorflow.converter import DataConverter
from actorflow.core import limits
from actorflow.testing.clock import VirtualClock
from actorflow.testing.skipping import TimeSkipping


class ServerOptions(TypedDict, total=False):
    """Options about a server, accepted for ported tests: there is none here, so nothing is downloaded or started."""

    identity: str | None
    retry_config: Any
    rpc_metadata: Any
    tls: Any
    ip: str
    port: int | None
    download_dest_dir: str | None
    ui: bool
    runtime: Any
    dev_server_existing_path: str | None
    dev_server_database_filename: str | None
    dev_server_log_format: str
    dev_server_log_level: str | None
    dev_server_download_version: str
    dev_server_extra_args: Any
    test_server_existing_path: str | None
    test_server_download_version: str
    test_server_extra_args: Any


class WorkflowEnvironment:
    """Holds the client of a test; leaving its block closes the journal.

    Made by `start_time_skipping`, `start_local` or `from_client`. In every environment an AssertionError that leaves a
    workflow's ``run``, or a signal or update handler, fails what it left at once, as a non-retryable
    `ApplicationError` of type "AssertionError": on workers that were made with `client`.
    """

    def __init__(self, client: Client, skipping: TimeSkipping | None = None, *, is_owner: bool = False) -> None:
        self._client = client.of_test()
        self._skipping = skipping
        self._is_owner = is_owner
        self._loop = asyncio.get_running_loop()
        self._is_shut_down = False

    @classmethod
    async def start_time_skipping(
        cls,
        *,
        namespace: str = "default",
        data_converter: DataConverter | None = None,
        task_queue: str | None = None,
        interceptors: Sequence[Interceptor] = (),
        plugins: Sequence[Plugin] = (),
        db_filename: str | None = None,
        **server: Unpack[ServerOptions],
    ) -> Self:
        """An environment with a clock of its own, which jumps when nothing can happen without time passing.

        While a client awaits a result and no activity runs, time jumps to the next timer, timeout or retry. An activity
        that runs takes real time. Signals, queries and updates never move the time.

        Args:
            namespace: of its client.
            data_converter: of its client.
            task_queue: where its client starts executions, unless a call says otherwise.
            interceptors: of its client.
            plugins: of its client.
            db_filename: keep the journal in this file; default is memory.
            server: accepted for ported tests, see `ServerOptions`.

        Raises:
            RuntimeError: the file is open in this process, with another clock.
            StorageError: it can't be opened.
            TypeError: an option that is none.
        """
        _check_names(server)
        clock = VirtualClock()
        address = "memory://" if db_filename is None else address_of_file(db_filename)
        client = await Client.connect(
            address,
            namespace=namespace,
            data_converter=data_converter,
            task_queue=task_queue,
            interceptors=interceptors,
            plugins=plugins,
            clock=clock,
        )
        if client.engine.clock is not clock:
            await client.close()
            raise RuntimeError(
                f"{db_filename} is open in this process with another clock; close it first, or use another file"
            )
        return cls(client, TimeSkipping(client.engine, clock), is_owner=True)

    @classmethod
    async def start_local(
        cls,
        *,
        namespace: str = "default",
        data_converter: DataConverter | None = None,
        task_queue: str | None = None,
        interceptors: Sequence[Interceptor] = (),
        plugins: Sequence[Plugin] = (),
        db_filename: str | None = None,
        **server: Unpack[ServerOptions],
    ) -> Self:
        """An environment in real time.

        Args:
            namespace: of its client.
            data_converter: of its client.
            task_queue: where its client starts executions, unless a call says otherwise.
            interceptors: of its client.
            plugins: of its client.
            db_filename: keep the journal in this file; default is memory.
            server: accepted for ported tests, see `ServerOptions`.

        Raises:
            StorageError: the file can't be opened.
            TypeError: an option that is none.
        """
        _check_names(server)
        address = "memory://" if db_filename is None else address_of_file(db_filename)
        client = await Client.connect(
            address,
            namespace=namespace,
            data_converter=data_converter,
            task_queue=task_queue,
            interceptors=interceptors,
            plugins=plugins,
        )
        return cls(client, is_owner=True)

    @classmethod
    def from_client(cls, client: Client) -> Self:
        """An environment in real time on a client that is there; it stays open when the environment is shut down."""
        return cls(client)

    @property
    def client(self) -> Client:
        """The client; make workers with this one.

        Raises:
            RuntimeError: used on another event loop than the environment was started on.
        """
        self._check_loop()
        return self._client

    @property
    def supports_time_skipping(self) -> bool:
        """True if time can be skipped; else it passes as it does."""
        return self._skipping is not None

    async def sleep(self, duration: timedelta | float) -> None:
        """Let time pass: by skipping it if that is supported, else by waiting.

        What falls due on the way (timers, timeouts and retries of activities) happens in order, and has come to rest
        when this returns. Works in tests and in activities; activities that run meanwhile go on in real time.

        Args:
            duration: how long, in seconds if it is a number.

        Raises:
            ValueError: it is negative, or more than a century.
            TypeError: it is no duration.
            RuntimeError: the environment was shut down, or lives on another event loop.
        """
        seconds = _seconds(duration)
        self._check_loop()
        if self._is_shut_down:
            raise RuntimeError("this environment was shut down, and its time with it; start another one")
        if self._skipping is None:
            await asyncio.sleep(seconds)
        else:
            await self._skipping.sleep(seconds, is_activity=activity.in_activity())

    async def get_current_time(self) -> datetime:
        """What time it is here: an aware instant, in UTC."""
        return self.client.engine.clock.now()

    @contextmanager
    def auto_time_skipping_disabled(self) -> Generator[None]:
        """While the block lasts, awaiting a result skips no time: it passes as it does. `sleep` still skips."""
        self._check_loop()
        if self._skipping is None:
            yield
        else:
            with self._skipping.locked():
                yield

    async def shutdown(self) -> None:
        """Close the journal, unless the client was there before; doing it twice is harmless.

        Raises:
            RuntimeError: called on another event loop than the environment was started on.
        """
        self._check_loop()
        self._is_shut_down = True
        if self._is_owner:
            if self._skipping is not None:
                self._skipping.close()
            await self._client.close()
            if self._skipping is not None:
                self._skipping.clock.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.shutdown()

    def _check_loop(self) -> None:
        running = asyncio._get_running_loop()
        if running is not None and running is not self._loop:
            raise RuntimeError(
                "this environment was started on another event loop; start one in each test, give the fixture that "
                "starts it the scope of its loop, and never use it in workflow code"
            )


def _check_names(server: ServerOptions) -> None:
    for name in server:
        if name not in ServerOptions.__annotations__:
            known = ["namespace", "data_converter", "task_queue", "db_filename", *ServerOptions.__annotations__]
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            raise TypeError(f"{name!r} is not an option of a test environment; {hint}")


def _seconds(duration: timedelta | float) -> float:
    if isinstance(duration, timedelta):
        seconds = duration.total_seconds()
    elif isinstance(duration, int | float) and not isinstance(duration, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
        seconds = float(duration)
    else:
        raise TypeError(f"a duration is a timedelta or a number of seconds, not {type(duration).__name__}")
    if math.isnan(seconds) or seconds < 0:
        raise ValueError(f"time passes forwards only: the duration is {duration!r}")
    if seconds > limits.DURATION_MAX.total_seconds():
        raise ValueError(f"the duration {duration!r} is longer than a century ({limits.DURATION_MAX.days} days)")
    return seconds
