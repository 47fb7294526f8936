"""Notes of a run: its memo, for people and programs, and its search attributes, by which it is found.

Search attributes are kept as they are compared, with their types; codecs don't touch them. Untyped ones are guessed
at: a guess gives way to the type that the name has in its namespace, where it can (see `typed_as`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar, cast

import msgspec

from actorflow.common import (
    SearchAttributeIndexedValueType,
    SearchAttributeKey,
    SearchAttributePair,
    SearchAttributes,
    SearchAttributeUpdate,
    TypedSearchAttributes,
)
from actorflow.converter import Payload
from actorflow.core import limits
from actorflow.core.policy.checks import check_name

T = TypeVar("T")
Type = SearchAttributeIndexedValueType
Scalar = str | bool | int | float

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_INT_MAX: Final = 2**63 - 1
_WORD: Final = re.compile(r"\w+")
_MULTIPLE: Final = (Type.KEYWORD_LIST, Type.TEXT)
RESERVED: Final = frozenset(
    [
        "WorkflowType",
        "WorkflowId",
        "RunId",
        "ExecutionStatus",
        "StartTime",
        "CloseTime",
        "TaskQueue",
        "Parked",
        "ExecutionTime",
        "HistoryLength",
        "ExecutionDuration",
        "StateTransitionCount",
    ]
)
"""Names that mean something else in list filters, here or in the public API."""

SCHEDULED_BY_ID: Final = "TemporalScheduledById"
SCHEDULED_START_TIME: Final = "TemporalScheduledStartTime"
PREDEFINED: Final[Mapping[str, Type]] = {SCHEDULED_BY_ID: Type.KEYWORD, SCHEDULED_START_TIME: Type.DATETIME}
"""Search attributes whose types are known before anybody uses them: those of what a schedule has started."""


class IndexedValue(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The value of a search attribute: an instant as RFC 3339 in UTC, several keywords as a list.

    ``is_guess`` says that its type was not given; only what a program asks for is so, never what is journaled.
    """

    type: int
    value: Scalar | tuple[str, ...]
    is_guess: bool = False


Attributes = dict[str, IndexedValue]
Memo = dict[str, Payload]


