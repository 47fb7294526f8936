"""Failure converters that programs choose and write themselves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from actorflow import exceptions as errors
from actorflow.api.failure.v1 import ApplicationFailureInfo, Failure as PublicFailure
from actorflow.client.data import WorkflowData
from actorflow.converter import (
    DataConverter,
    DefaultFailureConverter,
    DefaultFailureConverterWithEncodedAttributes,
    FailureConverter,
    PayloadConverter,
    default,
    payloads_of,
)


class Careful(DefaultFailureConverter):
    """Hides what permissions were missing, and rebuilds its own exception."""

    def to_failure(self, exception: BaseException, payload_converter: Any, failure: PublicFailure) -> None:
        super().to_failure(exception, payload_converter, failure)
        if isinstance(exception, PermissionError):
            failure.message = "not allowed"
            failure.stack_trace = ""

    def from_failure(self, failure: PublicFailure, payload_converter: Any) -> BaseException:
        info = failure.application_failure_info
        if info is not None and info.type == "PermissionError":
            return PermissionError(failure.message)
        return super().from_failure(failure, payload_converter)


def raised(exception: BaseException) -> BaseException:
    try:
        raise exception
    except BaseException as problem:
        return problem


CHAIN = errors.ActivityError(
    "Activity task failed",
    scheduled_event_id=5,
    started_event_id=6,
    identity="me",
    activity_type="charge",
    activity_id="1",
    retry_state=errors.RetryState.TIMEOUT,
)
CHAIN.__cause__ = errors.ApplicationError(
    "no", {"card": 1}, type="Declined", non_retryable=True, next_retry_delay=timedelta(seconds=2)
)


@pytest.mark.parametrize(
    "exception",
    [
        CHAIN,
        errors.ChildWorkflowError(
            "Child Workflow execution failed",
            namespace="n",
            workflow_id="w",
            run_id="r",
            workflow_type="T",
            initiated_event_id=5,
            started_event_id=6,
            retry_state=None,
        ),
        errors.CancelledError("stop", 1),
        errors.TimeoutError("late", type=errors.TimeoutType.HEARTBEAT, last_heartbeat_details=[1]),
        errors.TerminatedError("killed", "why"),
        errors.ServerError("oops", non_retryable=True),
        ValueError("odd"),
    ],
    ids=lambda exception: type(exception).__name__,
)
def test_an_exception_comes_the_same_way_through_the_public_form(exception: BaseException) -> None:
    failure = PublicFailure()
    FailureConverter.default.to_failure(exception, PayloadConverter.default, failure)
    through = FailureConverter.default.from_failure(failure, PayloadConverter.default)
    values = default().values
    assert values.failure(through) == values.failure(values.exception(values.failure(exception)))


def test_encoded_attributes_hide_message_and_stack_trace_of_every_cause() -> None:
    values = DataConverter(failure_converter_class=DefaultFailureConverterWithEncodedAttributes).values
    exception = raised(RuntimeError("card 4711"))
    exception.__cause__ = raised(ValueError("pin 1234"))
    failure = values.failure(exception)
    assert (failure.message, failure.stack_trace) == ("Encoded failure", "")
    assert failure.cause is not None
    assert (failure.cause.message, failure.cause.stack_trace) == ("Encoded failure", "")
    assert len(payloads_of(failure)) == 2
    back = values.exception(failure)
    assert back.message == "card 4711"
    assert "raise exception" in (back.stack_trace or "")
    assert isinstance(back.__cause__, errors.ApplicationError)
    assert back.__cause__.message == "pin 1234"


def test_the_default_reads_encoded_attributes_too() -> None:
    sealed = DataConverter(failure_converter_class=DefaultFailureConverterWithEncodedAttributes).values
    assert default().values.exception(sealed.failure(ValueError("odd"))).message == "odd"


def test_a_failure_converter_of_the_user_has_its_say_both_ways() -> None:
    values = DataConverter(failure_converter_class=Careful).values
    failure = values.failure(raised(PermissionError("needs root")))
    assert (failure.message, failure.type, failure.stack_trace) == ("not allowed", "PermissionError", "")
    back = values.exception(failure)
    assert isinstance(back, errors.ApplicationError)
    assert isinstance(back.__cause__, PermissionError)
    assert values.failure(ValueError("odd")).message == "odd"


def test_a_failure_converter_that_raises_loses_no_failure() -> None:
    class Broken(DefaultFailureConverter):
        def to_failure(self, exception: BaseException, payload_converter: Any, failure: PublicFailure) -> None:
            raise KeyError("oops")

    failure = DataConverter(failure_converter_class=Broken).values.failure(ValueError("odd"))
    assert (failure.type, failure.message) == ("ValueError", "odd")


def test_a_failure_converter_that_can_not_read_is_named_and_the_failure_told_without_it() -> None:
    class Broken(DefaultFailureConverter):
        def from_failure(self, failure: PublicFailure, payload_converter: Any) -> BaseException:
            raise KeyError("oops")

    converter = DataConverter(failure_converter_class=Broken)
    failure = converter.values.failure(ValueError("odd"))
    with pytest.raises(errors.PayloadError, match=r"failure converter raised KeyError.*'odd'.*from_failure"):
        converter.values.exception(failure)
    told = WorkflowData(converter, "default", "w").explained(failure)
    assert told.message == "odd"


def test_a_public_failure_tells_what_is_set() -> None:
    failure = PublicFailure(message="x", application_failure_info=ApplicationFailureInfo(type="T"))
    assert failure.HasField("application_failure_info")
    assert not failure.HasField("cause")
    assert failure.WhichOneof("failure_info") == "application_failure_info"
    with pytest.raises(ValueError, match="no field 'mistake'"):
        failure.HasField("mistake")


async def test_the_data_converter_converts_failures_by_itself() -> None:
    failure = PublicFailure()
    await default().encode_failure(errors.ApplicationError("no", 1), failure)
    back = await default().decode_failure(failure)
    assert isinstance(back, errors.ApplicationError)
    assert back.details == (1,)
