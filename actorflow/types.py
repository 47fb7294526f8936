"""Type variables and callable shapes shared by the public API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, Protocol, TypeVar

AnyType = TypeVar("AnyType")
ClassType = TypeVar("ClassType", bound=type)
CallableType = TypeVar("CallableType", bound=Callable[..., Any])
CallableAsyncType = TypeVar("CallableAsyncType", bound=Callable[..., Awaitable[Any]])
CallableSyncOrAsyncType = TypeVar("CallableSyncOrAsyncType", bound=Callable[..., Any | Awaitable[Any]])
CallableSyncOrAsyncReturnNoneType = TypeVar(
    "CallableSyncOrAsyncReturnNoneType", bound=Callable[..., Awaitable[None] | None]
)
MultiParamSpec = ParamSpec("MultiParamSpec")
ParamType = TypeVar("ParamType")
ReturnType = TypeVar("ReturnType", covariant=True)
SelfType = TypeVar("SelfType")
LocalReturnType = TypeVar("LocalReturnType", covariant=True)
ProtocolParamType = TypeVar("ProtocolParamType", contravariant=True)
ProtocolReturnType = TypeVar("ProtocolReturnType", covariant=True)
ProtocolSelfType = TypeVar("ProtocolSelfType", contravariant=True)


class CallableAsyncNoParam(Protocol[ProtocolReturnType]):
    """An async callable without a parameter."""

    def __call__(self) -> Awaitable[ProtocolReturnType]: ...


class CallableSyncNoParam(Protocol[ProtocolReturnType]):
    """A callable without a parameter."""

    def __call__(self) -> ProtocolReturnType: ...


class CallableAsyncAnyParams(Protocol[ProtocolReturnType]):
    """An async callable, whatever its parameters."""

    def __call__(self, *args: Any, **kwargs: Any) -> Awaitable[ProtocolReturnType]: ...


class CallableSyncAnyParams(Protocol[ProtocolReturnType]):
    """A callable, whatever its parameters."""

    def __call__(self, *args: Any, **kwargs: Any) -> ProtocolReturnType: ...


class CallableAsyncSingleParam(Protocol[ProtocolParamType, ProtocolReturnType]):
    """An async callable with one parameter."""

    def __call__(self, arg: ProtocolParamType, /) -> Awaitable[ProtocolReturnType]: ...


class CallableSyncSingleParam(Protocol[ProtocolParamType, ProtocolReturnType]):
    """A callable with one parameter."""

    def __call__(self, arg: ProtocolParamType, /) -> ProtocolReturnType: ...


class MethodSyncNoParam(Protocol[ProtocolSelfType, ProtocolReturnType]):
    """A method without a parameter."""

    def __call__(self, self_: ProtocolSelfType, /) -> ProtocolReturnType: ...


class MethodSyncSingleParam(Protocol[ProtocolSelfType, ProtocolParamType, ProtocolReturnType]):
    """A method with one parameter."""

    def __call__(self, self_: ProtocolSelfType, arg: ProtocolParamType, /) -> ProtocolReturnType: ...


class MethodAsyncNoParam(Protocol[ProtocolSelfType, ProtocolReturnType]):
    """An async method without a parameter."""

    def __call__(self, self_: ProtocolSelfType, /) -> Awaitable[ProtocolReturnType]: ...


class MethodAsyncSingleParam(Protocol[ProtocolSelfType, ProtocolParamType, ProtocolReturnType]):
    """An async method with one parameter."""

    def __call__(self, self_: ProtocolSelfType, arg: ProtocolParamType, /) -> Awaitable[ProtocolReturnType]: ...


class MethodSyncOrAsyncNoParam(Protocol[ProtocolSelfType, ProtocolReturnType]):
    """A method without a parameter, sync or async."""

    def __call__(self, self_: ProtocolSelfType, /) -> ProtocolReturnType | Awaitable[ProtocolReturnType]: ...


class MethodSyncOrAsyncAnyParams(Protocol[ProtocolSelfType, ProtocolReturnType]):
    """A method, sync or async, whatever its parameters."""

    def __call__(
        self, self_: ProtocolSelfType, /, *args: Any, **kwargs: Any
    ) -> ProtocolReturnType | Awaitable[ProtocolReturnType]: ...


class MethodSyncOrAsyncSingleParam(Protocol[ProtocolSelfType, ProtocolParamType, ProtocolReturnType]):
    """A method with one parameter, sync or async."""

    def __call__(
        self, self_: ProtocolSelfType, param: ProtocolParamType, /
    ) -> ProtocolReturnType | Awaitable[ProtocolReturnType]: ...
