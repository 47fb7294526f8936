"""How a schedule goes on: what it starts beside what still runs, what it misses, and what people ask of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from actorflow.common import ScheduleOverlapPolicy
from actorflow.converter import Failure, default
from actorflow.core import events as ev, limits
from actorflow.core.schedules import steps
from actorflow.core.schedules.record import (
    Action,
    Backfill,
    Definition,
    Patch,
    Policy,
    ScheduleRecord,
    StartAction,
    State,
    checked_definition,
    decode_record,
    encode_record,
    stamped,
)
from actorflow.core.schedules.spec import Interval, Spec
from actorflow.exceptions import CorruptJournalError, ScheduleSpecError

NOON = datetime(2030, 1, 31, 12, tzinfo=UTC)
HOUR, MINUTE, TICK = timedelta(hours=1), timedelta(minutes=1), timedelta(microseconds=1)
OVERLAP = ScheduleOverlapPolicy
RUNS, NOTHING = State(), Patch()


def a_schedule(
    *, every: timedelta = HOUR, spec: Spec | None = None, state: State = RUNS, patch: Patch = NOTHING, **policy: Any
) -> ScheduleRecord:
    definition = Definition(
        StartAction("Work", "work", "q"), spec or Spec(intervals=(Interval(every),)), Policy(**policy), state
    )
    return steps.created("s", checked_definition(definition), NOON, patch=patch, memo=None)


def started(record: ScheduleRecord, now: datetime) -> ScheduleRecord:
    """Everything is started that is owed."""
    for action in record.owed:
        record = steps.begun(record, action, steps.Start(stamped("work", action.nominal), run_of(action), now))
    return record


def run_of(action: Action) -> str:
    return f"run {action.nominal:%H:%M:%S}"


def at(record: ScheduleRecord, now: datetime) -> ScheduleRecord:
    """The time has come: all steps until nothing changes."""
    while (after := started(steps.advance(record, now), now)) != record:
        record = after
    return record


def after_hours(record: ScheduleRecord, hours: int) -> ScheduleRecord:
    """Every hour on time, while the first that was started runs on."""
    for hour in range(1, hours + 1):
        record = at(record, NOON + hour * HOUR)
    return record


def runs(record: ScheduleRecord) -> list[str]:
    return [one.first_run_id for one in record.running]


def waits(record: ScheduleRecord) -> list[str]:
    return [run_of(action) for action in record.buffer]


COMPLETED = ev.Completed(default().values.encode((7,))[0])
FAILED = ev.Failed(Failure("no luck"))


def test_a_time_that_has_come_is_owed_once_and_carried_by_the_id() -> None:
    record = steps.advance(a_schedule(), NOON + HOUR)
    assert [action.nominal for action in record.owed] == [NOON + HOUR]
    assert steps.advance(record, NOON + HOUR) == record
    record = at(record, NOON + HOUR)
    assert (record.owed, runs(record), record.counts.started) == ((), ["run 13:00:00"], 1)
    assert record.running[0].workflow_id == "work-2030-01-31T13:00:00Z"


def test_nothing_is_due_before_its_time() -> None:
    record = a_schedule()
    assert steps.advance(record, NOON + HOUR - TICK) == record
    assert steps.wakes_at(record) == NOON + HOUR


@pytest.mark.parametrize(
    ("overlap", "running", "waiting", "skipped"),
    [
        (OVERLAP.SKIP, ["run 13:00:00"], [], 3),
        (OVERLAP.BUFFER_ONE, ["run 13:00:00"], ["run 14:00:00"], 2),
        (OVERLAP.BUFFER_ALL, ["run 13:00:00"], ["run 14:00:00", "run 15:00:00", "run 16:00:00"], 0),
        (OVERLAP.CANCEL_OTHER, ["run 13:00:00"], ["run 16:00:00"], 2),
        (OVERLAP.TERMINATE_OTHER, ["run 13:00:00"], ["run 16:00:00"], 2),
        (OVERLAP.ALLOW_ALL, ["run 13:00:00", "run 14:00:00", "run 15:00:00", "run 16:00:00"], [], 0),
    ],
)
def test_the_policy_says_what_happens_while_something_runs(
    overlap: OVERLAP, running: list[str], waiting: list[str], skipped: int
) -> None:
    record = after_hours(a_schedule(overlap=overlap), 4)
    assert (runs(record), waits(record), record.counts.skipped) == (running, waiting, skipped)


def test_what_waits_follows_one_after_the_other() -> None:
    record = after_hours(a_schedule(overlap=OVERLAP.BUFFER_ALL), 3)
    for expected in ("run 14:00:00", "run 15:00:00"):
        record = at(steps.ended(record, record.running[0].first_run_id, COMPLETED), NOON + 3 * HOUR)
        assert runs(record) == [expected]
    assert waits(record) == []


@pytest.mark.parametrize(
    ("overlap", "stop"), [(OVERLAP.CANCEL_OTHER, "cancel"), (OVERLAP.TERMINATE_OTHER, "terminate")]
)
def test_what_runs_is_told_to_stop_once_and_the_next_one_waits_for_its_end(overlap: OVERLAP, stop: str) -> None:
    record = after_hours(a_schedule(overlap=overlap), 2)
    (running,) = record.running
    assert (running.stop, running.is_asked) == (stop, False)
    record = at(steps.asked(record, running), NOON + 2 * HOUR)
    assert [one.is_asked for one in record.running] == [True]
    record = at(record, NOON + 3 * HOUR)
    assert [one.is_asked for one in record.running] == [True]
    record = at(steps.ended(record, running.first_run_id, ev.Cancelled()), NOON + 3 * HOUR)
    assert runs(record) == ["run 15:00:00"]


def test_what_is_asked_to_stop_may_still_be_ended() -> None:
    record = after_hours(a_schedule(overlap=OVERLAP.CANCEL_OTHER), 2)
    record = steps.asked(record, record.running[0])
    record = at(steps.triggered(record, OVERLAP.TERMINATE_OTHER, NOON + 2 * HOUR), NOON + 2 * HOUR)
    assert [(one.stop, one.is_asked) for one in record.running] == [("terminate", False)]


def test_times_that_passed_while_nobody_was_there_are_made_up_for_within_the_window() -> None:
    record = at(a_schedule(overlap=OVERLAP.ALLOW_ALL, catchup_window=2 * HOUR), NOON + 5 * HOUR)
    assert runs(record) == ["run 15:00:00", "run 16:00:00", "run 17:00:00"]
    assert record.counts.missed == 2


def test_a_long_absence_is_passed_over_in_a_bounded_number_of_steps() -> None:
    record = a_schedule(every=timedelta(seconds=1), catchup_window=timedelta(seconds=10))
    record = at(record, NOON + timedelta(days=3000))
    assert record.counts.missed == limits.SCHEDULE_MISSED_MAX
    assert record.counts.started == 1
    assert record.handled_until == NOON + timedelta(days=3000)


def test_many_times_that_are_due_are_taken_in_steps() -> None:
    record = steps.advance(a_schedule(every=MINUTE, overlap=OVERLAP.ALLOW_ALL), NOON + 10 * HOUR)
    assert len(record.owed) == limits.SCHEDULE_STEP_MAX
    assert at(record, NOON + 10 * HOUR).counts.started == 600


def test_the_buffer_has_a_bound() -> None:
    record = at(a_schedule(every=timedelta(seconds=1), overlap=OVERLAP.BUFFER_ALL), NOON + HOUR)
    assert len(record.buffer) == limits.SCHEDULE_BUFFER_MAX
    assert record.counts.skipped == 3600 - 1 - limits.SCHEDULE_BUFFER_MAX


# How runs end


def test_the_last_result_and_failure_are_kept_for_the_next_run() -> None:
    record = at(a_schedule(), NOON + HOUR)
    record = steps.ended(record, "run 13:00:00", COMPLETED)
    assert (record.last_result, record.last_failure) == (COMPLETED.result, None)
    record = steps.ended(at(record, NOON + 2 * HOUR), "run 14:00:00", FAILED)
    assert (record.last_result, record.last_failure) == (COMPLETED.result, FAILED.failure)
    record = steps.ended(at(record, NOON + 3 * HOUR), "run 15:00:00", ev.Terminated())
    assert record.last_failure == FAILED.failure
    record = steps.ended(at(record, NOON + 4 * HOUR), "run 16:00:00", COMPLETED)
    assert record.last_failure is None


@pytest.mark.parametrize("close", [FAILED, ev.TimedOut()])
def test_a_failure_pauses_a_schedule_that_wants_that(close: Any) -> None:
    record = steps.ended(at(a_schedule(pause_on_failure=True), NOON + HOUR), "run 13:00:00", close)
    state = record.definition.state
    assert state.is_paused
    assert "run 13:00:00" in state.note
    assert at(record, NOON + 5 * HOUR).counts.started == 1


@pytest.mark.parametrize("close", [COMPLETED, ev.Cancelled(), ev.Terminated(), None])
def test_no_other_end_pauses_it(close: Any) -> None:
    record = steps.ended(at(a_schedule(pause_on_failure=True), NOON + HOUR), "run 13:00:00", close)
    assert not record.definition.state.is_paused
    assert record.running == ()


def test_the_end_of_something_unknown_changes_nothing() -> None:
    record = at(a_schedule(), NOON + HOUR)
    assert steps.ended(record, "another run", FAILED) == record


def test_an_action_that_met_a_stranger_is_counted_and_the_next_one_taken() -> None:
    record = steps.advance(a_schedule(), NOON + HOUR)
    record = steps.refused(record, record.owed[0])
    assert (record.owed, record.counts.refused, record.counts.started) == ((), 1, 0)
    assert runs(at(record, NOON + 2 * HOUR)) == ["run 14:00:00"]


# Limits and pauses


def test_a_limited_schedule_takes_its_actions_and_no_more() -> None:
    record = a_schedule(state=State(is_limited=True, remaining=2), overlap=OVERLAP.ALLOW_ALL)
    assert len(steps.next_times(record, NOON)) == 2
    record = at(record, NOON + 9 * HOUR)
    assert runs(record) == ["run 13:00:00", "run 14:00:00"]
    assert record.definition.state.remaining == 0
    assert steps.wakes_at(record) is None
    assert steps.next_times(record, NOON + 9 * HOUR) == []


def test_what_somebody_asks_for_is_neither_limited_nor_paused() -> None:
    for state in (State(is_limited=True, remaining=0), State(is_paused=True)):
        record = at(steps.triggered(a_schedule(state=state), None, NOON + MINUTE), NOON + MINUTE)
        assert runs(record) == ["run 12:01:00"]
        assert record.definition.state == state


def test_a_skipped_action_does_not_count_against_the_limit() -> None:
    record = after_hours(a_schedule(state=State(is_limited=True, remaining=2)), 4)
    assert record.definition.state.remaining == 1


def test_what_passed_during_a_pause_is_not_made_up_for() -> None:
    record = steps.paused(a_schedule(), "closed")
    assert steps.wakes_at(record) is None
    record = at(record, NOON + 3 * HOUR + MINUTE)
    assert record.counts == steps.Counts()
    record = at(steps.unpaused(record, "open", NOON + 3 * HOUR + MINUTE), NOON + 4 * HOUR)
    assert runs(record) == ["run 16:00:00"]
    assert record.counts.missed == 0
    assert record.definition.state.note == "open"


def test_a_paused_schedule_shows_when_it_would_be_due() -> None:
    assert steps.next_times(steps.paused(a_schedule(), ""), NOON + HOUR)[0] == NOON + 2 * HOUR
    assert len(steps.next_times(a_schedule(), NOON)) == limits.SCHEDULE_NEXT_MAX


def test_what_waited_when_a_schedule_was_paused_is_not_started() -> None:
    record = steps.paused(after_hours(a_schedule(overlap=OVERLAP.BUFFER_ALL), 2), "")
    record = at(steps.ended(record, "run 13:00:00", COMPLETED), NOON + 2 * HOUR)
    assert (runs(record), waits(record)) == ([], [])


# What people ask


def test_two_triggers_of_one_instant_are_two_actions() -> None:
    record = a_schedule(overlap=OVERLAP.ALLOW_ALL)
    for _ in range(2):
        record = steps.triggered(record, None, NOON)
    assert [action.nominal for action in record.owed] == [NOON, NOON + TICK]


def test_a_backfill_takes_both_its_ends() -> None:
    span = Backfill(NOON - 3 * HOUR - TICK, NOON - HOUR, OVERLAP.ALLOW_ALL)
    record = at(a_schedule(patch=Patch(backfills=(span,))), NOON)
    assert runs(record) == ["run 09:00:00", "run 10:00:00", "run 11:00:00"]
    assert record.backfills == ()


def test_a_backfill_waits_while_the_buffer_is_full() -> None:
    span = Backfill(NOON - 2000 * MINUTE, NOON, OVERLAP.BUFFER_ALL)
    record = at(a_schedule(every=MINUTE, patch=Patch(backfills=(span,))), NOON)
    assert (len(record.running), len(record.buffer)) == (1, limits.SCHEDULE_BUFFER_MAX)
    for _ in range(1999):
        record = at(steps.ended(record, record.running[0].first_run_id, COMPLETED), NOON)
    assert (record.counts.started, record.counts.skipped, record.buffer) == (2000, 0, ())


def test_backfills_have_a_bound() -> None:
    spans = (Backfill(NOON, NOON),) * (limits.SCHEDULE_BACKFILLS_MAX + 1)
    with pytest.raises(ScheduleSpecError, match="backfill"):
        steps.backfilled(a_schedule(), spans)


def test_an_update_counts_from_its_own_time() -> None:
    record = a_schedule()
    definition = msgspec.structs.replace(record.definition, spec=Spec(intervals=(Interval(2 * HOUR),)))
    updated = at(steps.updated(record, definition, NOON + 90 * MINUTE), NOON + 4 * HOUR)
    assert runs(updated) == ["run 14:00:00"]
    assert updated.revision > record.revision


def test_a_start_that_somebody_else_made_before_is_no_action_of_its_own() -> None:
    span = Backfill(NOON - HOUR - TICK, NOON - HOUR)
    record = steps.advance(a_schedule(patch=Patch(backfills=(span,))), NOON)
    (action,) = record.owed
    record = steps.begun(record, action, steps.Start("work", "run", NOON - HOUR, is_own=False))
    assert (record.counts.started, record.recent, runs(record)) == (0, (), ["run"])


# As it is stored


def test_a_record_is_read_as_it_was_written() -> None:
    record = after_hours(a_schedule(overlap=OVERLAP.BUFFER_ALL, pause_on_failure=True), 3)
    record = steps.ended(record, "run 13:00:00", FAILED)
    assert decode_record("s", encode_record(record)) == record


def test_a_record_that_can_not_be_read_says_so() -> None:
    with pytest.raises(CorruptJournalError, match="schedule 's'"):
        decode_record("s", "{}")


ACTIONS = st.sampled_from(["pass", "end", "fail", "pause", "unpause", "trigger", "backfill"])


@given(st.sampled_from(OVERLAP), st.lists(st.tuples(ACTIONS, st.integers(0, 200)), max_size=40), st.booleans())
@settings(max_examples=100, deadline=None)
def test_whatever_happens_each_time_starts_one_workflow_at_most_and_only_permission_lets_two_run(
    overlap: OVERLAP, story: list[tuple[str, int]], is_limited: bool
) -> None:
    record = a_schedule(state=State(is_limited=is_limited, remaining=5 * is_limited), overlap=overlap)
    now, begun = NOON, list[datetime]()
    for what, minutes in story:
        now += minutes * MINUTE
        match what:
            case "end" if record.running:
                record = steps.ended(record, record.running[0].first_run_id, COMPLETED)
            case "fail" if record.running:
                record = steps.ended(record, record.running[0].first_run_id, FAILED)
            case "pause":
                record = steps.paused(record, "")
            case "unpause":
                record = steps.unpaused(record, "", now)
            case "trigger":
                record = steps.triggered(record, None, now)
            case "backfill":
                record = steps.backfilled(record, [Backfill(now - 400 * MINUTE, now - 300 * MINUTE)])
            case _:
                pass
        while (after := steps.advance(record, now)) != record:
            begun.extend(action.nominal for action in after.owed if not action.is_manual)
            record = started(after, now)
        if overlap != OVERLAP.ALLOW_ALL:
            assert len(record.running) <= 1
        assert len(record.recent) <= limits.SCHEDULE_RECENT_MAX
        assert record.definition.state.remaining >= 0
    assert len(begun) == len(set(begun)) <= (5 if is_limited else 10_000)
    assert begun == sorted(begun)
    assert all(NOON < nominal <= now for nominal in begun)
