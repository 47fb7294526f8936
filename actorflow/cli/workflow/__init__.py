"""``actorflow workflow``: look at executions, and steer them."""

from __future__ import annotations

from typing import Final

import click

from actorflow.cli.lazy import Lazy, LazyGroup
from actorflow.cli.settings import takes_settings

_HERE: Final = "actorflow.cli.workflow"

_COMMANDS: Final = {
    "list": Lazy(f"{_HERE}.listing", "list_", "List executions, the newest first."),
    "count": Lazy(f"{_HERE}.listing", "count", "Count executions."),
    "show": Lazy(f"{_HERE}.showing", "show", "Show the history of an execution, or a diagram of it."),
    "describe": Lazy(f"{_HERE}.describing", "describe", "Show how an execution stands, and what it waits for."),
    "result": Lazy(f"{_HERE}.ending", "result", "Wait for an execution to end, and print its result."),
    "stack": Lazy(f"{_HERE}.stacking", "stack", "Show where the code of an execution waits."),
    "signal": Lazy(f"{_HERE}.steering", "signal", "Send a signal to an execution."),
    "cancel": Lazy(f"{_HERE}.steering", "cancel", "Ask an execution to stop; its code may tidy up first."),
    "terminate": Lazy(f"{_HERE}.steering", "terminate", "End an execution without asking its code."),
}


@click.group(cls=LazyGroup, commands_by_name=_COMMANDS)
@takes_settings
def workflow() -> None:
    """Look at workflow executions, and steer them.

    Those that look work beside the program that owns the journal, and take the beginning of a workflow id if it is
    the only one. Those that steer (signal, cancel, terminate) write: they need the whole id, and the journal for
    themselves. There is no update and no query here: only the running program can answer those, so
    they come with the node.
    """
