"""Cron expressions as calendars and intervals; cronsim understands the fields, as Debian's cron does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final, NamedTuple

from cronsim import CronSim, CronSimError

from actorflow.core import limits
from actorflow.core.schedules.spec import FIELDS, Calendar, Interval, Range, Ranges, every
from actorflow.exceptions import ScheduleSpecError

_ZONE: Final = re.compile(r"(?:CRON_TZ|TZ)=(\S+)\s+")
_COMMENT: Final = re.compile(r"\s+#(.*)$")
_EVERY: Final = re.compile(r"@every\s+([^\s/]+)(?:/(\S+))?$")
_DURATION: Final = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|d|h|m|s))+$")
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|d|h|m|s)")
_UNIT: Final = {"d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_YEARS: Final = re.compile(r"(\d{4})(?:-(\d{4}))?(?:/(\d+))?$")
_NAMED: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


class Times(NamedTuple):
    """What an expression means."""

    calendars: tuple[Calendar, ...] = ()
    intervals: tuple[Interval, ...] = ()
    time_zone: str = ""


def parse_cron(field: str, text: str) -> Times:
    """What a cron expression means.

    Five fields; six with seconds in front, or with years (of four digits) behind; a name such as ``@daily``; or
    ``@every 90s``, with a phase as in ``@every 1h/10m``. ``CRON_TZ=Europe/Berlin`` in front names its time zone,
    `` # …`` behind is a comment. As in Debian's cron a day matches if the day of the month or that of the week does,
    and if both do where one of them begins with a star.

    Args:
        field: where it stands, for the error.
        text: the expression.

    Raises:
        ScheduleSpecError: it can't be understood.
    """
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ScheduleSpecError(field, repr(text), "it must be a str")
    if len(text) > limits.CRON_CHARS_MAX:
        raise ScheduleSpecError(field, f"{text[:40]}…", f"it has more than {limits.CRON_CHARS_MAX} characters")
    zone = _ZONE.match(text)
    rest = text[zone.end() :] if zone else text
    comment = _COMMENT.search(rest)
    rest = (rest[: comment.start()] if comment else rest).strip()
    time_zone = zone[1] if zone else ""
    if rest.startswith("@every"):
        return Times(intervals=(_interval(field, text, rest),), time_zone=time_zone)
    if rest.startswith("@") and rest not in _NAMED:
        raise ScheduleSpecError(field, text, f"known names are {', '.join(_NAMED)} and @every")
    calendars = _calendars(field, text, _NAMED.get(rest, rest), comment[1].strip() if comment else "")
    return Times(calendars, time_zone=time_zone)


def _interval(field: str, text: str, rest: str) -> Interval:
    found = _EVERY.match(rest)
    if found is None or not all(part is None or _DURATION.match(part) for part in found.groups()):
        raise ScheduleSpecError(field, text, "expected a duration such as @every 90s, or with a phase @every 1h/10m")
    return Interval(_duration(found[1]), _duration(found[2] or "0s"))


def _duration(text: str) -> timedelta:
    seconds = sum(float(number) * _UNIT[unit] for number, unit in _PART.findall(text))
    return timedelta(seconds=min(seconds, 2 * limits.DURATION_MAX.total_seconds()))  # too long is refused with the rest


def _calendars(field: str, text: str, expression: str, comment: str) -> tuple[Calendar, ...]:
    fields = expression.split()
    years: Ranges = ()
    if len(fields) == 6 and _YEARS.match(fields[5].split(",")[0]):
        years = tuple([_years(field, text, part) for part in fields.pop().split(",")])
    if len(fields) not in (5, 6):
        raise ScheduleSpecError(
            field, text, f"expected five fields, six with seconds in front or years behind, not {len(fields)}"
        )
    try:
        parsed = CronSim(" ".join(fields), datetime(2000, 1, 1, tzinfo=UTC))
    except (CronSimError, ValueError, AssertionError) as problem:
        raise ScheduleSpecError(field, text, str(problem) or "it can't be understood") from problem
    days = _ranges(field, text, "day_of_month", parsed.days)
    weekdays = _ranges(field, text, "day_of_week", _week(parsed.weekdays))
    calendar = Calendar(
        second=_ranges(field, text, "second", parsed.seconds),
        minute=_ranges(field, text, "minute", parsed.minutes),
        hour=_ranges(field, text, "hour", parsed.hours),
        month=_ranges(field, text, "month", parsed.months),
        year=years,
        comment=comment,
    )
    if parsed.day_and:
        return (_on(calendar, days, weekdays),)
    return (_on(calendar, days, every("day_of_week")), _on(calendar, every("day_of_month"), weekdays))


def _on(calendar: Calendar, days: Ranges, weekdays: Ranges) -> Calendar:
    return Calendar(
        calendar.second,
        calendar.minute,
        calendar.hour,
        days,
        calendar.month,
        calendar.year,
        weekdays,
        calendar.comment,
    )


def _years(field: str, text: str, part: str) -> Range:
    found = _YEARS.match(part)
    if found is None:
        raise ScheduleSpecError(field, text, f"{part!r} is no year")
    start = int(found[1])
    end = int(found[2]) if found[2] else FIELDS["year"].high if found[3] else start
    if end < start:
        raise ScheduleSpecError(field, text, "the years end before they start")
    return Range(start, end, int(found[3] or 1))


def _week(weekdays: Iterable[Any]) -> Iterable[Any]:
    """Sunday is 0 and 7."""
    return {day % 7 if isinstance(day, int) else day for day in weekdays}


def _ranges(field: str, text: str, name: str, numbers: Iterable[Any]) -> Ranges:
    """The ranges that hold these numbers: one if they are evenly spaced, else one for each run of neighbours."""
    found = list(numbers)
    if not all(isinstance(number, int) and number >= 0 for number in found):
        raise ScheduleSpecError(field, text, f"L, LW and # are not known in the {name} of a schedule")
    ordered: list[int] = sorted(found)
    steps = {later - earlier for earlier, later in pairwise(ordered)}
    if len(ordered) > 2 and len(steps) == 1:
        return (Range(ordered[0], ordered[-1], steps.pop()),)
    return tuple([Range(run[0], run[-1]) for run in _runs(ordered)])


def _runs(ordered: Sequence[int]) -> Sequence[Sequence[int]]:
    runs: list[list[int]] = []
    for number in ordered:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs
