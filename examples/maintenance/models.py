"""What maintenance is about."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cleaned:
    """How many temporary files went."""

    count: int


@dataclass(frozen=True)
class Archived:
    """How many records of the history went into the archive."""

    count: int


@dataclass(frozen=True)
class Analytics:
    """Whether the figures of the day are there, and how many records they count."""

    success: bool
    records: int


@dataclass(frozen=True)
class Report:
    """What one night of maintenance has done, and how many nights there were."""

    files_cleaned: int
    records_archived: int
    analytics_updated: bool
    night: int = 1
