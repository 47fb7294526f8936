"""The way a program took: every step once, with how often it was taken and where it led next.

What arrived since the last decision leads to the next one: after a `gather` each of its activities has an arrow to the
step behind it. Steps of one name are one box, so a loop is an arrow back, with the number of times it was taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from actorflow.core import events as ev, limits
from actorflow.core.diagram.text import in_words, label
from actorflow.core.journal import Turn
from actorflow.core.policy.succession import successor_id
from actorflow.core.program.others import ParentClosePolicy


class Shape(Enum):
    """What a step is."""

    START = auto()
    END = auto()
    ACTIVITY = auto()
    TIMER = auto()
    MESSAGE = auto()
    CHILD = auto()
    SENT = auto()
    TROUBLE = auto()


_FRAMES: Final[Mapping[Shape, str]] = {
    Shape.START: '(["{}"])',
    Shape.END: '(["{}"])',
    Shape.ACTIVITY: '["{}"]',
    Shape.TIMER: '{{{{"{}"}}}}',
    Shape.MESSAGE: '>"{}"]',
    Shape.CHILD: '[["{}"]]',
    Shape.SENT: '[\\"{}"\\]',
    Shape.TROUBLE: '[/"{}"/]',
}
_STYLE_BY_CLASS: Final = {"failed": "stroke:#c0392b,stroke-width:2px", "open": "stroke-dasharray:4 3"}
_OTHERS: Final = "other steps"
_BAD: Final = (ev.ChildStartFailed, ev.ChildFailed, ev.ChildTimedOut, ev.ChildTerminated, ev.MessageRefused)
_ENDS: Final[Mapping[type[ev.Event], str]] = {ev.ContinuedAsNew: "continued as new", ev.TimedOut: "timed out"}


@dataclass
class _Step:
    """One box."""

    number: int
    shape: Shape
    text: str
    taken: int = 0
    attempts: int = 0
    failed: int = 0
    cancelled: int = 0
    open: int = 0

    @property
    def id(self) -> str:
        return f"s{self.number}"


@dataclass
class _Chart:
    """Boxes and arrows, in the order in which they came up."""

    steps: dict[tuple[Shape, str], _Step] = field(default_factory=dict[tuple[Shape, str], _Step])
    arrows: dict[tuple[int, int], int] = field(default_factory=dict[tuple[int, int], int])
    sources: dict[int, _Step] = field(default_factory=dict[int, _Step])
    by_activity: dict[str, _Step] = field(default_factory=dict[str, _Step])
    by_timer: dict[str, _Step] = field(default_factory=dict[str, _Step])
    by_update: dict[str, _Step] = field(default_factory=dict[str, _Step])
    by_initiated: dict[int, _Step] = field(default_factory=dict[int, _Step])
    """Children, and messages to others, by the event that asked for them."""
    abandoned: set[int] = field(default_factory=set[int])
    """Children that go on when this run closes."""

    def step(self, shape: Shape, text: str) -> _Step:
        if len(self.steps) >= limits.DIAGRAM_STEPS_MAX and (shape, text) not in self.steps and shape is not Shape.END:
            shape, text = Shape.ACTIVITY, _OTHERS
        return self.steps.setdefault((shape, text), _Step(len(self.steps), shape, text))

    def came_from(self, step: _Step) -> None:
        """The step is over: what is decided next follows from it."""
        self.sources[step.number] = step

    def took(self, steps: Sequence[_Step]) -> None:
        """The program decided on these steps."""
        for source in self.sources.values():
            for step in {step.number: step for step in steps}.values():
                arrow = (source.number, step.number)
                self.arrows[arrow] = self.arrows.get(arrow, 0) + 1
        self.sources = {}
        for step in steps:
            step.taken += 1


def flowchart(turns: Iterable[Turn]) -> str:
    """A journal as a Mermaid flowchart.

    Args:
        turns: of one run, from its first.

    Returns:
        Text that ends with a newline. Names of users are escaped; beyond 200 kinds of steps the rest is one box.
    """
    chart = _Chart()
    for turn in turns:
        for event in turn.events:
            _arrive(chart, event)
        numbered = enumerate(turn.events, turn.first_decision)
        decided = [step for number, event in numbered for step in _decided(chart, event, number)]
        if decided:
            chart.took(decided)
    return "\n".join(("flowchart TD", *_lines(chart))) + "\n"


def _arrive(chart: _Chart, event: ev.AnyEvent) -> None:
    match event:
        case ev.Started(workflow_type=workflow_type):
            _happened(chart, Shape.START, workflow_type)
        case ev.SignalReceived(name=name):
            _happened(chart, Shape.MESSAGE, f"signal {name}")
        case ev.CancelRequested():
            _happened(chart, Shape.MESSAGE, "cancel requested")
        case ev.UpdateAccepted(update_id=update_id, name=name):
            step = chart.by_update[update_id] = _happened(chart, Shape.MESSAGE, f"update {name}")
            step.open += 1
        case ev.UpdateCompleted(update_id=update_id, failure=failure):
            _answer(chart.by_update.pop(update_id, None), is_failed=failure is not None)
        case ev.TimerFired(timer_id=timer_id):
            _is_over(chart, chart.by_timer.pop(timer_id, None))
        case ev.TimerCancelled(timer_id=timer_id):
            step = chart.by_timer.pop(timer_id, None)
            if step is not None:
                step.cancelled += 1
            _is_over(chart, step)  # something else ended the wait, and what is decided with that follows from both
        case ev.ActivityCompleted() | ev.ActivityFailed() | ev.ActivityTimedOut() | ev.ActivityCancelled():
            _resolve(chart, event)
        case ev.ChildStarted(initiated=initiated):
            if initiated in chart.by_initiated:
                chart.came_from(chart.by_initiated[initiated])  # a program may wait for no more than the start
        case ev.ChildStartFailed() | ev.ChildResolved() | ev.MessageDelivered() | ev.MessageRefused():
            _hear(chart, event)
        case ev.TurnFailed(attempts=attempts, parked=parked):
            text = "parked" if parked else "turn failed"
            step = chart.step(Shape.TROUBLE, text)
            step.taken += 1
            step.failed += 1
            step.attempts += attempts
        case _:
            return


def _happened(chart: _Chart, shape: Shape, text: str) -> _Step:
    step = chart.step(shape, text)
    step.taken += 1
    chart.came_from(step)
    return step


def _answer(step: _Step | None, *, is_failed: bool) -> None:
    """An answer leads nowhere by itself: what its handler waited for does."""
    if step is not None:
        step.open -= 1
        step.failed += is_failed


def _is_over(chart: _Chart, step: _Step | None) -> None:
    if step is not None:
        step.open -= 1
        chart.came_from(step)


def _resolve(chart: _Chart, event: ev.ActivityOutcome) -> None:
    step = chart.by_activity.pop(event.activity_id, None)
    if step is None:
        return
    step.attempts += event.attempt
    step.failed += isinstance(event, ev.ActivityFailed | ev.ActivityTimedOut)
    step.cancelled += isinstance(event, ev.ActivityCancelled)
    _is_over(chart, step)


def _hear(
    chart: _Chart, event: ev.ChildStartFailed | ev.ChildOutcome | ev.MessageDelivered | ev.MessageRefused
) -> None:
    """A child is over, or a message has arrived."""
    step = chart.by_initiated.pop(event.initiated, None)
    if step is not None:
        step.failed += isinstance(event, _BAD)
        step.cancelled += isinstance(event, ev.ChildCancelled)
    _is_over(chart, step)


def _decided(chart: _Chart, event: ev.AnyEvent, number: int) -> Iterator[_Step]:
    match event:
        case ev.ActivityScheduled():
            step = chart.by_activity[event.activity_id] = chart.step(Shape.ACTIVITY, event.activity_type)
            step.open += 1
            yield step
        case ev.TimerStarted():
            text = event.summary or f"timer {in_words(event.duration)}"
            step = chart.by_timer[event.timer_id] = chart.step(Shape.TIMER, text)
            step.open += 1
            yield step
        case ev.ChildScheduled(workflow_type=workflow_type):
            if event.parent_close == ParentClosePolicy.ABANDON:
                chart.abandoned.add(number)
            yield _asked(chart, number, Shape.CHILD, workflow_type)
        case ev.SignalSent(name=name):
            yield _asked(chart, number, Shape.SENT, f"signal {name} to {'child' if event.is_child else 'another'}")
        case ev.CancelSent(child=child):
            yield _asked(chart, number, Shape.SENT, f"cancel {'child' if child else 'another'}")
        case ev.Completed() | ev.Failed() | ev.Cancelled() | ev.ContinuedAsNew() | ev.TimedOut() | ev.Terminated():
            yield _end(chart, event)
        case _:
            return


def _asked(chart: _Chart, number: int, shape: Shape, text: str) -> _Step:
    step = chart.by_initiated[number] = chart.step(shape, text)
    step.open += 1
    return step


def _end(chart: _Chart, event: ev.Event) -> _Step:
    text = _ENDS.get(type(event)) or type(event).__name__.lower()
    if not isinstance(event, ev.ContinuedAsNew) and successor_id(event):
        text = f"{text}, then another run"
    step = chart.step(Shape.END, text)
    step.failed += isinstance(event, ev.Failed | ev.Terminated | ev.TimedOut)
    for number, asked in chart.by_initiated.items():
        asked.open -= number not in chart.abandoned
        asked.cancelled += asked.shape is Shape.CHILD and number not in chart.abandoned
    for pending in (chart.by_activity, chart.by_timer, chart.by_update):
        for one in pending.values():
            one.open -= 1
            one.cancelled += 1
        pending.clear()
    return step


def _lines(chart: _Chart) -> Iterator[str]:
    for step in chart.steps.values():
        yield f"    {step.id}{_FRAMES[step.shape].format(_label(step))}"
    for (source, target), count in chart.arrows.items():
        yield f"    s{source} {_arrow(source, target, count)} s{target}"
    steps = chart.steps.values()
    for name, ids in (
        ("failed", [step.id for step in steps if step.failed]),
        ("open", [step.id for step in steps if step.open > 0]),
    ):
        if ids:
            yield f"    classDef {name} {_STYLE_BY_CLASS[name]}"
            yield f"    class {','.join(ids)} {name}"


def _label(step: _Step) -> str:
    notes: list[str] = []
    if step.taken > 1:
        notes.append(f"×{step.taken}")
    if step.shape is Shape.ACTIVITY and step.attempts > step.taken:
        notes.append(f"{step.attempts} attempts")
    for word, count in (("failed", step.failed), ("cancelled", step.cancelled), ("open", step.open)):
        if count > 0 and step.shape not in (Shape.END, Shape.TROUBLE):
            notes.append(f"{count} {word}" if step.taken > 1 else word)
    return label(step.text) + (f"<br/>{', '.join(notes)}" if notes else "")


def _arrow(source: int, target: int, count: int) -> str:
    """An arrow back is a loop and is dotted; how often it was taken stands beside it."""
    is_back = target <= source
    times = f"×{count}" if count > 1 else ""
    if is_back:
        return f'-. "again{f" {times}" if times else ""}" .->'
    return f'-- "{times}" -->' if times else "-->"
