"""What must hold of a run on disk, whatever happened to the processes that wrote it.

====  ================================================================================================================
I1    event numbers have no gap: each turn ends where the one before it and its own events say
I2    the chain of checksums holds from the identity to the head
I3    a run begins once, ends at most once, and nothing follows its end
I4    an activity is scheduled once and has at most one outcome, after that; a child has at most one start and one
      outcome, a message to others at most one reply, and each names the event that asked for it
I5    attempts only rise, and no more of them are charged than were made
I6    a timer is started once, and fires or is cancelled at most once, after that
I7    a message is kept until a turn consumes it, once: none is left behind by the end, none is taken twice; an update
      is accepted once and has at most one outcome, after that
I10   what is kept beside the journal belongs to something open
I11   the head says what the journal says, and so do the memo and the search attributes, and the index of these
I12   no row was written under an epoch, or with a number, that has not been given out
I13   a large payload is there for each row that refers to it, is what its name says, and is used by some row
====  ================================================================================================================

The numbers have gaps where a rule speaks of something that is not in a journal: that every open run has something to
wait for can't be seen (a program may wait for a signal), and that a program replays needs its code. Everything here is
a function of one run's rows; `I12` and `I13` are checked where the counters and the payloads are, what runs say of each
other in `relations`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec

from actorflow.core import events as ev, limits
from actorflow.core.failing import decode_failing
from actorflow.core.journal import Turn, TurnRow, decode_turns, identity_checksum
from actorflow.core.messages import Message, decode_message
from actorflow.core.notes import NO_NOTES, Scalar, decode_notes, terms_of
from actorflow.core.state import ExecutionState, first_notes, turn_width
from actorflow.exceptions import CorruptJournalError

_OUTCOMES: Final = (ev.ActivityCompleted, ev.ActivityFailed, ev.ActivityTimedOut, ev.ActivityCancelled)
_Check = Callable[["StoredRun", "Story"], Iterator[str]]


class StoredActivity(msgspec.Struct, frozen=True):
    """What is kept of an open activity beside the journal."""

    activity_id: str
    attempt: int
    charged: int


class StoredRun(msgspec.Struct, frozen=True):
    """One run as it is on disk: identity, head, and all its rows in order.

    Attributes:
        checksum: that of the head; with it, ``last_event`` to ``parked`` are the head's.
        inbox: the messages as they are stored.
        notes: memo and search attributes, as they are stored.
        found_by: name, type and term of what it is found by.
    """

    namespace: str
    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str
    last_event: int
    checksum: int
    status: str
    wake_at: datetime | None = None
    open_activities: int = 0
    closed_at: datetime | None = None
    failing: str | None = None
    parked: str | None = None
    first_run_id: str = ""
    turns: Sequence[TurnRow] = ()
    inbox: Sequence[str] = ()
    activities: Sequence[StoredActivity] = ()
    notes: str | None = None
    found_by: Sequence[tuple[str, int, Scalar]] = ()

    @property
    def chain(self) -> str:
        """The first run of the chain this one is part of."""
        return self.first_run_id or self.run_id

    @property
    def seed(self) -> int:
        """What the chain of checksums begins with."""
        return identity_checksum(self.namespace, self.workflow_id, self.run_id, self.workflow_type)


class Violation(msgspec.Struct, frozen=True):
    """Something that does not hold.

    Attributes:
        invariant: its name in the table at the module's head.
        workflow_id: of the run; empty if it is about the whole file.
        run_id: the same.
        what: in one sentence.
    """

    invariant: str
    workflow_id: str
    run_id: str
    what: str

    def __str__(self) -> str:
        whose = f"workflow {self.workflow_id!r} (run {self.run_id}): " if self.run_id else ""
        return f"{self.invariant} {whose}{self.what}"


class Story:
    """A run's rows, read.

    Args:
        turns: the journal.
        inbox: messages no turn has consumed.
    """

    def __init__(self, turns: Sequence[Turn], inbox: Sequence[Message]) -> None:
        self.turns = turns
        self.inbox = inbox
        self.events: list[Any] = [event for turn in turns for event in turn.events]
        self.state = ExecutionState.folded(turns)


def read_story(run: StoredRun) -> Story:
    """Decode a run's rows.

    Raises:
        CorruptJournalError: a row does not match its checksum, or an instant lies beyond the calendar.
        msgspec.DecodeError: a row holds what this version doesn't know.
    """
    turns = decode_turns(run.turns, seed=run.seed, run_id=run.run_id)
    return Story(turns, [decode_message(message) for message in run.inbox])


class Inspection(NamedTuple):
    """What does not hold of a run, and the run itself; no story if its journal can't be read."""

    violations: Sequence[Violation]
    story: Story | None


