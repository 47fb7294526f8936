"""Compresses payloads that are worth it, and puts several codecs behind each other."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from actorflow.api.common.v1 import Payload
from actorflow.converter import PayloadCodec, SerializationContext, WithSerializationContext

ENCODING = b"binary/zlib"
WORTH_IT_BYTES = 1024
DECOMPRESSED_BYTES_MAX = 4 * 1024 * 1024


class TooLargeError(Exception):
    """A payload would take more memory than any that was compressed here: somebody has made it."""


class CompressionCodec(PayloadCodec):
    """Compresses with zlib what becomes smaller by it."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """See `PayloadCodec.encode`."""
        return [self._compressed(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """See `PayloadCodec.decode`."""
        return [
            self._decompressed(payload) if payload.metadata.get("encoding") == ENCODING else payload
            for payload in payloads
        ]

    def _compressed(self, payload: Payload) -> Payload:
        data = payload.SerializeToString()
        if len(data) < WORTH_IT_BYTES:
            return payload
        compressed = zlib.compress(data)
        return payload if len(compressed) >= len(data) else Payload(metadata={"encoding": ENCODING}, data=compressed)

    def _decompressed(self, payload: Payload) -> Payload:
        stream = zlib.decompressobj()
        data = stream.decompress(payload.data, DECOMPRESSED_BYTES_MAX)
        if not stream.eof:
            raise TooLargeError(f"a compressed payload is cut off, or larger than {DECOMPRESSED_BYTES_MAX:,} bytes")
        return Payload.FromString(data)


class Chain(PayloadCodec, WithSerializationContext):
    """Several codecs: the first one sees what programs see, the last one what is stored.

    Compress before you encrypt: what is encrypted has nothing left to compress.
    """

    def __init__(self, *codecs: PayloadCodec) -> None:
        self._codecs = codecs

    def with_context(self, context: SerializationContext) -> Chain:
        """See `WithSerializationContext.with_context`."""
        return Chain(
            *[
                codec.with_context(context) if isinstance(codec, WithSerializationContext) else codec
                for codec in self._codecs
            ]
        )

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """See `PayloadCodec.encode`."""
        encoded = list(payloads)
        for codec in self._codecs:
            encoded = await codec.encode(encoded)
        return encoded

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """See `PayloadCodec.decode`."""
        decoded = list(payloads)
        for codec in reversed(self._codecs):
            decoded = await codec.decode(decoded)
        return decoded
