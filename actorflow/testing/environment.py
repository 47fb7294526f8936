"""A journal of its own for a test."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from actorflow.client import Client
from actorflow.client.address import address_of_file
from actorflow.converter import DataConverter


class WorkflowEnvironment:
    """Holds the client of a test; leaving its block closes the journal."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @classmethod
    async def start_local(
        cls,
        *,
        namespace: str = "default",
        data_converter: DataConverter | None = None,
        db_filename: str | None = None,
    ) -> Self:
        """An environment in real time.

        Args:
            namespace: of its client.
            data_converter: of its client.
            db_filename: keep the journal in this file; default is memory.
        """
        address = "memory://" if db_filename is None else address_of_file(db_filename)
        return cls(await Client.connect(address, namespace=namespace, data_converter=data_converter))

    @property
    def client(self) -> Client:
        """The client."""
        return self._client

    @property
    def supports_time_skipping(self) -> bool:
        """False: time passes as it does."""
        return False

    async def shutdown(self) -> None:
        """Close the journal."""
        await self._client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.shutdown()