def violations(run: StoredRun) -> Sequence[Violation]:
    """Everything that does not hold of a run; a journal that can't be read is only said to be so."""
    return inspected(run).violations


def inspected(run: StoredRun) -> Inspection:
    """`violations`, with what was read to find them."""
    try:
        story = read_story(run)
    except CorruptJournalError as problem:
        return Inspection([violation(run, "I2", str(problem))], None)
    except (msgspec.MsgspecError, RecursionError) as problem:
        what = f"a row is no event or message this version of actorflow knows ({problem}); look with the version in use"
        return Inspection([violation(run, "I2", what)], None)
    return Inspection([violation(run, name, what) for name, check in _CHECKS for what in check(run, story)], story)


def is_waiting_visibly(run: StoredRun, story: Story) -> bool:
    """True if an open run waits for something that is on disk; one that does not, waits for a message or is stuck."""
    state = story.state
    return bool(state.open_activities or state.timers or state.children or state.sent or story.inbox or run.failing)


def violation(run: StoredRun, invariant: str, what: str) -> Violation:
    """Something that does not hold of a run."""
    return Violation(invariant, run.workflow_id, run.run_id, what)


def _numbers(_run: StoredRun, story: Story) -> Iterator[str]:
    expected = 0
    for turn in story.turns:
        expected += turn_width(turn.events)
        if turn.number != expected:
            yield f"a turn ends with event {turn.number} where {expected} was to come"
            expected = turn.number


def _chain(run: StoredRun, _story: Story) -> Iterator[str]:
    last = run.turns[-1].checksum if run.turns else run.seed
    if run.checksum != last:
        yield f"the head has checksum {run.checksum}, its last row {last}: rows at the end are missing or too many"


def _ends(_run: StoredRun, story: Story) -> Iterator[str]:
    begun = sum(isinstance(message, ev.Started) for message in (*story.events, *story.inbox))
    if begun != 1:
        yield f"it has begun {begun} times"
    first = next((event for event in story.events if not isinstance(event, ev.TurnFailed)), None)
    if first is not None and not isinstance(first, ev.Started | ev.SignalUnhandled | ev.Terminated):
        yield f"its journal begins with {type(first).__name__}"
    ends = [number for number, event in enumerate(story.events) if type(event) in ev.CLOSING]
    if ends and ends != [len(story.events) - 1]:
        yield f"{len(story.events) - 1 - ends[0]} events follow its end"


def _activities(_run: StoredRun, story: Story) -> Iterator[str]:
    scheduled = [event.activity_id for event in story.events if type(event) is ev.ActivityScheduled]
    yield from _doubled("activity", scheduled, "scheduled")
    yield from _ended_once("activity", story.events, (ev.ActivityScheduled,), _OUTCOMES, "activity_id")
    yield from _local_activities(story)


def _local_activities(story: Story) -> Iterator[str]:
    """Of these one is scheduled again after each outcome with a back-off."""
    running: set[str] = set()
    for event in story.events:
        if isinstance(event, ev.LocalActivityScheduled):
            if event.activity_id in running:
                yield f"local activity {event.activity_id} was scheduled while it ran"
            running.add(event.activity_id)
        elif isinstance(event, ev.LocalActivityResolved):
            if event.activity_id not in running:
                yield f"local activity {event.activity_id} ends without having begun"
            running.discard(event.activity_id)


