"""What every command takes: the journal's file, the namespace, and how to print. Before or after the command's name."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click

from actorflow.cli.helping import GlobalOption
from actorflow.cli.output import Form, Output, TimeFormat

DB_VARIABLE: Final = "ACTORFLOW_DB"
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
            raise click.UsageError(f"which journal? Name its file with --db PATH or in the variable {DB_VARIABLE}")
        return Path(self.db)


def _remember(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    # The innermost one that was given counts, wherever it stands.
    if value is not None:
        context.meta.setdefault(_KEY, {})[parameter.name] = value


def _option(*names: str, **options: Any) -> Callable[..., Any]:
    return click.option(*names, cls=GlobalOption, callback=_remember, expose_value=False, **options)


_OPTIONS: Final = (
    _option("--db", metavar="PATH", type=click.Path(), help=f"The journal's file; else what {DB_VARIABLE} says."),
    _option("--namespace", "-n", metavar="NAME", help="Whose executions; else 'default'."),
    _option(
        "--output",
        "-o",
        metavar="FORM",
        type=click.Choice([form.value for form in Form]),
        help="text (a table on a terminal, plain lines in a pipe), table, plain, json or jsonl.",
    ),
    _option(
        "--time-format",
        metavar="FORM",
        type=click.Choice([form.value for form in TimeFormat]),
        help="Times in text: iso (in UTC) or relative. JSON always has ISO 8601.",
    ),
    _option("--no-color", "--no-colour", is_flag=True, default=None, help="No colours; NO_COLOR says the same."),
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
        db=given.get("db") or os.environ.get(DB_VARIABLE),
        namespace=given.get("namespace", "default"),
        output=Output(
            Form(given.get("output", Form.TEXT)),
            has_colour=not given.get("no_color") and not os.environ.get("NO_COLOR"),
            time_format=TimeFormat(given.get("time_format", TimeFormat.ISO)),
        ),
    )
