"""Protobuf messages as arguments and results."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import msgspec
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.wrappers_pb2 import StringValue

from actorflow.api.common.v1 import Payload as PublicPayload
from actorflow.converter import (
    BinaryProtoPayloadConverter,
    DefaultPayloadConverter,
    JSONProtoPayloadConverter,
    Payload,
    default,
    public_payload,
    stored_payload,
)
from actorflow.exceptions import PayloadError

MESSAGE = Duration(seconds=90)


@pytest.mark.parametrize("hint", [Duration, Any, None])
def test_a_message_comes_back_with_and_without_its_type(hint: Any) -> None:
    values, public = default().values, DefaultPayloadConverter()
    assert values.decode_one(values.encode_one(MESSAGE), hint) == MESSAGE
    assert public.from_payload(public.to_payload(MESSAGE), hint) == MESSAGE


def test_a_message_is_readable_in_the_journal() -> None:
    row = msgspec.json.encode(default().values.encode_one(MESSAGE))
    assert b'"90s"' in row
    assert default().values.decode_one(msgspec.json.decode(row, type=Payload), Duration) == MESSAGE


def test_messages_can_be_binary_too() -> None:
    payload = BinaryProtoPayloadConverter().to_payload(MESSAGE)
    assert payload is not None
    assert payload.data == MESSAGE.SerializeToString()
    assert default().values.decode_one(stored_payload(payload), Duration) == MESSAGE


@pytest.mark.parametrize("converter", [JSONProtoPayloadConverter(), BinaryProtoPayloadConverter()])
def test_what_is_no_message_is_left_to_others(converter: Any) -> None:
    assert converter.to_payload({"seconds": 90}) is None


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (PublicPayload(metadata={"encoding": b"json/protobuf", "messageType": b"my.Order"}, data=b"{}"), "my.Order"),
        (PublicPayload(metadata={"encoding": b"json/protobuf"}, data=b"[]"), "can't be read as the protobuf message"),
        (PublicPayload(metadata={"encoding": b"binary/protobuf"}, data=b"\xff"), "google.protobuf.StringValue"),
    ],
)
def test_a_message_that_can_not_be_read_says_which_and_why(payload: PublicPayload, says: str) -> None:
    with pytest.raises(PayloadError, match=says):
        default().values.decode_one(stored_payload(payload), StringValue)


def test_protobuf_is_not_loaded_for_those_who_do_not_use_it() -> None:
    code = "import sys, actorflow.converter as c; c.default().values.encode_one({}); print('google' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"


def test_a_message_shows_its_public_form() -> None:
    public = public_payload(default().values.encode_one(MESSAGE))
    assert public.metadata == {"encoding": b"json/protobuf", "messageType": b"google.protobuf.Duration"}
