"""The default data converter: JSON by declared type hints, through msgspec.

The journal is read by people and by other programs, so everything that has a JSON form is stored as JSON; bytes are
the one exception. What msgspec would write in a way that can't be read back (NaN as null) is refused.
"""

from __future__ import annotations

import math
import typing
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, cast

import msgspec

from actorflow import exceptions as errors
from actorflow.common import RawValue
from actorflow.converter.defaults import completion_of
from actorflow.converter.failure import Failure, exception_from, failure_from, text_of
from actorflow.converter.payload import Payload

PAYLOAD_BYTES_MAX: Final = 2 * 1024 * 1024

_encode_json = msgspec.json.Encoder(decimal_format="string").encode
_NULL: Final = Payload(json=msgspec.Raw(b"null"))
_BINARY: Final = {"encoding": "binary/plain"}
_ANY_DECODER: Final = msgspec.json.Decoder()


class PayloadConverter:
    """Between values and payloads. Names follow the Temporal Python SDK.

    Args:
        converter: does the work.
    """

    def __init__(self, converter: DataConverter) -> None:
        self._converter = converter

    def to_payload(self, value: Any) -> Payload:
        """The payload of one value.

        Raises:
            PayloadError: it has no encoding.
        """
        return self._converter.encode_one(value)

    def to_payloads(self, values: Sequence[Any]) -> list[Payload]:
        """One payload for each value; raises as `to_payload`."""
        return [self.to_payload(value) for value in values]

    def from_payload(self, payload: Payload, type_hint: Any = None) -> Any:
        """The value of one payload, as the type that is hinted at.

        Raises:
            PayloadError: it does not fit.
        """
        return self._converter.decode_one(payload, Any if type_hint is None else type_hint)

    def from_payloads(self, payloads: Sequence[Payload], type_hints: Sequence[Any] | None = None) -> list[Any]:
        """One value for each payload; raises as `from_payload`."""
        return self._converter.decode(payloads, type_hints)


class DataConverter:
    """Encodes arguments and results, and decodes them into the types the code declares."""

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
            text = _encode_json(value)
        except Exception as problem:  # user types may raise anything on their way
            raise errors.PayloadError(_encode_advice(value, problem)) from problem
        if (b"null" in text or b'nan":' in text or b'inf":' in text) and _holds_nan(value):
            raise errors.PayloadError(
                f"{_shown(value)} holds NaN or an infinite number, which JSON can't say; use None or text instead"
            )
        _check_size(value, len(text))
        return Payload(json=msgspec.Raw(text))

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
            return RawValue(payload)
        if payload.data is not None:
            return _decode_bytes(payload)
        try:
            value = _decoder(type_hint).decode(payload.json)
            complete = None if type_hint is Any else completion_of(type_hint)
            return value if complete is None else complete(value)
        except errors.PayloadError:
            raise
        except Exception as problem:  # such as a __post_init__ that raises
            shown = bytes(payload.json)[:80].decode("utf-8", "replace")
            raise errors.PayloadError(f"can't read {shown!r} as {_name_of(type_hint)}: {problem}") from problem

    @property
    def payload_converter(self) -> PayloadConverter:
        """Between values and payloads, one by one; for code that decodes raw values itself."""
        return PayloadConverter(self)

    def failure(self, exception: BaseException) -> Failure:
        """An exception with its causes, as data. It never raises: what can't be kept of the exception is left out."""
        try:
            return failure_from(exception, self)
        except errors.PayloadError:
            pass
        except Exception:
            return _bare_failure(exception)
        try:
            return failure_from(exception, _Names(self))
        except Exception:
            return _bare_failure(exception)

    def exception(self, failure: Failure) -> errors.FailureError:
        """The exception a failure describes, with its causes."""
        return exception_from(failure, self)


def _bare_failure(exception: BaseException) -> Failure:
    """What can be said of an exception whose attributes are not what their types say."""
    return Failure(message=text_of(exception), type=type(exception).__name__)


class _Names:
    """Encodes what can be encoded and the `repr` of the rest: a failure must never be lost over its details."""

    def __init__(self, converter: DataConverter) -> None:
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


default: Final = DataConverter()
"""The converter used where none is given."""


@lru_cache(maxsize=4096)
def _cached_decoder(type_hint: Any) -> msgspec.json.Decoder[Any]:
    return _new_decoder(type_hint)


def _new_decoder(type_hint: Any) -> msgspec.json.Decoder[Any]:
    try:
        return msgspec.json.Decoder(type_hint)
    except TypeError as problem:
        raise errors.PayloadError(
            f"the type hint {_name_of(type_hint)} can't be read from JSON: {problem}; "
            "use dataclasses, enums, standard types and collections of them"
        ) from problem


def _decoder(type_hint: Any) -> msgspec.json.Decoder[Any]:
    if type_hint is Any or isinstance(type_hint, typing.TypeVar):
        return _ANY_DECODER
    try:
        return _cached_decoder(type_hint)
    except TypeError:  # the hint can't be hashed, as Annotated[int, []]
        return _new_decoder(type_hint)


def _encode_plain(value: bytes | bytearray | RawValue) -> Payload:
    """What needs no encoding."""
    if isinstance(value, RawValue):
        return value.payload
    data = bytes(value)
    _check_size(value, len(data))
    return Payload(data=data, metadata=_BINARY)


def _decode_bytes(payload: Payload) -> Any:
    if payload.encoding == "binary/plain":
        return payload.data
    if payload.encoding == "binary/null":
        return None
    raise errors.PayloadError(
        f"a payload has the encoding {payload.encoding!r}, which this converter doesn't know; "
        "give the client the data converter that wrote it"
    )


def _check_size(value: object, size: int) -> None:
    if size > PAYLOAD_BYTES_MAX:
        raise errors.PayloadTooLargeError(_shown(value), size=size, limit=PAYLOAD_BYTES_MAX)


def _holds_nan(value: Any) -> bool:
    """True if a NaN or infinity hides in the value (msgspec writes both as null)."""
    try:
        waiting = [msgspec.to_builtins(value)]
    except (TypeError, ValueError):
        return False
    while waiting:
        item = waiting.pop()
        if isinstance(item, float):
            if not math.isfinite(item):
                return True
        elif isinstance(item, Mapping):
            mapping = cast("Mapping[object, object]", item)
            waiting.extend((*mapping.keys(), *mapping.values()))
        elif isinstance(item, list | tuple):
            waiting.extend(cast("Sequence[object]", item))
    return False


def _encode_advice(value: object, problem: BaseException) -> str:
    if isinstance(problem, RecursionError):
        return f"{_shown(value)} is nested too deep (or holds itself); flatten it"
    if isinstance(problem, UnicodeEncodeError):
        return f"{_shown(value)} holds a lone surrogate at {problem.start}, which is not text; decode it properly first"
    return (
        f"{_shown(value)} can't be encoded: {problem}; pass dataclasses, enums, standard types or collections of them"
    )


def _shown(value: object) -> str:
    """A short name for a value in an error message; never the whole value, which may be secret or endless."""
    return f"a value of type {type(value).__qualname__}"


def _name_of(type_hint: Any) -> str:
    return getattr(type_hint, "__qualname__", None) or str(type_hint)
