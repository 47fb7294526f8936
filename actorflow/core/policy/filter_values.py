"""Instants of list filters: RFC 3339 text or a number, as nanoseconds since 1970."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

_RFC_3339: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?"
    r"(?:([Zz])|([+-])([0-9]{2}):([0-9]{2}))?"
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = 1_000_000_000
_CHARS_MAX: Final = 22
_EXAMPLE: Final = "such as '2030-01-31T12:00:00Z'"


class InvalidTimeError(Exception):
    """Text or a number that is no instant; says what would be one."""

    def __init__(self, expected: str) -> None:
        super().__init__(expected)
        self.expected = expected


def nanos(instant: datetime) -> int:
    """An aware instant as nanoseconds since 1970."""
    elapsed = instant - _EPOCH
    return (elapsed.days * 86_400 + elapsed.seconds) * _SECOND + elapsed.microseconds * 1_000


_FIRST: Final = nanos(datetime.min.replace(tzinfo=UTC))
_LAST: Final = nanos(datetime.max.replace(tzinfo=UTC)) + 999


def nanos_of_text(text: str) -> int:
    """An instant of RFC 3339, up to nanoseconds.

    Raises:
        InvalidTimeError: it is none, it has no zone, or it is beyond the calendar.
    """
    found = _RFC_3339.fullmatch(text)
    if found is None:
        raise InvalidTimeError(f"a time of RFC 3339, {_EXAMPLE}, or nanoseconds since 1970 as a number")
    *whole, fraction, zulu, sign, hours, minutes = found.groups()
    if zulu is None and sign is None:
        raise InvalidTimeError("a zone at its end: add Z for UTC, or an offset such as +02:00")
    try:
        instant = datetime(*map(int, whole), tzinfo=_zone(sign, hours, minutes))
    except ValueError:
        raise InvalidTimeError(f"a day and a time that exist, {_EXAMPLE}") from None
    return _within_calendar(nanos(instant) + int((fraction or "").ljust(9, "0")))


def _zone(sign: str | None, hours: str, minutes: str) -> timezone:
    if sign is None:
        return UTC
    if int(minutes) > 59:
        raise ValueError(minutes)
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return timezone(-offset if sign == "-" else offset)


def nanos_of_number(text: str) -> int:
    """Whole nanoseconds since 1970.

    Raises:
        InvalidTimeError: it has a fraction, or is beyond the calendar.
    """
    if "." in text:
        raise InvalidTimeError("whole nanoseconds since 1970, without a fraction")
    # Thousands of digits are more than int() takes.
    return _within_calendar(int(text) if len(text) <= _CHARS_MAX else _LAST + 1)


def _within_calendar(instant: int) -> int:
    if not _FIRST <= instant <= _LAST:
        raise InvalidTimeError("an instant within the years 1 to 9999 of UTC")
    return instant