def _others(_run: StoredRun, story: Story) -> Iterator[str]:
    """Children, and messages to others. Both are known by the event that asked for them."""
    if story.state.children is None and story.state.sent is None:
        return
    asked: dict[int, ev.ChildScheduled] = {}
    sent: set[int] = set()
    heard: set[tuple[int, str]] = set()
    for turn in story.turns:
        for number, event in enumerate(turn.events, turn.first_decision):
            match event:
                case ev.ChildScheduled():
                    asked[number] = event
                case ev.SignalSent() | ev.CancelSent():
                    sent.add(number)
                case ev.ChildStarted() | ev.ChildStartFailed() | ev.ChildResolved():
                    yield from _child_heard(event, asked, heard)
                case ev.MessageDelivered(initiated=initiated) | ev.MessageRefused(initiated=initiated):
                    if initiated not in sent:
                        yield f"a {type(event).__name__} answers event {initiated}, which sends nothing"
                    elif (initiated, "reply") in heard:
                        yield f"the message of event {initiated} is answered twice"
                    heard.add((initiated, "reply"))
                case _:
                    pass


def _child_heard(event: Any, asked: Mapping[int, ev.ChildScheduled], heard: set[tuple[int, str]]) -> Iterator[str]:
    """A child starts and then ends, each once, unless it could not start at all."""
    which, whose = event.initiated, f"the child of event {event.initiated}"
    is_start, has_started = isinstance(event, ev.ChildStarted), (which, "start") in heard
    if which not in asked:
        yield f"a {type(event).__name__} names event {which}, which asks for no child"
    elif (which, "end") in heard or (is_start and has_started):
        yield f"{whose} {'starts' if is_start else 'ends'} twice, the second time with {type(event).__name__}"
    elif is_start and event.run_id != asked[which].run_id:
        yield f"{whose} is run {asked[which].run_id}, but run {event.run_id} has started"
    elif not is_start and has_started is isinstance(event, ev.ChildStartFailed):
        yield f"{whose} ends with {type(event).__name__}, but has {'' if has_started else 'not '}started"
    heard.add((which, "start" if is_start else "end"))


def _attempts(run: StoredRun, story: Story) -> Iterator[str]:
    for event in story.events:
        if isinstance(event, ev.ActivityResolved) and getattr(event, "attempt", 0) < 0:
            yield f"activity {event.activity_id} ended with attempt {getattr(event, 'attempt', 0)}"
    for row in run.activities:
        if not 0 <= row.charged < row.attempt:
            yield f"activity {row.activity_id} is at attempt {row.attempt}, {row.charged} of them charged"


def _timers(_run: StoredRun, story: Story) -> Iterator[str]:
    started = [event.timer_id for event in story.events if type(event) is ev.TimerStarted]
    yield from _doubled("timer", started, "started")
    yield from _ended_once("timer", story.events, (ev.TimerStarted,), (ev.TimerFired, ev.TimerCancelled), "timer_id")


def _messages(run: StoredRun, story: Story) -> Iterator[str]:
    if run.status != "running" and run.inbox:
        yield f"it is {run.status} and has left {len(run.inbox)} messages behind"
    known: dict[str, None] = {}
    for event in story.events:
        if not isinstance(event, ev.SignalReceived) or not event.request_id:
            continue
        if event.request_id in known:
            yield f"the signal with request id {event.request_id!r} was taken twice"
        known[event.request_id] = None
        if len(known) > limits.REQUEST_IDS_MAX:  # as an execution remembers them
            del known[next(iter(known))]


def _updates(_run: StoredRun, story: Story) -> Iterator[str]:
    accepted = [event.update_id for event in story.events if type(event) is ev.UpdateAccepted]
    yield from _doubled("update", accepted, "accepted")
    yield from _ended_once("update", story.events, (ev.UpdateAccepted,), (ev.UpdateCompleted,), "update_id")


def _strays(run: StoredRun, story: Story) -> Iterator[str]:
    for row in run.activities:
        if row.activity_id not in story.state.activities:
            yield f"a row is kept for activity {row.activity_id}, which is not open"


