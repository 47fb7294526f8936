"""What stands behind a client: an engine of this process, or a look at somebody else's journal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from actorflow.engine.engine import Engine
from actorflow.engine.inspection import Inspection
from actorflow.engine.ownership import release
from actorflow.exceptions import ReadOnlyError
from actorflow.service import Service


class Connection(Protocol):
    """A service, and how to let go of it."""

    @property
    def service(self) -> Service:
        """Answers the client's calls."""
        ...

    @property
    def engine(self) -> Engine:
        """What hosts the executions.

        Raises:
            ReadOnlyError: nothing here does.
        """
        ...

    @property
    def is_of_test(self) -> bool:
        """True in a test environment."""
        ...

    async def close(self) -> None:
        """Let go."""
        ...


class Hosting:
    """An engine of this process, to be given back."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def service(self) -> Service:
        """See `Connection.service`."""
        return self._engine.service

    @property
    def engine(self) -> Engine:
        """See `Connection.engine`."""
        return self._engine

    @property
    def is_of_test(self) -> bool:
        """See `Connection.is_of_test`."""
        return False

    async def close(self) -> None:
        """See `Connection.close`; the last user of the engine closes it."""
        await release(self._engine)


class Borrowed:
    """A connection of another client, which lets go of it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def service(self) -> Service:
        """See `Connection.service`."""
        return self._connection.service

    @property
    def engine(self) -> Engine:
        """See `Connection.engine`."""
        return self._connection.engine

    @property
    def is_of_test(self) -> bool:
        """See `Connection.is_of_test`."""
        return self._connection.is_of_test

    async def close(self) -> None:
        """Nothing: it is somebody else's."""


class OfTest:
    """The connection of a test environment's client."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def service(self) -> Service:
        """See `Connection.service`."""
        return self._connection.service

    @property
    def engine(self) -> Engine:
        """See `Connection.engine`."""
        return self._connection.engine

    @property
    def is_of_test(self) -> bool:
        """See `Connection.is_of_test`."""
        return True

    async def close(self) -> None:
        """See `Connection.close`."""
        await self._connection.close()


class Looking:
    """An inspection, and what to do when it is over."""

    def __init__(self, inspection: Inspection, close: Callable[[], Awaitable[None]], name: str) -> None:
        self._inspection = inspection
        self._close = close
        self._name = name

    @property
    def service(self) -> Service:
        """See `Connection.service`."""
        return self._inspection

    @property
    def engine(self) -> Engine:
        """See `Connection.engine`."""
        raise ReadOnlyError(
            f"{self._name} is opened read-only, so nothing runs on this client; connect without read_only for workers"
        )

    @property
    def is_of_test(self) -> bool:
        """See `Connection.is_of_test`."""
        return False

    async def close(self) -> None:
        """See `Connection.close`."""
        self._inspection.stop()
        await self._close()
