"""What an engine counts, and when: a fact once it is durable, a duration once it has passed.

Slots are looked up by name here, once for each type and pool, and raised in place from then on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from operator import attrgetter
from time import perf_counter
from typing import Final, TypeVar

from actorflow.core import events as ev, limits
from actorflow.core.journal import Turn
from actorflow.core.messages import Message
from actorflow.core.state import STATUS_BY_CLOSE
from actorflow.engine.mailbox import Delivery
from actorflow.observability import table
from actorflow.observability.metrics import Metrics
from actorflow.observability.slots import Count
from actorflow.store.protocol import COMMITTED, Change, Committed, Identity, Outcome

K = TypeVar("K")
V = TypeVar("V")
Observe = Callable[[float], None]

_KIND_BY_MESSAGE: Final[dict[type[ev.Event], str]] = {
    ev.SignalReceived: "signal",
    ev.UpdateRequested: "update",
    ev.UpdateAccepted: "update",
    ev.TimerFired: "timer",
    ev.ActivityCompleted: "activity_result",
    ev.ActivityFailed: "activity_result",
    ev.ActivityTimedOut: "activity_result",
    ev.ActivityCancelled: "activity_result",
    ev.LocalActivityResolved: "activity_result",
    ev.ChildStarted: "child_result",
    ev.ChildStartFailed: "child_result",
    ev.ChildCompleted: "child_result",
    ev.ChildFailed: "child_result",
    ev.ChildCancelled: "child_result",
    ev.ChildTimedOut: "child_result",
    ev.ChildTerminated: "child_result",
    ev.MessageDelivered: "control",
    ev.MessageRefused: "control",
    ev.CancelRequested: "control",
    ev.TimedOut: "control",
    ev.Terminated: "control",
}


class Known(dict[K, V]):
    """What was made for a name once, up to a bound; beyond it, it is made again each time.

    Args:
        make: makes it.
    """

    def __init__(self, make: Callable[[K], V]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, name: K) -> V:
        """Called by ``[]``."""
        made = self._make(name)
        if len(self) < limits.METRIC_NAMES_KNOWN_MAX:
            self[name] = made
        return made


class TypeCounts:
    """The slots of one workflow type."""

    def __init__(self, metrics: Metrics, workflow_type: str) -> None:
        self._metrics = metrics
        self._type = workflow_type
        self._closed: dict[type[ev.Event], tuple[Count, Observe]] = {}
        self._history_events = metrics.histogram(table.HISTORY_EVENTS, workflow_type).observe
        self._history_bytes = metrics.histogram(table.HISTORY_BYTES, workflow_type).observe
        self.started = metrics.count(table.WORKFLOWS_STARTED, workflow_type)
        self.turn_seconds = metrics.histogram(table.TURN_SECONDS, workflow_type).observe

    def closed(self, kind: type[ev.Event], seconds: float, events: int, size: int) -> None:
        """An execution ended like this, after so many seconds, events and bytes."""
        found = self._closed.get(kind)
        if found is None:
            labels = (self._type, STATUS_BY_CLOSE[kind])
            found = self._closed[kind] = (
                self._metrics.count(table.WORKFLOWS_COMPLETED, *labels),
                self._metrics.histogram(table.WORKFLOW_SECONDS, *labels).observe,
            )
        found[0].value += 1
        found[1](seconds)
        self._history_events(events)
        self._history_bytes(size)


class ActivityCounts:
    """The slots of one activity type on one task queue."""

    def __init__(self, metrics: Metrics, activity_type: str, pool: str) -> None:
        self._metrics = metrics
        self._type = activity_type
        self._pool = pool
        self._ended: dict[str, tuple[Count, Observe]] = {}
        self._attempts = metrics.histogram(table.ACTIVITY_ATTEMPTS, activity_type).observe
        self.started = metrics.count(table.ACTIVITIES_STARTED, activity_type, pool)
        self.waited = metrics.histogram(table.SCHEDULE_TO_START, pool).observe

    def ended(self, outcome: str, seconds: float | None, attempts: int = 0) -> None:
        """An attempt, if there was one, took so long and ended like this; the activity too, if it says how many."""
        found = self._ended.get(outcome)
        if found is None:
            found = self._ended[outcome] = (
                self._metrics.count(table.ACTIVITIES_COMPLETED, self._type, self._pool, outcome),
                self._metrics.histogram(table.ACTIVITY_SECONDS, self._type, outcome).observe,
            )
        found[0].value += 1
        if seconds is not None:
            found[1](seconds)
        if attempts:
            self._attempts(attempts)


_last_event: Final[Callable[[Change], int]] = attrgetter("head.last_event")


class JournalCounts:
    """The slots of the group commit."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._seconds = metrics.histogram(table.COMMIT_SECONDS).observe
        self._batch_events = metrics.histogram(table.BATCH_EVENTS).observe
        self._batch_changes = metrics.histogram(table.BATCH_CHANGES).observe
        self._events = metrics.count(table.JOURNAL_EVENTS)
        self._bytes = metrics.count(table.JOURNAL_BYTES)

    def written(self, seconds: float, changes: Sequence[Change], outcomes: Sequence[Outcome]) -> None:
        """A batch is durable."""
        if outcomes.count(COMMITTED) != len(outcomes):
            changes = [c for c, outcome in zip(changes, outcomes, strict=True) if type(outcome) is Committed]
        turned = [change for change in changes if change.turns]
        events = sum([_last_event(change) - (change.expected or 0) for change in turned])
        size = text_bytes("".join([row.events for change in turned for row in change.turns]))
        self._seconds(seconds)
        self._batch_changes(len(outcomes))
        self._batch_events(events)
        self._events.value += events
        self._bytes.value += size

    @property
    def events(self) -> int:
        """How many events were journaled."""
        return self._events.value

    def failed(self, code: str) -> None:
        """A batch could not be written; see `JOURNAL_ERRORS`."""
        self._metrics.count(table.JOURNAL_ERRORS, code).value += 1


