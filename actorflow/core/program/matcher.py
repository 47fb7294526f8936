"""Replay's check: what the code asks for now must be what its journal says it asked for then."""

from __future__ import annotations

import platform
from collections.abc import Collection, Sequence
from itertools import zip_longest
from typing import Any, Final, cast

from actorflow.converter import Failure, Payload
from actorflow.core import events as ev
from actorflow.core.commands import Command, command_key
from actorflow.core.program.errors import NondeterminismError, TurnError
from actorflow.core.program.lines import NOWHERE


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


def check_values(
    commands: Sequence[Command], again: Sequence[Command], *, first_number: int, lines: Sequence[str]
) -> None:
    """Compare what one code asked for in two runs of a turn, with all it said; both mean the same operations.

    Of failures only the type counts: their messages and traces may show addresses of objects.

    Raises:
        TurnError: its cause says where the two part first.
    """
    if len(commands) != len(again):
        return  # markers of patches that may be missing
    for place, (one, other) in enumerate(zip(commands, again, strict=True)):
        for name in one.__struct_fields__:
            first, second = getattr(one, name), getattr(other, name)
            if isinstance(first, Failure) and isinstance(second, Failure):
                first, second = first.type, second.type
            if first != second:
                problem = NondeterminismError(
                    number=first_number + place,
                    recorded=_with_value(one, name, first),
                    asked=_with_value(other, name, second),
                    line=lines[place] if place < len(lines) else NOWHERE,
                )
                raise TurnError(problem) from problem


def _with_value(command: Command, name: str, value: Any) -> str:
    return f"{' '.join(command_key(command))} with {name} {_shown_value(value)[:_SHOWN_MAX]}"


def _shown_value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown_value, cast("Sequence[Any]", value)))
    if isinstance(value, Payload) and value.data is None:
        return bytes(value.json).decode(errors="replace")
    return str(value)


_SHOWN_MAX: Final = 100


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
