"""When a cron expression fires next; cronsim understands the expression, as Debian's cron does."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

_NAMED: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_ZONE: Final = re.compile(r"(?:CRON_TZ|TZ)=(\S+)\s+")
_EVERY: Final = re.compile(r"@every\s+((?:\d+(?:\.\d+)?(?:ms|h|m|s))+)$")
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_UNIT: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_EVERY_MIN: Final = timedelta(seconds=1)


class _Expression:
    """A parsed expression: an interval, or fields in a time zone."""

    def __init__(self, text: str) -> None:
        zone = _ZONE.match(text)
        self.zone: tzinfo = UTC if zone is None else _zone_of(zone[1], text)
        fields = text[zone.end() :] if zone else text
        every = _EVERY.match(fields)
        self.every = _interval_of(every[1], text) if every else None
        self.fields = _NAMED.get(fields, fields)
        if self.every is None:
            _parsed(self.fields, datetime(2000, 1, 1, tzinfo=UTC), text)


def check_cron(text: str) -> None:
    """Refuse what is no cron expression, or one that never fires.

    Raises:
        ValueError: see above; it says what was expected.
        TypeError: not a str.
    """
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"a cron schedule must be a str, not {type(text).__name__}")
    next_fire(text, datetime(2000, 1, 1, tzinfo=UTC))


def next_fire(text: str, after: datetime) -> datetime:
    """The first instant (UTC) after another one at which an expression fires.

    Five fields, their names (``@daily``, ``@hourly``, …) or ``@every 90s``, with ``CRON_TZ=Europe/Berlin`` in front if
    not in UTC.

    Raises:
        ValueError: it can't be understood, or never fires.
    """
    expression = _expression(text)
    if expression.every is not None:
        return after + expression.every
    try:
        return next(_parsed(expression.fields, after.astimezone(expression.zone), text)).astimezone(UTC)
    except StopIteration:
        raise ValueError(f"the cron schedule {text!r} never fires; check its day and month") from None


@lru_cache(maxsize=1024)
def _expression(text: str) -> _Expression:
    return _Expression(text)


def _parsed(fields: str, after: datetime, text: str) -> CronSim:
    try:
        return CronSim(fields, after)
    except CronSimError as problem:
        raise ValueError(
            f"the cron schedule {text!r} can't be understood ({problem}); expected five fields such as '0 12 * * MON', "
            "a name such as @daily, or '@every 30m'"
        ) from problem


def _zone_of(name: str, text: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as problem:
        raise ValueError(f"the cron schedule {text!r} names the time zone {name!r}, which is not known") from problem


def _interval_of(text: str, whole: str) -> timedelta:
    interval = timedelta(seconds=sum(float(number) * _UNIT[unit] for number, unit in _PART.findall(text)))
    if interval < _EVERY_MIN:
        raise ValueError(f"the cron schedule {whole!r} fires more than once a second; leave a second at least")
    return interval
