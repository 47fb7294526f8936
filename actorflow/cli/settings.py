"""What every command takes: the journal's file, the namespace, and how to print. Before or after the command's name."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click

from actorflow.cli.output import Form, Output

_DB_VARIABLE: Final = "ACTORFLOW_DB"
_KEY: Final = "actorflow.settings"


@dataclass(frozen=True)
class Settings:
    """See the module's head."""

    db: str | None
    namespace: str
    output: Output

    @property
    def path(self) -> Path:
        """The journal's file.

        Raises:
            click.UsageError: none was named.
        """
        if not self.db:
            raise click.UsageError(f"which journal? Name its file with --db PATH or in the variable {_DB_VARIABLE}")
        return Path(self.db)

    @property
    def address(self) -> str:
        """The journal's address, as `Client.connect` takes it."""
        return f"sqlite:///{str(self.path).replace('%', '%25')}"


def _remember(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    # The innermost one that was given counts, wherever it stands.
    if value is not None:
        context.meta.setdefault(_KEY, {})[parameter.name] = value


_OPTIONS: Final = (
    click.option(
        "--db",
        metavar="PATH",
        callback=_remember,
        expose_value=False,
        help=f"The journal's file (or set {_DB_VARIABLE}).",
    ),
    click.option("--namespace", "-n", metavar="NAME", callback=_remember, expose_value=False, help="Default: default."),
    click.option(
        "--output",
        "-o",
        type=click.Choice([form.value for form in Form]),
        callback=_remember,
        expose_value=False,
        help="How to print; auto is a table on a terminal and plain text elsewhere.",
    ),
    click.option(
        "--no-color",
        "--no-colour",
        is_flag=True,
        default=None,
        callback=_remember,
        expose_value=False,
        help="No colours (or set NO_COLOR).",
    ),
)


def takes_settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command or a group take the options of every command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def with_settings(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command take the options of every command; its function gets `Settings` first."""

    @takes_settings
    @click.pass_context
    @wraps(function)
    def command(context: click.Context, /, *args: Any, **options: Any) -> Any:
        return function(settings_of(context), *args, **options)

    return command


def settings_of(context: click.Context) -> Settings:
    """The settings of the command that runs."""
    given: dict[str, Any] = context.meta.get(_KEY, {})
    return Settings(
        db=given.get("db") or os.environ.get(_DB_VARIABLE),
        namespace=given.get("namespace", "default"),
        output=Output(
            Form(given.get("output", Form.AUTO)),
            has_colour=not given.get("no_color") and not os.environ.get("NO_COLOR"),
        ),
    )
