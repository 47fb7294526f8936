"""The three parts of what stands between a program's values and what is stored, as a client is given them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from actorflow.api.common.v1 import Payload, Payloads
from actorflow.api.failure.v1 import Failure
from actorflow.converter.carriers import payloads_of, with_payloads
from actorflow.converter.codec import Coder, PayloadCodec
from actorflow.converter.custom import CustomValueConverter
from actorflow.converter.encodings import DefaultPayloadConverter
from actorflow.converter.failure_converter import DefaultFailureConverter, FailureConverter, failures_of
from actorflow.converter.failure_forms import public_failure, stored_failure
from actorflow.converter.payload import public_payload, stored_payload
from actorflow.converter.payload_converter import PayloadConverter
from actorflow.converter.values import ValueConverter


@dataclass(frozen=True)
class DataConverter:
    """Converts values to payloads, payloads to what is stored, and exceptions to failures; and back.

    Change one part with ``dataclasses.replace(DataConverter.default, payload_codec=MyCodec())``.

    Args:
        payload_converter_class: made without arguments; runs inside workflow code.
        payload_codec: encrypts or compresses; runs outside of it.
        failure_converter_class: made without arguments; runs inside workflow code.

    Attributes:
        payload_converter: an instance of its class.
        failure_converter: an instance of its class.
        values: both, as the engine uses them.
        coder: the codec, as the engine uses it.
    """

    payload_converter_class: type[PayloadConverter] = DefaultPayloadConverter
    payload_codec: PayloadCodec | None = None
    failure_converter_class: type[FailureConverter] = DefaultFailureConverter
    payload_converter: PayloadConverter = dataclasses.field(init=False)
    failure_converter: FailureConverter = dataclasses.field(init=False)
    values: ValueConverter = dataclasses.field(init=False, repr=False, compare=False)
    coder: Coder | None = dataclasses.field(init=False, repr=False, compare=False)
    default: ClassVar[DataConverter]

    def __post_init__(self) -> None:
        payload_converter = self.payload_converter_class()
        failure_converter = self.failure_converter_class()
        # The default is not asked over its public form: the journal's form and the types are at hand.
        is_default = self.payload_converter_class is DefaultPayloadConverter
        make = ValueConverter if is_default else CustomValueConverter
        object.__setattr__(self, "payload_converter", payload_converter)
        object.__setattr__(self, "failure_converter", failure_converter)
        failures = failures_of(failure_converter, payload_converter)
        object.__setattr__(self, "values", make(payload_converter, failures))
        object.__setattr__(self, "coder", None if self.payload_codec is None else Coder(self.payload_codec))

    async def encode(self, values: Sequence[Any]) -> list[Payload]:
        """Values as they are stored, one payload for each.

        Raises:
            PayloadError: a value has no encoding.
        """
        payloads = self.payload_converter.to_payloads(values)
        return payloads if self.payload_codec is None else await self.payload_codec.encode(payloads)

    async def decode(self, payloads: Sequence[Payload], type_hints: Sequence[Any] | None = None) -> list[Any]:
        """The values of stored payloads, as the types that are hinted at.

        Raises:
            PayloadError: a payload does not fit.
        """
        if self.payload_codec is not None:
            payloads = await self.payload_codec.decode(payloads)
        return self.payload_converter.from_payloads(payloads, type_hints)

    async def encode_wrapper(self, values: Sequence[Any]) -> Payloads:
        """`encode`, in one message."""
        return Payloads(payloads=await self.encode(values))

    async def decode_wrapper(self, payloads: Payloads | None, type_hints: Sequence[Any] | None = None) -> list[Any]:
        """`decode` of a message, or of none."""
        return [] if payloads is None or not payloads.payloads else await self.decode(payloads.payloads, type_hints)

    async def encode_failure(self, exception: BaseException, failure: Failure) -> None:
        """Describe an exception as it is stored.

        Args:
            exception: of any kind.
            failure: is filled in.
        """
        self.failure_converter.to_failure(exception, self.payload_converter, failure)
        stored = stored_failure(failure)
        held = [public_payload(payload) for payload in payloads_of(stored)]
        if self.payload_codec is not None and held:
            encoded = await self.payload_codec.encode(held)
            failure.CopyFrom(public_failure(with_payloads(stored, [stored_payload(payload) for payload in encoded])))

    async def decode_failure(self, failure: Failure) -> BaseException:
        """The exception that a stored failure describes.

        Raises:
            PayloadError: its details do not fit.
        """
        stored = stored_failure(failure)
        held = [public_payload(payload) for payload in payloads_of(stored)]
        if self.payload_codec is not None and held:
            decoded = await self.payload_codec.decode(held)
            stored = with_payloads(stored, [stored_payload(payload) for payload in decoded])
        return self.failure_converter.from_failure(public_failure(stored), self.payload_converter)


PayloadConverter.default = DefaultPayloadConverter()
FailureConverter.default = DefaultFailureConverter()
DataConverter.default = DataConverter()


def default() -> DataConverter:
    """The data converter that is used where none is given."""
    return DataConverter.default
