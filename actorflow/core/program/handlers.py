"""Signals, queries and updates of one program: who handles what, and what waits for a handler."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from actorflow.converter import DataConverter, Payload
from actorflow.core.definitions import HandlerDefinition, WorkflowDefinition
from actorflow.core.events import SignalReceived
from actorflow.core.program.errors import ReadOnlyContextError, UnknownQueryError, UnknownUpdateError
from actorflow.exceptions import PayloadError


class Handlers:
    """The handlers of one workflow object; those of the class are bound to it when first used."""

    __slots__ = ("_buffered", "_definition", "_own_queries", "_own_signals", "_own_updates")

    def __init__(self, definition: WorkflowDefinition) -> None:
        self._definition = definition
        self._own_signals: dict[str, HandlerDefinition] | None = None
        self._own_queries: dict[str, HandlerDefinition] | None = None
        self._own_updates: dict[str, HandlerDefinition] | None = None
        self._buffered: dict[str, list[SignalReceived]] | None = None

    def signal(self, name: str, instance: object) -> tuple[HandlerDefinition, Callable[..., Any]] | None:
        """The handler of a signal and how to call it, or None."""
        return _resolve(name, instance, self._own_signals, self._definition.signals)

    def query(self, name: str, instance: object) -> tuple[HandlerDefinition, Callable[..., Any]]:
        """The handler of a query and how to call it.

        Raises:
            UnknownQueryError: there is none (it says which there are).
        """
        found = _resolve(name, instance, self._own_queries, self._definition.queries)
        if found is None:
            known = sorted({*self._definition.queries, *(self._own_queries or ())})
            raise UnknownQueryError(
                f"Query handler for {name!r} expected but not found; known queries: [{' '.join(known)}]"
            )
        return found

    def update(self, name: str, instance: object) -> tuple[HandlerDefinition, Callable[..., Any]]:
        """The handler of an update and how to call it.

        Raises:
            UnknownUpdateError: there is none (it says which there are).
        """
        found = _resolve(name, instance, self._own_updates, self._definition.updates)
        if found is None:
            known = sorted({*self._definition.updates, *(self._own_updates or ())})
            raise UnknownUpdateError(
                f"Update handler for {name!r} expected but not found; known updates: [{' '.join(known)}]"
            )
        return found

    def is_of_class(self, handler: HandlerDefinition) -> bool:
        """True if the handler belongs to the class, whose type hints count; one set at run time takes plain values."""
        return self._definition.updates.get(handler.name) is handler

    def buffer(self, signal: SignalReceived) -> None:
        """Keep a signal until its handler is set."""
        if self._buffered is None:
            self._buffered = {}
        self._buffered.setdefault(signal.name, []).append(signal)

    def set_signal(self, name: str, handler: Callable[..., Any] | None) -> Sequence[SignalReceived]:
        """Set (or with None remove) a handler at run time; returns the signals that waited for it, in order."""
        self._own_signals = _with(self._own_signals, name, handler)
        return () if handler is None or self._buffered is None else self._buffered.pop(name, ())

    def set_query(self, name: str, handler: Callable[..., Any] | None) -> None:
        """Set (or with None remove) a handler at run time."""
        self._own_queries = _with(self._own_queries, name, handler)

    def set_update(self, name: str, handler: Callable[..., Any] | None, validator: Callable[..., Any] | None) -> None:
        """Set (or with None remove) an update handler at run time."""
        self._own_updates = _with(self._own_updates, name, handler, validator)


def decoded_arguments(
    handler: HandlerDefinition, *, is_bound: bool, payloads: Sequence[Payload], converter: DataConverter
) -> list[Any]:
    """Arguments for a handler.

    Raises:
        PayloadError: they don't fit its parameters.
    """
    signature = handler.signature
    types = signature.types if is_bound else [Any] * len(payloads)
    if is_bound and not signature.accepts(len(payloads)):
        raise PayloadError(f"{handler.name!r} takes {len(signature.names)} arguments, but {len(payloads)} were sent")
    return converter.decode(payloads, types)


def _with(
    handlers: dict[str, HandlerDefinition] | None,
    name: str,
    handler: Callable[..., Any] | None,
    validator: Callable[..., Any] | None = None,
) -> dict[str, HandlerDefinition]:
    changed = dict(handlers or {})
    changed.pop(name, None)
    if handler is not None:
        changed[name] = HandlerDefinition(name, handler, validator)
    return changed


def _resolve(
    name: str,
    instance: object,
    own: dict[str, HandlerDefinition] | None,
    of_class: Any,
) -> tuple[HandlerDefinition, Callable[..., Any]] | None:
    if own is not None and name in own:
        return own[name], own[name].function
    definition = of_class.get(name)
    if definition is None:
        return None
    return definition, definition.function.__get__(instance)


def call_at_once(function: Callable[..., Any], arguments: Sequence[Any]) -> Any:
    """Call a handler that must not wait; an ``async def`` is accepted as long as it never really awaits."""
    outcome = function(*arguments)
    if not asyncio.iscoroutine(outcome):
        return outcome
    try:
        outcome.send(None)
    except StopIteration as finished:
        return finished.value
    outcome.close()
    raise ReadOnlyContextError("can't wait in a query; return what is known now")
