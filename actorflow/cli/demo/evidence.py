"""What the journal says about the demo, read from outside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from actorflow import diagram
from actorflow.cli.demo.scene import Scene
from actorflow.client import Client, WorkflowHistory
from actorflow.client.address import address_of_file
from actorflow.core import events as ev
from actorflow.store.sqlite.verify import verify


@dataclass(frozen=True)
class Evidence:
    """A moment of the journal.

    Attributes:
        history: of the order.
        types: of its activities, by id.
        outcomes: of those that have one, in order.
    """

    history: WorkflowHistory
    types: Mapping[str, str]
    outcomes: Sequence[ev.ActivityResolved]

    @property
    def events(self) -> int:
        """How many events there are."""
        return len(self.history.events)

    @property
    def last(self) -> ev.Event:
        """The last event."""
        return self.history.turns[-1].events[-1]

    @property
    def completed(self) -> Sequence[str]:
        """Ids of activities that have an outcome."""
        return [outcome.activity_id for outcome in self.outcomes]

    @property
    def open(self) -> Sequence[str]:
        """Ids of those that have none."""
        completed = self.completed
        return [name for name in self.types if name not in completed]

    def attempt_of(self, activity_id: str) -> int:
        """Which attempt of an activity decided it; 0 if none has."""
        return next((getattr(one, "attempt", 0) for one in self.outcomes if one.activity_id == activity_id), 0)


@dataclass(frozen=True)
class Verdict:
    """What the journal, and the audience, say about the promise.

    Attributes:
        faults: what did not go as promised; empty if nothing.
        is_sound: whether checksums and invariants of the journal hold.
    """

    faults: Sequence[str]
    is_sound: bool


async def collect(journal: Path, order: str) -> Evidence:
    """Read the journal without touching it."""
    async with await Client.connect(address_of_file(journal), read_only=True) as client:
        history = await client.get_workflow_handle(order).fetch_history()
    events = [event for turn in history.turns for event in turn.events]
    return Evidence(
        history,
        {event.activity_id: event.activity_type for event in events if isinstance(event, ev.ActivityScheduled)},
        [event for event in events if isinstance(event, ev.ActivityResolved)],
    )


def ran_again(before: Evidence, scene: Scene) -> Sequence[str]:
    """Activities that were completed before the kill and whose code was run after it, by their own word."""
    return sorted({step.activity_id for step in scene.steps if step.act == 2} & set(before.completed))


def judge(journal: Path, before: Evidence, after: Evidence, scene: Scene) -> Verdict:
    """Compare the journal with what was promised."""
    checked = verify(journal)
    faults = [
        *_faults_of_the_kill(before, after, scene),
        *_faults_of_the_end(after, scene),
        *checked.structure,
        *map(str, checked.violations),
        *(() if checked.is_complete else ("the journal can't be read as a whole",)),
    ]
    return Verdict(faults, checked.is_sound)


def _faults_of_the_kill(before: Evidence, after: Evidence, scene: Scene) -> Iterator[str]:
    if not before.open:
        yield "the kill interrupted nothing, so it has shown nothing; a longer --delay gives it more to hit"
    if tuple(after.history.turns[: len(before.history.turns)]) != tuple(before.history.turns):
        yield "what was in the journal before the kill is not there any more"
    for name in ran_again(before, scene):
        yield f"activity {name} was completed before the kill and ran again"


def _faults_of_the_end(after: Evidence, scene: Scene) -> Iterator[str]:
    if scene.receipt is None:
        yield "the order never came to a receipt"
    if not isinstance(after.last, ev.Completed):
        yield f"the journal does not end with Completed, but with {type(after.last).__name__}"
    for name, count in Counter(after.completed).items():
        if count > 1:
            yield f"activity {name} has {count} outcomes"
    for name in after.open:
        yield f"activity {name} has no outcome"


def draw(folder: Path, evidence: Evidence) -> Path:
    """Write the history as Mermaid diagrams, in Markdown."""
    path = folder / "history.md"
    path.write_text(diagram.markdown(evidence.history), encoding="utf-8")
    return path
