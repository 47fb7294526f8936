"""Search attributes: notes by which executions are found. Names and meaning follow the Temporal Python SDK."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from itertools import pairwise
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

V = TypeVar("V")

SearchAttributeValues = list[str] | list[int] | list[float] | list[bool] | list[datetime]
SearchAttributes = Mapping[str, SearchAttributeValues]
"""Untyped search attributes: lists of values by name; an empty list means there is none."""

SearchAttributeValue = str | int | float | bool | datetime | Sequence[str]


class SearchAttributeIndexedValueType(IntEnum):
    """How the values of a search attribute are compared; numbered as in the public API.

    Text is found by its words, whatever their case; a keyword as a whole; a list of keywords by each of them.
    """

    TEXT = 1
    KEYWORD = 2
    INT = 3
    DOUBLE = 4
    BOOL = 5
    DATETIME = 6
    KEYWORD_LIST = 7

    @property
    def public_name(self) -> str:
        """As the public API writes it, such as ``KeywordList``."""
        return "".join([word.capitalize() for word in self.name.split("_")])


_PYTHON_TYPES: dict[SearchAttributeIndexedValueType, Any] = {
    SearchAttributeIndexedValueType.TEXT: str,
    SearchAttributeIndexedValueType.KEYWORD: str,
    SearchAttributeIndexedValueType.INT: int,
    SearchAttributeIndexedValueType.DOUBLE: float,
    SearchAttributeIndexedValueType.BOOL: bool,
    SearchAttributeIndexedValueType.DATETIME: datetime,
    SearchAttributeIndexedValueType.KEYWORD_LIST: Sequence[str],
}


@dataclass(frozen=True)
class SearchAttributeKey(Generic[V]):
    """Name and type of a search attribute. Make one with ``SearchAttributeKey.for_keyword("CustomerId")`` and the like.

    The first use of a name in a namespace decides its type there; see `SearchAttributeTypeError`.
    """

    name: str
    indexed_value_type: SearchAttributeIndexedValueType

    @staticmethod
    def for_text(name: str) -> SearchAttributeKey[str]:
        """Text, found by its words."""
        return SearchAttributeKey[str](name, SearchAttributeIndexedValueType.TEXT)

    @staticmethod
    def for_keyword(name: str) -> SearchAttributeKey[str]:
        """Text, found as a whole or by its beginning."""
        return SearchAttributeKey[str](name, SearchAttributeIndexedValueType.KEYWORD)

    @staticmethod
    def for_int(name: str) -> SearchAttributeKey[int]:
        """A whole number of 64 bits."""
        return SearchAttributeKey[int](name, SearchAttributeIndexedValueType.INT)

    @staticmethod
    def for_float(name: str) -> SearchAttributeKey[float]:
        """A finite number."""
        return SearchAttributeKey[float](name, SearchAttributeIndexedValueType.DOUBLE)

    @staticmethod
    def for_bool(name: str) -> SearchAttributeKey[bool]:
        """True or False."""
        return SearchAttributeKey[bool](name, SearchAttributeIndexedValueType.BOOL)

    @staticmethod
    def for_datetime(name: str) -> SearchAttributeKey[datetime]:
        """An aware instant, kept to the microsecond."""
        return SearchAttributeKey[datetime](name, SearchAttributeIndexedValueType.DATETIME)

    @staticmethod
    def for_keyword_list(name: str) -> SearchAttributeKey[Sequence[str]]:
        """Several keywords, found by each of them."""
        return SearchAttributeKey[Sequence[str]](name, SearchAttributeIndexedValueType.KEYWORD_LIST)

    @property
    def value_type(self) -> Any:
        """The Python type of its values."""
        return _PYTHON_TYPES[self.indexed_value_type]

    @property
    def origin_value_type(self) -> type:
        """`value_type` without type arguments, for ``isinstance``."""
        return Sequence if self.value_type == Sequence[str] else self.value_type

    def value_set(self, value: V) -> SearchAttributeUpdate[V]:
        """For ``workflow.upsert_search_attributes``: it has this value from now on."""
        return SearchAttributeUpdate(self, value)

    def value_unset(self) -> SearchAttributeUpdate[V]:
        """For ``workflow.upsert_search_attributes``: it has no value any more."""
        return SearchAttributeUpdate(self, None)


@dataclass(frozen=True)
class SearchAttributeUpdate(Generic[V]):
    """A change of a search attribute, made by a `SearchAttributeKey`. Without a value it is removed."""

    key: SearchAttributeKey[V]
    value: V | None


class SearchAttributePair(NamedTuple, Generic[V]):
    """A search attribute and its value."""

    key: SearchAttributeKey[V]
    value: V


@dataclass(frozen=True)
class TypedSearchAttributes(Collection[SearchAttributePair[Any]]):
    """Search attributes with their types, sorted by name.

    Raises:
        ValueError: a name occurs twice.
    """

    search_attributes: Sequence[SearchAttributePair[Any]]

    empty: ClassVar[TypedSearchAttributes]
    """None at all."""

    def __post_init__(self) -> None:
        """Sort, so that equal ones are equal."""
        pairs = sorted(self.search_attributes, key=lambda pair: pair.key.name)
        for pair, after in pairwise(pairs):
            if pair.key.name == after.key.name:
                raise ValueError(f"search attribute {pair.key.name!r} is given twice; give it once")
        object.__setattr__(self, "search_attributes", pairs)

    def __len__(self) -> int:
        return len(self.search_attributes)

    def __iter__(self) -> Iterator[SearchAttributePair[Any]]:
        return iter(self.search_attributes)

    def __contains__(self, key: object) -> bool:
        """True if a key of this name and type has a value."""
        return any(pair.key == key for pair in self.search_attributes)

    def __getitem__(self, key: SearchAttributeKey[V]) -> V:
        """The value of a key.

        Raises:
            KeyError: it has none.
        """
        for pair in self.search_attributes:
            if pair.key == key:
                return pair.value
        raise KeyError(key)

    def get(self, key: SearchAttributeKey[V], default: Any = None) -> Any:
        """The value of a key, or the default if it has none."""
        return next((pair.value for pair in self.search_attributes if pair.key == key), default)

    def updated(self, *search_attributes: SearchAttributePair[Any]) -> TypedSearchAttributes:
        """A copy with these values added, or put in the place of those of the same name."""
        by_name = {pair.key.name: pair for pair in (*self.search_attributes, *search_attributes)}
        return TypedSearchAttributes(list(by_name.values()))


TypedSearchAttributes.empty = TypedSearchAttributes([])
