"""The demo on a terminal: what has happened scrolls by, and below it stands where the order is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.rule import Rule
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from actorflow.cli.demo.scene import Scene, Step
from actorflow.cli.text import visible

_PHASES: Final = ("validation", "fulfilment", "delivery")
_LOOPS: Final = ("validation", "fulfilment", "packaging", "delivery")
_REFRESHES: Final = 10
"""A second: often enough for a spinner."""


class LiveStage:
    """See `actorflow.cli.demo.stage.Stage`.

    Args:
        has_colour: whether colours may be used.
    """

    def __init__(self, *, has_colour: bool) -> None:
        self._console = Console(no_color=not has_colour, highlight=False)
        self._live = Live(console=self._console, refresh_per_second=_REFRESHES, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def say(self, line: str) -> None:
        """See `Stage.say`."""
        self._console.print(Text(visible(line)))

    def turn(self, line: str, *, is_grave: bool = False) -> None:
        """See `Stage.turn`."""
        style = "bold red" if is_grave else "cyan"
        self._console.print(Rule(Text(visible(line), style=style), characters="━" if is_grave else "─", style=style))

    def show(self, report: Mapping[str, Any], scene: Scene) -> None:
        """See `Stage.show`."""
        self._live.update(_standing(scene))
        line = _line_of(report)
        if line is not None:
            self._console.print(line)

    def sum_up(self, title: str, facts: Mapping[str, str]) -> None:
        """See `Stage.sum_up`."""
        self._live.stop()
        table = Table.grid(padding=(0, 2))
        for name, value in facts.items():
            table.add_row(Text(f"  {name}"), Text(visible(value), style="bold"))
        self._console.print("", Text(title, style="bold green"), table, sep="\n")

    def hand_over(self, title: str, lines: Sequence[str]) -> None:
        """See `Stage.hand_over`; nothing is wrapped, so that it can be copied."""
        self._live.stop()
        self._console.print("", Text(title, style="bold green"), sep="\n")
        for line in lines:
            self._console.print(Text(f"  {visible(line)}"), soft_wrap=True)


def _line_of(report: Mapping[str, Any]) -> RenderableType | None:
    """What stays of a report on the screen; an activity does so when it is over."""
    match report["kind"]:
        case "phase" if report["phase"] in _PHASES:
            return Text(report["phase"], style="bold")
        case "round":
            return Text(f"  {report['loop']}: round {report['number']} of {report['of']}", style="dim")
        case "end":
            return Text("    ✓ ", style="green").append(_attempt_of(report), style="default")
        case "fail":
            return Text(f"    ✗ {_attempt_of(report)}: {visible(report['problem'])}; it is tried again", style="yellow")
        case "lost":
            return Text(f"    ✗ {_attempt_of(report)} is cut off in the middle", style="bold red")
        case "problem":
            return Text(f"  ↻ {visible(report['problem'])}", style="yellow")
        case _:
            return None


def _attempt_of(report: Mapping[str, Any]) -> str:
    again = f", attempt {report['attempt']}" if report["attempt"] > 1 else ""
    return f"{visible(report['activity_type'])} (activity {report['activity_id']}{again})"


def _standing(scene: Scene) -> RenderableType:
    return Group(Text(), _phases(scene), _loops(scene), *map(_running, scene.running))


def _phases(scene: Scene) -> RenderableType:
    now = scene.phases[-1] if scene.phases else ""
    line = Text("  ")
    for phase in _PHASES:
        is_over = phase in scene.phases and phase != now
        style = "bold reverse cyan" if phase == now else "green" if is_over else "dim"
        line.append(f" {phase} ", style=style).append(" → ", style="dim")
    return line.append("closed", style="bold green" if now == "closed" else "dim")


def _loops(scene: Scene) -> RenderableType:
    rounds = [
        f"{loop} {scene.rounds[loop][0]}/{scene.rounds[loop][1]}" if loop in scene.rounds else f"{loop} –"
        for loop in _LOOPS
    ]
    return Text(f"   rounds: {' · '.join(rounds)}", style="dim")


def _running(step: Step) -> RenderableType:
    return Spinner("dots", text=Text(_attempt_of(step.report("begin"))), style="cyan")
