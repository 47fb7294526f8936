"""Codecs: one hides payloads as long as it has its key, one binds them to their workflow."""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Sequence
from pathlib import Path

from actorflow.api.common.v1 import Payload
from actorflow.converter import (
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)

SECRET = "open sesame"
ENCODING = b"binary/hidden"


class Hidden(PayloadCodec):
    """Hides payloads from a search, as long as it has its key."""

    def __init__(self) -> None:
        self.cannot: set[str] = set()
        self.gate: asyncio.Event | None = None
        self.asked: list[str] = []
        self.was_asked = asyncio.Event()

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        await self._ask("encode")
        return [Payload(metadata={"encoding": ENCODING}, data=b64encode(one.SerializeToString())) for one in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        await self._ask("decode")
        hidden = [one.metadata["encoding"] == ENCODING for one in payloads]
        return [
            Payload.FromString(b64decode(one.data)) if is_hidden else one
            for one, is_hidden in zip(payloads, hidden, strict=True)
        ]

    async def _ask(self, what: str) -> None:
        self.asked.append(what)
        self.was_asked.set()
        if self.gate is not None:
            await self.gate.wait()
        if what in self.cannot:
            raise KeyError("no key")


class Slow(Hidden):
    """Takes its time for one kind of question, until it may go on."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self._what = what
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()

    async def _ask(self, what: str) -> None:
        await super()._ask(what)
        if what == self._what:
            self.reached.set()
            await self.go_on.wait()


class Strict(Hidden):
    """Refuses whatever nobody has hidden."""

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        assert {one.metadata["encoding"] for one in payloads} == {ENCODING}
        return await super().decode(payloads)


class Bound(PayloadCodec, WithSerializationContext):
    """Turns payloads round, and gives them back only where they belong."""

    def __init__(self, place: str = "nowhere") -> None:
        self._place = place.encode()

    def with_context(self, context: SerializationContext) -> Bound:
        assert isinstance(context, WorkflowSerializationContext)
        return Bound(f"{context.namespace}/{context.workflow_id}")

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        assert self._place != b"nowhere"
        return [
            Payload(metadata={"encoding": b"binary/bound", "place": self._place}, data=one.SerializeToString()[::-1])
            for one in payloads
        ]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        places = [one.metadata.get("place", b"of no codec") for one in payloads]
        assert places == [self._place] * len(payloads)
        return [Payload.FromString(one.data[::-1]) for one in payloads]


def hiding(codec: PayloadCodec) -> DataConverter:
    return DataConverter(payload_codec=codec, failure_converter_class=DefaultFailureConverterWithEncodedAttributes)


def files_hold(path: Path, text: str) -> bool:
    return any(text.encode() in file.read_bytes() for file in path.parent.iterdir() if file.is_file())
