"""What the audience has seen so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Step:
    """One attempt of an activity; ``state`` is 'running', 'done', 'failed' or 'lost'."""

    activity_type: str
    activity_id: str
    attempt: int
    act: int
    state: str = "running"


@dataclass
class Scene:
    """Everything reported, folded.

    Attributes:
        act: 1 before the kill, 2 after it.
        phases: entered so far, in order.
        rounds: of each loop: which one, and of how many.
        steps: attempts in the order in which they began.
        problems: what made a loop start over, in order.
        receipt: how the order ended.
    """

    act: int = 1
    phases: list[str] = field(default_factory=list[str])
    rounds: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    steps: list[Step] = field(default_factory=list[Step])
    problems: list[str] = field(default_factory=list[str])
    receipt: Mapping[str, Any] | None = None

    def see(self, report: Mapping[str, Any]) -> None:
        """Take a report in."""
        match report["kind"]:
            case "phase":
                self.phases.append(report["phase"])
            case "round":
                self.rounds[report["loop"]] = (report["number"], report["of"])
            case "begin":
                self.steps.append(Step(report["activity_type"], report["activity_id"], report["attempt"], self.act))
            case "end" | "fail":
                self._step(report).state = "done" if report["kind"] == "end" else "failed"
            case "problem":
                self.problems.append(report["problem"])
            case "result":
                self.receipt = report["receipt"]
            case _:
                return  # told, but nothing to remember

    def kill(self) -> None:
        """The worker is gone, and what it was doing with it."""
        for step in self.steps:
            if step.state == "running":
                step.state = "lost"
        self.act = 2

    def _step(self, report: Mapping[str, Any]) -> Step:
        key = (report["activity_id"], report["attempt"])
        return next(step for step in reversed(self.steps) if (step.activity_id, step.attempt) == key)
