"""Search attributes as they are given, kept and compared."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from actorflow.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from actorflow.core import limits
from actorflow.core.notes import (
    IndexedValue,
    Type,
    attribute_changes,
    attributes_given,
    terms_of,
    typed_as,
    typed_shown,
    untyped_shown,
)

CUSTOMER = SearchAttributeKey.for_keyword("Customer")
AMOUNT = SearchAttributeKey.for_int("Amount")
RATE = SearchAttributeKey.for_float("Rate")
DUE = SearchAttributeKey.for_datetime("Due")
TAGS = SearchAttributeKey.for_keyword_list("Tags")
NOON = datetime(2030, 6, 1, 12, tzinfo=UTC)


def given(*pairs: Any) -> Any:
    return attributes_given("workflow 'w'", TypedSearchAttributes([SearchAttributePair(*pair) for pair in pairs]))


def test_typed_attributes_come_back_as_they_were_given() -> None:
    at = NOON.astimezone(timezone(timedelta(hours=2)))
    kept = given((CUSTOMER, "acme"), (AMOUNT, 3), (RATE, 1), (DUE, at), (TAGS, ["a", "b"]))
    shown = typed_shown(kept)
    assert (shown[CUSTOMER], shown[AMOUNT], shown[RATE], shown[DUE]) == ("acme", 3, 1.0, NOON)
    assert shown.get(TAGS) == ["a", "b"]
    assert shown.get(SearchAttributeKey.for_int("Customer"), "of another type") == "of another type"
    assert untyped_shown(kept) == {
        "Customer": ["acme"],
        "Amount": [3],
        "Rate": [1.0],
        "Due": [NOON],
        "Tags": ["a", "b"],
    }


def test_typed_attributes_are_equal_whatever_their_order() -> None:
    pairs = [SearchAttributePair(AMOUNT, 3), SearchAttributePair(CUSTOMER, "acme")]
    assert TypedSearchAttributes(pairs) == TypedSearchAttributes(pairs[::-1])
    assert TypedSearchAttributes.empty.updated(*pairs).updated(SearchAttributePair(AMOUNT, 4))[AMOUNT] == 4
    with pytest.raises(ValueError, match="'Amount' is given twice"):
        TypedSearchAttributes([*pairs, SearchAttributePair(AMOUNT, 5)])
    with pytest.raises(KeyError):
        TypedSearchAttributes(pairs)[DUE]
    assert (DUE in TypedSearchAttributes(pairs), CUSTOMER in TypedSearchAttributes(pairs)) == (False, True)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (CUSTOMER, 1),
        (AMOUNT, True),
        (AMOUNT, 1.5),
        (AMOUNT, 2**63),
        (RATE, float("nan")),
        (RATE, float("inf")),
        (DUE, datetime(2030, 6, 1)),  # noqa: DTZ001 - naive on purpose
        (TAGS, "a"),
        (TAGS, ["a", 1]),
        (SearchAttributeKey.for_bool("IsPaid"), 1),
    ],
)
def test_a_value_of_another_type_is_refused_by_name_with_what_to_give(key: Any, value: Any) -> None:
    with pytest.raises(TypeError, match=rf"workflow 'w': search attribute '{key.name}' is of type \w+.*; give "):
        given((key, value))


@pytest.mark.parametrize(
    ("given_as", "problem", "said"),
    [
        ({"Customer": "acme"}, TypeError, "needs a list of values"),
        ({"": ["a"]}, ValueError, "is empty"),
        ({"WorkflowType": ["a"]}, ValueError, "every execution has it"),
        ({"Customer": ["\ud800"]}, ValueError, "lone surrogates"),
        ({"Customer": ["a" * (limits.KEYWORD_BYTES_MAX + 1)]}, ValueError, "over the limit"),
        ({"Tags": ["a"] * (limits.KEYWORDS_MAX + 1)}, ValueError, "over the limit"),
        ({f"A{n}": [1] for n in range(limits.SEARCH_ATTRIBUTES_MAX + 1)}, ValueError, "more than the limit"),
    ],
)
def test_what_can_be_no_search_attribute_is_refused(given_as: Any, problem: type[Exception], said: str) -> None:
    with pytest.raises(problem, match=said):
        attributes_given("workflow 'w'", given_as)


def test_untyped_values_are_guessed_at_and_give_way_to_the_type_their_name_has() -> None:
    kept = attributes_given("w", {"Flag": [True], "Count": [1], "Share": [0.5], "At": [NOON], "Name": ["a"], "No": []})
    assert kept is not None
    assert {name: Type(value.type).name for name, value in kept.items()} == {
        "Flag": "BOOL",
        "Count": "INT",
        "Share": "DOUBLE",
        "At": "DATETIME",
        "Name": "KEYWORD",
    }
    assert typed_as(kept["Name"], Type.KEYWORD_LIST) == IndexedValue(Type.KEYWORD_LIST, ("a",))
    assert typed_as(kept["Name"], Type.TEXT) == IndexedValue(Type.TEXT, "a")
    assert typed_as(kept["Count"], Type.DOUBLE) == IndexedValue(Type.DOUBLE, 1.0)
    assert typed_as(kept["Count"], Type.KEYWORD) is None


def test_an_untyped_change_keeps_the_type_there_is() -> None:
    current = {"Tags": IndexedValue(Type.KEYWORD_LIST, ("a",))}
    assert attribute_changes("w", {"Tags": ["b"]}, current) == {"Tags": IndexedValue(Type.KEYWORD_LIST, ("b",))}
    assert attribute_changes("w", {"Tags": []}, current) == {"Tags": None}
    assert attribute_changes("w", [TAGS.value_unset(), AMOUNT.value_set(1)], current) == {
        "Tags": None,
        "Amount": IndexedValue(Type.INT, 1),
    }


@pytest.mark.parametrize(
    ("value", "terms"),
    [
        (IndexedValue(Type.TEXT, "A long, LONG way"), ("a", "long", "way")),
        (IndexedValue(Type.TEXT, "!"), ("",)),
        (IndexedValue(Type.KEYWORD_LIST, ("b", "a", "b")), ("b", "a")),
        (IndexedValue(Type.BOOL, True), (1,)),
        (IndexedValue(Type.DATETIME, "1970-01-01T00:00:01.000002Z"), (1_000_002,)),
    ],
)
def test_what_a_value_is_found_by(value: IndexedValue, terms: tuple[Any, ...]) -> None:
    assert terms_of(value) == terms
