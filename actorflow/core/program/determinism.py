"""Chance and identity inside a program: seeded by the run, the same on every replay."""

from __future__ import annotations

from hashlib import blake2b
from random import Random
from uuid import UUID
from zlib import crc32


def salt_of(run_id: str) -> int:
    """A number that tells runs apart and is the same in every process; cheaper than `seed_of`."""
    return crc32(run_id.encode()) << 24


def seed_of(run_id: str) -> int:
    """A 64-bit number that belongs to a run; distinct runs get unrelated ones."""
    return int.from_bytes(blake2b(run_id.encode(), digest_size=8).digest())


def uuid4_from(random: Random) -> UUID:
    """A version 4 UUID from a seeded source."""
    return UUID(bytes=random.getrandbits(128).to_bytes(16), version=4)


def uuid7_from(random: Random, millis: int) -> UUID:
    """A version 7 UUID (RFC 9562) of that millisecond from a seeded source."""
    high, low = random.getrandbits(12), random.getrandbits(62)
    return UUID(int=(millis << 80) | (0x7 << 76) | (high << 64) | (0b10 << 62) | low)
