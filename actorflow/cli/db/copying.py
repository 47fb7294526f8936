"""``actorflow db backup``."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from actorflow.cli.db.blocking import done_with_progress
from actorflow.cli.db.verifying import tell_findings
from actorflow.cli.exits import CommandError, Exit
from actorflow.cli.helping import Command
from actorflow.cli.settings import Settings, with_settings
from actorflow.cli.text import size
from actorflow.store.sqlite.backup import backup as copy_journal


@click.command(cls=Command)
@click.argument("target", metavar="TARGET", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@with_settings
def backup(settings: Settings, target: Path, force: bool) -> int:
    """Copy a journal to TARGET, and check the copy.

    The copy is a journal by itself. It may be made while a program runs on the journal, and holds everything that was
    acknowledged before it began.
    """
    if target.is_file() and not force:
        raise CommandError(f"{target} exists and was left as it is; name another file, or --force", Exit.USAGE)
    path = settings.path
    made = done_with_progress("pages copied", lambda tell: copy_journal(path, target, tell, force=force))
    if settings.output.is_for_programs:
        settings.output.record({**msgspec.to_builtins(made), "is_sound": made.verification.is_sound})
    else:
        settings.output.record(
            {
                "backup": made.path,
                "size": size(made.size),
                "last commit": made.batch,
                "copying took": f"{made.seconds:.2f} s",
            }
        )
        tell_findings(settings, made.verification)
    return Exit.DONE if made.verification.is_sound else Exit.FAILED
