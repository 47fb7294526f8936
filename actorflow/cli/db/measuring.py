"""``actorflow db stats``."""

from __future__ import annotations

from collections.abc import Mapping

import click
import msgspec

from actorflow.cli.helping import Command
from actorflow.cli.settings import Settings, with_settings
from actorflow.cli.text import instant, size
from actorflow.core.policy.filter_tree import NAME_BY_STATUS
from actorflow.store.sqlite.stats import Stats, stats as measure_journal


@click.command(cls=Command)
@with_settings
def stats(settings: Settings) -> None:
    """Show how large a journal is, and what is in it."""
    found = measure_journal(settings.path)
    named = {NAME_BY_STATUS.get(status, status): count for status, count in found.runs_by_status.items()}
    if settings.output.is_for_programs:
        settings.output.record({**msgspec.to_builtins(found), "runs_by_status": named})
    else:
        settings.output.record(_figures(found, named))


def _figures(found: Stats, runs_by_status: Mapping[str, int]) -> Mapping[str, object]:
    oldest = found.oldest_open
    return {
        "journal": found.path,
        "owner": found.owner or "nobody has it open",
        "database": f"{size(found.database_bytes)}, {size(found.free_bytes)} of it free",
        "write-ahead log": size(found.wal_bytes),
        "events": f"{size(found.journal_bytes)} in {found.turns} turns",
        "large payloads": f"{size(found.payload_bytes)} in {found.rows_by_table['payload']}",
        "executions": ", ".join(f"{count} {status}" for status, count in runs_by_status.items()) or "none",
        "types": ", ".join(f"{count} {name}" for name, count in found.runs_by_type.items()),
        "parked": found.parked,
        "inbox messages": found.inbox,
        "activity rows": found.rows_by_table["activity"],
        "oldest open": oldest and f"{oldest.identity.workflow_id} since {instant(oldest.identity.started_at)}",
        "commits": f"{found.batch}, epoch {found.epoch}",
        "schema": f"{found.schema}, read with SQLite {found.sqlite_version}",
    }
