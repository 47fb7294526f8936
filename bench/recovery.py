"""W7: how soon everything is finished after the process was killed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import monotonic

from bench import child, plain
from bench.ceilings import group_commit
from bench.load import crowd
from bench.programs import Order
from bench.progress import Progress
from bench.report import Figure, Table, at_most
from bench.samples import Sample, take_rounds
from bench.settings import Settings, address_of

_IN_FLIGHT = "bench.children.in_flight"
_RECOVERED = "bench.children.recovered"
_SECONDS_MAX = {1_000: 0.8, 10_000: 4.0}
_PEAK_MIB_MAX = 300
_WAITERS = 200


def recovery(settings: Settings, progress: Progress) -> Table:
    """W7."""
    title = "recovery after SIGKILL, from the exec of the new process to the last result"
    if settings.store == "memory":
        return Table("w7", title, notes=("not measured: a journal in memory dies with its process",))
    figures: list[Figure] = []
    notes: dict[str, None] = {
        f"plain asyncio: the same workflows from their beginning, in a process that runs; raw SQLite: one bare row for "
        f"each, group commit with {_WAITERS} waiters": None,
        "peak: the high-water mark of the new process": None,
    }
    for count, seconds_max in _SECONDS_MAX.items():
        found, journals = _recovered(settings, progress, settings.sized(count), seconds_max)
        figures += found
        notes.update(dict.fromkeys(journals))
    return Table("w7", title, figures, list(notes))


def _recovered(
    settings: Settings, progress: Progress, count: int, seconds_max: float
) -> tuple[Sequence[Figure], Sequence[str]]:
    rounds = take_rounds(
        settings,
        progress,
        {
            "plain asyncio": lambda: _plain(count),
            "raw SQLite": lambda: group_commit(settings, waiters=_WAITERS),
            f"{count:,} in flight": lambda: _killed(settings, count),
        },
    )
    side, prefix = f"{count:,} in flight", f"{count:,} in flight"
    figures = [
        Figure(
            f"{prefix}: last result, s",
            rounds.of(side, "last"),
            rounds.of("plain asyncio", "seconds"),
            [count / rows for rows in rounds.of("raw SQLite", "rows")],
            at_most(seconds_max),
        ),
        *(
            Figure(f"{prefix}: {name}, s", rounds.of(side, value))
            for name, value in (("imported", "imported"), ("worker up", "served"), ("first result", "first"))
        ),
        Figure(f"{prefix}: peak, MiB", rounds.of(side, "peak_mib"), target=at_most(_PEAK_MIB_MAX)),
    ]
    return figures, rounds.journals


def _killed(settings: Settings, count: int) -> Sample:
    with settings.scratch() as scratch:
        address = address_of(scratch)
        with child.started(_IN_FLIGHT, address=address, count=count) as victim:
            victim.said()
            # Leaving the block kills it.
        said = child.asked(_RECOVERED, address=address, count=count, executed_at=monotonic())
    journal = said.pop("journal")
    return Sample(said, journal)


def _plain(count: int) -> Sample:
    seconds = asyncio.run(crowd(lambda number: plain.one_step(Order(f"order-{number}")), count, in_flight=_WAITERS))
    return Sample({"seconds": seconds})
