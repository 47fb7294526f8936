"""When a schedule is due next. Pure and bounded: asking takes milliseconds, whatever the spec."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final, NamedTuple

from actorflow.core import limits
from actorflow.core.schedules.calendar import almanac_of, check_possible
from actorflow.core.schedules.local_time import instant_of, local_of, passed_at
from actorflow.core.schedules.spec import Interval, Spec, checked_spec

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TICK: Final = timedelta(microseconds=1)
_END: Final = datetime(9998, 1, 1, tzinfo=UTC)


class Due(NamedTuple):
    """A time of a schedule: as the spec says, and with its jitter."""

    nominal: datetime
    at: datetime


def possible_spec(spec: Spec) -> Spec:
    """A spec that makes sense and whose calendars can come true.

    Raises:
        ScheduleSpecError: it doesn't, or one can't; the error names the field.
    """
    checked = checked_spec(spec)
    for field in ("calendars", "skip"):
        for index, calendar in enumerate(getattr(checked, field)):
            check_possible(f"{field}[{index}]", calendar)
    return checked


def next_due(spec: Spec, after: datetime, seed: str) -> Due | None:
    """The first time whose nominal one is after an instant; None if there is none.

    Args:
        spec: a checked one.
        after: the instant.
        seed: makes the jitter differ from schedule to schedule, and always the same for one of its times.
    """
    nominal = next_nominal(spec, after)
    if nominal is None:
        return None
    if not spec.jitter:
        return Due(nominal, nominal)
    following = next_nominal(spec, nominal)
    room = spec.jitter if following is None else min(spec.jitter, following - nominal)
    return Due(nominal, nominal + room * Random(f"{seed} {nominal.isoformat()}").random())


def dues(spec: Spec, after: datetime, seed: str) -> Iterator[Due]:
    """All times after an instant, one after the other."""
    while (due := next_due(spec, after, seed)) is not None:
        yield due
        after = due.nominal


def next_nominal(spec: Spec, after: datetime) -> datetime | None:
    """The first instant (UTC) after another one at which a spec is due, jitter aside; None if there is none.

    A spec that leaves out `limits.SCHEDULE_SKIPS_MAX` stretches in a row has no further time.
    """
    if spec.start_at is not None:
        after = max(after, spec.start_at - _TICK)
    after = after.astimezone(UTC)
    for _ in range(limits.SCHEDULE_SKIPS_MAX):
        if after >= _END:
            return None
        found = [at for at in (*_by_calendars(spec, after), *_by_intervals(spec, after)) if at is not None]
        nominal = min(found, default=_END)
        if nominal >= _END or (spec.end_at is not None and nominal > spec.end_at):
            return None
        over = _skipped_until(spec, nominal)
        if over is None:
            return nominal
        after = max(nominal, over - _TICK)
    return None


def _by_calendars(spec: Spec, after: datetime) -> Iterator[datetime | None]:
    if spec.calendars:
        zone = spec.zone
        passed = passed_at(after, zone)
        for calendar in spec.calendars:
            local = almanac_of(calendar).after(passed)
            yield None if local is None else instant_of(local, zone)


def _by_intervals(spec: Spec, after: datetime) -> Iterator[datetime]:
    return (_next_of(interval, after) for interval in spec.intervals)


def _next_of(interval: Interval, after: datetime) -> datetime:
    origin = _EPOCH + interval.offset
    return origin + ((after - origin) // interval.every + 1) * interval.every


def _skipped_until(spec: Spec, nominal: datetime) -> datetime | None:
    if not spec.skip:
        return None
    zone = spec.zone
    local = local_of(nominal, zone)
    found = [until for one in spec.skip if (until := almanac_of(one).skipped_until(local)) is not None]
    return instant_of(max(found), zone) if found else None
