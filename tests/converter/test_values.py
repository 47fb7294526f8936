"""Values to payloads and back, by declared types; failures to data and back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any, Generic, Literal, NamedTuple, TypedDict, TypeVar
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, strategies as st

from actorflow import exceptions as errors
from actorflow.converter import Failure, Payload, default
from actorflow.exceptions import PayloadError, PayloadTooLargeError

T = TypeVar("T")


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Size(IntEnum):
    SMALL = 1


@dataclass
class Item:
    name: str
    price: Decimal = Decimal("1.50")
    color: Color = Color.RED
    tags: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Order:
    id: UUID
    items: Sequence[Item]
    at: datetime
    note: str | None = None
    by_name: Mapping[str, Item] | None = None


@dataclass
class Box(Generic[T]):
    content: T


class Point(NamedTuple):
    x: int
    y: int = 0


class Options(TypedDict, total=False):
    size: Size


AWARE = datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=timezone(timedelta(hours=2)))


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (None, type(None)),
        (True, bool),
        (2**70, int),
        (1.5, float),
        ("text \0 ü", str),
        (b"\x00\xff", bytes),
        (Decimal("0.1000"), Decimal),
        (AWARE, datetime),
        (AWARE.replace(tzinfo=None), datetime),
        (date(2030, 1, 2), date),
        (timedelta(days=2, microseconds=3), timedelta),
        (UUID(int=7), UUID),
        (Color.BLUE, Color),
        (Size.SMALL, Size),
        ([1, None], list[int | None]),
        ((1, "a"), tuple[int, str]),
        ({"a"}, set[str]),
        ({1: Item("x")}, dict[int, Item]),
        ({Color.RED: 1}, dict[Color, int]),
        (Order(UUID(int=1), [Item("x", Decimal("2"), Color.BLUE, ["t"])], AWARE, by_name={"a": Item("b")}), Order),
        (Box(Item("x")), Box[Item]),
        (Box([Box(1)]), Box[list[Box[int]]]),
        (Point(1, 2), Point),
        ({"size": Size.SMALL}, Options),
        ("a", Literal["a", "b"]),
        (None, Item | None),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_value_comes_back_as_its_declared_type(value: Any, hint: Any) -> None:
    back = default().values.decode_one(default().values.encode_one(value), hint)
    assert back == value
    assert type(back) is type(value)


def test_without_a_declared_type_values_are_plain_json() -> None:
    item = default().values.decode_one(default().values.encode_one(Item("x")))
    assert item == {"name": "x", "price": "1.50", "color": "red", "tags": []}


def test_missing_fields_take_their_defaults_and_unknown_ones_are_ignored() -> None:
    assert default().values.decode_one(default().values.encode_one({"name": "x", "new": 1}), Item) == Item("x")
    with pytest.raises(PayloadError, match="name"):
        default().values.decode_one(default().values.encode_one({}), Item)


def test_a_field_that_took_its_default_is_stored_when_the_value_is_sent_on() -> None:
    received = default().values.decode_one(default().values.encode_one({"name": "x"}), Item)
    again = default().values.decode_one(default().values.encode_one(received))
    assert again == {"name": "x", "price": "1.50", "color": "red", "tags": []}


def test_an_instant_keeps_its_offset_and_microseconds() -> None:
    back = default().values.decode_one(default().values.encode_one(AWARE), datetime)
    assert back == AWARE
    assert back.utcoffset() == AWARE.utcoffset()
    assert default().values.decode_one(
        default().values.encode_one(AWARE.astimezone(UTC)), datetime
    ).utcoffset() == timedelta(0)


def test_bytes_are_kept_as_they_are_and_json_is_readable() -> None:
    assert default().values.encode_one(b"\xff") == Payload(data=b"\xff", metadata={"encoding": "binary/plain"})
    assert bytes(default().values.encode_one({"ü": 1}).json).decode() == '{"ü":1}'
    assert default().values.encode_one("x").encoding == "json/plain"


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("kind", "value", "says"),
    [
        ("nan", math.nan, "NaN"),
        ("inf", [1, {"a": math.inf}], "infinite"),
        ("-inf", Box(-math.inf), "infinite"),
        ("deep nan", Box({"x": math.nan, "y": None}), "NaN"),
        ("nan as key", {math.nan: 1}, "NaN"),
        ("surrogate", "\ud800", "lone surrogate"),
        ("deep surrogate", {"a": ["\udfff"]}, "lone surrogate"),
        ("deep", nested(100_000), "too deep"),
        ("object", object(), "type object"),
        ("function", [lambda: 1], "function"),
        ("text", "x" * 3_000_000, "over the limit"),
        ("bytes", b"x" * 3_000_000, "over the limit"),
        ("tuple as key", {(1, 2): 3}, "keys"),
    ],
)
def test_what_can_not_be_stored_is_refused_with_the_reason(kind: str, value: Any, says: str) -> None:
    assert kind
    with pytest.raises(PayloadError, match=says):
        default().values.encode_one(value)


def test_a_value_over_the_limit_says_by_how_much_and_what_to_do() -> None:
    with pytest.raises(PayloadTooLargeError, match="pass a reference") as refused:
        default().values.encode_one("x" * 3_000_000)
    assert refused.value.size == 3_000_002
    assert refused.value.limit == 2 * 1024 * 1024


def test_an_error_message_never_shows_the_value_itself() -> None:
    with pytest.raises(PayloadError) as refused:
        default().values.encode_one({"password": object()})
    assert "password" not in str(refused.value)


@pytest.mark.parametrize(("value", "hint"), [("x", int), (1, str), ({}, list[int]), ("green", Color), ("x", UUID)])
def test_a_payload_that_does_not_fit_its_type_says_so(value: Any, hint: Any) -> None:
    with pytest.raises(PayloadError, match="can't read"):
        default().values.decode_one(default().values.encode_one(value), hint)


def test_a_type_that_can_not_be_read_at_all_says_so() -> None:
    class Mine: ...

    with pytest.raises(PayloadError, match="Expected `Mine`, got `dict`"):
        default().values.decode_one(default().values.encode_one({}), Mine)


def test_an_unhashable_type_that_can_not_be_read_says_so_too() -> None:
    from typing import Annotated

    with pytest.raises(PayloadError):
        default().values.decode_one(default().values.encode_one({}), Annotated[Item | Order, []])


def test_an_unknown_encoding_names_itself_and_the_remedy() -> None:
    with pytest.raises(PayloadError, match=r"'binary/mine'.*data converter"):
        default().values.decode_one(Payload(data=b"x", metadata={"encoding": "binary/mine"}))


def test_several_values_are_decoded_by_position_and_further_ones_plainly() -> None:
    payloads = default().values.encode([1, "2", {"a": 1}])
    assert default().values.decode(payloads, [int, str]) == [1, "2", {"a": 1}]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(json_values)
def test_any_json_value_survives(value: Any) -> None:
    assert default().values.decode_one(default().values.encode_one(value)) == value


# Failures


def travelled(exception: BaseException) -> errors.FailureError:
    return default().values.exception(default().values.failure(exception))


def test_an_application_error_travels_with_everything() -> None:
    error = errors.ApplicationError(
        "message",
        1,
        {"a": [None]},
        type="Type",
        non_retryable=True,
        next_retry_delay=timedelta(seconds=2),
        category=errors.ApplicationErrorCategory.BENIGN,
    )
    back = travelled(error)
    assert isinstance(back, errors.ApplicationError)
    assert (back.message, back.type, back.details) == ("message", "Type", (1, {"a": [None]}))
    assert (back.non_retryable, back.next_retry_delay, back.category) == (True, timedelta(seconds=2), 1)
    assert str(back) == "Type: message"
    assert str(errors.ApplicationError("alone")) == "alone"


@pytest.mark.parametrize(
    "error",
    [
        errors.CancelledError("stop", 1),
        errors.TerminatedError("end", 1),
        errors.TimeoutError("late", type=errors.TimeoutType.HEARTBEAT, last_heartbeat_details=[1]),
        errors.ServerError("ours", non_retryable=True),
        errors.ActivityError(
            "failed",
            scheduled_event_id=5,
            started_event_id=6,
            identity="me",
            activity_type="a",
            activity_id="1",
            retry_state=errors.RetryState.TIMEOUT,
        ),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_kind_of_failure_comes_back_as_its_class(error: errors.FailureError) -> None:
    back = travelled(error)
    assert type(back) is type(error)
    assert default().values.failure(back) == default().values.failure(error)


def test_any_other_exception_becomes_an_application_error_of_its_name() -> None:
    back = travelled(KeyError("x"))
    assert isinstance(back, errors.ApplicationError)
    assert (back.type, back.message) == ("KeyError", "'x'")


def test_causes_and_contexts_are_kept_unless_suppressed() -> None:
    def raised(how: str) -> BaseException:
        try:
            try:
                raise KeyError("inner")
            except KeyError as inner:
                if how == "from":
                    raise ValueError("outer") from inner
                if how == "suppressed":
                    raise ValueError("outer") from None
                raise ValueError("outer")  # noqa: B904 - that is the point
        except ValueError as outer:
            return outer

    assert [travelled(raised(how)).cause is not None for how in ("from", "context", "suppressed")] == [
        True,
        True,
        False,
    ]


def test_an_endless_chain_of_causes_is_cut() -> None:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    depth, failure = 0, default().values.failure(one)
    while failure is not None:
        depth, failure = depth + 1, failure.cause
    assert 2 < depth < 100


def test_details_that_can_not_be_stored_are_named_instead_of_lost() -> None:
    back = travelled(errors.ApplicationError("x", 1, object()))
    assert isinstance(back, errors.ApplicationError)
    assert back.details[0] == 1
    assert "not stored" in back.details[1]


def test_messages_and_traces_are_bounded_and_storable() -> None:
    failure = default().values.failure(ValueError("\ud800" + "x" * 1_000_000))
    assert len(failure.message) < 20_000
    failure.message.encode()
    assert isinstance(default().values.failure(errors.ApplicationError(404)), Failure)  # pyright: ignore[reportArgumentType]
    assert default().values.failure(errors.ApplicationError(404)).message == "404"  # pyright: ignore[reportArgumentType]
    default().values.failure(errors.ApplicationError("\ud800")).message.encode()


Held = TypeVar("Held")


@dataclass
class Boxed(Generic[Held]):
    held: Held
    count: int = 3


@pytest.mark.parametrize("type_hint", [Boxed[int], list[Boxed[int]], Boxed[Boxed[int]]], ids=str)
def test_defaults_of_generic_dataclasses_are_kept_too(type_hint: Any) -> None:
    text = {Boxed[int]: b'{"held":1}', list[Boxed[int]]: b'[{"held":1}]'}.get(type_hint, b'{"held":{"held":1}}')
    decoded = default().values.decode_one(Payload(json=msgspec.Raw(text)), type_hint)
    assert bytes(default().values.encode_one(decoded).json).count(b'"count":3') == text.count(b"held")
