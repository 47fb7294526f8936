"""A setback: a turn that could not be finished, until its messages are kept and it can be tried again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from actorflow.converter import Failure, payloads_of
from actorflow.core import events as ev
from actorflow.core.failing import FailingTurn, for_head, turn_failure
from actorflow.core.journal import Turn
from actorflow.core.turn import failed_turn
from actorflow.engine.codec_wait import Waiting
from actorflow.engine.codecs import codec_failure, without_payloads, written
from actorflow.engine.execution import Execution
from actorflow.engine.ledger import Ledger, Then
from actorflow.engine.mailbox import Delivery
from actorflow.engine.registry import WorkerHost
from actorflow.engine.reporting import report_turn_failure
from actorflow.engine.site import Site
from actorflow.engine.trouble import Trouble
from actorflow.exceptions import CodecError
from actorflow.store.protocol import Identity


class Setback(msgspec.Struct, eq=False, frozen=True):
    """See the module's head.

    Attributes:
        site: collaborators.
        identity: of the run.
        execution: whose program failed.
        host: its worker.
        taken: the messages of the turn.
        cause: of the failure.
        at: the time of the turn; it is tried again at the same.
        is_journaled: False if the state already has the turn that could not be written.
    """

    site: Site
    identity: Identity
    execution: Execution
    host: WorkerHost
    taken: Sequence[Delivery]
    cause: BaseException
    at: datetime
    is_journaled: bool

    def describe(self, waiting: Waiting, then: Callable[[Failure], None], put_back: Callable[[], None]) -> None:
        """Say what is kept of the cause, when its payloads are encoded; see `Waiting` for who waits and puts back."""
        cause = self.cause
        failure = codec_failure(cause) if isinstance(cause, CodecError) else turn_failure(cause, self.host.converter)
        if self.host.coder is None or not payloads_of(failure):
            then(failure)
            return

        def encoded(outcome: Sequence[Failure] | CodecError) -> None:
            then(without_payloads(failure) if isinstance(outcome, CodecError) else outcome[0])

        waiting.wait_for_codec(written(self.host.coder, self.identity, [failure]), encoded, put_back)

    def keep(self, failure: Failure, ledger: Ledger, previous: Trouble | None, then: Then) -> Trouble:
        """Keep the messages of the turn, durably.

        Args:
            failure: what `describe` has said.
            ledger: of the run.
            previous: from earlier tries of the same turn.
            then: told the outcome.

        Returns:
            What keeps the run from going on until the next try.
        """
        attempts = 1 if previous is None else previous.failing.attempts + 1
        is_for_codec = isinstance(self.cause, CodecError)
        failing = FailingTurn(attempts, self.at, len(self.taken), for_head(failure), is_for_codec)
        report_turn_failure(self.identity, self.cause, attempts=attempts, is_parked=failing.is_parked)
        turn = self._journaled(failing, failure)
        expires_at = self._expires_at()
        if expires_at is not None:
            self.site.wakes.add(expires_at, self.identity.key)
        ledger.keep_failing(failing, turn, self.execution.state, taken=self.taken, then=then)
        return Trouble(failing, expires_at=expires_at)

    def _journaled(self, failing: FailingTurn, failure: Failure) -> Turn | None:
        if not (self.is_journaled and failing.is_journaled) or self.execution.state.started is None:
            return None
        event = ev.TurnFailed(failure, failing.attempts, failing.reason if failing.is_parked else "")
        return failed_turn(self.execution.state, event, now=self.at)

    def _expires_at(self) -> datetime | None:
        options = self.execution.begun_by([delivery.message for delivery in self.taken]).options
        return None if options is None else options.expires_at
