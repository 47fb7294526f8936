"""Replay's check: what the code asks for now must be what its journal says it asked for then."""

from __future__ import annotations

import platform
from collections.abc import Sequence

from actorflow.core import events as ev
from actorflow.core.commands import Command, command_key
from actorflow.core.program.errors import NondeterminismError


def check(
    commands: Sequence[Command],
    decisions: Sequence[Command],
    *,
    first_number: int,
    lines: Sequence[str],
    waiting_at: str,
    interpreter: str,
) -> None:
    """Compare a turn's commands with the journal's, in order.

    Args:
        commands: what the code asked for.
        decisions: what the journal says.
        first_number: number of the first decision.
        lines: for each command the line that asked; empty if lines were not recorded.
        waiting_at: where the program's main task waits now.
        interpreter: the Python the execution began on.

    Raises:
        NondeterminismError: where the two part first.
    """
    for index in range(max(len(commands), len(decisions))):
        asked = commands[index] if index < len(commands) else None
        recorded = decisions[index] if index < len(decisions) else None
        if asked is not None and recorded is not None and is_same(asked, recorded):
            continue
        line = lines[index] if index < len(lines) else waiting_at
        raise NondeterminismError(
            number=first_number + index,
            recorded=_shown(recorded, "nothing more in this turn"),
            asked=_shown(asked, "nothing more"),
            line=line,
            version_note=f" (begun on Python {interpreter or '?'}, replayed on {interpreter_version()})",
        )


def interpreter_version() -> str:
    """The minor version of this Python, such as "3.11"."""
    return ".".join(platform.python_version_tuple()[:2])


def is_same(asked: Command, recorded: Command) -> bool:
    """True if both mean the same operation; arguments and options may have changed with the code."""
    return type(asked) is type(recorded) and command_key(asked) == command_key(recorded)


def _shown(command: ev.Decision | None, nothing: str) -> str:
    return nothing if command is None else " ".join(command_key(command))
