"""What the journal says about the demo, read from outside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from actorflow import diagram
from actorflow.cli.demo.scene import Scene
from actorflow.client import Client, WorkflowHistory
from actorflow.core import events as ev
from actorflow.store.sqlite.verify import verify


class Evidence(msgspec.Struct, frozen=True):
    """A moment of the journal.

    Attributes:
        history: of the order.
        completed: ids of activities that have an outcome.
        open: those that are scheduled and have none.
    """

    history: WorkflowHistory
    completed: Sequence[str]
    open: Sequence[str]

    @property
    def events(self) -> int:
        """How many events there are."""
        return len(self.history.events)


async def collect(journal: Path, order: str) -> Evidence:
    """Read the journal without touching it."""
    address = f"sqlite:///{str(journal).replace('%', '%25')}"
    async with await Client.connect(address, read_only=True) as client:
        history = await client.get_workflow_handle(order).fetch_history()
    events = [event for turn in history.turns for event in turn.events]
    scheduled = [event.activity_id for event in events if isinstance(event, ev.ActivityScheduled)]
    completed = [event.activity_id for event in events if isinstance(event, ev.ActivityResolved)]
    return Evidence(history, completed, [name for name in scheduled if name not in completed])


def faults(journal: Path, before: Evidence, after: Evidence, scene: Scene) -> Sequence[str]:
    """What did not go as promised; empty if nothing."""
    again = sorted({step.activity_id for step in scene.steps if step.act == 2} & set(before.completed))
    twice = sorted(name for name, count in Counter(after.completed).items() if count > 1)
    return [
        *(f"activity {name} was completed before the kill and ran again" for name in again),
        *(f"activity {name} has two outcomes" for name in twice),
        *(f"activity {name} has no outcome" for name in after.open),
        *map(str, verify(journal).violations),
    ]


def draw(folder: Path, evidence: Evidence) -> Path:
    """Write the history as Mermaid diagrams, in Markdown."""
    path = folder / "history.md"
    pictures = {
        "The way it took": diagram.flowchart(evidence.history),
        "When its activities ran": diagram.gantt(evidence.history),
    }
    sections = [f"## {title}\n\n```mermaid\n{picture}```\n" for title, picture in pictures.items()]
    path.write_text("\n".join([f"# {evidence.history.workflow_id}\n", *sections]), encoding="utf-8")
    return path
