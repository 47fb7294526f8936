"""Plain JSON values to the types that code declares, one level at a time.

msgspec does it at once, and does it for nearly everything. This is for the rest: unions in which msgspec can't tell the
members apart (the first that fits is taken), and types that converters of the user want to see first.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import typing
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from types import GenericAlias, NoneType, UnionType
from typing import Any, Final, Literal, NewType, Union, cast

import msgspec

from actorflow.converter.defaults import with_defaults

JSONTypeConverterUnhandled = NewType("JSONTypeConverterUnhandled", object)
"""The type of `JSONTypeConverter.Unhandled`."""


class JSONTypeConverter(ABC):
    """Makes values of types of the user's choice from plain JSON values."""

    Unhandled: Final[JSONTypeConverterUnhandled] = JSONTypeConverterUnhandled(object())
    """What `to_typed_value` returns for types that are not its business."""

    @abstractmethod
    def to_typed_value(self, hint: Any, value: Any) -> Any:
        """The value as the hinted type, or `Unhandled`.

        Args:
            hint: the declared type, also of a field or of a member of a collection.
            value: plain JSON: None, bool, int, float, str, list or dict.

        Raises:
            Exception: it does not fit.
        """


Converters = Sequence[JSONTypeConverter]
_Make = Callable[[Any, Any, Converters], Any]


def value_to_type(hint: Any, value: Any, custom_converters: Converters = ()) -> Any:
    """A plain JSON value as the hinted type.

    Args:
        hint: the declared type.
        value: plain JSON: None, bool, int, float, str, list or dict.
        custom_converters: asked first, at every level.

    Raises:
        TypeError, ValueError: it does not fit.
    """
    for converter in custom_converters:
        made = converter.to_typed_value(hint, value)
        if made is not JSONTypeConverter.Unhandled:
            return made
    if hint is Any or hint is None or hint is object or isinstance(hint, typing.TypeVar):
        return value
    make = _maker(hint)
    return _leaf(hint, value) if make is None else make(hint, value, custom_converters)


def _maker(hint: Any) -> _Make | None:
    """What makes values of a type that has parts; None if it has none."""
    origin = typing.get_origin(hint)
    if origin in (Union, UnionType):
        return _member
    if origin is Literal:
        return _literal
    if origin is typing.Annotated or isinstance(hint, NewType) or hasattr(hint, "__value__"):
        return _renamed
    cls: Any = origin or hint
    if not isinstance(cls, type):
        return None
    cls = cast("Any", cls)
    if typing.is_typeddict(cls):
        return _typed_dict
    if dataclasses.is_dataclass(cls) or hasattr(cls, "__attrs_attrs__") or issubclass(cls, msgspec.Struct):
        return _record
    if issubclass(cls, tuple):
        return _tuple if cls is tuple else _named_tuple
    if issubclass(cls, str | bytes | bytearray | Enum):
        return None
    if issubclass(cls, collections.abc.Mapping):
        return _mapping
    return _collection if issubclass(cls, collections.abc.Iterable) and cls in _COLLECTIONS else None


def _leaf(hint: Any, value: Any) -> Any:
    if hint is NoneType:
        if value is None:
            return None
        raise TypeError(f"expected null, got {type(value).__name__}")
    try:
        # A type msgspec does not know is good for values that are of it already; convert says so of all others.
        return msgspec.convert(value, hint)
    except msgspec.ValidationError as problem:
        raise TypeError(str(problem)) from problem


def _member(hint: Any, value: Any, converters: Converters) -> Any:
    """The first member of a union that the value fits."""
    members = typing.get_args(hint)
    if value is None and NoneType in members:
        return None
    problems: list[str] = []
    for member in members:
        if member is NoneType:
            continue
        try:
            return value_to_type(member, value, converters)
        except Exception as problem:  # converters of the user may raise anything
            problems.append(f"{_name_of(member)}: {problem}")
    raise TypeError(f"fits no member of the union ({'; '.join(problems)})")


def _literal(hint: Any, value: Any, _converters: Converters) -> Any:
    for known in typing.get_args(hint):
        plain = known.value if isinstance(known, Enum) else known
        if plain == value and type(plain) is type(value):
            return known
    raise TypeError(f"expected one of {typing.get_args(hint)}, got {value!r}")


def _renamed(hint: Any, value: Any, converters: Converters) -> Any:
    """What a NewType, an Annotated or a type alias stands for."""
    inner = typing.get_args(hint)[0] if typing.get_origin(hint) is typing.Annotated else None
    if inner is None:
        inner = getattr(hint, "__supertype__", None) or hint.__value__
    made = value_to_type(inner, value, converters)
    return msgspec.convert(made, hint) if typing.get_origin(hint) is typing.Annotated and _is_plain(made) else made


def _is_plain(value: Any) -> bool:
    """True for what constraints of msgspec's Meta may be about."""
    return isinstance(value, str | int | float)


def _record(hint: Any, value: Any, converters: Converters) -> Any:
    """A dataclass, an attrs class or a struct; unknown fields are ignored, missing ones take their defaults."""
    cls = typing.get_origin(hint) or hint
    named = _object(cls, value)
    made = {
        name: value_to_type(kind, named[key], converters) for name, key, kind in _fields_of(hint, cls) if key in named
    }
    return with_defaults(cls(**made))


