"""Fields of dataclasses that took their default.

msgspec leaves such a field to the class attribute, and encodes only what is in the instance: sent on, it would be
missing. So decoded values get their defaults into the instance, where their types have any.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, cast

import msgspec

Complete = Callable[[Any], Any]
"""Completes a value in place and returns it."""


def completion_of(type_hint: Any) -> Complete | None:
    """What completes values of a type; None if none of them can lack anything."""
    try:
        return _completion_of(type_hint)
    except TypeError:  # the hint can't be hashed
        return with_defaults


@lru_cache(maxsize=4096)
def _completion_of(type_hint: Any) -> Complete | None:
    about = msgspec.inspect.type_info(type_hint)
    return _completion(about) if _may_lack(about) else None


def _completion(about: msgspec.inspect.Type) -> Complete:
    """Straight to the fields where the type says which they are, else a walk through the whole value."""
    if not isinstance(about, msgspec.inspect.DataclassType) or any(_may_lack(field.type) for field in about.fields):
        return with_defaults
    cls = _plain(about.cls)
    if not cls.__dictoffset__:  # with slots there is nowhere but the slots to keep a default
        return with_defaults
    defaults = [(f.name, f.default) for f in _fields_of(cls) if f.default is not dataclasses.MISSING]

    def complete(item: Any) -> Any:
        held = item.__dict__
        for name, default in defaults:
            if name not in held:
                held[name] = default
        return item

    return complete


def _may_lack(about: Any) -> bool:
    """True if a dataclass with such fields may be part of a value of this type."""
    waiting: list[Any] = [about]
    seen: set[int] = set()
    while waiting:
        about = waiting.pop()
        if id(about) in seen:
            continue
        seen.add(id(about))
        if isinstance(about, msgspec.inspect.DataclassType) and _is_affected(_plain(about.cls)):
            return True
        waiting.extend(_parts(about))
    return False


def _is_affected(cls: type) -> bool:
    return any(field.default is not dataclasses.MISSING for field in _fields_of(cls))


def _plain(cls: Any) -> Any:
    """The class itself, of one with type arguments."""
    return typing.get_origin(cls) or cls


def _fields_of(thing: Any) -> Iterable[dataclasses.Field[Any]]:
    return dataclasses.fields(thing) if dataclasses.is_dataclass(thing) else ()


def _parts(about: Any) -> list[Any]:
    parts: list[Any] = []
    for name in about.__struct_fields__:
        value = getattr(about, name)
        if isinstance(value, msgspec.inspect.Type | msgspec.inspect.Field):
            parts.append(value)
        elif isinstance(value, tuple):
            members = cast("tuple[Any, ...]", value)
            parts.extend(m for m in members if isinstance(m, msgspec.inspect.Type | msgspec.inspect.Field))
    return parts


def with_defaults(value: Any) -> Any:
    """The same value, its dataclasses completed in place."""
    waiting: list[Any] = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str | bytes | int | float | None):
            continue
        if isinstance(item, Mapping):
            mapping = cast("Mapping[Any, Any]", item)
            waiting.extend((*mapping.keys(), *mapping.values()))
        elif isinstance(item, list | tuple | set | frozenset):
            waiting.extend(cast("Iterable[Any]", item))
        elif dataclasses.is_dataclass(item):
            waiting.extend(_completed(item))
    return value


def _completed(item: Any) -> list[Any]:
    held = getattr(item, "__dict__", None)
    values: list[Any] = []
    for field in dataclasses.fields(item):
        value = getattr(item, field.name, None)
        if held is not None and field.name not in held and field.default is not dataclasses.MISSING:
            held[field.name] = value
        values.append(value)
    return values
