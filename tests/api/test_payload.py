"""Payloads in the wire format of the public API, which codecs encrypt."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from actorflow.api.common.v1 import Payload, Payloads
from actorflow.exceptions import PayloadError

payloads = st.builds(Payload, metadata=st.dictionaries(st.text(), st.binary()), data=st.binary(max_size=300))


@given(payloads)
def test_a_payload_comes_back_from_its_bytes(payload: Payload) -> None:
    assert Payload.FromString(payload.SerializeToString()) == payload


@given(st.lists(payloads, max_size=3))
def test_several_payloads_come_back_from_their_bytes(several: list[Payload]) -> None:
    together = Payloads(payloads=several)
    assert Payloads.FromString(together.SerializeToString()) == together


def test_the_bytes_are_those_of_the_public_format() -> None:
    written = Payload(metadata={"encoding": b"json/plain"}, data=b"7").SerializeToString()
    assert written == b"\x0a\x16\x0a\x08encoding\x12\x0ajson/plain\x12\x017"


def test_fields_of_newer_versions_are_passed_over() -> None:
    newer = b"\x18\x96\x01" + b"\x21" + b"8 bytes." + b"\x2d" + b"four" + b"\x1a\x01x" + b"\x12\x017"
    assert Payload.FromString(newer) == Payload(data=b"7")


@pytest.mark.parametrize(
    "data", [b"\x12\x05abc", b"\x12", b"\xff" * 11, b"\x0b", b"\x0a\x04\x0a\x02\xff\xff"], ids=bytes.hex
)
def test_bytes_that_are_no_payload_say_what_may_be_wrong(data: bytes) -> None:
    with pytest.raises(PayloadError, match="decrypted with their key"):
        Payload.FromString(data)


def test_a_copy_has_a_life_of_its_own() -> None:
    original, copy = Payload(metadata={"encoding": b"x"}), Payload()
    copy.CopyFrom(original)
    copy.metadata["encoding"] = b"y"
    assert original.metadata == {"encoding": b"x"}
