"""What the audience has seen so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Step:
    """One attempt of an activity, in the act it ran in; ``state`` is 'running', 'done', 'failed' or 'lost'."""

    activity_type: str
    activity_id: str
    attempt: int
    act: int
    state: str = "running"

    def report(self, kind: str) -> Mapping[str, Any]:
        """Something about it, in the form of a worker's reports."""
        about = {"activity_type": self.activity_type, "activity_id": self.activity_id, "attempt": self.attempt}
        return {"kind": kind, **about}


@dataclass
class Scene:
    """Everything a worker has reported, folded.

    Attributes:
        act: 1 before the kill, 2 after it.
        phases: entered so far, in order.
        rounds: of each loop: which one, and of how many.
        steps: attempts in the order in which they began.
        receipt: how the order ended.
    """

    act: int = 1
    phases: list[str] = field(default_factory=list[str])
    rounds: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    steps: list[Step] = field(default_factory=list[Step])
    receipt: Mapping[str, Any] | None = None

    @property
    def running(self) -> list[Step]:
        """Attempts under way."""
        return [step for step in self.steps if step.state == "running"]

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
                self.step_of(report).state = "done" if report["kind"] == "end" else "failed"
            case "result":
                self.receipt = report["receipt"]
            case _:
                return  # told, but nothing to remember

    def kill(self) -> list[Step]:
        """The worker is gone; returns what it was doing, which is lost with it."""
        lost = self.running
        for step in lost:
            step.state = "lost"
        self.act = 2
        return lost

    def step_of(self, report: Mapping[str, Any]) -> Step:
        """The attempt a report is about."""
        key = (report["activity_id"], report["attempt"])
        return next(step for step in reversed(self.steps) if (step.activity_id, step.attempt) == key)
