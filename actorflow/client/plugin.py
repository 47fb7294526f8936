"""What makes a client, and plugins, which may change that. Names and meaning follow the Temporal Python SDK."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Required, TypedDict

from actorflow.client.connection import Connection
from actorflow.client.interceptor import Interceptor
from actorflow.common import QueryRejectCondition
from actorflow.converter import DataConverter
from actorflow.service import ConnectConfig

Connect = Callable[[ConnectConfig], Awaitable[Connection]]


class Plugin(ABC):
    """Changes how a client is made; an `actorflow.worker.Plugin`, too, is one of the client's workers as well."""

    def name(self) -> str:
        """For people; that of the class by default."""
        return f"{type(self).__module__}.{type(self).__qualname__}"

    @abstractmethod
    def configure_client(self, config: ClientConfig) -> ClientConfig:
        """Called when a client is made, in order of the plugins.

        Args:
            config: what it is made from, as the plugins before have changed it.

        Returns:
            What it is made from now; the same dict may be changed and returned.
        """

    @abstractmethod
    async def connect_service_client(self, config: ConnectConfig, next: Connect) -> Connection:
        """Called when `Client.connect` opens a journal; the first plugin is outermost.

        Args:
            config: what is to be opened.
            next: opens it: call it with ``config``, changed or not, and return what it returns.
        """


class ClientConfig(TypedDict, total=False):
    """What a client is made from; see `Client.config`."""

    service_client: Required[Connection]
    namespace: str
    data_converter: DataConverter | None
    task_queue: str | None
    identity: str | None
    default_workflow_query_reject_condition: QueryRejectCondition | None
    interceptors: Sequence[Interceptor]
    plugins: Sequence[Plugin]
    header_codec_behavior: Any


def connecting_through(plugins: Sequence[Plugin], connect: Connect) -> Connect:
    """``connect`` with plugins around it, the first one outermost."""

    def through(plugin: Plugin, next: Connect) -> Connect:
        return lambda config: plugin.connect_service_client(config, next)

    for plugin in reversed(plugins):
        connect = through(plugin, connect)
    return connect
