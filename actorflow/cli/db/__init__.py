"""``actorflow db``: check, measure and copy a journal."""

from __future__ import annotations

from typing import Final

import click

from actorflow.cli.lazy import Lazy, LazyGroup
from actorflow.cli.settings import takes_settings

_HERE: Final = "actorflow.cli.db"

_COMMANDS: Final = {
    "verify": Lazy(f"{_HERE}.verifying", "verify", "Check a journal: its file, its checksums, and every execution."),
    "stats": Lazy(f"{_HERE}.measuring", "stats", "Show how large a journal is, and what is in it."),
    "backup": Lazy(f"{_HERE}.copying", "backup", "Copy a journal to TARGET, and check the copy."),
}


@click.group(cls=LazyGroup, commands_by_name=_COMMANDS)
@takes_settings
def db() -> None:
    """Check, measure and copy a journal.

    All of it works beside the program that owns the journal, and without one.
    """
