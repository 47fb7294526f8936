"""Encrypts payloads with AES-256-GCM; each says which key it needs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from actorflow.api.common.v1 import Payload
from actorflow.converter import (
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)

ENCODING = b"binary/encrypted"
NONCE_BYTES = 12


class WrongKeyError(Exception):
    """A payload was encrypted with another key of this name, for another workflow, or was changed."""


class Keys(Protocol):
    """What knows keys."""

    def current(self) -> tuple[str, bytes]:
        """Id and bytes of the key to encrypt with."""
        ...

    def key(self, key_id: str) -> bytes:
        """The key of an id."""
        ...


class EncryptionCodec(PayloadCodec, WithSerializationContext):
    """Encrypts whole payloads, metadata included.

    A ciphertext is bound to its namespace, its workflow id and its key: copied into another workflow it can't be read.
    A random nonce is good for 2**32 payloads of one key; rotate it before.

    Args:
        keys: where keys come from.
        place: what ciphertexts are bound to.
    """

    def __init__(self, keys: Keys, place: bytes = b"") -> None:
        self._keys = keys
        self._place = place

    def with_context(self, context: SerializationContext) -> EncryptionCodec:
        """See `WithSerializationContext.with_context`."""
        if not isinstance(context, WorkflowSerializationContext):
            return self
        return EncryptionCodec(self._keys, _joined(context.namespace.encode(), context.workflow_id.encode()))

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """See `PayloadCodec.encode`."""
        key_id, key = self._keys.current()
        cipher, bound_to = AESGCM(key), self._bound_to(key_id.encode())
        encrypted: list[Payload] = []
        for payload in payloads:
            nonce = os.urandom(NONCE_BYTES)
            data = nonce + cipher.encrypt(nonce, payload.SerializeToString(), bound_to)
            encrypted.append(Payload(metadata={"encoding": ENCODING, "encryption-key-id": key_id.encode()}, data=data))
        return encrypted

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """See `PayloadCodec.decode`; payloads from before there was encryption are left as they are."""
        return [
            self._decrypted(payload) if payload.metadata.get("encoding") == ENCODING else payload
            for payload in payloads
        ]

    def _decrypted(self, payload: Payload) -> Payload:
        key_id = payload.metadata.get("encryption-key-id", b"")
        nonce, data = payload.data[:NONCE_BYTES], payload.data[NONCE_BYTES:]
        cipher = AESGCM(self._keys.key(key_id.decode()))
        try:
            return Payload.FromString(cipher.decrypt(nonce, data, self._bound_to(key_id)))
        except (InvalidTag, ValueError) as problem:
            raise WrongKeyError(
                f"a payload does not belong to the key {key_id.decode()!r} and this workflow, or was changed"
            ) from problem

    def _bound_to(self, key_id: bytes) -> bytes:
        return _joined(ENCODING, key_id, self._place)


def _joined(*parts: bytes) -> bytes:
    """Parts behind each other, with their lengths: no two lists of parts look the same."""
    return b"".join([len(part).to_bytes(4, "big") + part for part in parts])
