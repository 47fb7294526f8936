"""The workflow object of a program, and what is called in it: with decoded arguments, past the interceptors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from actorflow.common import RawValue
from actorflow.converter import Payload, ValueConverter
from actorflow.core import events as ev
from actorflow.core.definitions import HandlerDefinition, WorkflowDefinition
from actorflow.core.program.handlers import Handlers, decoded_arguments
from actorflow.core.program.interception import Interception
from actorflow.exceptions import PayloadError

Call = tuple[HandlerDefinition, Callable[..., Any], Sequence[Any]]
"""A handler, and what to call with which arguments to have it run."""


class WorkflowObject:
    """See the module's head.

    Args:
        definition: its class.
        started: what it is made of.
        converter: for arguments.

    Attributes:
        instance: the object; None before `build`.
        interception: the interceptors of the run, if there are any.
    """

    __slots__ = ("_converter", "_definition", "_handlers", "_started", "instance", "interception")

    def __init__(self, definition: WorkflowDefinition, started: ev.Started, converter: ValueConverter) -> None:
        self._definition = definition
        self._started = started
        self._converter = converter
        self._handlers: Handlers | None = None
        self.instance: Any = None
        self.interception: Interception | None = None

    @property
    def handlers(self) -> Handlers:
        """Those it has now."""
        if self._handlers is None:  # most programs are never sent anything
            self._handlers = Handlers(self._definition)
        return self._handlers

    def build(self) -> None:
        """Make the object; inside the loop, so that its ``__init__`` may create queues and events.

        Raises:
            PayloadError: it takes the workflow's arguments, and they don't fit.
        """
        definition = self._definition
        if definition.intercepts is not None:
            self.interception = definition.intercepts()
        cls: Any = definition.cls
        self.instance = cls(*self._run_arguments()) if definition.has_init else cls()

    def run(self) -> Awaitable[Any]:
        """Call the ``run`` method.

        Raises:
            PayloadError: the workflow's arguments don't fit.
        """
        arguments = self._run_arguments()
        run = self._definition.run
        if self.interception is not None:
            options = self._started.options
            run = self.interception.around_run(self._definition.cls, run, None if options is None else options.headers)
        return run(self.instance, *arguments)

    def on_signal(self, signal: ev.SignalReceived) -> Call | None:
        """What a signal calls, or None if nothing handles it.

        Raises:
            PayloadError: its arguments don't fit.
        """
        found = self.handlers.signal(signal.name, self.instance)
        if found is None:
            return None
        handler, function = found
        arguments = self._arguments(handler, signal.name, signal.input)
        if self.interception is not None:
            function = self.interception.around_signal(signal.name, signal.headers, is_dynamic=handler.is_dynamic)
        return handler, function, arguments

    def on_update(self, accepted: ev.UpdateAccepted) -> Call:
        """What an update calls.

        Raises:
            UnknownUpdateError: nothing handles it.
            PayloadError: its arguments don't fit.
        """
        handler, function = self.handlers.update(accepted.name, self.instance)
        arguments = self._arguments(handler, accepted.name, accepted.input)
        if self.interception is not None:
            function = self.interception.around_update(
                accepted.update_id, accepted.name, accepted.headers, is_dynamic=handler.is_dynamic
            )
        return handler, function, arguments

    def before_update(self, request: ev.UpdateRequested) -> Call | None:
        """What may turn an update away, or None if nothing does. Raises as `on_update`."""
        handler, _ = self.handlers.update(request.name, self.instance)
        arguments = self._arguments(handler, request.name, request.input)
        validator = self.validator(request.name)
        if self.interception is not None:
            validator = self.interception.around_validator(
                request.update_id, request.name, request.headers, is_dynamic=handler.is_dynamic
            )
        return None if validator is None else (handler, validator, arguments)

    def on_query(self, name: str, payloads: Sequence[Any], headers: Mapping[str, Payload] | None) -> Call:
        """What a query calls.

        Raises:
            UnknownQueryError: nothing handles it.
            PayloadError: its arguments don't fit.
        """
        handler, function = self.handlers.query(name, self.instance)
        arguments = self._arguments(handler, name, payloads)
        if self.interception is not None:
            function = self.interception.around_query(name, headers, is_dynamic=handler.is_dynamic)
        return handler, function, arguments

    def validator(self, name: str) -> Callable[..., Any] | None:
        """What may reject an update of that name, called with its arguments; None if nothing does.

        Raises:
            UnknownUpdateError: there is no such update.
        """
        return self.handlers.validator(name, self.instance)

    def handler(self, kind: str, name: str) -> Callable[..., Any] | None:
        """The handler of exactly that name, for a kind: signal, query or update; None if there is none."""
        return self.handlers.one(kind, name, self.instance)

    def _run_arguments(self) -> list[Any]:
        signature, payloads = self._definition.signature, self._started.input
        if self._definition.is_dynamic:
            return [self._converter.decode(payloads, [RawValue] * len(payloads))]
        if not signature.accepts(len(payloads)):
            raise PayloadError(
                f"workflow {self._definition.name!r} takes {len(signature.names)} arguments "
                f"({signature.required} required), but was started with {len(payloads)}"
            )
        return self._converter.decode(payloads, signature.types)

    def _arguments(self, handler: HandlerDefinition, name: str, payloads: Sequence[Any]) -> list[Any]:
        is_bound = self.handlers.is_of_class(handler)
        return decoded_arguments(handler, name, is_bound=is_bound, payloads=payloads, converter=self._converter)
