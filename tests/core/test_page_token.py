"""A page token fits the query it was made for, and nothing else is one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st

from actorflow.core.policy.page_token import Place, decode_token, encode_token
from actorflow.exceptions import PageTokenError

PLACE = Place(datetime(2030, 6, 1, 12, 0, 0, 123_456, tzinfo=UTC), 2**62)


@pytest.mark.parametrize("place", [PLACE, Place(None, 1), Place(datetime(1, 1, 1, tzinfo=UTC), 0)])
def test_a_token_names_its_place(place: Place) -> None:
    assert decode_token(encode_token(place, "default", "ORDER BY StartTime"), "default", "ORDER BY StartTime") == place


def test_a_token_of_another_query_or_namespace_is_refused() -> None:
    token = encode_token(PLACE, "default", "Parked = TRUE")
    for namespace, query in (("default", "Parked = FALSE"), ("default", ""), ("other", "Parked = TRUE")):
        with pytest.raises(PageTokenError, match="does not belong to this query"):
            decode_token(token, namespace, query)


@pytest.mark.parametrize("place", range(len(encode_token(PLACE, "default", ""))))
def test_a_garbled_token_is_refused(place: int) -> None:
    token = bytearray(encode_token(PLACE, "default", ""))
    token[place] ^= 1
    for garbled in (bytes(token), bytes(token[:place])):
        with pytest.raises(PageTokenError):
            decode_token(garbled, "default", "")


@given(st.binary())
def test_foreign_bytes_are_refused(token: bytes) -> None:
    with pytest.raises(PageTokenError):
        decode_token(token, "default", "")
