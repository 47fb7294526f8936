"""A turn that fails: how often, with which messages, and when it is tried again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, cast

import msgspec

from actorflow.converter import Failure, ValueConverter, fitting, text_of
from actorflow.core import limits
from actorflow.exceptions import CorruptJournalError


class FailingTurn(msgspec.Struct, frozen=True):
    """What the head remembers of a turn that could not be finished.

    It is tried again with the same messages (the first so many of the inbox) at the same time, so that it can only
    come out differently if the code is different. Its failure is without large details: `for_head`.
    """

    attempts: int
    at: datetime
    messages: int
    failure: Failure
    is_for_codec: bool = False
    """Its codec could not encode or decode; that is no fault of its code."""

    @property
    def is_parked(self) -> bool:
        """True once quick tries are over."""
        return self.attempts >= self._parked_at

    @property
    def _parked_at(self) -> int:
        return limits.CODEC_FAILURES_BEFORE_PARKING if self.is_for_codec else limits.TURN_FAILURES_BEFORE_PARKING

    @staticmethod
    def unreadable(problem: Exception, now: datetime) -> FailingTurn:
        """For a journal that can't be read at all."""
        failure = Failure(message=str(problem), type=type(problem).__name__)
        return FailingTurn(limits.TURN_FAILURES_BEFORE_PARKING, now, 0, failure)

    @property
    def is_journaled(self) -> bool:
        """The first failure and the parking stand in the journal; tries between are only on the head."""
        return self.attempts in (1, self._parked_at)

    @property
    def retry_delay(self) -> timedelta:
        """How long to wait before the next try: doubled from the first to the last."""
        doubled = limits.TURN_RETRY_DELAY_MIN * 2 ** min(self.attempts - 1, 20)
        return min(doubled, limits.TURN_RETRY_DELAY_MAX)

    @property
    def reason(self) -> str:
        """One line that says why."""
        first_line = self.failure.message.splitlines()[0] if self.failure.message else ""
        if not self.messages:
            return first_line
        if self.is_for_codec:
            return f"codec: {first_line}"
        return f"its workflow code failed {self.attempts} times in the same turn with {self.failure.type}: {first_line}"


def turn_failure(problem: BaseException, converter: ValueConverter) -> Failure:
    """What made a turn fail, as data. An exception group says what is in it, and why it is no outcome.

    A task group wraps whatever fails in it: an activity's error, which alone would fail the workflow, fails only the
    turn in a group.
    """
    failure = converter.failure(problem)
    if not isinstance(problem, BaseExceptionGroup):
        return failure
    members = cast("BaseExceptionGroup[BaseException]", problem).exceptions
    shown = "; ".join(_shown(member) for member in members[:_MEMBERS_SHOWN])
    return msgspec.structs.replace(
        failure,
        message=f"{failure.message}: {shown}. A group is no failure of a workflow: catch it with except* and raise "
        "what failed, or name ExceptionGroup among the failure_exception_types",
    )


def for_head(failure: Failure) -> Failure:
    """What the head keeps of a failure. Nothing stands for what is left out: a codec would have to encode that."""
    return fitting(failure, limit=limits.FAILING_PAYLOAD_BYTES_MAX, says_so=False)


_MEMBERS_SHOWN: Final = 3


def _shown(problem: BaseException) -> str:
    cause = f" ({text_of(problem.__cause__)})" if problem.__cause__ is not None else ""
    return f"{type(problem).__name__}: {text_of(problem)}{cause}"


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(FailingTurn)


def encode_failing(failing: FailingTurn) -> str:
    """For the head's column."""
    return _encoder.encode(failing).decode()


def decode_failing(text: str) -> FailingTurn:
    """From the head's column.

    Raises:
        CorruptJournalError: that is not what it holds.
    """
    try:
        return _decoder.decode(text)
    except (msgspec.DecodeError, RecursionError) as problem:
        raise CorruptJournalError(
            f"what a head says about its failing turn can't be read ({problem}); restore the database from a backup, "
            "or terminate this execution"
        ) from problem
