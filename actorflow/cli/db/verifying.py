"""``actorflow db verify``."""

from __future__ import annotations

from typing import Final

import click
import msgspec

from actorflow.cli.db.blocking import done_with_progress
from actorflow.cli.exits import CommandError, Exit, say
from actorflow.cli.helping import Command
from actorflow.cli.settings import Settings, with_settings
from actorflow.core import limits
from actorflow.exceptions import CorruptJournalError
from actorflow.store.sqlite.verify import Verification, verify as verify_journal

_SHOWN_MAX: Final = 20
"""Lines of either kind: enough to see what it is about."""


@click.command(cls=Command)
@click.option("--quick", is_flag=True, help="Don't check whether indexes agree with their tables.")
@with_settings
def verify(settings: Settings, quick: bool) -> int:
    """Check a journal: its file, its checksums, and every execution.

    Exit code 1 if anything is wrong. Nothing is written; the program that owns the journal may go on.
    """
    path = settings.path
    try:
        found = done_with_progress("runs checked", lambda tell: verify_journal(path, tell, is_quick=quick))
    except CorruptJournalError as damage:  # so badly that not even a look inside is possible: that is a finding, too
        raise CommandError(str(damage), Exit.FAILED) from damage
    if settings.output.is_for_programs:
        settings.output.record({**msgspec.to_builtins(found), "is_sound": found.is_sound})
    else:
        tell_findings(settings, found)
    return Exit.DONE if found.is_sound else Exit.FAILED


def tell_findings(settings: Settings, found: Verification) -> None:
    """Say what is wrong on stderr, and print what was checked."""
    for line in (*found.structure[:_SHOWN_MAX], *map(str, found.violations[:_SHOWN_MAX])):
        say(line)
    left_out = max(len(found.structure) - _SHOWN_MAX, 0) + max(found.violations_count - _SHOWN_MAX, 0)
    if left_out:
        say(f"… and {left_out:,} more; -o json lists them (at most {limits.VIOLATIONS_MAX:,})")
    remedy = "" if found.structure or not found.is_complete else ", or terminate the executions named above"
    damaged = f"damaged; restore it from a backup{remedy}"
    settings.output.record(
        {
            "journal": found.path,
            "verdict": "sound" if found.is_sound else damaged,
            "runs": found.runs,
            "turns": found.turns,
            "inbox messages": found.inbox,
            "activity rows": found.activities,
            "checked": "completely" if found.is_complete else "as far as it can be read",
            "took": f"{found.seconds:.2f} s",
        }
    )
