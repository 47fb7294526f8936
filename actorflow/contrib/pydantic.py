"""Pydantic models as arguments and results: ``Client.connect(..., data_converter=pydantic_data_converter)``.

Pydantic then reads and writes everything that is JSON, so it also knows models inside dataclasses, and its own types.
Needs the extra ``pydantic``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import SchemaSerializer, core_schema

from actorflow.api.common.v1 import Payload
from actorflow.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultPayloadConverter,
    EncodingPayloadConverter,
    JSONPlainPayloadConverter,
)


@dataclass
class ToJsonOptions:
    """How pydantic writes JSON.

    Attributes:
        exclude_unset: leave out fields of models that were not set.
    """

    exclude_unset: bool = False


class PydanticJSONPlainPayloadConverter(EncodingPayloadConverter):
    """Everything that pydantic can write as JSON, and read as the declared type.

    Args:
        to_json_options: how JSON is written.
        max_cached_type_adapters: declared types whose readers are remembered; None means all.
    """

    def __init__(
        self, to_json_options: ToJsonOptions | None = None, *, max_cached_type_adapters: int | None = 1024
    ) -> None:
        self._exclude_unset = to_json_options is not None and to_json_options.exclude_unset
        self._adapters_max = max_cached_type_adapters
        self._adapters: dict[Any, TypeAdapter[Any]] = {}

    @property
    def encoding(self) -> str:
        """See `EncodingPayloadConverter.encoding`."""
        return "json/plain"

    def to_payload(self, value: Any) -> Payload | None:
        """See `EncodingPayloadConverter.to_payload`."""
        return Payload(metadata=dict(_METADATA), data=_SERIALIZER.to_json(value, exclude_unset=self._exclude_unset))

    def from_payload(self, payload: Payload, type_hint: Any = None) -> Any:
        """See `EncodingPayloadConverter.from_payload`."""
        return self._adapter(Any if type_hint is None else type_hint).validate_json(payload.data)

    def _adapter(self, type_hint: Any) -> TypeAdapter[Any]:
        """What reads a type; the one that was not used for the longest time makes room."""
        try:
            adapter = self._adapters.pop(type_hint, None)
        except TypeError:  # the hint can't be hashed
            return TypeAdapter(type_hint)
        if adapter is None:
            adapter = TypeAdapter(type_hint)
            if self._adapters_max is not None and len(self._adapters) >= max(self._adapters_max, 1):
                del self._adapters[next(iter(self._adapters))]
        self._adapters[type_hint] = adapter
        return adapter


class PydanticPayloadConverter(CompositePayloadConverter):
    """The default payload converter, with pydantic for JSON; takes what `PydanticJSONPlainPayloadConverter` does."""

    def __init__(
        self, to_json_options: ToJsonOptions | None = None, *, max_cached_type_adapters: int | None = 1024
    ) -> None:
        json = PydanticJSONPlainPayloadConverter(to_json_options, max_cached_type_adapters=max_cached_type_adapters)
        super().__init__(
            *[
                json if isinstance(converter, JSONPlainPayloadConverter) else converter
                for converter in DefaultPayloadConverter.default_encoding_payload_converters
            ]
        )


_SERIALIZER = SchemaSerializer(core_schema.any_schema())
_METADATA: Mapping[str, bytes] = {"encoding": b"json/plain"}

pydantic_data_converter = DataConverter(payload_converter_class=PydanticPayloadConverter)
"""The default data converter, with pydantic for JSON."""
