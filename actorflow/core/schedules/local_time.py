"""Local times as instants: one that does not exist is the first instant after the gap, one that occurs twice the first.

So later local times never come earlier, and each is one instant.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

_TICK: Final = timedelta(microseconds=1)


def instant_of(local: datetime, zone: tzinfo) -> datetime:
    """The instant (UTC) of a naive local time.

    Raises:
        OverflowError: it is at the end of the calendar.
    """
    found = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if local_of(found, zone) == local:
        return found
    return _change_between(local.replace(tzinfo=zone, fold=1).astimezone(UTC), found, zone)


def local_of(instant: datetime, zone: tzinfo) -> datetime:
    """The naive local time of an instant."""
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def passed_at(instant: datetime, zone: tzinfo) -> datetime:
    """The latest naive local time whose instant is not after this one."""
    there = instant.astimezone(zone)
    if not there.fold:
        return there.replace(tzinfo=None)
    # The clocks were turned back: everything up to where they stood has had its first time already.
    earlier = there.replace(fold=0).astimezone(UTC)
    change = _change_between(earlier, instant, zone)
    return local_of(change - _TICK, zone)


def _change_between(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """The instant from which on the zone has the offset it has at ``after``, and not that of ``before``."""
    offset = before.astimezone(zone).utcoffset()
    while after - before > _TICK:
        middle = before + (after - before) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after
