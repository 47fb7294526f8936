"""Turns as journal rows: encoded as JSON, numbered, and chained by checksums.

SQLite does not checksum its pages, so one flipped bit would be replayed as truth. Each row carries a crc32 of its text
and number, seeded with the row before it; the first is seeded with the identity of the execution. A row that was
changed, lost, reordered or moved to another execution breaks the chain.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from zlib import crc32

import msgspec

from actorflow.core import events as ev
from actorflow.exceptions import CorruptJournalError

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(tuple[ev.AnyEvent, ...])


class Turn(msgspec.Struct, frozen=True, gc=False):
    """One turn as it happened: when, what arrived, what the program decided."""

    number: int
    at: datetime
    events: tuple[ev.AnyEvent, ...]

    @property
    def first_decision(self) -> int:
        """The number the turn's first event would have if all of them were decisions.

        Those take one number each and stand at the end, so counted on from here each of them has its own; but for the
        very last ones, which are no events of the public history and have none.
        """
        return self.number - len(self.events) + sum([type(event) in ev.UNSEEN for event in self.events]) + 1


class TurnRow(msgspec.Struct, frozen=True, gc=False):
    """One turn as it is stored; ``number`` is that of its last event."""

    number: int
    at: datetime
    events: str
    checksum: int


def identity_checksum(namespace: str, workflow_id: str, run_id: str, workflow_type: str) -> int:
    """The seed of an execution's chain."""
    return crc32("\0".join((namespace, workflow_id, run_id, workflow_type)).encode())


def encode_turn(turn: Turn, *, previous: int) -> TurnRow:
    """The row of a turn; ``previous`` is the checksum of the row before it."""
    data = _encoder.encode(turn.events)
    return TurnRow(turn.number, turn.at, data.decode(), _checksum(turn.number, data, previous))


def decode_turns(rows: Iterable[TurnRow], *, seed: int, run_id: str) -> Sequence[Turn]:
    """The turns of rows in order, each checked against the chain.

    Raises:
        CorruptJournalError: a row does not match its checksum.
        msgspec.DecodeError: a row holds an event this version doesn't know.
    """
    turns: list[Turn] = []
    previous = seed
    for row in rows:
        data = row.events.encode()
        previous = _checksum(row.number, data, previous)
        if previous != row.checksum:
            raise CorruptJournalError(
                f"journal of run {run_id}: the row that ends with event {row.number} does not match its checksum; "
                "restore the database from a backup, or terminate this execution"
            )
        turns.append(Turn(row.number, row.at, _decoder.decode(data)))
    return turns


def decode_events(text: str) -> tuple[ev.AnyEvent, ...]:
    """The events of a row, whatever its checksum.

    Raises:
        msgspec.DecodeError: they are none this version knows.
    """
    return _decoder.decode(text)


def _checksum(number: int, data: bytes, previous: int) -> int:
    return crc32(data, crc32(b"%d:" % number, previous))
