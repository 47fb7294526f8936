"""Where the demo is shown. This one is plain lines; the other one, for terminals, is in `live`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import click

from actorflow.cli.demo.scene import Scene
from actorflow.cli.text import visible


class Stage(Protocol):
    """Shows what happens."""

    def say(self, line: str) -> None:
        """A line of the narrator."""
        ...

    def turn(self, line: str, *, is_grave: bool = False) -> None:
        """Something that changes everything: a worker begins, or dies."""
        ...

    def show(self, report: Mapping[str, Any], scene: Scene) -> None:
        """A worker has said something; the scene holds it already."""
        ...

    def sum_up(self, title: str, facts: Mapping[str, str]) -> None:
        """A block of facts at the end."""
        ...

    def hand_over(self, title: str, lines: Sequence[str]) -> None:
        """Lines to be copied as they are."""
        ...


class PlainStage:
    """See `Stage`: a line for each thing, for logs and pipes."""

    def say(self, line: str) -> None:
        """See `Stage.say`."""
        click.echo(visible(line))

    def turn(self, line: str, *, is_grave: bool = False) -> None:
        """See `Stage.turn`."""
        click.echo(f"\n{'!!' if is_grave else '>>'} {visible(line)}")

    def show(self, report: Mapping[str, Any], scene: Scene) -> None:
        """See `Stage.show`."""
        line = line_of(report)
        if line:
            click.echo(visible(line))

    def sum_up(self, title: str, facts: Mapping[str, str]) -> None:
        """See `Stage.sum_up`."""
        click.echo(f"\n{title}")
        width = max(map(len, facts))
        for name, value in facts.items():
            click.echo(f"  {name:<{width}}  {visible(value)}")

    def hand_over(self, title: str, lines: Sequence[str]) -> None:
        """See `Stage.hand_over`."""
        click.echo(f"\n{title}")
        for line in lines:
            click.echo(f"  {visible(line)}")


def line_of(report: Mapping[str, Any]) -> str:
    """A report as one line; empty if there is nothing to see."""
    match report["kind"]:
        case "phase":
            return f"== {report['phase']}"
        case "round":
            return f"   {report['loop']}: round {report['number']} of {report['of']}"
        case "begin":
            again = f", attempt {report['attempt']}" if report["attempt"] > 1 else ""
            return f"      {report['activity_type']} (activity {report['activity_id']}{again})"
        case "fail":
            return f"      {report['activity_type']} failed: {report['problem']}; it is tried again"
        case "lost":
            return f"      {report['activity_type']} is cut off in the middle"
        case "problem":
            return f"   ↻ {report['problem']}"
        case _:
            return ""
