"""The local times of a calendar, one after the other, without walking through those between."""

from __future__ import annotations

from bisect import bisect_left
from calendar import monthrange
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final

from actorflow.core import limits
from actorflow.core.schedules.spec import FIELDS, Calendar, Ranges
from actorflow.exceptions import ScheduleSpecError

_SECOND: Final = timedelta(seconds=1)
_DAY: Final = timedelta(days=1)


class Almanac:
    """A calendar with its ranges written out.

    Args:
        calendar: a checked one.
    """

    def __init__(self, calendar: Calendar) -> None:
        self._seconds = _numbers(calendar.second)
        self._minutes = _numbers(calendar.minute)
        self._hours = _numbers(calendar.hour)
        self._days = _numbers(calendar.day_of_month)
        self._months = _numbers(calendar.month)
        self._years = _numbers(calendar.year)
        self._weekdays = _numbers(calendar.day_of_week)
        self._first_time = time(self._hours[0], self._minutes[0], self._seconds[0])

    def after(self, local: datetime) -> datetime | None:
        """The first local time after another one; None if there is none in `limits.SCHEDULE_YEARS_MAX` years."""
        start = local.replace(microsecond=0) + _SECOND
        day = start.date()
        if self._has_day(day):
            at = self._time_from(start.hour, start.minute, start.second)
            if at is not None:
                return datetime.combine(day, at)
        following = self._day_after(day)
        return None if following is None else datetime.combine(following, self._first_time)

    def skipped_until(self, local: datetime) -> datetime | None:
        """Where the stretch of matching times ends that holds this one, or a part of it; None if it does not match."""
        if (
            local.second not in self._seconds
            or local.minute not in self._minutes
            or local.hour not in self._hours
            or not self._has_day(local.date())
        ):
            return None
        second = local.replace(microsecond=0)
        if not _is_full(self._seconds, "second"):
            return second + _SECOND
        if not _is_full(self._minutes, "minute"):
            return second.replace(second=0) + timedelta(minutes=1)
        if not _is_full(self._hours, "hour"):
            return second.replace(second=0, minute=0) + timedelta(hours=1)
        return second.replace(second=0, minute=0, hour=0) + _DAY

    def is_possible(self) -> bool:
        """True if it has a day at all."""
        first = self._years[0] if self._years else 2000
        return self._day_after(date(first, 1, 1) - _DAY) is not None

    def _has_day(self, day: date) -> bool:
        return (
            day.day in self._days
            and day.month in self._months
            and (not self._years or day.year in self._years)
            and day.isoweekday() % 7 in self._weekdays
        )

    def _time_from(self, hour: int, minute: int, second: int) -> time | None:
        for an_hour in self._hours[bisect_left(self._hours, hour) :]:
            if an_hour > hour:
                return time(an_hour, self._minutes[0], self._seconds[0])
            for a_minute in self._minutes[bisect_left(self._minutes, minute) :]:
                if a_minute > minute:
                    return time(an_hour, a_minute, self._seconds[0])
                place = bisect_left(self._seconds, second)
                if place < len(self._seconds):
                    return time(an_hour, a_minute, self._seconds[place])
        return None

    def _day_after(self, day: date) -> date | None:
        if day >= date.max:
            return None
        first = day + _DAY
        for year in self._years_from(first.year):
            for month in self._months:
                if (year, month) < (first.year, first.month):
                    continue
                from_day = first.day if (year, month) == (first.year, first.month) else 1
                for number in self._days[bisect_left(self._days, from_day) :]:
                    if number > monthrange(year, month)[1]:
                        break
                    if date(year, month, number).isoweekday() % 7 in self._weekdays:
                        return date(year, month, number)
        return None

    def _years_from(self, year: int) -> Sequence[int]:
        if self._years:
            return self._years[bisect_left(self._years, year) :][: limits.SCHEDULE_YEARS_MAX]
        return range(year, min(year + limits.SCHEDULE_YEARS_MAX, FIELDS["year"].high + 1))


@lru_cache(maxsize=4096)
def almanac_of(calendar: Calendar) -> Almanac:
    """The almanac of a checked calendar."""
    return Almanac(calendar)


def check_possible(field: str, calendar: Calendar) -> None:
    """Refuse a calendar without a single day, such as the 30th of February.

    Raises:
        ScheduleSpecError: see above.
    """
    if not almanac_of(calendar).is_possible():
        raise ScheduleSpecError(f"{field}.day_of_month", _shown(calendar.day_of_month), "no such day ever comes")


def _shown(ranges: Ranges) -> str:
    return ", ".join(str(number) for number in _numbers(ranges))


def _numbers(ranges: Ranges) -> Sequence[int]:
    return sorted({number for one in ranges for number in range(one.start, one.end + 1, one.step)})


def _is_full(numbers: Sequence[int], field: str) -> bool:
    return len(numbers) == FIELDS[field].high - FIELDS[field].low + 1
