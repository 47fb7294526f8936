"""Payload bodies are cut out of a text, and put back, as they were."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, strategies as st

from actorflow.store.sqlite.references import cut, joined, sound

LIMIT = 40

values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=80),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
payloads = st.one_of(
    st.builds(lambda value: {"json": value}, values),
    st.builds(lambda data, kind: {"data": data, "metadata": {"encoding": kind}}, st.text(max_size=200), st.text()),
)
rows = st.recursive(
    payloads,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["event", "input", "json", "data", "options", "ü"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(rows)
def test_a_text_is_the_same_again(row: Any) -> None:
    text = msgspec.json.encode(row).decode()
    short, bodies = cut(text, LIMIT)
    assert joined(short, bodies) == text
    assert all(sound(name, body) and len(body.encode()) > LIMIT for name, body in bodies.items())
    msgspec.json.decode(short)


@given(rows)
def test_a_text_with_references_is_not_cut_again(row: Any) -> None:
    short, bodies = cut(msgspec.json.encode(row).decode(), LIMIT)
    if bodies:
        assert cut(short, 1) == (short, {})


@given(st.lists(values, min_size=1, max_size=4))
def test_every_large_payload_of_a_list_is_cut_and_no_other(arguments: list[Any]) -> None:
    bodies = [msgspec.json.encode(one).decode() for one in arguments]
    text = msgspec.json.encode([{"input": [{"json": one} for one in arguments]}]).decode()
    _, found = cut(text, LIMIT)
    assert {*found.values()} == {body for body in bodies if len(body.encode()) > LIMIT}


def test_the_same_body_twice_is_one() -> None:
    body = "x" * 100
    short, bodies = cut(msgspec.json.encode([{"json": body}, {"json": body}]).decode(), LIMIT)
    assert len(bodies) == 1
    assert short.count('{"$payload":"') == 2
