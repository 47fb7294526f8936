"""Values as JSON and back, by declared type hints, through msgspec.

What msgspec would write in a way that can't be read back (NaN as null) is refused. Decimals are text, so that no digit
is lost; instants, durations and UUIDs are written as the standards say.
"""

from __future__ import annotations

import math
import typing
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, Protocol, cast

import msgspec

from actorflow import exceptions as errors
from actorflow.converter.defaults import completion_of
from actorflow.converter.typed import value_to_type

PAYLOAD_BYTES_MAX: Final = 2 * 1024 * 1024


def _stand_in(value: Any) -> Any:
    """What is written for types that msgspec doesn't know: other mappings as objects, iterables as arrays."""
    if isinstance(value, dict | list | tuple | set | frozenset):  # which it knows, but not as a key
        raise TypeError("Only dicts with str-like or number-like keys are supported")
    if hasattr(value, "model_dump") or not isinstance(value, Iterable):
        raise NotImplementedError(f"Encoding objects of type {type(value).__qualname__} is unsupported")
    if isinstance(value, Mapping):
        return dict(cast("Mapping[Any, Any]", value))
    return list(cast("Iterable[Any]", value))


_encode: Final = msgspec.json.Encoder(decimal_format="string", enc_hook=_stand_in).encode
_ANY_DECODER: Final = msgspec.json.Decoder()
_MODELS: Final = "; for pydantic models connect with data_converter=actorflow.contrib.pydantic.pydantic_data_converter"


def encode_json(value: Any) -> bytes:
    """A value as JSON.

    Raises:
        PayloadError: it has no JSON form (it says which and why), or is over the size limit.
    """
    try:
        text = _encode(value)
    except Exception as problem:  # user types may raise anything on their way
        raise errors.PayloadError(_encode_advice(value, problem)) from problem
    if (b"null" in text or b'nan":' in text or b'inf":' in text) and _holds_nan(value):
        raise errors.PayloadError(
            f"{_shown(value)} holds NaN or an infinite number, which JSON can't say; use None or text instead"
        )
    check_size(value, len(text))
    return text


def decode_json(text: bytes | msgspec.Raw, type_hint: Any = Any) -> Any:
    """The value of JSON, as the declared type.

    Raises:
        PayloadError: it does not fit.
    """
    try:
        value = _decoder(type_hint).decode(text)
        complete = None if type_hint is Any else completion_of(type_hint)
        return value if complete is None else complete(value)
    except errors.PayloadError:
        raise
    except Exception as problem:  # such as a __post_init__ that raises
        shown = bytes(text)[:80].decode("utf-8", "replace")
        raise errors.PayloadError(
            f"can't read {shown!r} as {_name_of(type_hint)}: {problem}{_advice_for(type_hint)}"
        ) from problem


class _Decoder(Protocol):
    """Reads JSON as one type."""

    def decode(self, buf: bytes | msgspec.Raw, /) -> Any: ...


class _LevelByLevel:
    """Reads what msgspec can't read at once, see `value_to_type`."""

    def __init__(self, type_hint: Any) -> None:
        self._type_hint = type_hint

    def decode(self, buf: bytes | msgspec.Raw, /) -> Any:
        return value_to_type(self._type_hint, _ANY_DECODER.decode(buf))


@lru_cache(maxsize=4096)
def _cached_decoder(type_hint: Any) -> _Decoder:
    return _new_decoder(type_hint)


def _new_decoder(type_hint: Any) -> _Decoder:
    try:
        return msgspec.json.Decoder(type_hint)
    except TypeError:
        return _LevelByLevel(type_hint)


def _decoder(type_hint: Any) -> _Decoder:
    if type_hint is Any or isinstance(type_hint, typing.TypeVar):
        return _ANY_DECODER
    try:
        return _cached_decoder(type_hint)
    except TypeError:  # the hint can't be hashed, as Annotated[int, []]
        return _new_decoder(type_hint)


def check_size(value: object, size: int) -> None:
    if size > PAYLOAD_BYTES_MAX:
        raise errors.PayloadTooLargeError(_shown(value), size=size, limit=PAYLOAD_BYTES_MAX)


def _holds_nan(value: Any) -> bool:
    """True if a NaN or infinity hides in the value (msgspec writes both as null)."""
    try:
        waiting = [msgspec.to_builtins(value, enc_hook=_stand_in)]
    except (TypeError, ValueError, NotImplementedError):
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
        f"{_advice_for(type(value))}"
    )


def _advice_for(kind: Any) -> str:
    """Pydantic does what is asked for better than we could guess it."""
    return _MODELS if hasattr(kind, "model_validate") else ""


def _shown(value: object) -> str:
    """A short name for a value in an error message; never the whole value, which may be secret or endless."""
    return f"a value of type {type(value).__qualname__}"


def _name_of(type_hint: Any) -> str:
    return getattr(type_hint, "__qualname__", None) or str(type_hint)