class Counting:
    """All of an engine's slots.

    Args:
        metrics: where they are shown.

    Attributes:
        parked: why executions known to be parked are, by run: (type, reason).
        recovery_seconds: how long the latest recovery took.
        types: by workflow type.
        activities: by activity type and task queue.
    """

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self.journal = JournalCounts(metrics)
        self.parked: dict[int, tuple[str, str]] = {}
        self.recovery_seconds: float | None = None
        self.timer_lag = metrics.histogram(table.TIMER_LAG).observe
        self.loop_lag = metrics.histogram(table.LOOP_LAG).observe
        self.recovered = metrics.count(table.RECOVERED)
        self._turns: list[tuple[Identity, Turn | None, Sequence[Delivery], int]] = []
        self._turn_messages = metrics.histogram(table.TURN_MESSAGES).observe
        self.types: Known[str, TypeCounts] = Known(lambda name: TypeCounts(metrics, name))
        self.activities: Known[tuple[str, str], ActivityCounts] = Known(lambda names: ActivityCounts(metrics, *names))
        self._consumed = {
            ev.Started: Count(),  # a start is counted by itself
            **{message: metrics.count(table.MESSAGES, kind, "ok") for message, kind in _KIND_BY_MESSAGE.items()},
        }
        self._unhandled = metrics.count(table.MESSAGES, "signal", "dead")

    def turn(self, identity: Identity, turn: Turn | None, taken: Sequence[Delivery], journal_bytes: int) -> None:
        """A turn is durable (or the knowledge that no message mattered), with what it took from the mailbox."""
        if self.parked:
            self.parked.pop(identity.key, None)
        self._turns.append((identity, turn, taken, journal_bytes))

    def batch(self, seconds: float, changes: Sequence[Change], outcomes: Sequence[Outcome]) -> None:
        """A batch is durable and all its turns were told: count them one after the other, while the code is warm."""
        self.journal.written(seconds, changes, outcomes)
        turns, self._turns = self._turns, []
        for identity, turn, taken, journal_bytes in turns:
            if turn is None:
                self._duplicates((), taken)
                continue
            self._turn_messages(len(taken))
            if len(taken) == 1:  # of one message alone a turn is made only if it matters
                self._consumed[type(taken[0].message)].value += 1
            else:
                self._messages(turn.events, taken)
            if type(turn.events[-1]) in ev.CLOSING:
                self._closed(identity, turn, journal_bytes)

    def _closed(self, identity: Identity, turn: Turn, journal_bytes: int) -> None:
        events = turn.events
        seconds = (turn.at - identity.started_at).total_seconds()
        self.types[identity.workflow_type].closed(type(events[-1]), seconds, turn.number, journal_bytes)
        if len(events) > 2:
            self._left_over(events)

    def _left_over(self, events: Sequence[ev.Event]) -> None:
        self._unhandled.value += sum(type(event) is ev.SignalUnhandled for event in events)

    def _messages(self, events: Sequence[ev.Event], taken: Sequence[Delivery]) -> None:
        for event in events:
            consumed = self._consumed.get(type(event))
            if consumed is not None:
                consumed.value += 1
        self._duplicates(events, taken)

    def _duplicates(self, events: Sequence[ev.Event], taken: Sequence[Delivery]) -> None:
        kinds = Counter(_KIND_BY_MESSAGE.get(type(delivery.message), "") for delivery in taken)
        kinds.subtract(_KIND_BY_MESSAGE.get(type(event), "") for event in events)
        for kind, count in kinds.items():
            if kind and count > 0:
                self.metrics.count(table.MESSAGES, kind, "duplicate").value += count

    def rejected(self, message: Message) -> None:
        """A message was refused to its sender."""
        self.metrics.count(table.MESSAGES, _KIND_BY_MESSAGE[type(message)], "rejected").value += 1

    def update_rejected(self) -> None:
        """A validator has refused an update."""
        self.metrics.count(table.MESSAGES, "update", "rejected").value += 1

    def dead(self, message: Message) -> None:
        """A message of our own found its execution closed."""
        self.metrics.count(table.MESSAGES, _KIND_BY_MESSAGE[type(message)], "dead").value += 1

    def query(self, *, is_answered: bool) -> None:
        """A question was answered, or was not."""
        self.metrics.count(table.MESSAGES, "query", "ok" if is_answered else "rejected").value += 1

    def turn_failed(self, identity: Identity, failure_type: str, *, is_parked: bool) -> None:
        """A turn could not be finished, and its messages are durably kept."""
        is_different = failure_type == "NondeterminismError"
        if is_different:
            self.metrics.count(table.NONDETERMINISM, identity.workflow_type).value += 1
        if is_parked:
            self.is_parked(identity, "nondeterminism" if is_different else "code_failed")

    def is_parked(self, identity: Identity, reason: str) -> None:
        """An execution can't go on."""
        self.parked[identity.key] = (identity.workflow_type, reason)

    def stalled(self, workflow_type: str) -> None:
        """A turn was found blocking the event loop."""
        self.metrics.count(table.TURN_STALLS, workflow_type).value += 1

    def rebuilt(self, workflow_type: str, began: float, events: int) -> None:
        """A program was rebuilt from so many events; ``began`` is what `perf_counter` said before."""
        self.metrics.count(table.ACTIVATIONS, workflow_type).value += 1
        self.metrics.histogram(table.ACTIVATION_SECONDS, workflow_type).observe(perf_counter() - began)
        self.metrics.histogram(table.REPLAY_EVENTS, workflow_type).observe(events)

    def passivated(self, reason: str) -> None:
        """A live program has left memory."""
        self.metrics.count(table.PASSIVATIONS, reason).value += 1


def text_bytes(text: str) -> int:
    """How long a text is on disk; knowing that it is plain ASCII, as nearly all are, costs nothing."""
    return len(text) if text.isascii() else len(text.encode())
