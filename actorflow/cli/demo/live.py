"""The demo on a terminal: phases, loops and attempts, as they change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Final, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from actorflow.cli.demo.scene import Scene, Step
from actorflow.cli.text import visible

_PHASES: Final = ("validation", "fulfilment", "delivery", "closed")
_STEPS_SHOWN: Final = 10
_STYLES: Final = {"done": "green", "failed": "yellow", "lost": "bold red", "running": "cyan"}
_MARKS: Final = {"done": "✓", "failed": "↻", "lost": "✗"}


class LiveStage:
    """See `actorflow.cli.demo.stage.Stage`.

    Args:
        has_colour: whether colours may be used.
    """

    def __init__(self, *, has_colour: bool) -> None:
        self._console = Console(no_color=not has_colour, highlight=False)
        self._live = Live(console=self._console, refresh_per_second=12)
        self._said: list[Text] = []
        self._scene = Scene()

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def say(self, line: str, *, loud: bool = False) -> None:
        """See `Stage.say`."""
        self._said.append(Text(visible(line), style="bold red" if loud else ""))
        self._draw()

    def show(self, report: Mapping[str, Any], scene: Scene) -> None:
        """See `Stage.show`."""
        self._scene = scene
        self._draw()

    def sum_up(self, title: str, facts: Mapping[str, str]) -> None:
        """See `Stage.sum_up`."""
        self._live.stop()
        table = Table.grid(padding=(0, 2))
        for name, value in facts.items():
            table.add_row(Text(name, style="bold"), Text(visible(value)))
        self._console.print(Panel(table, title=title, title_align="left", border_style="green"))

    def _draw(self) -> None:
        picture = Group(*self._said, Text(), _phases(self._scene), Text(), _columns(self._scene))
        self._live.update(picture)


def _phases(scene: Scene) -> RenderableType:
    now = scene.phases[-1] if scene.phases else ""
    line = Text()
    for phase in _PHASES[:-1]:
        is_over = phase in scene.phases and phase != now
        style = "bold reverse cyan" if phase == now else "green" if is_over else "dim"
        line.append(f" {phase} ", style=style).append(" → ", style="dim")
    return line.append(" delivered " if now == "closed" else " … ", style="green" if now == "closed" else "dim")


def _columns(scene: Scene) -> RenderableType:
    both = Table.grid(padding=(0, 4))
    both.add_row(_loops(scene), _steps(scene.steps[-_STEPS_SHOWN:], scene))
    return both


def _loops(scene: Scene) -> RenderableType:
    table = Table("loop", "round", box=None, header_style="dim", pad_edge=False)
    for name, (number, of) in scene.rounds.items():
        table.add_row(name, f"{number} of {of}", style="bold" if number > 1 else "")
    for problem in scene.problems[-3:]:
        table.add_row(Text(f"↻ {visible(problem)}", style="yellow"), "")
    return table


def _steps(steps: Iterable[Step], scene: Scene) -> RenderableType:
    table = Table("", "activity", "id", "attempt", "", box=None, header_style="dim", pad_edge=False)
    for step in steps:
        mark: RenderableType = Spinner("dots", style="cyan") if step.state == "running" else Text(_MARKS[step.state])
        when = "before the kill" if scene.act > 1 and step.act == 1 else ""
        table.add_row(
            mark,
            Text(visible(step.activity_type), style=_STYLES[step.state]),
            visible(step.activity_id),
            Text(str(step.attempt), style="bold" if step.attempt > 1 else ""),
            Text(when, style="dim"),
        )
    return table
