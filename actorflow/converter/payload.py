"""A value as it travels and is stored, and the same in its public form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from actorflow.api.common import v1 as public

_NOT_JSON: Final = msgspec.Raw()
_PLAIN: Final = "json/plain"


class Payload(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One encoded value.

    JSON is kept as it is, so that a person can read it in the journal; every other encoding is bytes with an
    ``encoding`` in its metadata. ``binary_metadata`` is that part of the metadata that is not text.
    """

    json: msgspec.Raw = _NOT_JSON
    data: bytes | None = None
    metadata: dict[str, str] | None = None
    binary_metadata: dict[str, bytes] | None = None

    @property
    def encoding(self) -> str:
        """Name of the encoding, as in the public payload format; empty for bytes that don't say."""
        unsaid = _PLAIN if self.data is None else ""
        return unsaid if self.metadata is None else self.metadata.get("encoding", unsaid)

    @property
    def size(self) -> int:
        """Bytes the encoded value takes."""
        return memoryview(self.json).nbytes if self.data is None else len(self.data)


def public_payload(payload: Payload) -> public.Payload:
    """The public form: the encoding is said, and the data is bytes."""
    metadata = {key: value.encode() for key, value in (payload.metadata or {}).items()}
    metadata.update(payload.binary_metadata or {})
    if payload.data is not None:
        return public.Payload(metadata=metadata, data=payload.data)
    return public.Payload(metadata={"encoding": _PLAIN.encode(), **metadata}, data=bytes(payload.json))


def stored_payload(payload: public.Payload) -> Payload:
    """The form that is stored: what says it is JSON, and is, is kept as JSON."""
    texts, others = _split(payload.metadata)
    encoding = texts.get("encoding", "")
    if encoding.startswith("json/") and _is_json(payload.data):
        is_all = texts == {"encoding": _PLAIN}
        return Payload(json=msgspec.Raw(payload.data), metadata=None if is_all else texts, binary_metadata=others)
    return Payload(data=payload.data, metadata=texts or None, binary_metadata=others)


def _split(metadata: Mapping[str, bytes]) -> tuple[dict[str, str], dict[str, bytes] | None]:
    """Metadata that is text, and the rest."""
    texts: dict[str, str] = {}
    others: dict[str, bytes] = {}
    for key, value in metadata.items():
        try:
            texts[key] = value.decode()
        except UnicodeDecodeError:
            others[key] = value
    return texts, others or None


def _is_json(data: bytes) -> bool:
    """False also for what only some parsers take for JSON, such as NaN: it would spoil the row it stands in."""
    try:
        msgspec.json.decode(data)
    except (ValueError, RecursionError):
        return False
    return True
