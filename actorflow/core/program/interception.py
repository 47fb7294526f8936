"""What may stand between a program and its code, if the worker has interceptors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from actorflow.converter import Payload

Sent = Mapping[str, Payload] | None
"""Headers as they came."""


class Interception(Protocol):
    """The interceptors of one run, made inside its loop before its workflow object.

    Each method gives what a program calls in place of its code, with the arguments it has decoded.
    """

    @property
    def outbound(self) -> Any:
        """What `actorflow.workflow` asks in place of the program, see `actorflow.workflow.interceptor`."""
        ...

    @property
    def extern_functions(self) -> Mapping[str, Callable[..., Any]]:
        """Functions from outside that interceptors want to call, by name."""
        ...

    def around_run(self, cls: type, run: Callable[..., Any], headers: Sent) -> Callable[..., Any]:
        """Called with the workflow object and the arguments; gives the result, awaitable."""
        ...

    def around_signal(self, name: str, headers: Sent, *, is_dynamic: bool) -> Callable[..., Any]:
        """Called with the handler's arguments; awaitable."""
        ...

    def around_query(self, name: str, headers: Sent, *, is_dynamic: bool) -> Callable[..., Any]:
        """The same; gives the answer without ever waiting."""
        ...

    def around_validator(self, update_id: str, name: str, headers: Sent, *, is_dynamic: bool) -> Callable[..., Any]:
        """The same, for the validator of an update, whether it has one or not; not awaitable."""
        ...

    def around_update(self, update_id: str, name: str, headers: Sent, *, is_dynamic: bool) -> Callable[..., Any]:
        """The same; gives the update's result, awaitable."""
        ...
