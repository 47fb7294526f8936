"""Protobuf messages as payloads. Protobuf is no dependency: whoever has no message has no use for it.

A message can only exist once ``google.protobuf`` was imported, so nothing here imports it before there is one, or
before a payload says that it holds one.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, Final

from actorflow.api.common.v1 import Payload
from actorflow.converter.payload_converter import EncodingPayloadConverter
from actorflow.exceptions import PayloadError

_JSON: Final = "json/protobuf"
_BINARY: Final = "binary/protobuf"
PROTOBUF_ENCODINGS: Final = frozenset((_JSON, _BINARY))


def is_message(value: object) -> bool:
    """True for a protobuf message."""
    protobuf = sys.modules.get("google.protobuf.message")
    return protobuf is not None and isinstance(value, protobuf.Message)


def message_payload(message: Any) -> Payload:
    """A message as JSON, with the name of its type."""
    text = import_module("google.protobuf.json_format").MessageToJson(message, indent=None, sort_keys=True)
    return Payload(metadata=_metadata(_JSON, message), data=text.encode())


def message_from(payload: Payload, type_hint: Any = None, *, ignore_unknown_fields: bool = False) -> Any:
    """The message of a payload; of the type it names, which its program must have imported.

    Raises:
        PayloadError: protobuf is not installed, the type is not known, or the data is not of that type.
    """
    message = _empty_message(payload, type_hint)
    try:
        if payload.metadata.get("encoding") == _BINARY.encode():
            message.ParseFromString(payload.data)
            return message
        read = import_module("google.protobuf.json_format").Parse
        return read(payload.data, message, ignore_unknown_fields=ignore_unknown_fields)
    except Exception as problem:  # protobuf has several errors, and no base for them
        name = message.DESCRIPTOR.full_name
        raise PayloadError(f"a payload can't be read as the protobuf message {name}: {problem}") from problem


def _empty_message(payload: Payload, type_hint: Any) -> Any:
    name = payload.metadata.get("messageType", b"").decode("utf-8", "replace")
    try:
        database = import_module("google.protobuf.symbol_database").Default()
    except ImportError as problem:
        raise PayloadError(f"a payload holds a {name or 'protobuf message'}; install protobuf to read it") from problem
    if is_message_type(type_hint) and name in ("", type_hint.DESCRIPTOR.full_name):
        return type_hint()
    try:
        return import_module("google.protobuf.message_factory").GetMessageClass(
            database.pool.FindMessageTypeByName(name)
        )()
    except KeyError as problem:
        raise PayloadError(
            f"a payload holds a protobuf message of type {name!r}, which is not known here; import the module that "
            "protoc made for it"
        ) from problem


def is_message_type(hint: object) -> bool:
    """True for a class of protobuf messages."""
    protobuf = sys.modules.get("google.protobuf.message")
    return protobuf is not None and isinstance(hint, type) and issubclass(hint, protobuf.Message)


def _metadata(encoding: str, message: Any) -> dict[str, bytes]:
    return {"encoding": encoding.encode(), "messageType": message.DESCRIPTOR.full_name.encode()}


class JSONProtoPayloadConverter(EncodingPayloadConverter):
    """Protobuf messages as JSON.

    Args:
        ignore_unknown_fields: read messages that were written with a newer definition.
    """

    def __init__(self, ignore_unknown_fields: bool = False) -> None:
        self._ignore_unknown_fields = ignore_unknown_fields

    @property
    def encoding(self) -> str:
        """See `EncodingPayloadConverter.encoding`."""
        return _JSON

    def to_payload(self, value: Any) -> Payload | None:
        """See `EncodingPayloadConverter.to_payload`."""
        return message_payload(value) if is_message(value) else None

    def from_payload(self, payload: Payload, type_hint: Any = None) -> Any:
        """See `EncodingPayloadConverter.from_payload`."""
        return message_from(payload, type_hint, ignore_unknown_fields=self._ignore_unknown_fields)


class BinaryProtoPayloadConverter(EncodingPayloadConverter):
    """Protobuf messages in their own binary form."""

    @property
    def encoding(self) -> str:
        """See `EncodingPayloadConverter.encoding`."""
        return _BINARY

    def to_payload(self, value: Any) -> Payload | None:
        """See `EncodingPayloadConverter.to_payload`."""
        if not is_message(value):
            return None
        return Payload(metadata=_metadata(_BINARY, value), data=value.SerializeToString(deterministic=True))

    def from_payload(self, payload: Payload, type_hint: Any = None) -> Any:
        """See `EncodingPayloadConverter.from_payload`."""
        return message_from(payload, type_hint)
