"""The part of protobuf's wire format that payloads need: fields of bytes, behind each other.

Written by hand, because it is forty lines and protobuf is a dependency of its own. A codec that encrypts the serialized
payload writes the same bytes as one on the public SDK.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from actorflow.exceptions import PayloadError

_BYTES: Final = 2
_FIXED: Final = {1: 8, 5: 4}
_VARINT_BYTES_MAX: Final = 10


def field(number: int, data: bytes) -> bytes:
    """One field of bytes, text or a message."""
    return _varint(number << 3 | _BYTES) + _varint(len(data)) + data


def fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields of bytes in a message, by number; fields of other kinds are passed over.

    Raises:
        PayloadError: that is no message.
    """
    place = 0
    while place < len(data):
        key, place = _read_varint(data, place)
        kind = key & 7
        if kind == 0:
            _, place = _read_varint(data, place)
            continue
        if kind == _BYTES:
            length, place = _read_varint(data, place)
        elif kind in _FIXED:
            length = _FIXED[kind]
        else:
            raise _damaged(f"a field of kind {kind}")
        if length > len(data) - place:
            raise _damaged(f"a field of {length} bytes where {len(data) - place} are left")
        if kind == _BYTES:
            yield key >> 3, data[place : place + length]
        place += length


def _varint(number: int) -> bytes:
    if number < 0x80:  # nearly always
        return bytes((number,))
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


def _read_varint(data: bytes, place: int) -> tuple[int, int]:
    if place < len(data) and data[place] < 0x80:  # nearly always
        return data[place], place + 1
    number = 0
    for index, byte in enumerate(data[place : place + _VARINT_BYTES_MAX]):
        number |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return number, place + index + 1
    raise _damaged("a number that does not end")


def _damaged(found: str) -> PayloadError:
    return PayloadError(
        f"these bytes are no serialized payload: they hold {found}; were they decrypted with their key?"
    )
