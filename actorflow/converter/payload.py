"""A value as it travels and is stored."""

from __future__ import annotations

from typing import Final

import msgspec

_NOT_JSON: Final = msgspec.Raw()


class Payload(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One encoded value.

    JSON is kept as it is, so that a person can read it in the journal; every other encoding is bytes with an
    ``encoding`` in its metadata.
    """

    json: msgspec.Raw = _NOT_JSON
    data: bytes | None = None
    metadata: dict[str, str] | None = None

    @property
    def encoding(self) -> str:
        """Name of the encoding, as in the public payload format."""
        if self.metadata is None:
            return "json/plain"
        return self.metadata.get("encoding", "json/plain")

    @property
    def size(self) -> int:
        """Bytes the encoded value takes."""
        return memoryview(self.json).nbytes if self.data is None else len(self.data)
