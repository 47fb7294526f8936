"""How a client hears that an execution did not complete, or that a query failed."""

from __future__ import annotations

from actorflow.client.views import WorkflowExecutionStatus
from actorflow.exceptions import TemporalError


class WorkflowFailureError(TemporalError):
    """The execution did not complete; ``cause`` is the failure, with its own causes behind it."""

    def __init__(self, *, cause: BaseException) -> None:
        super().__init__("Workflow execution failed")
        self.__cause__ = cause

    @property
    def cause(self) -> BaseException:
        """The failure the execution ended with."""
        assert self.__cause__ is not None
        return self.__cause__


class WorkflowContinuedAsNewError(TemporalError):
    """The run continued as another one, and the caller did not want to follow it."""

    def __init__(self, new_execution_run_id: str) -> None:
        super().__init__(f"Workflow continued as new, in run {new_execution_run_id}")
        self.new_execution_run_id = new_execution_run_id


class WorkflowQueryFailedError(TemporalError):
    """The query handler raised, or there is none."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class WorkflowQueryRejectedError(TemporalError):
    """The query was not asked because of the execution's status."""

    def __init__(self, status: WorkflowExecutionStatus | None) -> None:
        name = status.name if status is not None else "unknown"
        super().__init__(f"Query rejected, workflow status: {name}")
        self.status = status


class WorkflowUpdateFailedError(TemporalError):
    """An update was rejected, or its handler failed; ``cause`` is the failure."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__("Workflow update failed")
        self.__cause__ = cause

    @property
    def cause(self) -> BaseException:
        """The failure the update ended with."""
        assert self.__cause__ is not None
        return self.__cause__


class RPCTimeoutOrCancelledError(TemporalError):
    """Nobody waits for the answer to a call any more."""


class WorkflowUpdateRPCTimeoutOrCancelledError(RPCTimeoutOrCancelledError):
    """Nobody waits for the answer to an update any more; what becomes of it is not known here."""

    def __init__(self) -> None:
        super().__init__(
            "Timeout or cancellation while waiting for an update; whether it was accepted is unknown: ask again with "
            "the same id"
        )
