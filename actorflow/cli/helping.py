"""What the program is called, and how its help reads: options of every command are explained once, by its root."""

from __future__ import annotations

import math
from typing import Any, Final

import click

NAME: Final = "actorflow"
COMPLETE_VARIABLE: Final = "_ACTORFLOW_COMPLETE"
"""Set by the script of `actorflow.cli.completion` when a shell asks."""


class Seconds(click.FloatRange):
    """A number of seconds; what is no number at all is in no range."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See `click.ParamType.convert`."""
        found = super().convert(value, param, ctx)
        if math.isnan(found):
            self.fail(f"{value!r} is not a number", param, ctx)
        return found


class GlobalOption(click.Option):
    """An option that every command takes, before or after its name."""


class Command(click.Command):
    """A command whose help only names the options of every command."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """See `click.Command.format_options`."""
        write_options(self, ctx, formatter)


def write_options(command: click.Command, context: click.Context, formatter: click.HelpFormatter) -> None:
    """The options of a command; those of every command in full only where the program itself is explained."""
    is_root = context.parent is None
    parameters = [one for one in command.get_params(context) if isinstance(one, click.Option)]
    own = [one.get_help_record(context) for one in parameters if is_root or not isinstance(one, GlobalOption)]
    with formatter.section("Options"):
        formatter.write_dl([record for record in own if record is not None])
    shared = [one.opts[0] for one in parameters if isinstance(one, GlobalOption)]
    if shared and not is_root:
        with formatter.section("Options of every command"):
            formatter.write_text(f"{', '.join(shared)}; `actorflow --help` explains them.")
