"""What stands between exceptions and failures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from actorflow.api.failure.v1 import Failure as PublicFailure
from actorflow.converter.failure import Failure, ValueCodec, exception_from, failure_from, sealed
from actorflow.converter.failure_forms import public_failure, stored_failure
from actorflow.converter.payload import Payload, public_payload, stored_payload
from actorflow.converter.payload_converter import PayloadConverter
from actorflow.converter.values import Failures


class FailureConverter(ABC):
    """Between exceptions and failures. It runs inside workflow code, so it must always do the same."""

    default: ClassVar[FailureConverter]
    """The one that is used where none is given."""

    @abstractmethod
    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: PublicFailure) -> None:
        """Describe an exception.

        Args:
            exception: of any kind.
            payload_converter: for details.
            failure: is filled in.
        """

    @abstractmethod
    def from_failure(self, failure: PublicFailure, payload_converter: PayloadConverter) -> BaseException:
        """The exception a failure describes.

        Args:
            failure: is left as it is.
            payload_converter: for details.
        """


class DefaultFailureConverter(FailureConverter):
    """Keeps type, message, details, stack trace and causes.

    Args:
        encode_common_attributes: put message and stack trace into a payload, so that the codec sees them too.
    """

    def __init__(self, *, encode_common_attributes: bool = False) -> None:
        self.encode_common_attributes = encode_common_attributes

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: PublicFailure) -> None:
        """See `FailureConverter.to_failure`."""
        values = _Through(payload_converter)
        stored = failure_from(exception, values)
        failure.CopyFrom(public_failure(sealed(stored, values) if self.encode_common_attributes else stored))

    def from_failure(self, failure: PublicFailure, payload_converter: PayloadConverter) -> BaseException:
        """See `FailureConverter.from_failure`."""
        return exception_from(stored_failure(failure), _Through(payload_converter))


class DefaultFailureConverterWithEncodedAttributes(DefaultFailureConverter):
    """The default, with messages and stack traces in payloads: use it where a codec encrypts."""

    def __init__(self) -> None:
        super().__init__(encode_common_attributes=True)


def failures_of(converter: FailureConverter, payload_converter: PayloadConverter) -> Failures:
    """A failure converter as the engine uses it; our own ones without the detour over the public form."""
    if type(converter) in (DefaultFailureConverter, DefaultFailureConverterWithEncodedAttributes):
        is_sealed = isinstance(converter, DefaultFailureConverter) and converter.encode_common_attributes
        return _Sealed() if is_sealed else _Plain()
    return _Custom(converter, payload_converter)


class _Plain:
    """`DefaultFailureConverter`."""

    def failure(self, exception: BaseException, values: ValueCodec) -> Failure:
        return failure_from(exception, values)

    def exception(self, failure: Failure, values: ValueCodec) -> BaseException:
        return exception_from(failure, values)


class _Sealed(_Plain):
    """`DefaultFailureConverterWithEncodedAttributes`."""

    def failure(self, exception: BaseException, values: ValueCodec) -> Failure:
        return sealed(failure_from(exception, values), values)


class _Custom:
    """A failure converter of the user."""

    def __init__(self, converter: FailureConverter, payload_converter: PayloadConverter) -> None:
        self._converter = converter
        self._payload_converter = payload_converter

    def failure(self, exception: BaseException, values: ValueCodec) -> Failure:
        made = PublicFailure()
        self._converter.to_failure(exception, self._payload_converter, made)
        return stored_failure(made)

    def exception(self, failure: Failure, values: ValueCodec) -> BaseException:
        return self._converter.from_failure(public_failure(failure), self._payload_converter)


class _Through:
    """A payload converter as failures need it."""

    def __init__(self, converter: PayloadConverter) -> None:
        self._converter = converter

    def encode(self, values: Sequence[Any]) -> tuple[Payload, ...]:
        return tuple([stored_payload(payload) for payload in self._converter.to_payloads(values)])

    def decode(self, payloads: Sequence[Payload]) -> list[Any]:
        return self._converter.from_payloads([public_payload(payload) for payload in payloads])
