"""Signals, queries and updates of one program: who handles what, and what waits for a handler."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from actorflow.common import RawValue
from actorflow.converter import Payload, ValueConverter
from actorflow.core.definitions import DYNAMIC, HandlerDefinition, WorkflowDefinition, signature_of
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

    def validator(self, name: str, instance: object) -> Callable[..., Any] | None:
        """The validator of an update and how to call it; None if it has none. Raises as `update`."""
        handler, _ = self.update(name, instance)
        if handler.validator is None or not self.is_of_class(handler):
            return handler.validator
        return handler.validator.__get__(instance)

    def known(self, kind: str) -> Mapping[str, HandlerDefinition]:
        """Every handler there is now by its name (a dynamic one's is empty), for a kind: signal, query or update."""
        own, of_class = self._of_kind(kind)
        return {**of_class, **(own or {})}

    def one(self, kind: str, name: str, instance: object) -> Callable[..., Any] | None:
        """The handler of exactly that name, bound to the object if it belongs to the class; None if there is none."""
        own, of_class = self._of_kind(kind)
        if own is not None and name in own:
            return own[name].function
        definition = of_class.get(name)
        return None if definition is None else definition.function.__get__(instance)

    def _of_kind(self, kind: str) -> tuple[Mapping[str, HandlerDefinition] | None, Mapping[str, HandlerDefinition]]:
        match kind:
            case "signal":
                return self._own_signals, self._definition.signals
            case "query":
                return self._own_queries, self._definition.queries
            case _:
                return self._own_updates, self._definition.updates

    def is_of_class(self, handler: HandlerDefinition) -> bool:
        """True if the handler belongs to the class, whose type hints count; one set at run time takes plain values."""
        of_class = (self._definition.signals, self._definition.queries, self._definition.updates)
        return any(handlers.get(handler.name) is handler for handlers in of_class)

    def buffer(self, signal: SignalReceived) -> None:
        """Keep a signal until its handler is set."""
        if self._buffered is None:
            self._buffered = {}
        self._buffered.setdefault(signal.name, []).append(signal)

    def set_signal(self, name: str, handler: Callable[..., Any] | None) -> Sequence[SignalReceived]:
        """Set (or with None remove) a handler at run time; returns the signals that waited for it, in order."""
        self._own_signals = _with(self._own_signals, name, handler)
        if handler is None or self._buffered is None:
            return ()
        if name != DYNAMIC:
            return self._buffered.pop(name, ())
        waiting, self._buffered = self._buffered, None
        return [signal for of_name in waiting.values() for signal in of_name]

    def set_query(self, name: str, handler: Callable[..., Any] | None) -> None:
        """Set (or with None remove) a handler at run time."""
        self._own_queries = _with(self._own_queries, name, handler)

    def set_update(self, name: str, handler: Callable[..., Any] | None, validator: Callable[..., Any] | None) -> None:
        """Set (or with None remove) an update handler at run time."""
        self._own_updates = _with(self._own_updates, name, handler, validator)


def decoded_arguments(
    handler: HandlerDefinition, name: str, *, is_bound: bool, payloads: Sequence[Payload], converter: ValueConverter
) -> list[Any]:
    """Arguments for a handler.

    Args:
        handler: to be called.
        name: it was called by.
        is_bound: whether the handler belongs to the class, whose type hints count.
        payloads: what was sent.
        converter: decodes them.

    Raises:
        PayloadError: they don't fit its parameters.
    """
    if handler.is_dynamic:
        signature = signature_of(handler.function, skip_self=is_bound)
        if signature.is_variadic:  # the older form, (name, *args)
            return [name, *converter.decode(payloads)]
        return [name, converter.decode(payloads, [RawValue] * len(payloads))]
    if not is_bound:
        return converter.decode(payloads)
    signature = handler.signature
    if not signature.accepts(len(payloads)):
        raise PayloadError(f"{handler.name!r} takes {len(signature.names)} arguments, but {len(payloads)} were sent")
    return converter.decode(payloads, signature.types)


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
    own: Mapping[str, HandlerDefinition] | None,
    of_class: Mapping[str, HandlerDefinition],
) -> tuple[HandlerDefinition, Callable[..., Any]] | None:
    """A handler of that name, else a dynamic one; those set at run time come before those of the class."""
    for wanted in (name, DYNAMIC):
        if own is not None and wanted in own:
            return own[wanted], own[wanted].function
        definition = of_class.get(wanted)
        if definition is not None:
            return definition, definition.function.__get__(instance)
    return None


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
