"""``actorflow db verify``."""

from __future__ import annotations

import click
import msgspec

from actorflow.cli.db.progress import progress
from actorflow.cli.exits import Exit, say
from actorflow.cli.helping import Command
from actorflow.cli.settings import Settings, with_settings
from actorflow.store.sqlite.verify import Verification
from actorflow.store.sqlite.verify import verify as verify_journal


@click.command(cls=Command)
@click.option("--quick", is_flag=True, help="Don't check whether indexes agree with their tables.")
@with_settings
def verify(settings: Settings, quick: bool) -> int:
    """Check a journal: its file, its checksums, and every execution.

    Exit code 1 if anything is wrong. Nothing is written; the program that owns the journal may go on.
    """
    with progress("runs checked") as tell:
        found = verify_journal(settings.path, tell, is_quick=quick)
    if settings.output.is_for_programs:
        settings.output.record({**msgspec.to_builtins(found), "is_sound": found.is_sound})
    else:
        tell_findings(settings, found)
    return Exit.DONE if found.is_sound else Exit.FAILED


def tell_findings(settings: Settings, found: Verification) -> None:
    """Say what is wrong on stderr, and print what was checked."""
    for line in found.structure:
        say(f"structure: {line}")
    for violation in found.violations:
        say(str(violation))
    left_out = found.violations_count - len(found.violations)
    if left_out > 0:
        say(f"… and {left_out} more")
    damaged = "damaged; restore it from a backup, or terminate the executions named above"
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
