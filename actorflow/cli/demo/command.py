"""The command, and where it puts its files."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Final

import click

from actorflow.cli.demo.stage import PlainStage, Stage
from actorflow.cli.demo.story import play
from actorflow.cli.exits import CommandError, Exit, say
from actorflow.cli.helping import Command, Seconds
from actorflow.cli.settings import Settings, with_settings

_SEED: Final = 30
"""With it every loop goes round more than once, and one activity is tried again by itself."""

_DELAY: Final = 0.25
_DELAY_MIN: Final = 0.02
"""Faster, and the worker would be somewhere else before the signal that kills it arrives."""


@click.command(cls=Command)
@click.option("--seed", type=int, default=_SEED, show_default=True, help="What goes wrong on the order's way.")
@click.option(
    "--delay",
    type=Seconds(_DELAY_MIN, 5),
    default=_DELAY,
    show_default=True,
    metavar="SECONDS",
    help="How long each activity takes.",
)
@click.option(
    "--keep", type=click.Path(path_type=Path, file_okay=False), help="Put journal and diagram into this folder."
)
@click.option("--plain", is_flag=True, help="Plain lines also on a terminal.")
@with_settings
def demo(settings: Settings, seed: int, delay: float, keep: Path | None, plain: bool) -> int:
    """Watch an order survive kill -9.

    An order goes through validation, fulfilment and delivery, with loops in each. In the middle its worker process is
    killed with SIGKILL and started again; what was completed is not done again. Takes about ten seconds.
    """
    folder = _folder(keep)
    is_plain = plain or not sys.stdout.isatty() or os.environ.get("TERM") == "dumb"
    try:
        is_sound = _played(PlainStage() if is_plain else None, settings, folder, seed, delay)
    except KeyboardInterrupt:
        say(f"Interrupted. The worker was stopped; the order waits in {folder}, and nothing of it is lost.")
        return Exit.INTERRUPTED
    return Exit.DONE if is_sound else Exit.FAILED


def _played(plain: Stage | None, settings: Settings, folder: Path, seed: int, delay: float) -> bool:
    if plain is not None:
        return play(plain, folder, seed=seed, delay=delay)
    from actorflow.cli.demo.live import LiveStage  # noqa: PLC0415 - loads rich, which only a terminal needs

    with LiveStage(has_colour=settings.output.has_colour) as stage:
        return play(stage, folder, seed=seed, delay=delay)


def _folder(keep: Path | None) -> Path:
    if keep is None:
        return Path(tempfile.mkdtemp(prefix="actorflow-demo-"))
    if keep.is_dir() and any(keep.iterdir()):
        raise CommandError(f"{keep} is not empty; name a folder that is, or a new one", Exit.USAGE)
    try:
        keep.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise CommandError(f"{keep} can't be made: {problem}", Exit.USAGE) from problem
    return keep.resolve()
