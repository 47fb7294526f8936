"""Large payloads out of the text of a row, and back into it.

A row is JSON, and the body of a payload in it is a JSON value by itself: exactly that piece of the text is cut out, and
a reference stands in its place, which is JSON too, so that SQL still reads the row. A text that happens to hold what
looks like a reference is left whole; so whatever looks like one in a text that was cut is one, and putting the bodies
back gives the same text, byte for byte. That is why nobody above the store, checksums included, knows of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Final

import msgspec

_MARK: Final = '{"$payload":"'
_REFERENCE: Final = re.compile(r'\{"\$payload":"([0-9a-f]{64})","size":[0-9]+\}')
REFERENCE_SQL: Final = """'{"$payload":"' || payload.hash || '","size":' || payload.size || '}'"""
"""The same of a row of ``payload``."""

_PAYLOAD_FIELDS: Final = frozenset(("json", "data", "metadata", "binary_metadata"))
_PROBE_CHARS: Final = 64

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_objects = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_items = msgspec.json.Decoder(list[msgspec.Raw])


def is_marked(text: str) -> bool:
    """True if a text holds what looks like a reference, so that it has to be left whole."""
    return _MARK in text


def cut(text: str, limit: int) -> tuple[str, Mapping[str, str]]:
    """The text with references in the place of payload bodies of more than so many bytes, and these by hash.

    SHA-256, because whoever can choose a payload must not be able to make another one of the same name; it is as fast
    as any other where the processor helps.
    """
    if is_marked(text):
        return text, {}
    bodies: dict[str, str] = {}
    pieces: list[str] = []
    after = 0
    for key, body in _large_bodies(text, limit):
        at = _place(text, f'"{key}":', body, after)
        if at < 0:
            continue
        data = body.encode()
        name = sha256(data).hexdigest()
        bodies[name] = body
        pieces += (text[after:at], f'{_MARK}{name}","size":{len(data)}}}')
        after = at + len(body)
    return "".join((*pieces, text[after:])), bodies


def joined(text: str, bodies: Mapping[str, str]) -> str:
    """The text that was cut. Without one of its bodies it is no JSON, so that nobody takes it for one."""
    return _REFERENCE.sub(lambda found: bodies.get(found[1]) or f"<payload {found[1]} is missing or damaged>", text)


def sound(name: str, body: str) -> bool:
    """True if this is the body that was given this name."""
    return sha256(body.encode()).hexdigest() == name


def _large_bodies(text: str, limit: int) -> Iterator[tuple[str, str]]:
    """Field and value of each body, in the order of the text. Only what is large enough to hold one is looked into."""
    try:
        waiting: list[tuple[str, msgspec.Raw]] = [("", msgspec.Raw(text.encode()))]
        while waiting:
            key, raw = waiting.pop()
            if key:
                yield key, bytes(raw).decode()
                continue
            found = _inside(raw)
            waiting.extend([one for one in reversed(found) if memoryview(one[1]).nbytes > limit])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return  # a row that is no JSON stays as it is


def _inside(raw: msgspec.Raw) -> list[tuple[str, msgspec.Raw]]:
    """The values in an object or array; those that are bodies of payloads with the name of their field."""
    match bytes(memoryview(raw)[:1]):
        case b"{":
            return _fields(_members.decode(raw))
        case b"[":
            try:
                return [one for fields in _objects.decode(raw) for one in _fields(fields)]
            except msgspec.ValidationError:
                return [("", one) for one in _items.decode(raw)]
        case _:
            return []


def _fields(fields: Mapping[str, msgspec.Raw]) -> list[tuple[str, msgspec.Raw]]:
    is_payload = fields.keys() <= _PAYLOAD_FIELDS
    return [(key if is_payload and key in ("json", "data") else "", value) for key, value in fields.items()]


def _place(text: str, field: str, body: str, after: int) -> int:
    """Where a body begins; -1 if it does not stand behind its field, as it does in what we write."""
    probe = field + body[:_PROBE_CHARS]
    at = text.find(probe, after)
    while at >= 0:
        start = at + len(field)
        if text.startswith(body, start):
            return start
        at = text.find(probe, at + 1)
    return -1
