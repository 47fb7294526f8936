"""``actorflow db``: check, measure and copy a journal, beside its owner or without one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

import click
import msgspec

from actorflow.cli.exits import Exit, say
from actorflow.cli.settings import Settings, takes_settings, with_settings
from actorflow.cli.text import size
from actorflow.store.sqlite.backup import Backup
from actorflow.store.sqlite.backup import backup as copy_journal
from actorflow.store.sqlite.stats import Stats
from actorflow.store.sqlite.stats import stats as measure_journal
from actorflow.store.sqlite.verify import Verification
from actorflow.store.sqlite.verify import verify as verify_journal


@click.group()
@takes_settings
def db() -> None:
    """Check, measure and copy a journal."""


@db.command()
@click.option("--quick", is_flag=True, help="Don't check whether indexes agree with their tables.")
@with_settings
def verify(settings: Settings, quick: bool) -> int:
    """Check a journal: the file's structure, checksums, and what must hold for every execution.

    Exit code 1 if anything is wrong. Nothing is written; the program that owns the journal may go on.
    """
    with _progress("runs checked") as tell:
        found = verify_journal(settings.path, tell, is_quick=quick)
    if settings.output.is_for_programs:
        settings.output.record({**msgspec.to_builtins(found), "is_sound": found.is_sound})
    else:
        _tell_findings(settings, found)
    return Exit.DONE if found.is_sound else Exit.FAILED


def _tell_findings(settings: Settings, found: Verification) -> None:
    for line in found.structure:
        say(f"structure: {line}")
    for violation in found.violations:
        say(str(violation))
    left_out = found.violations_count - len(found.violations)
    if left_out > 0:
        say(f"… and {left_out} more")
    verdict = (
        "sound" if found.is_sound else "damaged; restore it from a backup, or terminate the executions named above"
    )
    settings.output.record(
        {
            "journal": found.path,
            "verdict": verdict,
            "runs": found.runs,
            "turns": found.turns,
            "inbox messages": found.inbox,
            "activity rows": found.activities,
            "checked": "completely" if found.is_complete else "as far as it can be read",
            "took": f"{found.seconds:.2f} s",
        }
    )


@db.command()
@with_settings
def stats(settings: Settings) -> None:
    """Show how large a journal is, and what is in it."""
    found = measure_journal(settings.path)
    if settings.output.is_for_programs:
        settings.output.record(msgspec.to_builtins(found))
    else:
        settings.output.record(_figures(found))


def _figures(found: Stats) -> dict[str, object]:
    oldest = found.oldest_open
    return {
        "journal": found.path,
        "owner": found.owner or "nobody has it open",
        "database": f"{size(found.database_bytes)}, {size(found.free_bytes)} of it free",
        "write-ahead log": size(found.wal_bytes),
        "events": f"{size(found.journal_bytes)} in {found.turns} turns",
        "executions": ", ".join(f"{count} {status}" for status, count in found.runs_by_status.items()) or "none",
        "types": "\n".join(f"{count} {name}" for name, count in found.runs_by_type.items()),
        "parked": found.parked,
        "inbox messages": found.inbox,
        "open activities with a row": found.rows_by_table["activity"],
        "oldest open": oldest
        and f"{oldest.identity.workflow_id} since {oldest.identity.started_at:%Y-%m-%d %H:%M:%S}Z",
        "commits": f"{found.batch}, epoch {found.epoch}",
        "schema": f"{found.schema}, read with SQLite {found.sqlite_version}",
    }


@db.command()
@click.argument("target", metavar="TARGET", type=click.Path(dir_okay=False))
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@with_settings
def backup(settings: Settings, target: str, force: bool) -> int:
    """Copy a journal to TARGET, which is a journal by itself, and check the copy.

    It may be made while a program runs on the journal; it holds everything acknowledged before it began.
    """
    with _progress("pages copied") as tell:
        made = copy_journal(settings.path, target, tell, force=force)
    if settings.output.is_for_programs:
        settings.output.record({**msgspec.to_builtins(made), "is_sound": made.verification.is_sound})
    else:
        _tell_copy(settings, made)
    return Exit.DONE if made.verification.is_sound else Exit.FAILED


def _tell_copy(settings: Settings, made: Backup) -> None:
    settings.output.record(
        {
            "backup": made.path,
            "size": size(made.size),
            "last commit": made.batch,
            "took": f"{made.seconds:.2f} s, and {made.verification.seconds:.2f} s to check it",
        }
    )
    _tell_findings(settings, made.verification)


@contextmanager
def _progress(what: str) -> Generator[Callable[[int, int], object] | None]:
    """A bar on stderr while something takes long, if anybody is looking."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415 - loaded only for a terminal
    from rich.progress import Progress  # noqa: PLC0415 - see above

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
