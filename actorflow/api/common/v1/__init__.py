"""`Payload`: one encoded value, as converters and codecs see it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from actorflow.api import wire
from actorflow.exceptions import PayloadError

__all__ = ["Payload", "Payloads"]


@dataclass(slots=True, init=False)
class Payload:
    """One encoded value.

    Attributes:
        metadata: says under ``encoding`` how the value is encoded; converters and codecs may add what they need.
        data: the value.
    """

    metadata: dict[str, bytes]
    data: bytes

    def __init__(self, *, metadata: Mapping[str, bytes] | None = None, data: bytes = b"") -> None:
        self.metadata = {} if metadata is None else dict(metadata)
        self.data = data

    def SerializeToString(self) -> bytes:
        """The payload in protobuf's wire format, as the public SDK writes it."""
        entries = [wire.field(1, _entry(key, value)) for key, value in self.metadata.items()]
        return b"".join(entries) + (wire.field(2, self.data) if self.data else b"")

    def ParseFromString(self, data: bytes) -> None:
        """Become the payload that was serialized.

        Raises:
            PayloadError: these bytes are none.
        """
        self.metadata, self.data = {}, b""
        for number, value in wire.fields(data):
            if number == 1:
                key, said = _read_entry(value)
                self.metadata[key] = said
            elif number == 2:
                self.data = value

    @classmethod
    def FromString(cls, data: bytes) -> Self:
        """The payload that was serialized; raises as `ParseFromString`."""
        payload = cls()
        payload.ParseFromString(data)
        return payload

    def CopyFrom(self, other: Payload) -> None:
        """Become a copy of another payload."""
        self.metadata, self.data = dict(other.metadata), other.data


@dataclass(slots=True, init=False)
class Payloads:
    """Several payloads, such as the arguments of one call."""

    payloads: list[Payload]

    def __init__(self, *, payloads: Iterable[Payload] = ()) -> None:
        self.payloads = list(payloads)

    def SerializeToString(self) -> bytes:
        """See `Payload.SerializeToString`."""
        return b"".join([wire.field(1, payload.SerializeToString()) for payload in self.payloads])

    @classmethod
    def FromString(cls, data: bytes) -> Self:
        """See `Payload.FromString`."""
        return cls(payloads=[Payload.FromString(value) for number, value in wire.fields(data) if number == 1])


def _entry(key: str, value: bytes) -> bytes:
    return wire.field(1, key.encode()) + wire.field(2, value)


def _read_entry(data: bytes) -> tuple[str, bytes]:
    parts = dict(wire.fields(data))
    try:
        return parts.get(1, b"").decode(), parts.get(2, b"")
    except UnicodeDecodeError as problem:
        raise PayloadError(
            "these bytes are no serialized payload: the name of a metadata entry is not text; were they decrypted "
            "with their key?"
        ) from problem
