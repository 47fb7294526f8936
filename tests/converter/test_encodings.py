"""Payload converters that programs put together and write themselves."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address
from typing import Any

import attrs
import msgspec
import pytest

from actorflow.api.common.v1 import Payload as PublicPayload
from actorflow.common import RawValue
from actorflow.converter import (
    AdvancedJSONEncoder,
    BinaryNullPayloadConverter,
    BinaryPlainPayloadConverter,
    CompositePayloadConverter,
    DataConverter,
    DefaultPayloadConverter,
    EncodingPayloadConverter,
    JSONPlainPayloadConverter,
    JSONTypeConverter,
    Payload,
    PayloadConverter,
    default,
    public_payload,
    stored_payload,
)
from actorflow.exceptions import ApplicationError, PayloadError, PayloadTooLargeError


class Color(Enum):
    RED = "red"


@dataclass
class Host:
    address: IPv4Address
    seen: datetime


@attrs.define
class Port:
    number: int


class Money(msgspec.Struct):
    amount: Decimal


SEEN = datetime(2030, 1, 1, tzinfo=UTC)
PLAIN = [None, b"\x00", "text", 7, {"b": [1.5]}]


class IPv4Encoder(AdvancedJSONEncoder):
    def default(self, o: Any) -> Any:
        return str(o) if isinstance(o, IPv4Address) else super().default(o)


class IPv4Reader(JSONTypeConverter):
    def to_typed_value(self, hint: Any, value: Any) -> Any:
        return IPv4Address(value) if hint is IPv4Address else JSONTypeConverter.Unhandled


class WithAddresses(CompositePayloadConverter):
    def __init__(self) -> None:
        json_plain = JSONPlainPayloadConverter(encoder=IPv4Encoder, custom_type_converters=[IPv4Reader()])
        super().__init__(BinaryNullPayloadConverter(), BinaryPlainPayloadConverter(), json_plain)


class Shouted(EncodingPayloadConverter):
    """Text in capitals, with a note that is no text."""

    @property
    def encoding(self) -> str:
        return "text/shouted"

    def to_payload(self, value: Any) -> PublicPayload | None:
        if not isinstance(value, str):
            return None
        if value == "broken":
            raise KeyError(value)
        if value == "refused":
            raise ApplicationError("no", type="Refused")
        return PublicPayload(metadata={"encoding": b"text/shouted", "note": b"\xff"}, data=value.upper().encode())

    def from_payload(self, payload: PublicPayload, type_hint: Any = None) -> Any:
        assert payload.metadata["note"] == b"\xff"
        return payload.data.decode().lower()


class Shouting(CompositePayloadConverter):
    def __init__(self) -> None:
        super().__init__(Shouted(), *DefaultPayloadConverter.default_encoding_payload_converters)


def test_the_default_tries_nothing_bytes_and_json_in_order() -> None:
    payloads = DefaultPayloadConverter().to_payloads(PLAIN)
    assert [payload.metadata["encoding"] for payload in payloads] == [
        b"binary/null",
        b"binary/plain",
        b"json/plain",
        b"json/plain",
        b"json/plain",
    ]
    assert DefaultPayloadConverter().from_payloads(payloads) == PLAIN


def test_what_one_default_writes_the_other_reads() -> None:
    values, public = default().values, default().payload_converter
    assert [values.decode_one(stored_payload(public.to_payload(value))) for value in PLAIN] == PLAIN
    assert [public.from_payload(public_payload(values.encode_one(value))) for value in PLAIN] == PLAIN


def test_encoder_hooks_and_type_converters_make_a_round_trip() -> None:
    values = DataConverter(payload_converter_class=WithAddresses).values
    host = Host(IPv4Address("10.0.0.1"), SEEN)
    payload = values.encode_one([host, None])
    assert json.loads(bytes(payload.json)) == [{"address": "10.0.0.1", "seen": "2030-01-01T00:00:00Z"}, None]
    assert values.decode_one(payload, list[Host | None]) == [host, None]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Color.RED, '"red"'),
        ({1}, "[1]"),
        (Money(Decimal("1.50")), '{"amount":"1.50"}'),
        (Port(80), '{"number":80}'),
        (b"\xff", '"/w=="'),
        (range(1, 3), "[1,2]"),
    ],
    ids=str,
)
def test_the_encoder_writes_what_the_default_does_and_iterables(value: Any, written: str) -> None:
    assert json.dumps(value, cls=AdvancedJSONEncoder, separators=(",", ":")) == written


def test_a_decoder_of_the_user_reads() -> None:
    class Exact(json.JSONDecoder):
        def __init__(self) -> None:
            super().__init__(parse_float=Decimal)

    converter = JSONPlainPayloadConverter(decoder=Exact)
    payload = converter.to_payload({"a": 0.1})
    assert payload is not None
    assert converter.from_payload(payload) == {"a": Decimal("0.1")}


def test_an_encoding_of_the_user_keeps_its_bytes_and_metadata_in_a_journal_row() -> None:
    values = DataConverter(payload_converter_class=Shouting).values
    payload = values.encode_one("hello")
    row = msgspec.json.encode(payload)
    assert values.decode_one(msgspec.json.decode(row, type=Payload), str) == "hello"
    assert public_payload(payload).metadata["note"] == b"\xff"


def test_json_stays_readable_in_the_journal_whoever_wrote_it() -> None:
    stored = stored_payload(PublicPayload(metadata={"encoding": b"json/plain", "by": b"me"}, data=b'{"a":1}'))
    assert msgspec.json.encode(stored) == b'{"json":{"a":1},"metadata":{"encoding":"json/plain","by":"me"}}'
    assert default().values.decode_one(stored) == {"a": 1}


def test_what_only_some_parsers_call_json_does_not_spoil_the_row() -> None:
    public = PublicPayload(metadata={"encoding": b"json/plain"}, data=b"[NaN]")
    row = msgspec.json.encode(stored_payload(public))
    assert public_payload(msgspec.json.decode(row, type=Payload)) == public


def test_raw_values_pass_through_every_converter() -> None:
    values = DataConverter(payload_converter_class=Shouting).values
    raw = values.decode_one(values.encode_one("hello"), RawValue)
    assert values.decode_one(values.encode_one(raw), str) == "hello"
    assert values.payload_converter.from_payload(raw.payload, str) == "hello"


def test_a_converter_that_raises_is_named_with_what_it_was_given() -> None:
    values = DataConverter(payload_converter_class=Shouting).values
    with pytest.raises(PayloadError, match=r"Shouting can't encode a value of type str: KeyError: 'broken'; pass"):
        values.encode_one("broken")
    with pytest.raises(PayloadError, match=r"Shouting can't decode .*'text/shouted' as str: KeyError: 'note'; fix"):
        values.decode_one(Payload(data=b"A", metadata={"encoding": "text/shouted"}), str)


def test_a_failure_raised_by_a_converter_is_the_programs_own() -> None:
    with pytest.raises(ApplicationError, match="no"):
        DataConverter(payload_converter_class=Shouting).values.encode_one("refused")


def test_an_unknown_encoding_says_who_could_read_it() -> None:
    values = DataConverter(payload_converter_class=WithAddresses).values
    with pytest.raises(PayloadError, match=r"'text/shouted'.*give the client the data converter"):
        values.decode_one(Payload(data=b"A", metadata={"encoding": "text/shouted"}), str)


def test_a_value_nobody_takes_says_who_was_asked() -> None:
    class OnlyBytes(CompositePayloadConverter):
        def __init__(self) -> None:
            super().__init__(BinaryPlainPayloadConverter())

    with pytest.raises(PayloadError, match=r"no converter takes a value of type int .*binary/plain"):
        DataConverter(payload_converter_class=OnlyBytes).values.encode_one(1)


def test_the_size_limit_holds_for_every_converter() -> None:
    with pytest.raises(PayloadTooLargeError):
        DataConverter(payload_converter_class=Shouting).values.encode_one("x" * 3_000_000)


async def test_the_data_converter_converts_values_by_itself() -> None:
    converter = default()
    assert await converter.decode(await converter.encode(PLAIN)) == PLAIN
    assert await converter.decode_wrapper(await converter.encode_wrapper([Color.RED]), [Color]) == [Color.RED]
    assert await converter.decode_wrapper(None) == []
    assert isinstance(PayloadConverter.default, DefaultPayloadConverter)
