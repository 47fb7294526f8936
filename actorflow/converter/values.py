"""Between values and payloads as the engine needs it: at once, and never raising what nobody expects.

The journal is read by people and by other programs, so everything that has a JSON form is stored as JSON; bytes are
the one exception.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

import msgspec

from actorflow import exceptions as errors
from actorflow.common import RawValue
from actorflow.converter.failure import Failure, ValueCodec, text_of
from actorflow.converter.failure_size import fitting
from actorflow.converter.json_values import check_size, decode_json, encode_json
from actorflow.converter.payload import Payload, public_payload, stored_payload
from actorflow.converter.payload_converter import PayloadConverter
from actorflow.converter.protobuf import PROTOBUF_ENCODINGS, is_message, message_from, message_payload

_NULL: Final = Payload(json=msgspec.Raw(b"null"))
_BINARY: Final = {"encoding": "binary/plain"}


class Failures(Protocol):
    """Between exceptions and failures as they are stored."""

    def failure(self, exception: BaseException, values: ValueCodec) -> Failure:
        """An exception with its causes, as data."""
        ...

    def exception(self, failure: Failure, values: ValueCodec) -> BaseException:
        """The exception a failure describes, with its causes."""
        ...


class ValueConverter:
    """Encodes arguments and results, and decodes them into the types the code declares.

    Args:
        payload_converter: the same, for code that decodes raw values itself.
        failures: the same for exceptions.
    """

    def __init__(self, payload_converter: PayloadConverter, failures: Failures) -> None:
        self.payload_converter = payload_converter
        self._failures = failures

    def encode(self, values: Sequence[Any]) -> tuple[Payload, ...]:
        """One payload for each value.

        Raises:
            PayloadError: a value has no encoding (it says which and why), or is over the size limit.
        """
        if len(values) == 1:
            return (self.encode_one(values[0]),)
        return tuple([self.encode_one(value) for value in values])

    def encode_one(self, value: Any) -> Payload:
        """The payload of one value; see `encode`."""
        if value is None:
            return _NULL
        if isinstance(value, bytes | bytearray | RawValue):
            return _encode_plain(value)
        try:
            return Payload(json=msgspec.Raw(encode_json(value)))
        except errors.PayloadError:
            if not is_message(value):
                raise
        return _checked(value, stored_payload(message_payload(value)))

    def decode(self, payloads: Sequence[Payload], types: Sequence[Any] | None = None) -> list[Any]:
        """One value for each payload, as the declared type where there is one.

        Raises:
            PayloadError: a payload does not fit its type, or has an encoding that is not known here.
        """
        if len(payloads) == 1:
            return [self.decode_one(payloads[0], types[0] if types else Any)]
        if not types:
            return [self.decode_one(payload) for payload in payloads]
        known = len(types)
        return [
            self.decode_one(payload, types[index] if index < known else Any) for index, payload in enumerate(payloads)
        ]

    def decode_one(self, payload: Payload, type_hint: Any = Any) -> Any:
        """The value of one payload; see `decode`."""
        if type_hint is RawValue:
            return RawValue(public_payload(payload))
        if payload.data is not None or payload.metadata is not None:
            return self._decode_other(payload, type_hint)
        return decode_json(payload.json, type_hint)

    def _decode_other(self, payload: Payload, type_hint: Any) -> Any:
        """What is not plain JSON, or has metadata."""
        encoding = payload.encoding
        if encoding == "binary/plain":
            return payload.data
        if encoding == "binary/null":
            return None
        if encoding in PROTOBUF_ENCODINGS:
            return message_from(public_payload(payload), type_hint)
        if encoding != "json/plain":
            raise errors.UnknownEncodingError(encoding)
        return decode_json(payload.json if payload.data is None else payload.data, type_hint)

    def failure(self, exception: BaseException) -> Failure:
        """An exception with its causes, as data. It never raises: what can't be kept is left out."""
        try:
            return fitting(self._failures.failure(exception, self))
        except errors.PayloadError:
            pass
        except Exception:
            return _bare_failure(exception)
        try:
            return fitting(self._failures.failure(exception, _Names(self)))
        except Exception:
            return _bare_failure(exception)

    def exception(self, failure: Failure) -> errors.FailureError:
        """The exception a failure describes, with its causes.

        Raises:
            PayloadError: its details can't be decoded, or the failure converter can't make an exception of it.
        """
        try:
            exception = self._failures.exception(failure, self)
        except errors.PayloadError:
            raise
        except Exception as problem:  # whatever a foreign converter raises
            raise errors.PayloadError(
                f"the failure converter raised {type(problem).__name__}: {problem} for the failure "
                f"{failure.message!r}; mend its from_failure"
            ) from problem
        if isinstance(exception, errors.FailureError):
            return exception
        # A converter of the user may rebuild exceptions of its own; what waits for one knows failures only.
        wrapped = errors.ApplicationError(text_of(exception), type=type(exception).__name__)
        wrapped.__cause__ = exception
        return wrapped


def _bare_failure(exception: BaseException) -> Failure:
    """What can be said of an exception whose attributes are not what their types say."""
    return Failure(message=text_of(exception), type=type(exception).__name__)


class _Names:
    """Encodes what can be encoded and the `repr` of the rest: a failure must never be lost over its details."""

    def __init__(self, converter: ValueConverter) -> None:
        self._converter = converter

    def encode(self, values: Sequence[Any]) -> tuple[Payload, ...]:
        return tuple(self._encode_one(value) for value in values)

    def _encode_one(self, value: Any) -> Payload:
        try:
            return self._converter.encode_one(value)
        except errors.PayloadError as problem:
            return self._converter.encode_one(f"<not stored: {problem}>"[:1000])

    def decode(self, payloads: Sequence[Payload]) -> list[Any]:
        return self._converter.decode(payloads)


def _encode_plain(value: bytes | bytearray | RawValue) -> Payload:
    """What needs no encoding."""
    if isinstance(value, RawValue):
        return _checked(value, stored_payload(value.payload))
    return _checked(value, Payload(data=bytes(value), metadata=_BINARY))


def _checked(value: object, payload: Payload) -> Payload:
    check_size(value, payload.size)
    return payload
