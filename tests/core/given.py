"""One execution played by hand: a program, its state and its journal, without engine, store or clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from actorflow.converter import Failure, default
from actorflow.core import events as ev
from actorflow.core.definitions import WorkflowDefinition
from actorflow.core.journal import Turn
from actorflow.core.program import Program
from actorflow.core.state import ExecutionState, turn_width
from actorflow.core.turn import decide
from actorflow.exceptions import PayloadError
from actorflow.metering import Instrument, MetricAttributes

NOON = datetime(2030, 6, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


@dataclass
class WhoIs:
    """The identity a program sees."""

    namespace: str = "default"
    workflow_id: str = "w"
    run_id: str = "run-1"
    workflow_type: str = "W"
    task_queue: str = "q"
    started_at: datetime = NOON


class Heard:
    """Keeps what a program reports."""

    def __init__(self) -> None:
        self.dropped: list[tuple[str, PayloadError]] = []
        self.errors: list[Mapping[str, Any]] = []
        self.counted: list[tuple[str, float]] = []

    def dropped_signal(self, name: str, problem: PayloadError) -> None:
        self.dropped.append((name, problem))

    def loop_error(self, context: Mapping[str, Any]) -> None:
        self.errors.append(context)

    def record(self, instrument: Instrument, value: float, attributes: MetricAttributes) -> None:
        self.counted.append((instrument.name, value))


class Run:
    """Plays turns. With ``rebuilds`` the program is torn down and replayed before each of them."""

    def __init__(
        self, cls: type, *args: Any, rebuilds: bool = False, run_id: str = "run-1", failure_types: Any = ()
    ) -> None:
        self.cls = cls
        self.definition = WorkflowDefinition.of(cls)
        self.who = WhoIs(run_id=run_id, workflow_type=self.definition.name)
        self.heard = Heard()
        self.failure_types = failure_types
        self.rebuilds = rebuilds
        self.now = NOON
        self.state = ExecutionState()
        self.turns: list[Turn] = []
        self.started = ev.Started(self.definition.name, "q", default().values.encode(args))
        self.program = self.fresh()

    def fresh(self, *, records_lines: bool = False, cls: type | None = None) -> Program:
        return Program(
            self.definition if cls is None else WorkflowDefinition.of(cls),
            self.who,
            self.started,
            default().values,
            self.heard,
            failure_types=self.failure_types,
            records_lines=records_lines,
        )

    def replayed(self, *, cls: type | None = None, records_lines: bool = False) -> Program:
        """Another program, rebuilt from the journal (perhaps with other code)."""
        program = self.fresh(cls=cls, records_lines=records_lines)
        for turn in self.turns:
            first = turn.number - turn_width(turn.events) + 1
            program.replay(turn.at, turn.events, first_number=first)
        return program

    def turn(self, *messages: Any, after: float = 0.0) -> list[Any]:
        """One turn; returns what was decided."""
        if self.rebuilds:
            assert self.program.tear_down() == 0
            self.program = self.replayed()
        self.now += timedelta(seconds=after)
        turn = decide(self.state, self.program, messages, now=self.now, reserve=lambda _: True)
        if turn is None:
            return []
        self.turns.append(turn)
        return [event for event in turn.events if type(event) in ev.DECISIONS]

    def start(self, *more: Any) -> list[Any]:
        return self.turn(self.started, *more)

    def fire(self, timer_id: str, *more: Any) -> list[Any]:
        due = self.state.timers[timer_id].fires_at
        return self.turn(ev.TimerFired(timer_id), *more, after=max(0.0, (due - self.now).total_seconds()))

    def ask(self, query: str, *args: Any) -> Any:
        return default().values.decode_one(self.program.query(query, default().values.encode(args)))

    @property
    def decisions(self) -> list[Any]:
        """Everything decided so far."""
        return [event for turn in self.turns for event in turn.events if type(event) in ev.DECISIONS]

    @property
    def result(self) -> Any:
        close = self.state.close
        assert isinstance(close, ev.Completed), close
        return None if close.result is None else default().values.decode_one(close.result)

    @property
    def failure(self) -> Failure:
        assert isinstance(self.state.close, ev.Failed), self.state.close
        return self.state.close.failure

    def finish(self, activities: Mapping[str, Callable[..., Any]] | None = None) -> Run:
        """Go on until the execution closes: activities answer in order, then the earliest timer fires."""
        for _ in range(1000):
            if self.state.close is not None:
                return self
            if self.state.activities:
                pending = next(iter(self.state.activities.values())).scheduled
                self.turn(outcome_of(pending, activities or {}), after=0.001)
                continue
            assert self.state.timers, "the program waits for nothing"
            timers = self.state.timers.items()
            due, _, timer_id = min((timer.fires_at, timer.number, timer_id) for timer_id, timer in timers)
            self.turn(ev.TimerFired(timer_id), after=max(0.0, (due - self.now).total_seconds()))
        raise AssertionError("no end in sight")


def outcome_of(scheduled: ev.ActivityScheduled, activities: Mapping[str, Callable[..., Any]]) -> Any:
    try:
        value = activities[scheduled.activity_type](*default().values.decode(scheduled.input))
    except Exception as problem:
        return ev.ActivityFailed(scheduled.activity_id, default().values.failure(problem))
    return ev.ActivityCompleted(scheduled.activity_id, default().values.encode_one(value))


def signal(name: str, *args: Any, request_id: str = "") -> ev.SignalReceived:
    return ev.SignalReceived(name, default().values.encode(args), request_id)


def completed(activity_id: str, value: Any = None) -> ev.ActivityCompleted:
    return ev.ActivityCompleted(activity_id, default().values.encode_one(value))


def played(cls: type, *args: Any, activities: Mapping[str, Callable[..., Any]] | None = None) -> Any:
    """The result of a workflow played to its end, resident and rebuilt before each turn: both must be the same."""
    resident = _play(cls, args, activities, rebuilds=False)
    rebuilt = _play(cls, args, activities, rebuilds=True)
    assert rebuilt.result == resident.result
    assert rebuilt.decisions == resident.decisions
    resident.replayed()
    return resident.result


def _play(cls: type, args: Sequence[Any], activities: Any, *, rebuilds: bool) -> Run:
    run = Run(cls, *args, rebuilds=rebuilds)
    run.start()
    return run.finish(activities)
