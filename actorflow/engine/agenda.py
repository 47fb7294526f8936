"""What one run waits for on the clock: its time to begin, its time to end, its earliest timer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from actorflow.core import events as ev
from actorflow.core.state import NO_OPTIONS
from actorflow.engine.execution import Execution
from actorflow.engine.ledger import Ledger
from actorflow.engine.mailbox import Mailbox
from actorflow.engine.site import Site
from actorflow.store.protocol import Identity


class Agenda:
    """See the module's head. Who asks gives the execution that is in memory, or None.

    Args:
        site: has the clock, and wakes.
        identity: of the run.
        ledger: its head has the earliest timer.
        mailbox: has the options of a run whose beginning waits there.
    """

    __slots__ = ("_armed_at", "_identity", "_ledger", "_mailbox", "_site")

    def __init__(self, site: Site, identity: Identity, ledger: Ledger, mailbox: Mailbox) -> None:
        self._site = site
        self._identity = identity
        self._ledger = ledger
        self._mailbox = mailbox
        self._armed_at: datetime | None = None

    def options(self, execution: Execution | None) -> ev.RunOptions:
        """What the run brought along, also while its beginning waits in the inbox."""
        if execution is not None and execution.state.started is not None:
            return execution.state.options
        first = next(iter(self._mailbox.accepted()), None)
        started = None if first is None else first.message
        return NO_OPTIONS if not isinstance(started, ev.Started) else started.options or NO_OPTIONS

    def is_early(self, execution: Execution) -> bool:
        """True if the run is not to begin yet."""
        if execution.state.started is not None:
            return False
        not_before = self.options(execution).not_before
        return not_before is not None and not_before > self._site.clock.now()

    def is_over(self, execution: Execution) -> bool:
        """True if the run has timed out."""
        expires_at = self.options(execution).expires_at
        return expires_at is not None and expires_at <= self._site.clock.now()

    def due_timers(self, execution: Execution) -> Sequence[str]:
        """Ids of timers whose time has come."""
        return execution.state.due_timers(self._site.clock.now())

    def arm(self, execution: Execution | None, *, is_hosted: bool) -> None:
        """Have the run woken at the earliest of what it waits for; without a worker only its end needs that."""
        head = self._ledger.head
        if head is None or not is_hosted or self._is_to_begin(execution):
            at = self.options(execution).expires_at
        else:
            at = head.wake_at
        if at is not None and (self._armed_at is None or at < self._armed_at):
            self._armed_at = at
            self._site.wakes.add(at, self._identity.key)

    def disarm(self) -> None:
        """The run was woken."""
        self._armed_at = None

    def _is_to_begin(self, execution: Execution | None) -> bool:
        """True if the run waits for its first turn and for nothing else: what its head waited for has come."""
        return execution is not None and execution.state.started is None and not self.is_early(execution)
