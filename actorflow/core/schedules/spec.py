"""When a schedule is due: calendars, intervals, what is left out, and where they count from. Frozen, and checked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from actorflow.core import limits
from actorflow.exceptions import ScheduleSpecError


class Range(msgspec.Struct, frozen=True, array_like=True):
    """Every ``step``-th number from ``start`` to ``end``, both included."""

    start: int
    end: int
    step: int = 1


Ranges = tuple[Range, ...]


class Bounds(NamedTuple):
    """What the numbers of a field may be, both included."""

    low: int
    high: int


FIELDS: Final = {
    "second": Bounds(0, 59),
    "minute": Bounds(0, 59),
    "hour": Bounds(0, 23),
    "day_of_month": Bounds(1, 31),
    "month": Bounds(1, 12),
    "year": Bounds(1970, 9998),
    "day_of_week": Bounds(0, 6),
}
"""The fields of a calendar; 0 is Sunday."""


def every(field: str) -> Ranges:
    """All numbers of a field."""
    return (Range(*FIELDS[field]),)


class Calendar(msgspec.Struct, frozen=True, omit_defaults=True):
    """Local times: all whose second, minute, hour, day of the month, month, year and day of the week match.

    The default is midnight of each day. No years at all means every year.
    """

    second: Ranges = (Range(0, 0),)
    minute: Ranges = (Range(0, 0),)
    hour: Ranges = (Range(0, 0),)
    day_of_month: Ranges = (Range(1, 31),)
    month: Ranges = (Range(1, 12),)
    year: Ranges = ()
    day_of_week: Ranges = (Range(0, 6),)
    comment: str = ""


class Interval(msgspec.Struct, frozen=True, omit_defaults=True):
    """Every so often, counted from ``offset`` after 1970-01-01 00:00 UTC."""

    every: timedelta
    offset: timedelta = timedelta(0)


class Spec(msgspec.Struct, frozen=True, omit_defaults=True):
    """When a schedule is due.

    Attributes:
        calendars, intervals: it is due whenever one of these says so.
        skip: but not when one of these does.
        start_at, end_at: nor before the one or after the other.
        jitter: each time is put off by less than this, never beyond the next one.
        time_zone: of the calendars; empty means UTC.
    """

    calendars: tuple[Calendar, ...] = ()
    intervals: tuple[Interval, ...] = ()
    skip: tuple[Calendar, ...] = ()
    start_at: datetime | None = None
    end_at: datetime | None = None
    jitter: timedelta = timedelta(0)
    time_zone: str = ""

    @property
    def zone(self) -> tzinfo:
        """Where the calendars hang."""
        return zone_of(self.time_zone)


def checked_spec(spec: Spec) -> Spec:
    """A spec that makes sense.

    Raises:
        ScheduleSpecError: it doesn't; the error names the field.
    """
    for field in ("calendars", "intervals", "skip"):
        check_size(field, getattr(spec, field))
    zone_of(spec.time_zone)
    for field in ("start_at", "end_at"):
        check_aware(field, getattr(spec, field))
    if spec.start_at is not None and spec.end_at is not None and spec.end_at < spec.start_at:
        raise ScheduleSpecError("end_at", spec.end_at.isoformat(), "it is before start_at")
    check_duration("jitter", spec.jitter)
    for index, interval in enumerate(spec.intervals):
        check_interval(f"intervals[{index}]", interval)
    return msgspec.structs.replace(
        spec,
        calendars=tuple(checked_calendar(f"calendars[{index}]", one) for index, one in enumerate(spec.calendars)),
        skip=tuple(checked_calendar(f"skip[{index}]", one) for index, one in enumerate(spec.skip)),
    )


def checked_calendar(field: str, calendar: Calendar) -> Calendar:
    """A calendar whose ranges are within bounds and complete; what is left empty means what it means by default.

    Raises:
        ScheduleSpecError: a number is out of bounds.
    """
    ranges: dict[str, Any] = {}
    for name, bounds in FIELDS.items():
        given: Ranges = getattr(calendar, name)
        found = given or getattr(_DEFAULT, name)
        check_size(f"{field}.{name}", found)
        ranges[name] = tuple(_checked_range(f"{field}.{name}", one, bounds) for one in found)
    return msgspec.structs.replace(calendar, **ranges)


def _checked_range(field: str, given: Range, bounds: Bounds) -> Range:
    for number in (given.start, given.end, given.step):
        if not isinstance(number, int) or isinstance(number, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ScheduleSpecError(field, repr(number), "it must be an int")
    shown = f"{given.start}-{given.end}/{given.step}"
    if given.step < 0:
        raise ScheduleSpecError(field, shown, "the step must not be negative")
    end = max(given.start, given.end)  # only a start means that number alone
    if given.start < bounds.low or end > bounds.high:
        raise ScheduleSpecError(field, shown, f"numbers must be from {bounds.low} to {bounds.high}")
    if 0 < given.end < given.start:
        raise ScheduleSpecError(field, shown, "the end is before the start")
    return Range(given.start, end, given.step or 1)


def check_interval(field: str, interval: Interval) -> None:
    """Refuse an interval that is too short or too long, or whose offset is not within it.

    Raises:
        ScheduleSpecError: see above.
    """
    check_duration(f"{field}.every", interval.every, at_least=limits.SCHEDULE_INTERVAL_MIN)
    check_duration(f"{field}.offset", interval.offset)
    if interval.offset >= interval.every:
        raise ScheduleSpecError(f"{field}.offset", str(interval.offset), "it must be shorter than the interval")


def check_duration(field: str, duration: timedelta, *, at_least: timedelta = timedelta(0)) -> None:
    """Refuse what is no duration, or too short or too long.

    Raises:
        ScheduleSpecError: see above.
    """
    if not isinstance(duration, timedelta):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ScheduleSpecError(field, repr(duration), "it must be a timedelta")
    if duration < timedelta(0):
        raise ScheduleSpecError(field, str(duration), "it must not be negative")
    if duration < at_least:
        raise ScheduleSpecError(field, str(duration), f"it must be {at_least} at least")
    if duration > limits.DURATION_MAX:
        raise ScheduleSpecError(field, str(duration), "it is longer than a century")


def check_aware(field: str, instant: datetime | None) -> None:
    """Refuse what is no instant: a datetime without a time zone could be any.

    Raises:
        ScheduleSpecError: see above.
    """
    if instant is None:
        return
    if not isinstance(instant, datetime):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ScheduleSpecError(field, repr(instant), "it must be a datetime")
    if instant.tzinfo is None or instant.utcoffset() is None:
        raise ScheduleSpecError(field, instant.isoformat(), "it has no time zone; give it one, such as tzinfo=UTC")


def check_size(field: str, given: Sequence[object]) -> None:
    """Refuse more entries than anybody needs.

    Raises:
        ScheduleSpecError: see above.
    """
    if len(given) > limits.SCHEDULE_ENTRIES_MAX:
        raise ScheduleSpecError(field, f"{len(given)} entries", f"at most {limits.SCHEDULE_ENTRIES_MAX} are allowed")


@lru_cache(maxsize=256)
def zone_of(name: str) -> tzinfo:
    """The time zone of a name; UTC for none.

    Raises:
        ScheduleSpecError: it is not known.
    """
    if not name:
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as problem:  # ZoneInfoNotFoundError is a KeyError
        raise ScheduleSpecError("time_zone_name", name, "no such time zone; use one such as Europe/Berlin") from problem


_DEFAULT: Final = Calendar()
