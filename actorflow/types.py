"""Type variables and callable shapes shared by the public API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

ClassType = TypeVar("ClassType", bound=type)
CallableType = TypeVar("CallableType", bound=Callable[..., Any])
ParamType = TypeVar("ParamType")
ReturnType = TypeVar("ReturnType", covariant=True)
SelfType = TypeVar("SelfType")
LocalReturnType = TypeVar("LocalReturnType", covariant=True)
ProtocolParamType = TypeVar("ProtocolParamType", contravariant=True)
ProtocolReturnType = TypeVar("ProtocolReturnType", covariant=True)
ProtocolSelfType = TypeVar("ProtocolSelfType", contravariant=True)


class MethodAsyncNoParam(Protocol[ProtocolSelfType, ProtocolReturnType]):
    """An async method without a parameter."""

    def __call__(self, self_: ProtocolSelfType, /) -> Awaitable[ProtocolReturnType]: ...


class MethodAsyncSingleParam(Protocol[ProtocolSelfType, ProtocolParamType, ProtocolReturnType]):
    """An async method with one parameter."""

    def __call__(self, self_: ProtocolSelfType, arg: ProtocolParamType, /) -> Awaitable[ProtocolReturnType]: ...


class MethodSyncOrAsyncNoParam(Protocol[ProtocolSelfType, ProtocolReturnType]):
    """A method without a parameter, sync or async."""

    def __call__(self, self_: ProtocolSelfType, /) -> ProtocolReturnType | Awaitable[ProtocolReturnType]: ...


class MethodSyncOrAsyncSingleParam(Protocol[ProtocolSelfType, ProtocolParamType, ProtocolReturnType]):
    """A method with one parameter, sync or async."""

    def __call__(
        self, self_: ProtocolSelfType, param: ProtocolParamType, /
    ) -> ProtocolReturnType | Awaitable[ProtocolReturnType]: ...
