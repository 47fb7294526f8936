"""W6: what a waiting workflow costs, in memory and out of it."""

from __future__ import annotations

from bench import child
from bench.progress import Progress
from bench.report import Figure, Table, Target, at_most
from bench.resident import can_trim
from bench.samples import Rounds, Sample, take_rounds
from bench.settings import Settings

_CHILD = "bench.children.waiting"
_COUNT = 10_000


def waiting(settings: Settings, progress: Progress) -> Table:
    """W6."""
    count = settings.sized(_COUNT)
    rounds = take_rounds(
        settings,
        progress,
        {
            "plain asyncio": lambda: _weighed(settings, count, is_plain=True),
            "resident": lambda: _weighed(settings, count, cached=2 * count),
            "passivated": lambda: _weighed(settings, count, cached=0),
        },
    )
    figures = [
        _figure("resident, MiB per 1,000", rounds, "resident", "all", at_most(5)),
        _figure("resident, of the second half", rounds, "resident", "second_half", None),
        _figure("passivated, MiB per 1,000", rounds, "passivated", "all", at_most(0.3)),
        _figure("passivated, of the second half", rounds, "passivated", "second_half", None),
    ]
    given_back = "and malloc_trim" if can_trim() else "(no malloc_trim here, so free memory counts)"
    notes = (
        f"growth of the resident memory of a process of its own, after gc.collect {given_back}",
        "SQLite's page caches and everything else the journal keeps count; "
        f"resident: max_cached_workflows={2 * count}, passivated: 0",
        "the second half, per 1,000 of it: without what is paid once however many wait, such as caches that are full",
        "raw SQLite: nothing to compare",
        *rounds.journals,
    )
    title = f"memory of {count:,} waiting workflows: one wait_condition, one signal handler, one timer"
    return Table("w6", title, figures, notes)


def _weighed(settings: Settings, count: int, *, is_plain: bool = False, cached: int = 0) -> Sample:
    with settings.scratch() as scratch:
        address = settings.address(scratch)
        said = child.asked(_CHILD, address=address, count=count, cached=cached, is_plain=is_plain)
    all_of_it = said["all"] / count * 1_000
    second_half = said["second_half"] / (count - count // 2) * 1_000
    return Sample({"all": all_of_it, "second_half": second_half}, said.get("journal", ""))


def _figure(name: str, rounds: Rounds, side: str, value: str, target: Target | None) -> Figure:
    return Figure(name, rounds.of(side, value), rounds.of("plain asyncio", value), target=target)
