"""The encodings that are tried in order where nobody says otherwise: nothing, bytes, protobuf, JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from enum import Enum
from typing import Any, ClassVar, cast

import msgspec

from actorflow.api.common.v1 import Payload
from actorflow.converter.json_values import decode_json, encode_json
from actorflow.converter.payload_converter import CompositePayloadConverter, EncodingPayloadConverter
from actorflow.converter.protobuf import BinaryProtoPayloadConverter, JSONProtoPayloadConverter
from actorflow.converter.typed import JSONTypeConverter, value_to_type


class BinaryNullPayloadConverter(EncodingPayloadConverter):
    """None."""

    @property
    def encoding(self) -> str:
        """See `EncodingPayloadConverter.encoding`."""
        return "binary/null"

    def to_payload(self, value: Any) -> Payload | None:
        """See `EncodingPayloadConverter.to_payload`."""
        return Payload(metadata={"encoding": b"binary/null"}) if value is None else None

    def from_payload(self, payload: Payload, type_hint: Any = None) -> Any:
        """See `EncodingPayloadConverter.from_payload`."""
        if payload.data:
            raise ValueError(f"expected no data, got {len(payload.data)} bytes")
        return None


class BinaryPlainPayloadConverter(EncodingPayloadConverter):
    """Bytes, as they are."""

    @property
    def encoding(self) -> str:
        """See `EncodingPayloadConverter.encoding`."""
        return "binary/plain"

    def to_payload(self, value: Any) -> Payload | None:
        """See `EncodingPayloadConverter.to_payload`."""
        is_bytes = isinstance(value, bytes | bytearray)
        return Payload(metadata={"encoding": b"binary/plain"}, data=bytes(value)) if is_bytes else None

    def from_payload(self, payload: Payload, type_hint: Any = None) -> Any:
        """See `EncodingPayloadConverter.from_payload`."""
        return payload.data


class AdvancedJSONEncoder(json.JSONEncoder):
    """Writes dataclasses, structs, attrs classes, enums, sets, instants, durations, UUIDs and decimals as JSON.

    Override `default` for types of your own, and call this one for all others.
    """

    def default(self, o: Any) -> Any:
        """What stands for a value that JSON doesn't know.

        Raises:
            TypeError: nothing does.
        """
        if isinstance(o, Enum):
            return o.value
        if dataclasses.is_dataclass(o) and not isinstance(o, type):
            return {one.name: getattr(o, one.name) for one in dataclasses.fields(o)}
        if isinstance(o, msgspec.Struct):
            return {one.encode_name: getattr(o, one.name) for one in msgspec.structs.fields(o)}
        attributes: Sequence[Any] | None = getattr(cast("Any", o), "__attrs_attrs__", None)
        if attributes is not None:
            return {one.name: getattr(o, one.name) for one in attributes}
        if isinstance(o, bytes | bytearray) or not hasattr(o, "__iter__"):
            return msgspec.to_builtins(o)
        return list(cast("Sequence[Any]", o))


class JSONPlainPayloadConverter(EncodingPayloadConverter):
    """Everything that has a JSON form.

    Without arguments it is the converter actorflow uses by default, by declared types at the speed of msgspec. With an
    encoder, a decoder or type converters it is the standard library's, with those.

    Args:
        encoder: writes JSON; usually a subclass of `AdvancedJSONEncoder`.
        decoder: reads JSON as plain values.
        encoding: what its payloads say.
        custom_type_converters: make values of declared types from plain ones.
    """

    def __init__(
        self,
        *,
        encoder: type[json.JSONEncoder] | None = AdvancedJSONEncoder,
        decoder: type[json.JSONDecoder] | None = None,
        encoding: str = "json/plain",
        custom_type_converters: Sequence[JSONTypeConverter] = (),
    ) -> None:
        self._encoder = encoder
        self._decoder = decoder
        self._encoding = encoding
        self._custom_type_converters = tuple(custom_type_converters)

    @property
    def encoding(self) -> str:
        """See `EncodingPayloadConverter.encoding`."""
        return self._encoding

    def to_payload(self, value: Any) -> Payload | None:
        """See `EncodingPayloadConverter.to_payload`."""
        if self._encoder is AdvancedJSONEncoder:
            data = encode_json(value)
        else:
            text = json.dumps(value, cls=self._encoder, separators=(",", ":"), sort_keys=True, allow_nan=False)
            data = text.encode()
        return Payload(metadata={"encoding": self._encoding.encode()}, data=data)

    def from_payload(self, payload: Payload, type_hint: Any = None) -> Any:
        """See `EncodingPayloadConverter.from_payload`."""
        hint = Any if type_hint is None else type_hint
        if self._decoder is None and not self._custom_type_converters:
            return decode_json(payload.data, hint)
        return value_to_type(hint, json.loads(payload.data, cls=self._decoder), self._custom_type_converters)


class DefaultPayloadConverter(CompositePayloadConverter):
    """Nothing, bytes, protobuf, JSON: the default. Subclass `CompositePayloadConverter` for another choice::

    class MyConverter(CompositePayloadConverter):
        def __init__(self) -> None:
            super().__init__(MyEncoding(), *DefaultPayloadConverter.default_encoding_payload_converters)
    """

    default_encoding_payload_converters: ClassVar[tuple[EncodingPayloadConverter, ...]] = (
        BinaryNullPayloadConverter(),
        BinaryPlainPayloadConverter(),
        JSONProtoPayloadConverter(),
        BinaryProtoPayloadConverter(),
        JSONPlainPayloadConverter(),
    )

    def __init__(self) -> None:
        super().__init__(*self.default_encoding_payload_converters)