class Notes(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What is noted about a run, as it is now; ``summary`` and ``details`` are those it was started with."""

    memo: Memo = {}
    search_attributes: Attributes = {}
    summary: str = ""
    details: str = ""


NO_NOTES: Final = Notes()

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Notes)


def encode_notes(notes: Notes) -> str:
    """As one line of JSON, for a row beside the run."""
    return _encoder.encode(notes).decode()


def decode_notes(text: str) -> Notes:
    """From such a row.

    Raises:
        msgspec.DecodeError: it is damaged, or of a newer version.
    """
    return _decoder.decode(text)


def merged(old: Mapping[str, T] | None, changes: Mapping[str, T | None]) -> dict[str, T]:
    """Entries with changes; what is None in them is removed."""
    entries: dict[str, T | None] = {**(old or {}), **changes}
    return {name: entry for name, entry in entries.items() if entry is not None}


# From what programs write


def attributes_given(whom: str, given: SearchAttributes | TypedSearchAttributes | None) -> Attributes | None:
    """Search attributes as they are kept; None if there are none.

    Raises:
        ValueError, TypeError: a name or a value that can't be one; ``whom`` and what now are said.
    """
    if given is None:
        return None
    if isinstance(given, TypedSearchAttributes):
        kept = {pair.key.name: _typed(whom, pair.key, pair.value) for pair in given}
        return {name: value for name, value in kept.items() if value is not None} or None
    return merged(None, _untyped_changes(whom, given, {})) or None


def attribute_changes(
    whom: str, given: SearchAttributes | Sequence[SearchAttributeUpdate[Any]], current: Mapping[str, IndexedValue]
) -> dict[str, IndexedValue | None]:
    """Changes of search attributes as they are journaled: None for those that are removed; raises as above.

    Args:
        whom: for messages.
        given: by the program.
        current: what there is; an untyped value takes its type from there, if it has one there.
    """
    if isinstance(given, Mapping):
        return _untyped_changes(whom, given, current)
    changes: dict[str, IndexedValue | None] = {}
    for update in given:
        changes[update.key.name] = _typed(whom, update.key, update.value)
    _check_count(whom, len(changes))
    return changes


def _untyped_changes(
    whom: str, given: SearchAttributes, current: Mapping[str, IndexedValue]
) -> dict[str, IndexedValue | None]:
    changes: dict[str, IndexedValue | None] = {}
    for name, values in given.items():
        if isinstance(values, str) or not isinstance(values, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                f"{whom}: search attribute {name!r} needs a list of values, not {values!r}; write [{values!r}]"
            )
        known = current.get(name)
        changes[name] = _guessed(whom, name, list(values), None if known is None else Type(known.type))
    _check_count(whom, len(changes))
    return changes


def _check_count(whom: str, count: int) -> None:
    if count > limits.SEARCH_ATTRIBUTES_MAX:
        raise ValueError(
            f"{whom}: {count} search attributes are more than the limit of {limits.SEARCH_ATTRIBUTES_MAX}; "
            "keep what nobody searches for in the memo"
        )


def _guessed(whom: str, name: str, values: list[Any], known: Type | None) -> IndexedValue | None:
    """An untyped value: by the type it has already, or by its looks."""
    if not values:
        _check_attribute_name(whom, name)
        return None
    given = values if len(values) > 1 else values[0]
    kept = _typed(whom, SearchAttributeKey[Any](name, looks_like(given)), given)
    if kept is None or known is None:
        return None if kept is None else IndexedValue(kept.type, kept.value, is_guess=True)
    fitting = typed_as(kept, known)
    return IndexedValue(kept.type, kept.value, is_guess=True) if fitting is None else fitting


_LOOKS: Final[Sequence[tuple[type, Type]]] = (
    (bool, Type.BOOL),
    (int, Type.INT),
    (float, Type.DOUBLE),
    (datetime, Type.DATETIME),
)


def typed_as(value: IndexedValue, wanted: Type) -> IndexedValue | None:
    """A guessed value as one of this type, or None if it can't be."""
    if value.type == wanted:
        return IndexedValue(value.type, value.value)
    if value.type == Type.KEYWORD and wanted == Type.TEXT:
        return IndexedValue(wanted, value.value)
    if value.type == Type.KEYWORD and wanted == Type.KEYWORD_LIST:
        return IndexedValue(wanted, (str(value.value),))
    if value.type == Type.INT and wanted == Type.DOUBLE:
        return IndexedValue(wanted, float(cast("int", value.value)))
    return None


def _typed(whom: str, key: SearchAttributeKey[Any], value: Any) -> IndexedValue | None:
    """A value as it is kept; None for none."""
    _check_attribute_name(whom, key.name)
    if value is None:
        return None
    indexed = key.indexed_value_type
    kept = _kept(indexed, value)
    if kept is None:
        raise TypeError(
            f"{whom}: search attribute {key.name!r} is of type {indexed.public_name}, which {value!r} is not; "
            f"give {_EXPECTED[indexed]}"
        )
    if kept == ():
        return None
    _check_texts(whom, key.name, indexed, kept)
    return IndexedValue(indexed, kept)


_EXPECTED: Final[Mapping[Type, str]] = {
    Type.TEXT: "a str",
    Type.KEYWORD: "a str",
    Type.INT: "an int of 64 bits",
    Type.DOUBLE: "a finite float",
    Type.BOOL: "True or False",
    Type.DATETIME: "an aware datetime, such as datetime.now(UTC)",
    Type.KEYWORD_LIST: "a list of str",
}


def _kept(indexed: Type, value: Any) -> Scalar | tuple[str, ...] | None:
    """A value in the form in which it is kept; None if it is not of the type."""
    match indexed, value:
        case (Type.BOOL, bool()):
            return value
        case (_, bool()):
            return None
        case (Type.TEXT | Type.KEYWORD, str()):
            return str(value)
        case (Type.INT, int()) if -_INT_MAX <= value <= _INT_MAX:
            return int(value)
        case (Type.DOUBLE, int() | float()) if math.isfinite(value):
            return float(value)
        case (Type.DATETIME, datetime()) if value.tzinfo is not None:
            return _written(value)
        case (Type.KEYWORD_LIST, list() | tuple()) if all(isinstance(item, str) for item in cast("list[Any]", value)):
            return tuple([str(item) for item in cast("list[str]", value)])
        case _:
            return None


def kept_value(indexed: Type, value: Any) -> IndexedValue | None:
    """A value of a type; None if it is not of the type."""
    kept = _kept(indexed, value)
    return None if kept is None else IndexedValue(indexed, kept)


def looks_like(value: Any) -> Type:
    """The type a value has if nothing else is known."""
    if isinstance(value, list | tuple):
        return Type.KEYWORD_LIST
    return next((indexed for python, indexed in _LOOKS if isinstance(value, python)), Type.KEYWORD)


def _written(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _check_attribute_name(whom: str, name: str) -> None:
    check_name("name of a search attribute", name)
    if name in RESERVED:
        raise ValueError(f"{whom}: {name!r} can't be a search attribute, every execution has it; choose another name")


def _check_texts(whom: str, name: str, indexed: Type, kept: Scalar | tuple[str, ...]) -> None:
    """Texts have a length that can be indexed, and no lone surrogates."""
    limit = limits.SEARCH_TEXT_BYTES_MAX if indexed == Type.TEXT else limits.KEYWORD_BYTES_MAX
    texts = kept if isinstance(kept, tuple) else (kept,)
    if len(texts) > limits.KEYWORDS_MAX:
        raise ValueError(
            f"{whom}: search attribute {name!r} has {len(texts)} keywords, over the limit of {limits.KEYWORDS_MAX}; "
            "keep what nobody searches for in the memo"
        )
    for text in texts:
        if not isinstance(text, str):
            return
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            raise ValueError(f"{whom}: search attribute {name!r} holds lone surrogates, which is not text") from None
        if size > limit:
            raise ValueError(
                f"{whom}: search attribute {name!r} takes {size:,} bytes, over the limit of {limit:,}; "
                "keep what nobody searches for in the memo"
            )


# To what programs read


def typed_shown(attributes: Mapping[str, IndexedValue]) -> TypedSearchAttributes:
    """Search attributes with their types, as programs get them."""
    if not attributes:
        return TypedSearchAttributes.empty
    return TypedSearchAttributes(
        [
            SearchAttributePair(SearchAttributeKey[Any](name, Type(value.type)), _shown(value))
            for name, value in attributes.items()
        ]
    )


def untyped_shown(attributes: Mapping[str, IndexedValue]) -> SearchAttributes:
    """Search attributes as lists by name, as programs get them."""
    shown: dict[str, Any] = {}
    for name, value in attributes.items():
        told = _shown(value)
        shown[name] = told if isinstance(told, list) else [told]
    return shown


def _shown(value: IndexedValue) -> Any:
    if value.type == Type.DATETIME:
        return datetime.fromisoformat(str(value.value))
    return list(value.value) if isinstance(value.value, tuple) else value.value


# What is compared


def is_multiple(indexed: Type) -> bool:
    """True if a value of this type is found by each of several terms."""
    return indexed in _MULTIPLE


def terms_of(value: IndexedValue) -> Sequence[Scalar]:
    """What a value is found by: itself, an instant as microseconds, a flag as 0 or 1, each of several words."""
    kept = value.value
    if isinstance(kept, tuple):
        return tuple(dict.fromkeys(kept))
    match value.type:
        case Type.DATETIME:
            elapsed = datetime.fromisoformat(str(kept)) - _EPOCH
            return ((elapsed.days * 86_400 + elapsed.seconds) * 1_000_000 + elapsed.microseconds,)
        case Type.BOOL:
            return (int(kept),)
        case Type.TEXT:
            return words_of(str(kept)) or ("",)  # so that it is known that there is one
        case _:
            return (kept,)


def words_of(text: str) -> Sequence[str]:
    """The words of a text, each once, whatever their case."""
    return tuple(dict.fromkeys([word.casefold() for word in _WORD.findall(text)]))
