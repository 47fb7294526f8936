"""Which run follows one that closes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from actorflow.converter import Failure, default
from actorflow.core import events as ev, limits
from actorflow.core.policy.cron import check_cron, next_fire
from actorflow.core.policy.succession import Closing, closed_as, first_options, succession
from actorflow.exceptions import RetryState
from tests.core.given import MINUTE, NOON, SECOND

FAILURE = Failure(message="no", type="Nope")
RETRY = ev.RetryRule(initial_interval=2.0, maximum_attempts=3)
HOUR = timedelta(hours=1)


def closing(now: datetime = NOON + MINUTE, **options: Any) -> Closing:
    """A run of an hour before, with these options."""
    brought = first_options(ev.RunOptions(**options), started_at=NOON)
    return Closing("run-1", NOON, ev.Started("W", "q", default().values.encode([7]), "3.11", brought), now)


def following(closing: Closing, close: Any) -> ev.Started:
    follows = succession(closing, close)
    assert isinstance(follows, ev.Started)
    assert follows.options is not None
    return follows


def options_of(started: ev.Started) -> ev.RunOptions:
    assert started.options is not None
    return started.options


@pytest.mark.parametrize("close", [ev.Completed(), ev.Failed(FAILURE), ev.Cancelled(), ev.Terminated(), ev.TimedOut()])
def test_without_retry_or_cron_nothing_follows(close: Any) -> None:
    assert succession(closing(), close) is None


@pytest.mark.parametrize("close", [ev.Cancelled(), ev.Terminated()])
def test_nothing_follows_what_somebody_wanted_to_end(close: Any) -> None:
    assert succession(closing(retry=RETRY, cron="* * * * *"), close) is None


def test_a_run_that_continues_as_new_keeps_what_it_does_not_change() -> None:
    before = closing(retry=RETRY, run_timeout=HOUR, execution_timeout=10 * HOUR, parent=ev.ParentRun("n", "p", "r", 5))
    follows = following(before, ev.ContinuedAsNew("V", "other", default().values.encode([8])))
    assert (follows.workflow_type, follows.task_queue, follows.input) == ("V", "other", default().values.encode([8]))
    options = options_of(follows)
    assert (options.first_run_id, options.continued_run_id, options.initiator) == ("run-1", "run-1", "workflow")
    assert (options.retry, options.parent, options.attempt) == (RETRY, ev.ParentRun("n", "p", "r", 5), 1)
    assert options.expires_at == NOON + MINUTE + HOUR
    assert options.chain_expires_at == NOON + 10 * HOUR


def test_a_run_that_continues_as_new_may_change_its_timeout_and_retry() -> None:
    other = ev.RetryRule(maximum_attempts=1)
    close = ev.ContinuedAsNew("W", "q", run_timeout=SECOND, task_timeout=SECOND, retry=other)
    options = options_of(following(closing(retry=RETRY, run_timeout=HOUR), close))
    assert (options.run_timeout, options.task_timeout, options.retry) == (SECOND, SECOND, other)
    assert options.expires_at == NOON + MINUTE + SECOND


def test_the_chain_keeps_its_first_run_and_its_deadline() -> None:
    before = closing(execution_timeout=HOUR)
    second = following(before, ev.ContinuedAsNew("W", "q"))
    third = following(Closing("run-2", NOON, second, NOON + 2 * MINUTE), ev.ContinuedAsNew("W", "q"))
    options = options_of(third)
    assert (options.first_run_id, options.continued_run_id) == ("run-1", "run-2")
    assert options.chain_expires_at == options.expires_at == NOON + HOUR


def test_a_failed_run_is_retried_after_its_back_off_with_the_next_attempt_and_the_failure() -> None:
    options = options_of(following(closing(retry=RETRY), ev.Failed(FAILURE)))
    assert (options.attempt, options.initiator, options.last_failure) == (2, "retry", FAILURE)
    assert options.not_before == NOON + MINUTE + 2 * SECOND


def test_the_last_attempt_says_why_no_other_follows() -> None:
    assert succession(closing(retry=RETRY, attempt=3), ev.Failed(FAILURE)) is RetryState.MAXIMUM_ATTEMPTS_REACHED
    final = msgspec.structs.replace(FAILURE, non_retryable=True)
    assert succession(closing(retry=RETRY), ev.Failed(final)) is RetryState.NON_RETRYABLE_FAILURE


def test_no_retry_begins_beyond_the_deadline_of_the_chain() -> None:
    before = closing(retry=ev.RetryRule(initial_interval=3600.0, maximum_interval=3600.0), execution_timeout=HOUR)
    assert succession(before, ev.Failed(FAILURE)) is RetryState.TIMEOUT


def test_a_run_that_timed_out_is_retried_while_its_chain_has_time() -> None:
    options = options_of(following(closing(retry=RETRY, run_timeout=MINUTE), ev.TimedOut()))
    assert options.attempt == 2
    assert options.expires_at == NOON + MINUTE + 2 * SECOND + MINUTE
    late = closing(now=NOON + HOUR, retry=RETRY, execution_timeout=HOUR)
    assert succession(late, ev.TimedOut()) is RetryState.TIMEOUT


def test_the_next_run_of_a_cron_knows_the_last_result() -> None:
    result = default().values.encode_one(5)
    options = options_of(following(closing(cron="*/10 * * * *", now=NOON + 11 * MINUTE), ev.Completed(result)))
    assert (options.initiator, options.last_result, options.last_failure) == ("cron", result, None)
    assert options.not_before == NOON + 20 * MINUTE


def test_a_failed_run_of_a_cron_is_retried_first_and_then_the_cron_goes_on() -> None:
    result = default().values.encode_one(5)
    before = closing(cron="*/10 * * * *", retry=RETRY, last_result=result, now=NOON + 11 * MINUTE)
    assert options_of(following(before, ev.Failed(FAILURE))).initiator == "retry"
    spent = closing(cron="*/10 * * * *", retry=RETRY, attempt=3, last_result=result, now=NOON + 11 * MINUTE)
    options = options_of(following(spent, ev.Failed(FAILURE)))
    assert (options.initiator, options.attempt) == ("cron", 1)
    assert (options.last_result, options.last_failure) == (result, FAILURE)


def test_a_cron_ends_with_the_deadline_of_its_chain() -> None:
    assert succession(closing(cron="0 12 * * *", execution_timeout=HOUR), ev.Completed()) is None


def test_a_close_carries_the_run_that_follows_or_why_none_does() -> None:
    def new_run_id() -> str:
        return "run-2"

    assert closed_as(closing(retry=RETRY), ev.Failed(FAILURE), new_run_id).successor == "run-2"
    spent = closed_as(closing(retry=RETRY, attempt=3), ev.Failed(FAILURE), new_run_id)
    assert (spent.successor, spent.retry_state) == ("", int(RetryState.MAXIMUM_ATTEMPTS_REACHED))
    assert closed_as(closing(), ev.Completed(), new_run_id) == ev.Completed()


def test_a_chain_that_spins_is_slowed_down() -> None:
    started, now = ev.Started("W", "q"), NOON
    waits: list[timedelta] = []
    for number in range(limits.HURRIED_RUNS_MAX + 3):
        begins = NOON if started.options is None else started.options.not_before or now
        started = following(Closing(f"run-{number}", begins, started, begins), ev.ContinuedAsNew("W", "q"))
        not_before = options_of(started).not_before
        now = not_before or begins
        waits.append(now - begins)
    assert waits == [timedelta(0)] * limits.HURRIED_RUNS_MAX + [limits.HURRIED_RUN] * 3


def test_a_run_that_worked_for_a_while_is_not_slowed_down() -> None:
    before = closing(hurried=limits.HURRIED_RUNS_MAX)
    options = options_of(following(before, ev.ContinuedAsNew("W", "q")))
    assert (options.not_before, options.hurried) == (None, 0)


def test_a_start_without_anything_brings_no_options() -> None:
    assert first_options(ev.RunOptions(), started_at=NOON) is None


def test_a_delayed_start_times_out_counting_from_its_first_turn() -> None:
    options = first_options(ev.RunOptions(run_timeout=HOUR), started_at=NOON, start_delay=MINUTE)
    assert options is not None
    assert (options.not_before, options.expires_at) == (NOON + MINUTE, NOON + MINUTE + HOUR)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("*/15 * * * *", NOON + 15 * MINUTE),
        ("@daily", datetime(2030, 6, 2, tzinfo=NOON.tzinfo)),
        ("@hourly", NOON + HOUR),
        ("@every 90s", NOON + timedelta(seconds=90)),
        ("@every 1h30m", NOON + timedelta(minutes=90)),
        ("0 12 * * MON", datetime(2030, 6, 3, 12, tzinfo=NOON.tzinfo)),
        ("CRON_TZ=Europe/Berlin 30 15 * * *", datetime(2030, 6, 1, 13, 30, tzinfo=NOON.tzinfo)),
    ],
)
def test_a_cron_fires_at_the_next_instant_of_its_expression(expression: str, expected: datetime) -> None:
    assert next_fire(expression, NOON) == expected


def test_a_local_time_that_does_not_exist_fires_once_after_the_gap() -> None:
    before_the_gap = datetime(2030, 3, 31, 0, 0, tzinfo=NOON.tzinfo)  # clocks go from 02:00 to 03:00 in Berlin
    first = next_fire("CRON_TZ=Europe/Berlin 30 2 * * *", before_the_gap)
    assert first == datetime(2030, 3, 31, 1, 0, tzinfo=NOON.tzinfo)
    assert next_fire("CRON_TZ=Europe/Berlin 30 2 * * *", first) == datetime(2030, 4, 1, 0, 30, tzinfo=NOON.tzinfo)


@pytest.mark.parametrize(
    "expression",
    ["", "nonsense", "* * * *", "61 * * * *", "0 0 30 2 *", "@every 5ms", "@every x", "CRON_TZ=Mars/Olympus * * * * *"],
)
def test_a_cron_that_cannot_be_understood_or_never_fires_is_refused_with_its_text(expression: str) -> None:
    with pytest.raises(ValueError, match="cron schedule"):
        check_cron(expression)
