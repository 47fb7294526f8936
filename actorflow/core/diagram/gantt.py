"""When things ran: a bar for each activity's last attempt, and one for what it waited before.

The journal holds the outcome of an activity with the number and the begin of the attempt that decided it. Attempts
before that, back-off and waiting for a slot are one bar before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from actorflow.core import events as ev, limits
from actorflow.core.diagram.text import in_words, name
from actorflow.core.journal import Turn
from actorflow.core.state import STATUS_BY_CLOSE

_MILLISECOND: Final = timedelta(milliseconds=1)
_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_TIMERS: Final = "timers"
_MESSAGES: Final = "messages"


@dataclass(frozen=True)
class _Bar:
    """One bar, or with no length one mark."""

    section: str
    text: str
    tag: str
    begin: datetime
    end: datetime

    @property
    def line(self) -> str:
        length = max((self.end - self.begin) // _MILLISECOND, 0 if "milestone" in self.tag else 1)
        begin = (self.begin - _EPOCH) // _MILLISECOND
        tag = f"{self.tag}, " if self.tag else ""
        return f"    {name(self.text)} :{tag}{begin}, {length}ms"


def gantt(turns: Iterable[Turn], *, title: str = "") -> str:
    """A journal as a Mermaid Gantt chart, in UTC.

    Args:
        turns: of one run, from its first.
        title: stands above the chart.

    Returns:
        Text that ends with a newline; beyond 500 bars the chart ends and says so.
    """
    known = list(turns)
    bars = list(_bars(known))
    sections: dict[str, list[_Bar]] = {}
    for bar in bars[: limits.DIAGRAM_BARS_MAX]:
        sections.setdefault(bar.section, []).append(bar)
    lines = ["gantt", f"    title {name(title)}"] if title else ["gantt"]
    lines += ["    dateFormat x", "    axisFormat %H:%M:%S"]
    for section, of_section in sections.items():
        lines.append(f"    section {name(section)}")
        lines += [bar.line for bar in sorted(of_section, key=_begin)]
    left_out = len(bars) - limits.DIAGRAM_BARS_MAX
    if left_out > 0:
        lines.append(f"    %% {left_out} more bars are left out")
    return "\n".join(lines) + "\n"


def _begin(bar: _Bar) -> datetime:
    return bar.begin


@dataclass(frozen=True)
class _Open:
    """What has begun and is not over, each with the time of its turn."""

    activities: dict[str, tuple[ev.ActivityScheduled, datetime]] = field(default_factory=dict[str, Any])
    timers: dict[str, tuple[ev.TimerStarted, datetime]] = field(default_factory=dict[str, Any])
    updates: dict[str, tuple[ev.UpdateAccepted, datetime]] = field(default_factory=dict[str, Any])
    children: dict[int, tuple[ev.ChildScheduled, datetime]] = field(default_factory=dict[int, Any])
    sent: dict[int, tuple[ev.SignalSent | ev.CancelSent, datetime]] = field(default_factory=dict[int, Any])


def _bars(turns: Sequence[Turn]) -> Iterator[_Bar]:
    """The whole run, then everything in the order in which it was over, then what was not."""
    if not turns:
        return
    pending = _Open()
    yield _whole(turns)
    for turn in turns:
        for number, event in enumerate(turn.events, turn.first_decision):
            yield from _marked(event, turn.at)
            yield from _over(pending, event, turn.at)
            yield from _others(pending, event, number, turn.at)
    last = turns[-1]
    yield from _left(pending, last.at, is_closed=type(last.events[-1]) in ev.CLOSING)


def _marked(event: ev.AnyEvent, at: datetime) -> Iterator[_Bar]:
    """What takes no time."""
    match event:
        case ev.SignalReceived(name=signal):
            yield _Bar(_MESSAGES, f"signal {signal}", "milestone", at, at)
        case ev.CancelRequested():
            yield _Bar(_MESSAGES, "cancel requested", "milestone", at, at)
        case ev.TurnFailed(parked=parked):
            yield _Bar(_MESSAGES, parked or "turn failed", "crit, milestone", at, at)
        case _:
            return


def _over(pending: _Open, event: ev.AnyEvent, at: datetime) -> Iterator[_Bar]:
    """Remember what begins, and give what is over."""
    match event:
        case ev.ActivityScheduled():
            pending.activities[event.activity_id] = (event, at)
        case ev.ActivityCompleted() | ev.ActivityFailed() | ev.ActivityTimedOut() | ev.ActivityCancelled():
            scheduled = pending.activities.pop(event.activity_id, None)
            if scheduled is not None:
                yield from _activity(*scheduled, event, at)
        case ev.TimerStarted():
            pending.timers[event.timer_id] = (event, at)
        case ev.TimerFired() | ev.TimerCancelled():
            started = pending.timers.pop(event.timer_id, None)
            if started is not None:
                yield _timer(*started, at, is_cancelled=isinstance(event, ev.TimerCancelled))
        case ev.UpdateAccepted():
            pending.updates[event.update_id] = (event, at)
        case ev.UpdateCompleted():
            accepted = pending.updates.pop(event.update_id, None)
            if accepted is not None:
                yield _update(*accepted, at, "done" if event.failure is None else "crit")
        case _:
            return


def _others(pending: _Open, event: ev.AnyEvent, number: int, at: datetime) -> Iterator[_Bar]:
    """The same of children, and of messages to others; ``number`` is right for decisions."""
    match event:
        case ev.ChildScheduled():
            pending.children[number] = (event, at)
        case ev.ChildStarted(initiated=initiated) if initiated in pending.children:
            pending.children[initiated] = (pending.children[initiated][0], at)
        case ev.ChildStartFailed() | ev.ChildResolved():
            asked = pending.children.pop(event.initiated, None)
            if asked is not None:
                yield _child(*asked, at, _ENDS_OF_CHILDREN[type(event)])
        case ev.SignalSent() | ev.CancelSent():
            pending.sent[number] = (event, at)
        case ev.MessageDelivered() | ev.MessageRefused():
            sent = pending.sent.pop(event.initiated, None)
            if sent is not None:
                yield _message(*sent, at, "crit" if isinstance(event, ev.MessageRefused) else "done")
        case _:
            return


def _left(pending: _Open, at: datetime, *, is_closed: bool) -> Iterator[_Bar]:
    """What was not over when the journal ended."""
    tag = "crit" if is_closed else "active"
    for scheduled, begun_at in pending.activities.values():
        text = f"activity {scheduled.activity_id}, {'abandoned' if is_closed else 'open'}"
        yield _Bar(scheduled.activity_type, text, tag, begun_at, at)
    for started, begun_at in pending.timers.values():
        yield _timer(started, begun_at, at, is_cancelled=is_closed)
    for accepted, begun_at in pending.updates.values():
        yield _update(accepted, begun_at, at, tag)
    for child, begun_at in pending.children.values():
        yield _child(child, begun_at, at, "open")
    for sent, begun_at in pending.sent.values():
        yield _message(sent, begun_at, at, tag)


def _whole(turns: Sequence[Turn]) -> _Bar:
    first, last = turns[0], turns[-1]
    started = first.events[0]
    workflow_type = started.workflow_type if isinstance(started, ev.Started) else "workflow"
    status = STATUS_BY_CLOSE.get(type(last.events[-1]), "running")
    tag = {"running": "active", "completed": "done", "continued": "done"}.get(status, "crit")
    return _Bar("execution", f"{workflow_type}, {_IN_WORDS.get(status, status)}", tag, first.at, last.at)


def _activity(
    scheduled: ev.ActivityScheduled, at: datetime, outcome: ev.ActivityOutcome, ended_at: datetime
) -> Iterator[_Bar]:
    section, which = scheduled.activity_type, f"activity {scheduled.activity_id}"
    if not outcome.attempt:
        yield _Bar(section, f"{which}, never ran", "crit", at, ended_at)
        return
    began_at = outcome.started_at or at
    if began_at > at:
        before = f"{which}, attempts before" if outcome.attempt > 1 else f"{which}, waits"
        yield _Bar(section, before, "", at, began_at)
    is_good = isinstance(outcome, ev.ActivityCompleted)
    how = "" if is_good else f", {_HOW[type(outcome)]}"
    text = f"{which}, attempt {outcome.attempt}{how}"
    yield _Bar(section, text, "done" if is_good else "crit", began_at, ended_at)


def _timer(started: ev.TimerStarted, at: datetime, ended_at: datetime, *, is_cancelled: bool) -> _Bar:
    text = f"timer {started.summary or started.timer_id}"  # what a line begins with is ours: it could be a statement
    how = ", cancelled" if is_cancelled else ""
    return _Bar(_TIMERS, f"{text} ({in_words(started.duration)}){how}", "" if is_cancelled else "done", at, ended_at)


def _update(accepted: ev.UpdateAccepted, at: datetime, ended_at: datetime, tag: str) -> _Bar:
    return _Bar(_MESSAGES, f"update {accepted.name}", tag if ended_at > at else f"{tag}, milestone", at, ended_at)


def _child(asked: ev.ChildScheduled, at: datetime, ended_at: datetime, how: str) -> _Bar:
    """From its start, or from when it was asked for, to its end."""
    tag = {"": "done", "open": "active"}.get(how, "crit")
    return _Bar(asked.workflow_type, f"child {asked.workflow_id}{f', {how}' if how else ''}", tag, at, ended_at)


def _message(sent: ev.SignalSent | ev.CancelSent, at: datetime, ended_at: datetime, tag: str) -> _Bar:
    what = f"signal {sent.name} to" if isinstance(sent, ev.SignalSent) else "cancel"
    text = f"{what} {sent.workflow_id}{', not received' if tag == 'crit' else ''}"
    return _Bar(_MESSAGES, text, tag if ended_at > at else f"{tag}, milestone", at, ended_at)


_IN_WORDS: Final = {"continued": "continued as new", "timed_out": "timed out"}
_ENDS_OF_CHILDREN: Final[dict[type[ev.Event], str]] = {
    ev.ChildStartFailed: "could not start",
    ev.ChildCompleted: "",
    ev.ChildFailed: "failed",
    ev.ChildCancelled: "cancelled",
    ev.ChildTimedOut: "timed out",
    ev.ChildTerminated: "terminated",
}
_HOW: Final[dict[type[ev.Event], str]] = {
    ev.ActivityFailed: "failed",
    ev.ActivityTimedOut: "timed out",
    ev.ActivityCancelled: "cancelled",
}
