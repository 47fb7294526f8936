"""What carries payloads: events, answers and failures, looked at only for the payloads in them.

Which attributes hold some is read from their types once per class, so a new event needs nothing here. Search attributes
are for finding and headers are for those who pass messages on: codecs don't touch them.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator, Sequence
from functools import lru_cache
from types import NoneType
from typing import Any, Final, TypeVar, cast

import msgspec

from actorflow.converter.payload import Payload

T = TypeVar("T")
_LEFT_ALONE: Final = frozenset(("search_attributes", "headers"))


def payloads_of(carrier: Any) -> list[Payload]:
    """The payloads in a value, in an order that depends on nothing but the value."""
    found: list[Payload] = []
    _collect(carrier, found)
    return found


def with_payloads(carrier: T, payloads: Sequence[Payload]) -> T:
    """The same value with other payloads in their places: as many as `payloads_of` has found, in the same order."""
    return cast("T", _exchanged(carrier, iter(payloads))) if payloads else carrier


def _collect(carrier: Any, found: list[Payload]) -> None:
    if isinstance(carrier, Payload):
        found.append(carrier)
    elif isinstance(carrier, tuple | list):
        for item in cast("Sequence[Any]", carrier):
            _collect(item, found)
    elif isinstance(carrier, dict):
        for item in cast("dict[Any, Any]", carrier).values():
            _collect(item, found)
    elif isinstance(carrier, msgspec.Struct):
        for name in _carrying(type(carrier)):
            _collect(getattr(carrier, name), found)


def _exchanged(carrier: Any, payloads: Iterator[Payload]) -> Any:
    if isinstance(carrier, Payload):
        return next(payloads)
    if isinstance(carrier, tuple | list):
        made = [_exchanged(item, payloads) for item in cast("Sequence[Any]", carrier)]
        return tuple(made) if isinstance(carrier, tuple) else made
    if isinstance(carrier, dict):
        return {key: _exchanged(item, payloads) for key, item in cast("dict[Any, Any]", carrier).items()}
    if isinstance(carrier, msgspec.Struct):
        names = _carrying(type(carrier))
        changes = {name: _exchanged(getattr(carrier, name), payloads) for name in names}
        return msgspec.structs.replace(carrier, **changes) if changes else carrier
    return carrier


@lru_cache(maxsize=1024)
def _carrying(cls: type[msgspec.Struct]) -> tuple[str, ...]:
    """Attributes of a class that may hold payloads."""
    kinds = typing.get_type_hints(cls)
    return tuple([name for name in cls.__struct_fields__ if name not in _LEFT_ALONE and _may_carry(kinds[name], ())])


def _may_carry(kind: Any, within: tuple[Any, ...]) -> bool:
    if kind is Payload:
        return True
    if kind in within or kind in (NoneType, Any):
        return False
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        kinds = typing.get_type_hints(kind)
        return any(name not in _LEFT_ALONE and _may_carry(inner, (*within, kind)) for name, inner in kinds.items())
    return any(_may_carry(part, within) for part in typing.get_args(kind))
