"""Policies as functions: retry, ids, and the seed of chance."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given as given_any, strategies as st

from actorflow.common import RetryPolicy
from actorflow.converter import Failure
from actorflow.core import limits
from actorflow.core.policy.checks import check_id, check_name
from actorflow.core.policy.retry import DEFAULT_RULE, GiveUp, RetryAt, after_failure, backoff, rule_from
from actorflow.core.program.determinism import seed_of
from actorflow.exceptions import RetryState
from tests.core.given import NOON, SECOND

FAILURE = Failure(message="no", type="Nope")


def delay_after(policy: RetryPolicy | None, charged: int, failure: Failure = FAILURE, deadline: Any = None) -> Any:
    return after_failure(rule_from(policy), failure, charged=charged, now=NOON, deadline=deadline)


def test_the_default_policy_doubles_from_one_second_to_a_hundred_and_never_gives_up() -> None:
    assert [backoff(DEFAULT_RULE, charged) for charged in range(1, 10)] == [1, 2, 4, 8, 16, 32, 64, 100, 100]
    assert delay_after(None, 10**9) == RetryAt(timedelta(seconds=100))


def test_the_longest_wait_defaults_to_a_hundred_times_the_first() -> None:
    assert rule_from(RetryPolicy(initial_interval=timedelta(milliseconds=10))).maximum_interval == 1.0


def test_a_given_longest_wait_is_kept() -> None:
    policy = RetryPolicy(initial_interval=SECOND, maximum_interval=3 * SECOND, backoff_coefficient=2)
    assert [delay_after(policy, n).delay.total_seconds() for n in (1, 2, 3, 4)] == [1, 2, 3, 3]


@pytest.mark.parametrize(("maximum", "charged", "gives_up"), [(3, 2, False), (3, 3, True), (3, 4, True), (1, 1, True)])
def test_attempts_are_bounded(maximum: int, charged: int, *, gives_up: bool) -> None:
    decision = delay_after(RetryPolicy(maximum_attempts=maximum), charged)
    assert (decision == GiveUp(RetryState.MAXIMUM_ATTEMPTS_REACHED)) is gives_up


def test_a_non_retryable_failure_ends_the_attempts() -> None:
    stubborn = Failure(message="no", type="Nope", non_retryable=True)
    assert delay_after(None, 1, stubborn) == GiveUp(RetryState.NON_RETRYABLE_FAILURE)


def test_non_retryable_types_match_the_type_exactly() -> None:
    policy = RetryPolicy(non_retryable_error_types=["Nope"])
    assert delay_after(policy, 1) == GiveUp(RetryState.NON_RETRYABLE_FAILURE)
    assert isinstance(delay_after(policy, 1, Failure(message="Nope", type="NopeToo")), RetryAt)
    assert isinstance(delay_after(policy, 1, Failure(message="Nope")), RetryAt)


def test_the_failure_may_choose_the_next_delay() -> None:
    chosen = Failure(message="later", next_retry_delay=timedelta(seconds=7))
    assert delay_after(None, 5, chosen) == RetryAt(timedelta(seconds=7))


def test_an_attempt_that_could_not_begin_before_the_deadline_is_not_made() -> None:
    assert delay_after(None, 1, deadline=NOON + SECOND / 2) == GiveUp(RetryState.TIMEOUT)
    assert delay_after(None, 1, deadline=NOON + 2 * SECOND) == RetryAt(SECOND)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"initial_interval": timedelta(0)}, "initial_interval"),
        ({"initial_interval": timedelta(seconds=-1)}, "initial_interval"),
        ({"backoff_coefficient": 0.5}, "backoff_coefficient"),
        ({"backoff_coefficient": float("nan")}, "backoff_coefficient"),
        ({"maximum_interval": timedelta(milliseconds=1)}, "maximum_interval"),
        ({"maximum_attempts": -1}, "maximum_attempts"),
        ({"initial_interval": timedelta(microseconds=9)}, "maximum_attempts"),
        ({"initial_interval": timedelta(microseconds=999), "backoff_coefficient": 1}, "burn"),
    ],
)
def test_a_policy_that_contradicts_itself_is_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        rule_from(RetryPolicy(**options))


@pytest.mark.parametrize(
    "options", [{"non_retryable_error_types": [ValueError]}, {"maximum_attempts": 1.5}, {"initial_interval": 5}]
)
def test_a_policy_with_values_of_the_wrong_type_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        rule_from(RetryPolicy(**options))


@given_any(
    st.timedeltas(timedelta(milliseconds=1), timedelta(days=1)),
    st.floats(1, 100),
    st.integers(1, 10_000),
)
def test_waits_never_shrink_and_never_pass_the_longest(initial: timedelta, coefficient: float, charged: int) -> None:
    rule = rule_from(RetryPolicy(initial_interval=initial, backoff_coefficient=coefficient))
    assert rule.initial_interval <= backoff(rule, charged) <= backoff(rule, charged + 1) <= rule.maximum_interval


# Ids


@pytest.mark.parametrize("text", ["x", "order 7", "ünï", "x" * limits.WORKFLOW_ID_BYTES_MAX])
def test_ordinary_text_is_a_workflow_id(text: str) -> None:
    check_id(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("a\nb", "control characters"),
        ("a\0b", "control characters"),
        ("\ud800", "lone surrogates"),
        ("ü" * limits.WORKFLOW_ID_BYTES_MAX, "over the limit of 1,000"),
    ],
)
def test_what_can_not_be_an_id_is_refused_with_the_reason(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        check_id(text)
    with pytest.raises(ValueError, match=f"task queue.*{says}"):
        check_name("task queue", text)


def test_an_id_must_be_text() -> None:
    with pytest.raises(TypeError, match="workflow id must be a str, not int"):
        check_id(7)  # pyright: ignore[reportArgumentType]


def test_seeds_belong_to_runs() -> None:
    assert seed_of("a") == seed_of("a")
    assert len({seed_of(f"run-{n}") for n in range(1000)}) == 1000
