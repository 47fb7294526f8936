"""Replay's check: what the code asks for now must be what its journal says it asked for then."""

from __future__ import annotations

import platform
from collections.abc import Collection, Sequence
from itertools import zip_longest

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
    optional_patches: Collection[str] = (),
) -> None:
    """Compare a turn's commands with the journal's, in order.

    Args:
        commands: what the code asked for.
        decisions: what the journal says.
        first_number: number of the first decision.
        lines: for each command the line that asked; empty if lines were not recorded.
        waiting_at: where the program's main task waits now.
        interpreter: the Python the execution began on.
        optional_patches: ids whose markers may stand on one side only.

    Raises:
        NondeterminismError: where the two part first.
    """
    nothing_asked = (len(commands), None)
    nothing_recorded = (len(decisions), None)
    for here, there in zip_longest(_required(commands, optional_patches), _required(decisions, optional_patches)):
        place, asked = here or nothing_asked
        number, recorded = there or nothing_recorded
        if asked is not None and recorded is not None and is_same(asked, recorded):
            continue
        raise NondeterminismError(
            number=first_number + number,
            recorded=_shown(recorded, "nothing more in this turn"),
            asked=_shown(asked, "nothing more"),
            line=lines[place] if place < len(lines) else waiting_at,
            version_note=f" (begun on Python {interpreter or '?'}, replayed on {interpreter_version()})",
        )


def interpreter_version() -> str:
    """The minor version of this Python, such as "3.11"."""
    return ".".join(platform.python_version_tuple()[:2])


def is_same(asked: Command, recorded: Command) -> bool:
    """True if both mean the same operation; arguments and options may have changed with the code."""
    return type(asked) is type(recorded) and command_key(asked) == command_key(recorded)


def _required(commands: Sequence[Command], optional_patches: Collection[str]) -> Sequence[tuple[int, Command]]:
    """Commands with their places, but for the markers that may be missing."""
    return [
        (place, command)
        for place, command in enumerate(commands)
        if not (isinstance(command, ev.Patched) and command.patch_id in optional_patches)
    ]


def _shown(command: ev.Decision | None, nothing: str) -> str:
    return nothing if command is None else " ".join(command_key(command))
