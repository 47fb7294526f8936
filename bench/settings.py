"""How a run of the benchmarks is sized, and where it puts its files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote


@dataclass(frozen=True)
class Settings:
    """What the command line chose.

    Attributes:
        rounds: how often everything is measured; figures are medians.
        scale: every size is multiplied by it.
        store: where the journal is.
        folder: where temporary files go; None is the system's place.
    """

    rounds: int = 3
    scale: float = 1.0
    store: Literal["sqlite", "memory"] = "sqlite"
    folder: Path | None = None

    @property
    def is_judged(self) -> bool:
        """True if the sizes and the store are the ones the targets speak of."""
        return self.scale == 1.0 and self.store == "sqlite"

    def sized(self, count: int, *, least: int = 1) -> int:
        """A size at this scale."""
        return max(round(count * self.scale), least)

    def address(self, scratch: Path) -> str:
        """What to connect to, for a journal in this folder."""
        return address_of(scratch) if self.store == "sqlite" else "memory://"

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder that is gone afterwards."""
        with tempfile.TemporaryDirectory(prefix="actorflow-bench-", dir=self.folder) as name:
            yield Path(name).resolve()


def address_of(scratch: Path) -> str:
    """The journal file in this folder, as an address."""
    return f"sqlite:///{quote(str(scratch / 'journal.db'))}"
