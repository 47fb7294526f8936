"""Plain JSON values to declared types, level by level, with converters of the user."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from ipaddress import IPv4Address
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, NotRequired, TypedDict, TypeVar
from uuid import UUID

import attrs
import msgspec
import pytest

from actorflow.converter import JSONTypeConverter, default, value_to_type
from actorflow.exceptions import PayloadError

T = TypeVar("T")
UserId = NewType("UserId", int)


class Color(Enum):
    RED = "red"


class Size(IntEnum):
    SMALL = 1


class Mood(StrEnum):
    GOOD = "good"


@dataclass
class Cat:
    lives: int
    color: Color = Color.RED


@dataclass
class Dog:
    name: str
    tags: list[str] = field(default_factory=list[str])


@dataclass
class Box(Generic[T]):
    content: T
    spare: T | None = None


class Struct(msgspec.Struct, rename="camel"):
    first_name: str


@attrs.define
class Attrs:
    host: str
    port: int = 80


class Point(NamedTuple):
    x: int
    y: int = 0


class Options(TypedDict):
    size: Size
    mood: NotRequired[Mood]


class IPv4Converter(JSONTypeConverter):
    """The example everybody starts with."""

    def to_typed_value(self, hint: Any, value: Any) -> Any:
        return IPv4Address(value) if hint is IPv4Address else JSONTypeConverter.Unhandled


class Anything(JSONTypeConverter):
    """Handles nothing, so that everything is done level by level."""

    def to_typed_value(self, hint: Any, value: Any) -> Any:
        return self.Unhandled


VALUES: list[tuple[Any, Any, Any]] = [
    (Any, {"a": 1}, {"a": 1}),
    (int, 3, 3),
    (float, 3, 3.0),
    (type(None), None, None),
    (Color, "red", Color.RED),
    (Size, 1, Size.SMALL),
    (Mood, "good", Mood.GOOD),
    (datetime, "2030-01-01T00:00:00Z", datetime(2030, 1, 1, tzinfo=UTC)),
    (timedelta, "PT1.5S", timedelta(seconds=1.5)),
    (UUID, str(UUID(int=1)), UUID(int=1)),
    (Decimal, "1.50", Decimal("1.50")),
    (bytes, "AP8=", b"\x00\xff"),
    (Cat, {"lives": 9, "color": "red", "new": 1}, Cat(9)),
    (Box[Cat], {"content": {"lives": 1}}, Box(Cat(1))),
    (Box[list[Size]], {"content": [1], "spare": [1]}, Box([Size.SMALL], [Size.SMALL])),
    (Struct, {"firstName": "A"}, Struct("A")),
    (Attrs, {"host": "h", "port": 1}, Attrs("h", 1)),
    (Attrs, {"host": "h"}, Attrs("h")),
    (Point, [1], Point(1)),
    (Options, {"size": 1, "mood": "good"}, {"size": Size.SMALL, "mood": Mood.GOOD}),
    (Options, {"size": 1}, {"size": Size.SMALL}),
    (list[Cat], [{"lives": 1}], [Cat(1)]),
    (set[int], [1, 2], {1, 2}),
    (frozenset[Color], ["red"], frozenset((Color.RED,))),
    (Iterable[int], [1], [1]),
    (tuple[int, Color], [1, "red"], (1, Color.RED)),
    (tuple[Color, ...], ["red"], (Color.RED,)),
    (dict[int, Cat], {"1": {"lives": 1}}, {1: Cat(1)}),
    (Mapping[Color, int], {"red": 1}, {Color.RED: 1}),
    (Cat | Dog, {"name": "Rex"}, Dog("Rex")),
    (list[Cat | Dog] | None, [{"lives": 1}, {"name": "Rex"}], [Cat(1), Dog("Rex")]),
    (Cat | None, None, None),
    (datetime | str, "tomorrow", "tomorrow"),
    (Literal["a", 1], 1, 1),
    (UserId, 7, 7),
    (Annotated[int, "unit"], 7, 7),
]


@pytest.mark.parametrize(("hint", "plain", "value"), VALUES, ids=lambda thing: str(thing)[:40])
def test_a_plain_value_becomes_its_declared_type_level_by_level(hint: Any, plain: Any, value: Any) -> None:
    made = value_to_type(hint, plain, [Anything()])
    assert made == value
    assert type(made) is type(value)


@pytest.mark.parametrize(("hint", "plain", "value"), VALUES, ids=lambda thing: str(thing)[:40])
def test_by_default_the_same_value_comes_back_through_a_payload(hint: Any, plain: Any, value: Any) -> None:
    values = default().values
    assert values.decode_one(values.encode_one(value), hint) == value


@pytest.mark.parametrize(
    ("hint", "plain", "says"),
    [
        (int, "7", "Expected `int`"),
        (Cat, [], "made from a JSON object, not from list"),
        (Cat, {}, "lives"),
        (list[int], {}, "made from a JSON array"),
        (tuple[int, int], [1], "expected 2 items, got 1"),
        (Options, {}, "lacks size"),
        (Cat | Dog, {}, r"no member of the union \(Cat: .*Dog: "),
        (Literal["a"], "b", r"expected one of \('a',\)"),
        (Literal[1], True, "expected one of"),
        (type(None), 1, "expected null"),
        (Color, "green", "green"),
    ],
    ids=str,
)
def test_what_does_not_fit_says_where(hint: Any, plain: Any, says: str) -> None:
    with pytest.raises(TypeError, match=says):
        value_to_type(hint, plain, [Anything()])


def test_collections_that_msgspec_does_not_know_are_made_level_by_level() -> None:
    assert value_to_type(deque[int], [1], [Anything()]) == deque([1])


def test_a_converter_of_the_user_is_asked_at_every_level() -> None:
    made = value_to_type(dict[str, list[IPv4Address | None]], {"a": ["10.0.0.1", None]}, [IPv4Converter()])
    assert made == {"a": [IPv4Address("10.0.0.1"), None]}


@pytest.mark.skipif(sys.version_info < (3, 12), reason="type statements came with 3.12")
def test_a_type_alias_means_what_it_stands_for() -> None:
    space: dict[str, Any] = {}
    exec("type Ids = list[int]", space)
    assert value_to_type(space["Ids"], [1], [Anything()]) == [1]


class Model:
    """Looks like a pydantic model."""

    def model_validate(self) -> None: ...


def test_models_are_told_where_they_are_welcome() -> None:
    values = default().values
    with pytest.raises(PayloadError, match="pydantic_data_converter"):
        values.decode_one(values.encode_one({}), Model)
    with pytest.raises(PayloadError, match="pydantic_data_converter"):
        values.encode_one(Model())
