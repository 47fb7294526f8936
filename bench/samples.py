"""Samples of alternating rounds, and what is read off them."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.progress import Progress
from bench.settings import Settings

Values = Mapping[str, float]


@dataclass(frozen=True)
class Sample:
    """What one side measured in one round; ``journal`` says how durable it was, as read back."""

    values: Values
    journal: str = ""


Side = Callable[[], Sample]


class Rounds:
    """The samples of all sides. Sides take turns within a round, so that a noisy minute meets all of them."""

    def __init__(self, samples: Mapping[str, Sequence[Sample]]) -> None:
        self._samples = samples

    def of(self, side: str, name: str) -> Sequence[float]:
        """One value in every round; empty if this side did not run."""
        return [sample.values[name] for sample in self._samples.get(side, ())]

    def scaled(self, side: str, name: str, factor: float) -> Sequence[float]:
        """`of`, multiplied."""
        return [value * factor for value in self.of(side, name)]

    def ratio(self, name: str, side: str, other: str) -> Sequence[float]:
        """One value of a side divided by another side's, round by round."""
        return [mine / theirs for mine, theirs in zip(self.of(side, name), self.of(other, name), strict=True)]

    @property
    def journals(self) -> Sequence[str]:
        """What the journals said about themselves, without repetitions."""
        found = [sample.journal for samples in self._samples.values() for sample in samples if sample.journal]
        return list(dict.fromkeys(found))


def take_rounds(settings: Settings, progress: Progress, sides: Mapping[str, Side]) -> Rounds:
    """Measure every side once per round."""
    samples: dict[str, list[Sample]] = {name: [] for name in sides}
    for number in range(1, settings.rounds + 1):
        for name, measure in sides.items():
            progress.show(f"round {number} of {settings.rounds}: {name}")
            gc.collect()
            samples[name].append(measure())
    return Rounds(samples)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share of the values lies (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def latencies(seconds: Sequence[float]) -> Values:
    """Median and 99th percentile, in milliseconds."""
    return {"p50": statistics.median(seconds) * 1e3, "p99": percentile(seconds, 0.99) * 1e3}
