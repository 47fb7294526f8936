"""The command ``actorflow`` itself: its groups, and how any command ends."""

from __future__ import annotations

import platform
from collections.abc import Sequence

import click
from click.shell_completion import get_completion_class

import actorflow
from actorflow.cli.databases import db
from actorflow.cli.demo import demo
from actorflow.cli.exits import Exit, ended
from actorflow.cli.settings import Settings, takes_settings, with_settings
from actorflow.cli.workflows import workflow
from actorflow.store.sqlite.settings import SQLITE_VERSION

_SHELLS = ("bash", "zsh", "fish")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(actorflow.__version__, prog_name="actorflow")
@takes_settings
def root() -> None:
    """Durable workflows on one SQLite file: look at them, steer them, and see a demo.

    \b
    Exit codes: 0 done · 1 failed · 2 wrong use · 3 not found · 4 the workflow failed
                5 timed out · 6 the journal can't be read, or somebody else owns it
    """


@root.command()
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


@root.command()
@click.argument("shell", type=click.Choice(_SHELLS))
def completion(shell: str) -> None:
    """Print what makes a shell complete commands, options and workflow ids.

    \b
    bash:  eval "$(actorflow completion bash)"
    zsh:   eval "$(actorflow completion zsh)"
    fish:  actorflow completion fish | source
    """
    source = get_completion_class(shell)
    assert source is not None  # click knows the shells of _SHELLS
    click.echo(source(root, {}, "actorflow", "_ACTORFLOW_COMPLETE").source())


root.add_command(workflow)
root.add_command(db)
root.add_command(demo)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        outcome = root.main(
            None if arguments is None else list(arguments),
            prog_name="actorflow",
            complete_var="_ACTORFLOW_COMPLETE",
            standalone_mode=False,
        )
    except BaseException as problem:
        return ended(problem)
    return outcome if isinstance(outcome, int) else Exit.DONE
