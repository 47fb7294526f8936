"""What stands behind a client: an engine of this process, or a look at somebody else's journal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol
from weakref import WeakSet

from actorflow.engine.engine import Engine
from actorflow.engine.inspection import Inspection
from actorflow.engine.ownership import release
from actorflow.exceptions import ReadOnlyError
from actorflow.service import Service


class Use:
    """One client's use of a connection. It ends when it is given back, or when nothing refers to it any more."""


class Users:
    """Who uses a connection.

    Programs make clients from clients and drop the first without closing it; nobody waits for those that are gone.
    """

    def __init__(self) -> None:
        self._uses: WeakSet[Use] = WeakSet()

    def come(self) -> Use:
        """One more; keep what is returned."""
        use = Use()
        self._uses.add(use)
        return use

    def leave(self, use: Use) -> bool:
        """One less. True if nobody is left; False if others are, or this one had left before."""
        if use not in self._uses:
            return False
        self._uses.discard(use)
        return not self._uses


class Connection(Protocol):
    """A service, and how to let go of it."""

    @property
    def users(self) -> Users:
        """The clients on it; the last one that leaves closes it."""
        ...

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
        self.users = Users()

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


class OfTest:
    """The connection of a test environment's client."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def users(self) -> Users:
        """See `Connection.users`."""
        return self._connection.users

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
        self.users = Users()

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
