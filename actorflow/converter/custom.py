"""Converters of the user between the engine and their payloads."""

from __future__ import annotations

from typing import Any

from actorflow import exceptions as errors
from actorflow.converter.json_values import check_size
from actorflow.converter.payload import Payload, public_payload, stored_payload
from actorflow.converter.values import ValueConverter


class CustomValueConverter(ValueConverter):
    """Asks the payload converter it was given; whatever that raises says who, what, and what now."""

    def encode_one(self, value: Any) -> Payload:
        """See `ValueConverter.encode`."""
        try:
            payload = self.payload_converter.to_payload(value)
        except (errors.PayloadError, errors.FailureError):
            raise
        except Exception as problem:
            raise errors.PayloadError(
                f"{self._name} can't encode a value of type {type(value).__qualname__}: "
                f"{type(problem).__name__}: {problem}; pass another value, or fix the converter"
            ) from problem
        stored = stored_payload(payload)
        check_size(value, stored.size)
        return stored

    def decode_one(self, payload: Payload, type_hint: Any = Any) -> Any:
        """See `ValueConverter.decode`."""
        try:
            return self.payload_converter.from_payload(public_payload(payload), None if type_hint is Any else type_hint)
        except (errors.PayloadError, errors.FailureError):
            raise
        except Exception as problem:
            name = getattr(type_hint, "__qualname__", None) or str(type_hint)
            raise errors.PayloadError(
                f"{self._name} can't decode a payload with encoding {payload.encoding!r} as {name}: "
                f"{type(problem).__name__}: {problem}; fix the converter or the type hint"
            ) from problem

    @property
    def _name(self) -> str:
        return type(self.payload_converter).__qualname__