def _head(run: StoredRun, story: Story) -> Iterator[str]:
    state = story.state
    wake_at = state.wake_at
    if state.started is None:  # it waits for its beginning, or for nobody to begin it in time
        options = next((m.options for m in story.inbox if isinstance(m, ev.Started) and m.options is not None), None)
        wake_at = None if options is None else options.not_before or options.expires_at
    for name, found, wanted in (
        ("status", run.status, state.status),
        ("last_event", run.last_event, state.last_event),
        ("open_activities", run.open_activities, state.open_activities),
        ("wake_at", run.wake_at, wake_at),
        ("closed_at", run.closed_at, state.closed_at),
    ):
        if found != wanted:
            yield f"the head says {name} is {found}, the journal {wanted}"
    if run.parked is not None and run.failing is None:
        yield "the head says it is parked, and not because of what"
    if run.failing is not None:
        try:
            decode_failing(run.failing)
        except CorruptJournalError as problem:
            yield str(problem)
    if state.started is not None:
        yield from _identity(run, state.started)


def _notes(run: StoredRun, story: Story) -> Iterator[str]:
    wanted = story.state.notes
    if story.state.started is None:
        options = next((m.options for m in story.inbox if isinstance(m, ev.Started)), None)
        wanted = None if options is None else first_notes(options)
    try:
        found = None if run.notes is None else decode_notes(run.notes)
    except (msgspec.MsgspecError, RecursionError) as problem:
        yield f"its memo and search attributes can't be read ({problem})"
        return
    if (found or NO_NOTES) != (wanted or NO_NOTES):
        yield f"it is noted as {found}, the journal says {wanted}"
    attributes = (wanted or NO_NOTES).search_attributes
    terms = [(name, value.type, term) for name, value in attributes.items() for term in terms_of(value)]
    for name, _, term in sorted(set(run.found_by) ^ set(terms), key=str):
        yield f"it is {'' if (name, term) in _pairs(run.found_by) else 'not '}found by {name} = {term!r}"


def _pairs(terms: Sequence[tuple[str, int, Scalar]]) -> frozenset[tuple[str, Scalar]]:
    return frozenset([(name, term) for name, _, term in terms])


def _identity(run: StoredRun, started: ev.Started) -> Iterator[str]:
    first_run_id = "" if started.options is None else started.options.first_run_id
    if run.first_run_id != first_run_id:
        yield f"it is found in the chain of run {run.chain}, the journal says {first_run_id or run.run_id}"
    for name in ("workflow_type", "task_queue"):
        found, wanted = getattr(run, name), getattr(started, name)
        if found != wanted:
            yield f"it is found as {name} {found!r}, the journal says {wanted!r}"


def _doubled(noun: str, ids: Sequence[str], verb: str) -> Iterator[str]:
    seen: set[str] = set()
    for id_ in ids:
        if id_ in seen:
            yield f"{noun} {id_} was {verb} twice"
        seen.add(id_)


def _ended_once(
    noun: str, events: Sequence[Any], begins: tuple[type[Any], ...], ends: tuple[type[Any], ...], name: str
) -> Iterator[str]:
    """Each end needs a begin before it, and no other end."""
    begun: set[str] = set()
    ended: set[str] = set()
    for event in events:
        if isinstance(event, begins):
            begun.add(getattr(event, name))
        elif isinstance(event, ends):
            id_ = getattr(event, name)
            if id_ not in begun:
                yield f"{noun} {id_} ends ({type(event).__name__}) without having begun"
            elif id_ in ended:
                yield f"{noun} {id_} ends twice, the second time with {type(event).__name__}"
            ended.add(id_)


_CHECKS: Final[Sequence[tuple[str, _Check]]] = (
    ("I1", _numbers),
    ("I2", _chain),
    ("I3", _ends),
    ("I4", _activities),
    ("I4", _others),
    ("I5", _attempts),
    ("I6", _timers),
    ("I7", _messages),
    ("I7", _updates),
    ("I10", _strays),
    ("I11", _head),
    ("I11", _notes),
)
