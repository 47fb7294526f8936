"""How a command ends: its exit code, and one sentence about what went wrong."""

from __future__ import annotations

import os
import sys
from enum import IntEnum

import click

from actorflow.cli.text import visible
from actorflow.client import RPCError, RPCStatusCode, WorkflowContinuedAsNewError, WorkflowFailureError
from actorflow.exceptions import ActorflowError, CorruptJournalError, StorageError, WorkflowParkedError


class Exit(IntEnum):
    """Exit codes; 130 and 141 are what a shell reports for Ctrl-C and a closed pipe."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    WORKFLOW_FAILED = 4
    TIMEOUT = 5
    UNREACHABLE = 6
    INTERRUPTED = 130
    BROKEN_PIPE = 141


_BY_STATUS = {
    RPCStatusCode.NOT_FOUND: Exit.NOT_FOUND,
    RPCStatusCode.INVALID_ARGUMENT: Exit.USAGE,
    RPCStatusCode.FAILED_PRECONDITION: Exit.FAILED,
    RPCStatusCode.DEADLINE_EXCEEDED: Exit.TIMEOUT,
    RPCStatusCode.UNAVAILABLE: Exit.UNREACHABLE,
}


class CommandError(click.ClickException):
    """A command can't do what it was asked to; says what and what now."""

    def __init__(self, message: str, code: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.code = code


def ended(problem: BaseException) -> Exit:
    """Say on stderr what ended a command, and return the exit code for it; what nobody expected is raised again."""
    match problem:
        case click.UsageError():
            problem.show()
            return Exit.USAGE
        case CommandError():
            say(f"Error: {problem.message}")
            return problem.code
        case click.ClickException():
            say(f"Error: {problem.message}")
            return Exit.FAILED
        case click.Abort() | KeyboardInterrupt():
            say("Interrupted.")
            return Exit.INTERRUPTED
        case BrokenPipeError():
            _forget_output()
            return Exit.BROKEN_PIPE
        case ActorflowError() | OSError() | ValueError():
            say(f"Error: {problem}")
            return code_of(problem)
        case _:
            raise problem


def code_of(problem: BaseException) -> Exit:
    """The exit code for an error of ours."""
    match problem:
        case RPCError():
            return _BY_STATUS.get(problem.status, Exit.FAILED)
        case WorkflowFailureError() | WorkflowParkedError() | WorkflowContinuedAsNewError():
            return Exit.WORKFLOW_FAILED
        case CorruptJournalError():
            return Exit.FAILED
        case StorageError():
            return Exit.UNREACHABLE
        case TimeoutError():
            return Exit.TIMEOUT
        case ValueError():
            return Exit.USAGE
        case _:
            return Exit.FAILED


def say(message: str) -> None:
    """A line for people, on stderr; what users wrote can't steer the terminal."""
    click.echo(visible(message, keeps_lines=True), err=True)


def _forget_output() -> None:
    """Whoever read our output has gone: let the interpreter's own flush at exit find nothing to complain about."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
