"""The command ``actorflow`` itself: its commands, and how any of them ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Any, Final

import click

import actorflow
from actorflow.cli.exits import Exit, ended, flushed
from actorflow.cli.helping import COMPLETE_VARIABLE, NAME
from actorflow.cli.lazy import Lazy, LazyGroup
from actorflow.cli.settings import takes_settings

_COMMANDS: Final = {
    "workflow": Lazy("actorflow.cli.workflow", "workflow", "Look at workflow executions, and steer them."),
    "db": Lazy("actorflow.cli.db", "db", "Check, measure and copy a journal."),
    "demo": Lazy("actorflow.cli.demo", "demo", "Watch an order survive kill -9."),
    "completion": Lazy("actorflow.cli.completion", "completion", "Print what makes a shell complete our commands."),
    "version": Lazy("actorflow.cli.version", "version", "Show the versions of actorflow and of what it stands on."),
}


@click.group(
    cls=LazyGroup,
    commands_by_name=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 failed, 2 wrong use, 3 not found, 4 the workflow failed, 5 timed out, "
    "6 the journal can't be read or somebody else owns it, 130 interrupted.",
)
@click.version_option(actorflow.__version__, prog_name=NAME)
@takes_settings
def root() -> None:
    """Durable workflows on one SQLite file: look at them, steer them, and see a demo.

    \b
    actorflow demo
    actorflow workflow list --db orders.db --query "ExecutionStatus = 'Running'"
    """


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command, or answer a shell that completes one, and return the exit code."""
    if sys.stdout is None:  # closed by whoever started us
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - for as long as we live
    output: Any = sys.stdout
    if isinstance(output, TextIOWrapper):
        output.reconfigure(errors="backslashreplace")  # what its encoding lacks is escaped, as in `cli.text`
    try:
        asked = os.environ.get(COMPLETE_VARIABLE)
        outcome = _answered(asked) if asked else _ran(arguments)
    except BaseException as problem:
        outcome = ended(problem)
    return flushed(outcome if isinstance(outcome, int) else Exit.DONE)


def _ran(arguments: Sequence[str] | None) -> object:
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        # Not `root.main`, which has ideas of its own about closed pipes.
        with root.make_context(NAME, given) as context:
            return root.invoke(context)
    except click.exceptions.Exit as end:  # of --help, say
        return end.exit_code


def _answered(asked: str) -> None:
    from actorflow.cli.completion import answer  # noqa: PLC0415 - only a shell needs it

    answer(root, asked)