def _fields_of(hint: Any, cls: Any) -> list[tuple[str, str, Any]]:
    """Parameter, key in JSON and type of each field."""
    kinds = _kinds_of(hint, cls)
    if hasattr(cls, "__struct_fields__"):
        return [(one.name, one.encode_name, kinds.get(one.name, Any)) for one in msgspec.structs.fields(cls)]
    if dataclasses.is_dataclass(cls):
        return [(one.name, one.name, kinds.get(one.name, Any)) for one in dataclasses.fields(cls) if one.init]
    attributes: Sequence[Any] = cls.__attrs_attrs__
    return [(one.alias or one.name, one.name, kinds.get(one.name, Any)) for one in attributes if one.init]


def _kinds_of(hint: Any, cls: Any) -> dict[str, Any]:
    """Types by field; of a generic class with its type arguments in place."""
    kinds = typing.get_type_hints(cls, include_extras=True)
    arguments = dict(zip(getattr(cls, "__parameters__", ()), typing.get_args(hint), strict=False))
    return {name: _filled_in(kind, arguments) for name, kind in kinds.items()} if arguments else kinds


def _filled_in(kind: Any, arguments: Mapping[Any, Any]) -> Any:
    if isinstance(kind, typing.TypeVar):
        return arguments.get(kind, kind)
    open_ones: tuple[Any, ...] = getattr(kind, "__parameters__", ())
    return kind[tuple([arguments.get(one, Any) for one in open_ones])] if open_ones else kind


_QUALIFIERS: Final = (typing.Required, typing.NotRequired)


def _typed_dict(hint: Any, value: Any, converters: Converters) -> Any:
    cls = typing.get_origin(hint) or hint
    named = _object(cls, value)
    made: dict[str, Any] = {}
    for key, kind in _kinds_of(hint, cls).items():
        qualifier = typing.get_origin(kind)
        if key in named:
            inner = typing.get_args(kind)[0] if qualifier in _QUALIFIERS else kind
            made[key] = value_to_type(inner, named[key], converters)
        elif qualifier is typing.Required or (qualifier is not typing.NotRequired and key in cls.__required_keys__):
            raise TypeError(f"{_name_of(cls)} lacks {key}")
    return made


def _named_tuple(hint: Any, value: Any, converters: Converters) -> Any:
    cls = typing.get_origin(hint) or hint
    kinds = _kinds_of(hint, cls)
    items = _array(cls, value)
    return cls(
        *[value_to_type(kinds.get(name, Any), item, converters) for name, item in zip(cls._fields, items, strict=False)]
    )


def _tuple(hint: Any, value: Any, converters: Converters) -> Any:
    kinds, items = typing.get_args(hint), _array(tuple, value)
    if not kinds:
        return tuple(items)
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return tuple([value_to_type(kinds[0], item, converters) for item in items])
    if len(kinds) != len(items):
        raise TypeError(f"expected {len(kinds)} items, got {len(items)}")
    return tuple([value_to_type(kind, item, converters) for kind, item in zip(kinds, items, strict=True)])


_COLLECTIONS: Final[Mapping[Any, Any]] = {
    list: list,
    set: set,
    frozenset: frozenset,
    collections.deque: collections.deque,
    collections.abc.Iterable: list,
    collections.abc.Collection: list,
    collections.abc.Sequence: list,
    collections.abc.MutableSequence: list,
    collections.abc.Set: set,
    collections.abc.MutableSet: set,
}


def _collection(hint: Any, value: Any, converters: Converters) -> Any:
    cls, kinds = typing.get_origin(hint) or hint, typing.get_args(hint)
    kind = kinds[0] if kinds else Any
    return _COLLECTIONS[cls]([value_to_type(kind, item, converters) for item in _array(cls, value)])


def _mapping(hint: Any, value: Any, converters: Converters) -> Any:
    cls, kinds = typing.get_origin(hint) or hint, typing.get_args(hint)
    key_kind, kind = kinds or (Any, Any)
    made = {
        _key(key_kind, key, converters): value_to_type(kind, item, converters)
        for key, item in _object(cls, value).items()
    }
    return made if cls in (dict, collections.abc.Mapping, collections.abc.MutableMapping) else cls(made)


def _key(hint: Any, key: str, converters: Converters) -> Any:
    """A key, which JSON has as text whatever it was."""
    if hint is Any or hint is str:
        return key
    try:
        return value_to_type(hint, key, converters)
    except TypeError:
        return next(iter(msgspec.convert({key: None}, cast("Any", GenericAlias(dict, (hint, Any))), str_keys=True)))


def _object(cls: Any, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{_name_of(cls)} is made from a JSON object, not from {type(value).__name__}")
    return cast("dict[str, Any]", value)


def _array(cls: Any, value: Any) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"{_name_of(cls)} is made from a JSON array, not from {type(value).__name__}")
    return list(cast("Sequence[Any]", value))


def _name_of(hint: Any) -> str:
    return getattr(hint, "__qualname__", None) or str(hint)
