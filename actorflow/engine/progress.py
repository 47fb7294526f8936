"""How far an open activity is, as it stands in the journal's beside: attempts, the last failure, heartbeat details."""

from __future__ import annotations

from datetime import datetime

import msgspec

from actorflow.converter import Failure, Payload
from actorflow.store.protocol import ActivityRow

_encode = msgspec.json.encode
_decode_failure = msgspec.json.Decoder(Failure).decode
_decode_details = msgspec.json.Decoder(tuple[Payload, ...]).decode


class Progress:
    """See the module's head.

    Args:
        row: what an earlier process left.

    Attributes:
        number: of the attempt that runs, or runs next.
        charged: attempts that count against the maximum.
        last_failure: of the attempts before.
        heartbeat: the last details.
        next_at: when the next attempt begins.
        left_at: when the code of the attempt that runs has left it to be completed from outside; None if it has not.
    """

    __slots__ = ("charged", "heartbeat", "last_failure", "left_at", "next_at", "number")

    def __init__(self, row: ActivityRow | None) -> None:
        self.number = 1
        self.charged = 0
        self.last_failure: Failure | None = None
        self.heartbeat: tuple[Payload, ...] = ()
        self.next_at: datetime | None = None
        self.left_at: datetime | None = None
        if row is not None:
            self._read(row)

    def _read(self, row: ActivityRow) -> None:
        self.number = row.attempt
        self.charged = row.charged
        self.last_failure = _decode_failure(row.last_failure) if row.last_failure else None
        self.heartbeat = _decode_details(row.heartbeat) if row.heartbeat else ()
        if row.is_left_open:
            self.left_at = row.next_attempt_at
        else:
            self.next_at = row.next_attempt_at

    def as_row(self, activity_id: str, started_at: datetime | None, *, cancel_requested: bool) -> ActivityRow:
        """For the store; ``started_at`` is when the attempt began, if it runs."""
        return ActivityRow(
            activity_id=activity_id,
            attempt=self.number,
            charged=self.charged,
            started_at=started_at,
            next_attempt_at=self.next_at if started_at is None else self.left_at,
            last_failure=_encode(self.last_failure).decode() if self.last_failure else None,
            heartbeat=_encode(self.heartbeat).decode() if self.heartbeat else None,
            cancel_requested=cancel_requested,
        )
