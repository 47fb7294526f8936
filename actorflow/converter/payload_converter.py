"""What stands between values and payloads: one converter for everything, made of several for one encoding each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from actorflow.api.common.v1 import Payload, Payloads
from actorflow.common import RawValue
from actorflow.exceptions import PayloadError, UnknownEncodingError


class PayloadConverter(ABC):
    """Between values and payloads. It runs inside workflow code: the same value must always give the same payload."""

    default: ClassVar[PayloadConverter]
    """The one that is used where none is given."""

    @abstractmethod
    def to_payloads(self, values: Sequence[Any]) -> list[Payload]:
        """One payload for each value.

        Raises:
            PayloadError: a value has no encoding.
        """

    @abstractmethod
    def from_payloads(self, payloads: Sequence[Payload], type_hints: Sequence[Any] | None = None) -> list[Any]:
        """One value for each payload, as the type that is hinted at (there may be fewer hints).

        Raises:
            PayloadError: a payload does not fit.
        """

    def to_payloads_wrapper(self, values: Sequence[Any]) -> Payloads:
        """`to_payloads`, in one message."""
        return Payloads(payloads=self.to_payloads(values))

    def from_payloads_wrapper(self, payloads: Payloads | None) -> list[Any]:
        """`from_payloads` of a message, or of none."""
        return [] if payloads is None or not payloads.payloads else self.from_payloads(payloads.payloads)

    def to_payload(self, value: Any) -> Payload:
        """The payload of one value; raises as `to_payloads`."""
        return self.to_payloads([value])[0]

    def from_payload(self, payload: Payload, type_hint: Any = None) -> Any:
        """The value of one payload; raises as `from_payloads`."""
        return self.from_payloads([payload], None if type_hint is None else [type_hint])[0]


class EncodingPayloadConverter(ABC):
    """Between values and payloads of one encoding."""

    @property
    @abstractmethod
    def encoding(self) -> str:
        """What ``metadata["encoding"]`` of its payloads says."""

    @abstractmethod
    def to_payload(self, value: Any) -> Payload | None:
        """The payload of a value; None leaves the value to the next converter."""

    @abstractmethod
    def from_payload(self, payload: Payload, type_hint: Any = None) -> Any:
        """The value of a payload with this encoding.

        Raises:
            Exception: it does not fit.
        """


class CompositePayloadConverter(PayloadConverter):
    """Asks several converters, in order, who takes a value; a payload goes to the one its encoding names.

    Args:
        converters: for one encoding each.
    """

    def __init__(self, *converters: EncodingPayloadConverter) -> None:
        self.converters = {converter.encoding.encode(): converter for converter in converters}
        self._in_order = converters

    def to_payloads(self, values: Sequence[Any]) -> list[Payload]:
        """See `PayloadConverter.to_payloads`."""
        return [self._to_payload(value) for value in values]

    def _to_payload(self, value: Any) -> Payload:
        if isinstance(value, RawValue):
            return value.payload
        for converter in self._in_order:
            payload = converter.to_payload(value)
            if payload is not None:
                return payload
        known = ", ".join([converter.encoding for converter in self._in_order])
        raise PayloadError(
            f"no converter takes a value of type {type(value).__qualname__} (asked: {known}); pass another type, or "
            "add an EncodingPayloadConverter for it"
        )

    def from_payloads(self, payloads: Sequence[Payload], type_hints: Sequence[Any] | None = None) -> list[Any]:
        """See `PayloadConverter.from_payloads`."""
        hints = type_hints or ()
        return [
            self._from_payload(payload, hints[index] if index < len(hints) else None)
            for index, payload in enumerate(payloads)
        ]

    def _from_payload(self, payload: Payload, type_hint: Any) -> Any:
        if type_hint is RawValue:
            return RawValue(payload)
        encoding = payload.metadata.get("encoding", b"<unknown>")
        converter = self.converters.get(encoding)
        if converter is None:
            raise UnknownEncodingError(encoding.decode("utf-8", "replace"))
        return converter.from_payload(payload, type_hint)
