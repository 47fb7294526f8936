"""A client's values on their way to one workflow and back: through converter and codec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from actorflow.converter import (
    DataConverter,
    Failure,
    Payload,
    PayloadConverter,
    WorkflowSerializationContext,
    payloads_of,
    with_payloads,
)
from actorflow.exceptions import ApplicationError, CodecError, FailureError, PayloadError
from actorflow.workflow.arguments import UNSET

T = TypeVar("T")


class WorkflowData:
    """See the module's head.

    Args:
        converter: of the client.
        namespace: of the workflow.
        workflow_id: of the workflow.
    """

    __slots__ = ("_coder", "_namespace", "_workflow_id", "converter", "values")

    def __init__(self, converter: DataConverter, namespace: str, workflow_id: str) -> None:
        self.converter = converter
        self.values = converter.values
        self._coder = converter.coder
        self._namespace = namespace
        self._workflow_id = workflow_id

    @property
    def _context(self) -> WorkflowSerializationContext:
        return WorkflowSerializationContext.of(self._namespace, self._workflow_id)

    async def encode(self, values: Sequence[Any]) -> tuple[Payload, ...]:
        """Values as they are stored.

        Raises:
            PayloadError: a value has no encoding.
            CodecError: the codec can't encode now.
        """
        return await self.closed(self.values.encode(values))

    async def closed(self, carrier: T) -> T:
        """What is asked of the service as the codec encodes it.

        Raises:
            CodecError: the codec can't encode now.
        """
        if self._coder is None or not (payloads := payloads_of(carrier)):
            return carrier
        return with_payloads(carrier, await self._coder.encode(payloads, self._context))

    async def opened(self, carrier: T) -> T:
        """An answer of the service as the codec decodes it.

        Raises:
            CodecError: the codec can't decode it.
        """
        if self._coder is None:
            return carrier
        return with_payloads(carrier, await self._coder.decode(payloads_of(carrier), self._context))

    async def opened_if_possible(self, carrier: T) -> T:
        """The same for what is told without a key, too, if less of it then."""
        try:
            return await self.opened(carrier)
        except CodecError:
            return carrier

    async def memo(self, stored: Mapping[str, Payload]) -> Mapping[str, Any]:
        """A memo as plain values.

        Raises:
            PayloadError, CodecError: a value can't be decoded.
        """
        opened = await self.opened(stored)
        return {name: self.values.decode_one(payload) for name, payload in opened.items()}

    async def memo_value(
        self, stored: Mapping[str, Payload], key: str, default: Any = UNSET, *, type_hint: Any = None
    ) -> Any:
        """One value of a memo.

        Args:
            stored: the memo.
            key: name of the value.
            default: what to return if there is none.
            type_hint: what to decode it as; plain values by default.

        Raises:
            KeyError: there is none, and no default.
            PayloadError, CodecError: it can't be decoded as that.
        """
        if key in stored:
            return self.values.decode_one(await self.opened(stored[key]), Any if type_hint is None else type_hint)
        if default is UNSET:
            raise KeyError(f"Memo does not have a value for key {key}")
        return default

    def explained(self, failure: Failure) -> FailureError:
        """The exception a failure describes; one whose details can't be decoded here has none."""
        try:
            return self.values.exception(failure)
        except PayloadError as problem:
            error = ApplicationError(failure.message, type=failure.type or None)
            error.add_note(f"Its details can't be shown: {problem}")
            return error


def check_converter(given: object) -> None:
    """Refuse a data converter that is none; None is the default one.

    Raises:
        TypeError: see above; it says what to pass.
    """
    if given is None or isinstance(given, DataConverter):
        return
    named = f"the class {given.__qualname__}" if isinstance(given, type) else repr(given)
    match given:
        case type() if issubclass(given, DataConverter):
            remedy = "pass an instance, such as DataConverter.default"
        case type() if issubclass(given, PayloadConverter):
            remedy = f"pass DataConverter(payload_converter_class={given.__qualname__})"
        case PayloadConverter():
            remedy = f"pass DataConverter(payload_converter_class={type(given).__qualname__})"
        case _:
            remedy = "pass one, such as DataConverter.default"
    raise TypeError(f"data_converter must be a DataConverter, not {named}; {remedy}")
