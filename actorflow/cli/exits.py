"""How a command ends: its exit code, and one sentence about what went wrong."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import suppress
from enum import IntEnum
from pathlib import Path
from typing import Final

import click

from actorflow.cli.text import visible
from actorflow.exceptions import ActorflowError, ListFilterError

_TRACEBACK_VARIABLE: Final = "ACTORFLOW_TRACEBACK"


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


class CommandError(click.ClickException):
    """A command can't do what it was asked to; says what and what now."""

    def __init__(self, message: str, code: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.code = code


def ended(problem: BaseException) -> Exit:
    """Say on stderr what ended a command, and return the exit code for it."""
    match problem:
        case click.UsageError():
            return _misused(problem)
        case CommandError():
            say(f"Error: {problem.message}")
            return problem.code
        case click.ClickException():
            say(f"Error: {problem.format_message()}")
            return Exit.FAILED
        case click.Abort() | KeyboardInterrupt():
            say("Interrupted.")
            return Exit.INTERRUPTED
        case BrokenPipeError():
            return Exit.BROKEN_PIPE
        case OSError():
            place = f"{problem.filename}: " if problem.filename else ""
            say(f"Error: {place}{problem.strerror or problem}")
            return Exit.TIMEOUT if isinstance(problem, TimeoutError) else Exit.FAILED
        case ActorflowError() | ValueError():
            # Here and not above: whoever can raise these has loaded what it takes to tell them apart.
            from actorflow.cli.refusals import code_of  # noqa: PLC0415 - see above

            say(f"Error: {problem}", keeps_lines=isinstance(problem.__cause__, ListFilterError))
            return code_of(problem)
        case Exception():
            return _mistaken(problem)
        case _:
            raise problem


def say(message: str, *, keeps_lines: bool = False) -> None:
    """Words for people, on stderr; what users wrote can't steer the terminal.

    Args:
        message: a sentence.
        keeps_lines: it has several lines, all of them our own; of other messages nobody should take a part for one.
    """
    # There is nobody else to tell.
    with suppress(OSError):
        click.echo(visible(message, keeps_lines=keeps_lines), err=True)


def flushed(code: int) -> int:
    """Write what is still to be written, and return the exit code there is then.

    Whoever reads our output may have gone, or the disk it goes to may be full.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_output()
        return Exit.BROKEN_PIPE
    except OSError as problem:
        _forget_output()
        if not code:
            say(f"Error: the output can't be written: {problem.strerror}")
        return code or Exit.FAILED
    return code


def _misused(problem: click.UsageError) -> Exit:
    # Only what click says of a missing choice has lines, and nothing of a user's.
    say(f"Error: {problem.format_message()}", keeps_lines=isinstance(problem, click.MissingParameter))
    if problem.ctx is not None:
        say(f"Try `{problem.ctx.command_path} --help`.")
    return Exit.USAGE


def _mistaken(problem: Exception) -> Exit:
    """Nobody has expected this: a mistake of ours."""
    if os.environ.get(_TRACEBACK_VARIABLE):
        raise problem
    place = traceback.extract_tb(problem.__traceback__)[-1]
    say(
        f"Error: {type(problem).__name__}: {problem} ({Path(place.filename).name}:{place.lineno}); this is a mistake "
        f"in actorflow. {_TRACEBACK_VARIABLE}=1 shows all of it, for a report"
    )
    return Exit.FAILED


def _forget_output() -> None:
    """Let the interpreter's own flush at exit find nothing to complain about."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
