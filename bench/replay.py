"""How long a program takes to be rebuilt from its journal, which no other program of the process can use meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final

from actorflow.client import Client, WorkflowHistory
from actorflow.core.journal import TurnRow
from actorflow.engine.execution import turns_of
from actorflow.store.protocol import Identity
from actorflow.worker import Replayer
from bench.durable import QUEUE, hosted
from bench.programs import FAN_OUT, WORKFLOWS, Batches, Listens, Naps, Order, Steps
from bench.progress import Progress
from bench.report import Figure, Table, at_most
from bench.samples import Sample, take_rounds
from bench.settings import Settings

_EVENTS: Final = 10_000
_MS_MAX: Final = 100.0


@dataclass(frozen=True)
class _Kind:
    """A kind of journal: what wrote it, and how many of its steps make so many events of the public history."""

    name: str
    workflow: Any
    events_per_step: float


_KINDS: Final = (
    _Kind("one activity after the other", Steps, 6),
    _Kind(f"{FAN_OUT} activities at once", Batches, 3.1),
    _Kind("one timer after the other", Naps, 5),
    _Kind("one signal after the other", Listens, 4),
)


@dataclass(frozen=True)
class _Recorded:
    """One journal, as rows and as a history."""

    identity: Identity
    rows: Sequence[TurnRow]
    history: WorkflowHistory

    @property
    def events(self) -> int:
        return self.history.turns[-1].number


def replay(settings: Settings, progress: Progress) -> Table:
    """Replay, alone and with its rows decoded; and the public JSON, written and read."""
    progress.show("recording")
    recorded = asyncio.run(_recorded(settings))
    steps = recorded[Steps.__name__]
    text = steps.history.to_json()
    sides = {kind.name: _replaying(recorded[kind.workflow.__name__]) for kind in _KINDS}
    sides["decoded"] = lambda: _timed(steps, lambda: turns_of(steps.identity, steps.rows))
    sides["written"] = lambda: _timed(steps, steps.history.to_json)
    sides["read"] = lambda: _timed(steps, lambda: WorkflowHistory.from_json("steps", text))
    rounds = take_rounds(settings, progress, sides)
    figures = [
        *(Figure(f"replay, {kind.name}, ms", rounds.of(kind.name, "ms"), target=at_most(_MS_MAX)) for kind in _KINDS),
        Figure("journal rows checked and decoded, ms", rounds.of("decoded", "ms")),
        Figure("public JSON written, ms", rounds.of("written", "ms")),
        Figure("public JSON read, ms", rounds.of("read", "ms")),
    ]
    sizes = ", ".join(f"{recorded[kind.workflow.__name__].events:,}" for kind in _KINDS)
    notes = (
        f"per {_EVENTS:,} events of the public history, the events of its tasks included; recorded: {sizes}",
        "rows and JSON: one activity after the other",
    )
    return Table("replay", f"a workflow of {_EVENTS:,} events is rebuilt", figures, notes)


def _replaying(recorded: _Recorded) -> Callable[[], Sample]:
    replayer = Replayer(workflows=WORKFLOWS)
    return lambda: _timed(recorded, lambda: asyncio.run(replayer.replay_workflow(recorded.history)))


def _timed(recorded: _Recorded, work: Callable[[], object]) -> Sample:
    began = perf_counter()
    work()
    return Sample({"ms": (perf_counter() - began) * 1e3 * _EVENTS / recorded.events})


async def _recorded(settings: Settings) -> Mapping[str, _Recorded]:
    async with hosted("memory://") as client:
        return {
            kind.workflow.__name__: await _record(client, kind, settings.sized(round(_EVENTS / kind.events_per_step)))
            for kind in _KINDS
        }


async def _record(client: Client, kind: _Kind, count: int) -> _Recorded:
    name, order = kind.workflow.__name__, Order("steps")
    handle = await client.start_workflow(name, args=[order, count], id=name, task_queue=QUEUE)
    if kind.workflow is Listens:
        for _ in range(count):
            await handle.signal(Listens.hear, order)
    await handle.result()
    found = await client.engine.store.find(client.namespace, name)
    if found is None:
        raise LookupError(f"the journal of {name} is gone")
    rows = await client.engine.store.journal(found.identity.key)
    return _Recorded(found.identity, rows, await handle.fetch_history())
