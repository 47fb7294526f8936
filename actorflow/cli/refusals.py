"""The exit code for each error a journal or a client can raise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from actorflow.cli.exits import Exit
from actorflow.client import RPCError, RPCStatusCode, WorkflowFailureError
from actorflow.exceptions import StorageError, StorageFullError, WorkflowParkedError

_BY_STATUS: Final[Mapping[RPCStatusCode, Exit]] = {
    RPCStatusCode.NOT_FOUND: Exit.NOT_FOUND,
    RPCStatusCode.INVALID_ARGUMENT: Exit.USAGE,
    RPCStatusCode.FAILED_PRECONDITION: Exit.FAILED,
    RPCStatusCode.DEADLINE_EXCEEDED: Exit.TIMEOUT,
    RPCStatusCode.UNAVAILABLE: Exit.UNREACHABLE,
}


def code_of(problem: BaseException) -> Exit:
    """See the module's head."""
    match problem:
        case RPCError():
            return _BY_STATUS.get(problem.status, Exit.FAILED)
        case WorkflowFailureError() | WorkflowParkedError():
            return Exit.WORKFLOW_FAILED
        case StorageFullError():
            return Exit.FAILED
        case StorageError():
            return Exit.UNREACHABLE
        case ValueError():
            return Exit.USAGE
        case _:
            return Exit.FAILED
