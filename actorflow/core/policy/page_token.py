"""Page tokens: where a list goes on, as bytes that mean nothing to anybody else and fit one query only.

A token holds values that are compared, never text that is run, so its digest needs no secret: it protects from
mistakes, not from forgery, and a forged one shows nothing its maker could not list anyway.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Final

import msgspec

from actorflow.exceptions import PageTokenError

_VERSION: Final = b"1"
_DIGEST_BYTES: Final = 8
_TOKEN_BYTES_MAX: Final = 200


class Place(msgspec.Struct, frozen=True, array_like=True):
    """The last run of a page: its time in the list's order (None: it has not closed) and its key."""

    at: datetime | None
    key: int


def encode_token(place: Place, namespace: str, query: str) -> bytes:
    """The token of the page that follows a place in the list of a query."""
    content = msgspec.msgpack.encode(place)
    return _VERSION + _digest(content, namespace, query) + content


def decode_token(token: bytes, namespace: str, query: str) -> Place:
    """The place a token names.

    Raises:
        PageTokenError: it is none of ours, or of another query or namespace.
    """
    digest, content = token[1 : 1 + _DIGEST_BYTES], token[1 + _DIGEST_BYTES :]
    is_ours = len(token) <= _TOKEN_BYTES_MAX and token.startswith(_VERSION)
    if not is_ours or digest != _digest(content, namespace, query):
        raise PageTokenError
    try:
        place = msgspec.msgpack.decode(content, type=Place)
    except (msgspec.DecodeError, OverflowError):
        raise PageTokenError from None
    if not -(2**63) <= place.key < 2**63 or (place.at is not None and place.at.tzinfo is None):
        raise PageTokenError
    return place


def _digest(content: bytes, namespace: str, query: str) -> bytes:
    about = msgspec.msgpack.encode((content, namespace, query))
    return hashlib.blake2b(about, digest_size=_DIGEST_BYTES, person=b"actorflow-page").digest()
