"""Any journal that could have happened."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
from hypothesis import strategies as st

from actorflow.converter import ActivityRef, ChildRef, Failure, Payload, default
from actorflow.core import events as ev, limits
from actorflow.core.journal import Turn
from actorflow.core.letters import NOBODY
from actorflow.core.notes import IndexedValue, Type
from actorflow.core.policy.succession import dated
from actorflow.core.state import NO_OPTIONS, turn_width
from tests.core.given import NOON
from tests.core.history.given import turns_of

texts = st.text(st.characters(codec="utf-8"), max_size=8)
json_values = st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | texts, st.lists, max_leaves=4)
payloads = st.one_of(
    json_values.map(default().values.encode_one),
    st.binary(max_size=8).map(default().values.encode_one),
    st.just(Payload(json=msgspec.Raw(b"{}"), metadata={"encoding": "json/plain", "messageType": "M"})),
    st.just(Payload(data=b"", metadata={"encoding": "binary/null"})),
    st.just(Payload(data=b"\x00", metadata={"encoding": "binary/encrypted", "key": "ü"})),
)
several = st.lists(payloads, max_size=2).map(tuple)
durations = st.timedeltas(timedelta(microseconds=1), timedelta(days=36_500))
instants = st.integers(0, 10**15).map(lambda micros: NOON + timedelta(microseconds=micros))
references = st.builds(
    ActivityRef, texts, texts, st.integers(0, 9), st.integers(0, 9), texts, retry_state=st.integers(0, 7)
)
children = st.builds(ChildRef, texts, texts, texts, texts, st.integers(0, 9), st.integers(0, 9), st.integers(0, 7))


kept = payloads.filter(lambda payload: payload.encoding != "binary/null")
memos = st.dictionaries(texts, kept, min_size=1, max_size=2)
attributes = st.dictionaries(
    texts,
    st.one_of(
        st.builds(IndexedValue, st.sampled_from([int(Type.KEYWORD), int(Type.TEXT)]), texts),
        st.builds(IndexedValue, st.just(int(Type.INT)), st.integers(-9, 9)),
        st.builds(IndexedValue, st.just(int(Type.DOUBLE)), st.floats(-9, 9)),
        st.builds(IndexedValue, st.just(int(Type.BOOL)), st.booleans()),
        st.builds(IndexedValue, st.just(int(Type.KEYWORD_LIST)), st.lists(texts, min_size=1, max_size=3).map(tuple)),
    ),
    min_size=1,
    max_size=2,
)


def failures_with(causes: st.SearchStrategy[Failure | None]) -> st.SearchStrategy[Failure]:
    common: Any = {"message": texts, "stack_trace": texts, "cause": causes}
    return st.one_of(
        st.builds(
            Failure,
            type=texts,
            non_retryable=st.booleans(),
            details=several,
            next_retry_delay=st.none() | durations | st.just(timedelta(0)),
            category=st.integers(0, 1),
            **common,
        ),
        st.builds(Failure, kind=st.just("timeout"), timeout_type=st.integers(0, 4), details=several, **common),
        st.builds(Failure, kind=st.just("cancelled"), details=several, **common),
        st.builds(Failure, kind=st.just("terminated"), **common),
        st.builds(Failure, kind=st.just("server"), non_retryable=st.booleans(), **common),
        st.builds(Failure, kind=st.just("activity"), activity=references, **common),
        st.builds(Failure, kind=st.just("child"), child=children, **common),
    )


failures = st.none() | st.recursive(failures_with(st.none()), failures_with, max_leaves=3)
failures = failures.filter(lambda found: found is not None)
application_failures = st.builds(Failure, message=texts, type=texts, details=several, cause=st.none() | failures)
rules = st.builds(
    ev.RetryRule,
    st.integers(1, 10**9).map(lambda micros: timedelta(microseconds=micros).total_seconds()),
    st.sampled_from([1.0, 1.5, 2.0]),
    st.integers(1, 10**9).map(lambda micros: timedelta(microseconds=micros).total_seconds()),
    st.integers(0, 5),
    st.lists(texts, max_size=2).map(tuple),
)
timeouts = st.none() | durations
headers = st.none() | memos
# Never just when a turn was: None says that already.
begins = st.integers(1, 10**15).map(lambda micros: NOON - timedelta(microseconds=micros))
attempts: Any = {"attempt": st.integers(0, 3), "started_at": st.none() | begins}


def outcome_of(activity_id: str) -> st.SearchStrategy[Any]:
    which = st.just(activity_id)
    states = st.integers(0, 7)
    cancelled = several.map(lambda details: Failure("Activity cancelled", kind="cancelled", details=details))
    return st.one_of(
        st.builds(ev.ActivityCompleted, which, st.none() | payloads, **attempts),
        st.builds(ev.ActivityFailed, which, failures, states, **attempts),
        st.builds(ev.ActivityTimedOut, which, failures, states, **attempts),
        st.builds(ev.ActivityCancelled, which, cancelled, **attempts),
    ).map(lambda found: found if found.attempt else msgspec.structs.replace(found, started_at=None))


def child_outcome_of(initiated: int) -> st.SearchStrategy[Any]:
    which, states = st.just(initiated), st.integers(0, 7)
    return st.one_of(
        st.builds(ev.ChildStartFailed, which),
        st.builds(ev.ChildCompleted, which, st.none() | payloads),
        st.builds(ev.ChildFailed, which, failures, states),
        st.builds(ev.ChildCancelled, which, several),
        st.builds(ev.ChildTimedOut, which, states),
        st.builds(ev.ChildTerminated, which),
    )


def reply_to(initiated: int) -> st.SearchStrategy[Any]:
    which = st.just(initiated)
    return st.builds(ev.MessageDelivered, which) | st.builds(
        ev.MessageRefused, which, st.just(NOBODY) | texts.filter(bool)
    )


# Ten seconds are what a server writes where nobody said anything.
task_timeouts = timeouts.filter(lambda found: found != limits.TASK_TIMEOUT_SHOWN)
other_runs = texts.filter(lambda text: text != "run-1")
parents = st.builds(ev.ParentRun, texts, texts.filter(bool), texts, st.integers(0, 99))
run_timeouts: Any = {"execution_timeout": timeouts, "run_timeout": timeouts, "task_timeout": task_timeouts}


@st.composite
def options_at(draw: st.DrawFn, at: datetime) -> ev.RunOptions | None:
    """What a run that was started then may have brought along."""
    follows, parent = draw(st.booleans()), draw(st.none() | parents)
    options = draw(
        st.builds(
            ev.RunOptions,
            first_run_id=other_runs,
            continued_run_id=texts.filter(bool) if follows else st.just(""),
            initiator=st.sampled_from(["workflow", "retry", "cron"]) if follows else st.just(""),
            attempt=st.integers(1, 9),
            retry=st.none() | rules,
            cron=texts,
            last_result=st.none() | payloads,
            last_failure=st.none() | application_failures,
            parent=st.just(parent),
            root=st.none() if parent is None else st.builds(ev.RootRun, texts.filter(bool), texts),
            memo=st.none() | memos,
            search_attributes=st.none() | attributes,
            headers=headers,
            summary=texts,
            details=texts,
            **run_timeouts,
        )
    )
    not_before = draw(st.none() | durations.map(lambda delay: at + delay))
    chain_expires_at = draw(instants) if options.execution_timeout else None
    dated_options = dated(options, not_before or at, not_before, chain_expires_at)
    return None if dated_options == NO_OPTIONS else dated_options


class Author:
    """Writes a journal that could have happened, one turn after another."""

    def __init__(self, data: st.DataObject) -> None:
        self.draw = data.draw
        self.activities: list[str] = []
        self.timers: list[str] = []
        self.children: dict[int, ev.ChildScheduled] = {}
        self.sent: list[int] = []
        self.named = 0
        self.groups: list[tuple[Any, ...]] = []
        self.number = 0

    def journal(self) -> list[Turn]:
        started = self.draw(st.builds(ev.Started, texts, texts, several, st.sampled_from(["", "3.11"])))
        self.add(started, *self.decisions())
        for _ in range(self.draw(st.integers(0, 4))):
            if self.draw(st.booleans()):
                self.add(self.draw(st.builds(ev.TurnFailed, application_failures, st.integers(1, 9), texts)))
            self.add(*self.arrivals(), *self.decisions())
        end = self.draw(st.none() | self.ends())
        if end is not None:
            self.add(*self.draw(st.lists(st.builds(ev.SignalUnhandled, texts, several, headers), max_size=2)), end)
        count = len(self.groups)
        times = sorted(self.draw(st.lists(instants, min_size=count, max_size=count, unique=True)))
        (first, *others), options = self.groups[0], self.draw(options_at(times[0]))
        groups = [(msgspec.structs.replace(first, options=options), *others), *self.groups[1:]]
        return [msgspec.structs.replace(turn, at=at) for turn, at in zip(turns_of(*groups), times, strict=True)]

    def add(self, *events: Any) -> None:
        """One more turn; children and messages are known by its numbers from now on."""
        if not events:
            return
        self.groups.append(events)
        self.number += turn_width(events)
        for number, event in enumerate(events, self.number - len(events) + 1):
            if isinstance(event, ev.ChildScheduled):
                self.children[number] = event
            elif isinstance(event, ev.SignalSent | ev.CancelSent):
                self.sent.append(number)

    def arrivals(self) -> list[Any]:
        kinds = st.one_of(
            st.builds(ev.SignalReceived, texts, several, texts, headers), st.builds(ev.CancelRequested, texts)
        )
        found: list[Any] = self.draw(st.lists(kinds, max_size=2))
        for ids, answer in ((self.activities, outcome_of), (self.timers, lambda id_: st.just(ev.TimerFired(id_)))):
            while ids and self.draw(st.booleans()):
                found.append(self.draw(answer(ids.pop(0))))
        for initiated in list(self.children):
            if self.draw(st.booleans()):
                found.append(self.draw(st.builds(ev.ChildStarted, st.just(initiated), texts)))
            if self.draw(st.booleans()):
                del self.children[initiated]
                found.append(self.draw(child_outcome_of(initiated)))
        while self.sent and self.draw(st.booleans()):
            found.append(self.draw(reply_to(self.sent.pop())))
        return found

    def decisions(self) -> list[Any]:
        found: list[Any] = [self.draw(st.builds(ev.Patched, texts, st.booleans()))] if self.draw(st.booleans()) else []
        if self.draw(st.booleans()):
            found.append(ev.MemoUpserted({**self.draw(memos), "gone": None}))
            found.append(ev.SearchAttributesUpserted({**self.draw(attributes), "gone": None}))
        if self.activities and self.draw(st.booleans()):
            found.append(ev.ActivityCancelRequested(self.activities[0]))
        if self.timers and self.draw(st.booleans()):
            found.append(ev.TimerCancelled(self.timers.pop()))
        for initiated, child in self.children.items():
            if self.draw(st.booleans()):
                found.append(ev.CancelSent(child.workflow_id, self.draw(texts), initiated, self.draw(texts)))
            if self.draw(st.booleans()):
                is_child: Any = {"is_child": st.just(True)}
                found.append(
                    self.draw(st.builds(ev.SignalSent, st.just(child.workflow_id), texts, several, texts, **is_child))
                )
        begun = [self.draw(self.begins()) for _ in range(self.draw(st.integers(0, 2)))]
        return [*found, *begun]

    def begins(self) -> st.SearchStrategy[Any]:
        self.named += 1
        name = str(self.named)
        what = self.draw(st.sampled_from(["timer", "activity", "child", "signal", "cancel"]))
        if what == "signal":
            return st.builds(ev.SignalSent, texts, texts, several, texts, headers=headers)
        if what == "cancel":
            return st.builds(ev.CancelSent, texts, texts, reason=texts)
        if what == "child":
            close, reuse = st.integers(1, 3), st.integers(1, 3)
            about: Any = {"retry": st.none() | rules, "cron": texts, "summary": texts, **run_timeouts}
            return st.builds(
                ev.ChildScheduled,
                st.just(f"child-{name}"),
                texts,
                texts,
                st.just(""),
                several,
                close,
                st.just(2),
                reuse,
                **about,
            )
        if what == "timer":
            self.timers.append(name)
            return st.builds(ev.TimerStarted, st.just(name), durations | st.just(timedelta(0)), texts)
        self.activities.append(name)
        options = dict.fromkeys(("schedule_to_close", "schedule_to_start", "start_to_close", "heartbeat"), timeouts)
        return st.builds(
            ev.ActivityScheduled,
            st.just(name),
            texts,
            texts,
            several,
            retry=rules,
            summary=texts,
            headers=headers,
            **options,
        )

    @staticmethod
    def ends() -> st.SearchStrategy[Any]:
        return st.one_of(
            st.builds(ev.Completed, st.none() | payloads, texts),
            st.builds(ev.Failed, failures, st.sampled_from([0, 2, 3, 4]), texts),
            st.builds(ev.TimedOut, st.sampled_from([0, 2, 3, 4]), texts),
            st.builds(ev.ContinuedAsNew, texts, texts, several, timeouts, task_timeouts, st.none(), texts),
            st.builds(ev.Cancelled, several),
            st.builds(ev.Terminated, texts, several),
        )
