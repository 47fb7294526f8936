"""``actorflow version``."""

from __future__ import annotations

import platform

import click

import actorflow
from actorflow.cli.helping import Command
from actorflow.cli.settings import Settings, with_settings
from actorflow.store.sqlite.settings import SQLITE_VERSION


@click.command(cls=Command)
@with_settings
def version(settings: Settings) -> None:
    """Show the versions of actorflow and of what it stands on."""
    settings.output.record(
        {
            "actorflow": actorflow.__version__,
            "python": platform.python_version(),
            "sqlite": SQLITE_VERSION,
            "platform": platform.platform(),
        }
    )
