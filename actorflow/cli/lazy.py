"""Groups that load a command when it runs: nobody who asks for help or a version waits for the engine."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Final, NamedTuple

import click
from click.shell_completion import CompletionItem

from actorflow.cli.helping import write_options


class Lazy(NamedTuple):
    """Where a command is, and what it does in half a line: the first line of its own help."""

    module: str
    attribute: str
    does: str


class LazyGroup(click.Group):
    """A group that knows its commands by name only.

    Args:
        commands_by_name: in the order in which help shows them.
    """

    def __init__(self, *args: Any, commands_by_name: Mapping[str, Lazy], **options: Any) -> None:
        super().__init__(*args, **options)
        self._lazy: Final = commands_by_name

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """See `click.Command.parse_args`; who says nothing is shown what there is to say."""
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help())
            ctx.exit()
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """See `click.Group.list_commands`."""
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """See `click.Group.get_command`; loads it."""
        lazy = self._lazy.get(cmd_name)
        return None if lazy is None else getattr(import_module(lazy.module), lazy.attribute)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """See `click.Group.resolve_command`; one that does not exist is answered with the nearest."""
        name = args[0]
        if name not in self._lazy and not ctx.resilient_parsing and not name.startswith("-"):
            near = get_close_matches(name, self._lazy, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(self._lazy)}"
            raise click.UsageError(f"no such command: {name!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """See `click.Group.format_options`; commands come first, and nothing is loaded to show them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.does) for name, lazy in self._lazy.items()])
        write_options(self, ctx, formatter)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """See `click.Command.shell_complete`; loads nothing."""
        named = [
            CompletionItem(name, help=lazy.does) for name, lazy in self._lazy.items() if name.startswith(incomplete)
        ]
        return [*named, *click.Command.shell_complete(self, ctx, incomplete)]
