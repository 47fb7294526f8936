"""Codecs: between payloads and payloads, to encrypt or compress them."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from actorflow.api.common.v1 import Payload as PublicPayload, Payloads
from actorflow.converter.payload import Payload, public_payload, stored_payload
from actorflow.exceptions import CodecError

_STAMP: Final = re.compile(r"-\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z$")
"""What a schedule puts behind the ids of the workflows it starts."""


class PayloadCodec(ABC):
    """Between the payloads that programs see and those that are stored.

    It runs outside workflow code, so it may wait (for a key, say) and need not do the same thing twice. What it decodes
    has come from the journal: a payload it doesn't know must be returned as it is, because it may have been written
    before there was a codec.
    """

    @abstractmethod
    async def encode(self, payloads: Sequence[PublicPayload]) -> list[PublicPayload]:
        """One payload to store for each that is given, which are left as they are.

        Raises:
            Exception: it can't now; it will be asked again.
        """

    @abstractmethod
    async def decode(self, payloads: Sequence[PublicPayload]) -> list[PublicPayload]:
        """What `encode` was given, for each payload that is stored.

        Raises:
            Exception: it can't now; it will be asked again.
        """

    async def encode_wrapper(self, payloads: Payloads) -> None:
        """`encode` in place."""
        payloads.payloads = await self.encode(payloads.payloads)

    async def decode_wrapper(self, payloads: Payloads) -> None:
        """`decode` in place."""
        payloads.payloads = await self.decode(payloads.payloads)


@dataclass(frozen=True)
class SerializationContext:
    """Where payloads belong."""


@dataclass(frozen=True)
class WorkflowSerializationContext(SerializationContext):
    """Payloads of one workflow and of its activities, whichever of its runs they belong to.

    The workflows of a schedule share one context, with the id that the schedule's action names: their arguments were
    encoded before any of them had a time in its id, and one is told the result of the one before it.
    """

    namespace: str
    workflow_id: str

    @classmethod
    def of(cls, namespace: str, workflow_id: str) -> Self:
        """The context of the payloads of a workflow."""
        return cls(namespace, _STAMP.sub("", workflow_id))


class WithSerializationContext(ABC):
    """A codec that wants to know where payloads belong; as a second base class of it."""

    @abstractmethod
    def with_context(self, context: SerializationContext) -> Self:
        """The same codec for payloads of one place. Called often: keep it cheap."""


class Coder:
    """A codec as the engine and clients use it: on payloads as they are stored, with errors that say what to do.

    Args:
        codec: of the user.
    """

    def __init__(self, codec: PayloadCodec) -> None:
        self._codec = codec

    async def encode(self, payloads: Sequence[Payload], context: SerializationContext) -> list[Payload]:
        """What is to be stored for payloads of one place.

        Raises:
            CodecError: the codec can't, or does not do what it should.
        """
        return await self._applied("encode", payloads, context)

    async def decode(self, payloads: Sequence[Payload], context: SerializationContext) -> list[Payload]:
        """What was encoded; raises as `encode`."""
        return await self._applied("decode", payloads, context)

    async def _applied(self, what: str, payloads: Sequence[Payload], context: SerializationContext) -> list[Payload]:
        if not payloads:
            return []
        name = type(self._codec).__qualname__
        given = [public_payload(payload) for payload in payloads]
        try:
            codec = self._codec
            if isinstance(codec, WithSerializationContext):
                codec = codec.with_context(context)
            made = await (codec.encode(given) if what == "encode" else codec.decode(given))
            stored = [stored_payload(payload) for payload in made]
        except CodecError:
            raise
        except Exception as problem:
            raise CodecError(name, what, f"{type(problem).__name__}: {problem}") from problem
        if len(stored) != len(given):
            raise CodecError(name, what, f"it returned {len(stored)} payloads for {len(given)}")
        return stored
