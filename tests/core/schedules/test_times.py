"""When schedules are due: calendars, intervals, cron expressions, and clocks that are put forward and back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

from actorflow.core.schedules.cron import parse_cron
from actorflow.core.schedules.spec import Calendar, Interval, Range, Spec, every
from actorflow.core.schedules.times import dues, next_due, next_nominal, possible_spec
from actorflow.exceptions import ScheduleSpecError

NOON = datetime(2030, 1, 31, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
BERLIN = "Europe/Berlin"
FORWARD = datetime(2030, 3, 31, 1, tzinfo=UTC)
"""In Berlin 2:00 becomes 3:00."""
BACK = datetime(2030, 10, 27, 1, tzinfo=UTC)
"""In Berlin 3:00 becomes 2:00."""


def spec(*expressions: str, **others: object) -> Spec:
    parsed = [parse_cron("cron", text) for text in expressions]
    calendars = tuple(calendar for times in parsed for calendar in times.calendars)
    intervals = tuple(interval for times in parsed for interval in times.intervals)
    zones = [times.time_zone for times in parsed if times.time_zone]
    fields = {"calendars": calendars, "intervals": intervals, "time_zone": zones[0] if zones else "", **others}
    return possible_spec(Spec(**fields))


def times(of: Spec, count: int = 3, after: datetime = NOON) -> list[str]:
    return [due.nominal.strftime("%Y-%m-%dT%H:%M:%S") for due in islice(dues(of, after, ""), count)]


# Cron


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("30 2 * * *", ["2030-02-01T02:30:00", "2030-02-02T02:30:00"]),
        ("*/20 * * * *", ["2030-01-31T12:20:00", "2030-01-31T12:40:00"]),
        ("0 9 * * MON-FRI", ["2030-02-01T09:00:00", "2030-02-04T09:00:00"]),
        ("0 9 * FEB,apr 7", ["2030-02-03T09:00:00", "2030-02-10T09:00:00"]),
        ("15 0 12 * * *", ["2030-01-31T12:00:15", "2030-02-01T12:00:15"]),
        ("0 0 1 1 * 2032-2034/2", ["2032-01-01T00:00:00", "2034-01-01T00:00:00"]),
        ("@daily", ["2030-02-01T00:00:00", "2030-02-02T00:00:00"]),
        ("@weekly", ["2030-02-03T00:00:00", "2030-02-10T00:00:00"]),
        ("@every 90m", ["2030-01-31T13:30:00", "2030-01-31T15:00:00"]),
        ("@every 1h/10m", ["2030-01-31T12:10:00", "2030-01-31T13:10:00"]),
        ("CRON_TZ=Asia/Tokyo 0 9 * * *", ["2030-02-01T00:00:00", "2030-02-02T00:00:00"]),
        ("0 0 29 2 *  # leap days", ["2032-02-29T00:00:00", "2036-02-29T00:00:00"]),
    ],
)
def test_a_cron_expression_is_due_when_it_says(expression: str, expected: Sequence[str]) -> None:
    assert times(spec(expression), 2) == expected


def test_a_day_of_the_month_or_of_the_week_is_enough_as_in_debian() -> None:
    assert times(spec("0 0 13 * FRI")) == ["2030-02-01T00:00:00", "2030-02-08T00:00:00", "2030-02-13T00:00:00"]


def test_an_expression_becomes_a_calendar_of_few_ranges() -> None:
    (calendar,) = parse_cron("cron", "*/15 9-17 * * MON # office hours").calendars
    assert calendar.minute == (Range(0, 45, 15),)
    assert calendar.hour == (Range(9, 17),)
    assert calendar.day_of_month == every("day_of_month")
    assert calendar.day_of_week == (Range(1, 1),)
    assert calendar.comment == "office hours"


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("0 0 30 2 *", "day"),
        ("60 * * * *", "minute"),
        ("* 24 * * *", "hour"),
        ("* * * 13 *", "month"),
        ("* * * * FOO", "day-of-week"),
        ("* * *", "five fields"),
        ("", "five fields"),
        ("0 0 L * *", "day_of_month"),
        ("0 0 * * 5#2", "day_of_week"),
        ("@fortnightly", "@weekly"),
        ("@every often", "@every 90s"),
        ("@every 1ms", "0:00:01"),
        ("0 0 1 1 * 2034-2032", "end before"),
        ("* * * * * * * *", "five fields"),
        ("0 0 31 4,6 *", "day"),
        ("*/5 " * 500, "characters"),
    ],
)
def test_an_expression_that_makes_no_sense_is_refused_and_named(expression: str, says: str) -> None:
    with pytest.raises(ScheduleSpecError, match=says):
        spec(expression)


# Daylight saving


def test_a_time_that_does_not_exist_comes_at_the_first_instant_after_the_gap() -> None:
    assert next_nominal(spec("30 2 * * *", time_zone=BERLIN), FORWARD - HOUR) == FORWARD
    assert next_nominal(spec("30 2 * * *", time_zone=BERLIN), FORWARD) == FORWARD + DAY - MINUTE * 30


def test_several_times_that_do_not_exist_come_once() -> None:
    found = times(spec("*/15 * * * *", time_zone=BERLIN), 4, FORWARD - 20 * MINUTE)
    assert found == ["2030-03-31T00:45:00", "2030-03-31T01:00:00", "2030-03-31T01:15:00", "2030-03-31T01:30:00"]


def test_a_time_that_occurs_twice_comes_the_first_time_only() -> None:
    found = times(spec("30 2 * * *", time_zone=BERLIN), 2, BACK - HOUR)
    assert found == ["2030-10-27T00:30:00", "2030-10-28T01:30:00"]
    assert next_nominal(spec("*/15 * * * *", time_zone=BERLIN), BACK - MINUTE) == BACK + HOUR


def test_who_asks_within_the_hour_that_is_repeated_gets_no_time_of_it() -> None:
    for minutes in (0, 1, 30, 59):
        assert next_nominal(spec("* * * * * *", time_zone=BERLIN), BACK + minutes * MINUTE) == BACK + HOUR


def test_intervals_do_not_care_for_clocks() -> None:
    found = times(spec("@every 30m", time_zone=BERLIN), 4, BACK - HOUR)
    assert found == ["2030-10-27T00:30:00", "2030-10-27T01:00:00", "2030-10-27T01:30:00", "2030-10-27T02:00:00"]


def test_a_zone_that_leaves_out_a_whole_day_is_due_after_it() -> None:
    # Samoa went from the 29th to the 31st of December 2011.
    found = times(spec("0 12 * * *", time_zone="Pacific/Apia"), 3, datetime(2011, 12, 29, tzinfo=UTC))
    assert found == ["2011-12-29T22:00:00", "2011-12-30T10:00:00", "2011-12-30T22:00:00"]


# Bounds, skips, jitter


def test_start_and_end_are_included() -> None:
    of = spec("@every 1h", start_at=NOON + DAY, end_at=NOON + DAY + HOUR)
    assert times(of, 9) == ["2030-02-01T12:00:00", "2030-02-01T13:00:00"]


def test_what_is_skipped_is_not_due() -> None:
    weekend = Calendar(
        second=every("second"), minute=every("minute"), hour=every("hour"), day_of_week=(Range(0, 0), Range(6, 6))
    )
    assert times(spec("0 9 * * *", skip=(weekend,))) == [
        "2030-02-01T09:00:00",
        "2030-02-04T09:00:00",
        "2030-02-05T09:00:00",
    ]
    lunch = Calendar(hour=(Range(12, 12),), minute=every("minute"))
    assert times(spec("@every 20m", skip=(lunch,)), 2) == ["2030-01-31T13:00:00", "2030-01-31T13:20:00"]


def test_a_spec_that_skips_everything_is_never_due() -> None:
    always = Calendar(second=every("second"), minute=every("minute"), hour=every("hour"))
    assert next_nominal(spec("* * * * * *", skip=(always,), time_zone=BERLIN), NOON) is None


def test_no_times_at_all_are_no_times() -> None:
    assert next_due(spec(), NOON, "s") is None


def test_jitter_puts_each_time_off_by_the_same_every_time_it_is_asked_for() -> None:
    of = spec("@every 1h", jitter=30 * MINUTE)
    first, again = (list(islice(dues(of, NOON, "s"), 20)) for _ in range(2))
    assert first == again
    assert all(timedelta(0) <= due.at - due.nominal <= 30 * MINUTE for due in first)
    assert len({due.at - due.nominal for due in first}) > 10
    assert first != list(islice(dues(of, NOON, "another"), 20))


def test_jitter_never_reaches_beyond_the_next_time() -> None:
    found = list(islice(dues(spec("@every 1m", jitter=DAY), NOON, "s"), 50))
    assert all(earlier.at <= later.nominal for earlier, later in pairwise(found))


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (Spec(intervals=(Interval(-MINUTE),)), r"intervals[0].every"),
        (Spec(intervals=(Interval(MINUTE), Interval(timedelta(0)))), r"intervals[1].every"),
        (Spec(intervals=(Interval(MINUTE, -SECOND),)), r"intervals[0].offset"),
        (Spec(intervals=(Interval(MINUTE, MINUTE),)), r"intervals[0].offset"),
        (Spec(intervals=(Interval(timedelta.max),)), r"intervals[0].every"),
        (Spec(jitter=-SECOND), "jitter"),
        (Spec(time_zone="Mars/Olympus"), "time_zone_name"),
        (Spec(time_zone="../../etc/passwd"), "time_zone_name"),
        (Spec(start_at=NOON.replace(tzinfo=None)), "start_at"),
        (Spec(end_at=NOON.replace(tzinfo=None)), "end_at"),
        (Spec(start_at=NOON, end_at=NOON - SECOND), "end_at"),
        (Spec(calendars=(Calendar(hour=(Range(24, 24),)),)), "calendars[0].hour"),
        (Spec(calendars=(Calendar(minute=(Range(5, 3),)),)), "calendars[0].minute"),
        (Spec(calendars=(Calendar(), Calendar(second=(Range(0, 59, -1),)))), "calendars[1].second"),
        (Spec(skip=(Calendar(day_of_week=(Range(7, 7),)),)), "skip[0].day_of_week"),
        (Spec(calendars=(Calendar(month=(Range(2, 2),), day_of_month=(Range(30, 31),)),)), "calendars[0].day_of_month"),
        (Spec(calendars=(Calendar(),) * 101), "calendars"),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused_and_its_field_named(bad: Spec, field: str) -> None:
    with pytest.raises(ScheduleSpecError) as refused:
        possible_spec(bad)
    assert refused.value.field == field
    assert field in str(refused.value)


# Properties


def some_ranges(low: int, high: int) -> st.SearchStrategy[tuple[Range, ...]]:
    one = st.tuples(st.integers(low, high), st.integers(low, high), st.integers(1, 20))
    return st.lists(one.map(lambda n: Range(min(n[:2]), max(n[:2]), n[2])), min_size=1, max_size=2).map(tuple)


CALENDARS = st.builds(
    Calendar,
    minute=some_ranges(0, 59),
    hour=some_ranges(0, 23),
    day_of_week=some_ranges(0, 6),
)
ZONES = st.sampled_from(["", BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
INSTANTS = st.sampled_from(
    [FORWARD, BACK, NOON, datetime(2030, 11, 3, 6, tzinfo=UTC), datetime(2030, 4, 6, 15, tzinfo=UTC)]
)
MINUTES = st.integers(-36 * 60, 12 * 60).map(lambda minutes: timedelta(minutes=minutes))


@given(CALENDARS, st.lists(CALENDARS, max_size=1), ZONES, INSTANTS, MINUTES)
@settings(max_examples=60, deadline=None)
def test_a_calendar_is_due_whenever_a_walk_through_all_minutes_says_so(
    calendar: Calendar, skip: list[Calendar], zone: str, around: datetime, shift: timedelta
) -> None:
    of = possible_spec(Spec((calendar,), skip=tuple(skip), time_zone=zone))
    after = around + shift
    until = after + timedelta(hours=30)
    found = [due.nominal for due in takewhile(lambda due: due.nominal <= until, dues(of, after, ""))]
    assert found == walked(calendar, skip, zone, after, until)


def walked(calendar: Calendar, skip: list[Calendar], zone: str, after: datetime, until: datetime) -> list[datetime]:
    """Every minute's end looks which local times have newly come: those are due."""
    there = ZoneInfo(zone or "UTC")
    found: list[datetime] = []
    at = after - 4 * HOUR  # before whatever is left out or repeated
    reached = at.astimezone(there).replace(tzinfo=None, fold=0)
    while at < until:
        at += MINUTE
        local = at.astimezone(there).replace(tzinfo=None, fold=0)
        is_due = False
        while reached < local:
            reached += MINUTE
            is_due = is_due or matches(calendar, reached)
        if is_due and at > after and not any(matches(one, local) for one in skip):
            found.append(at)
    return found


def matches(calendar: Calendar, local: datetime) -> bool:
    fields = (
        (local.minute, calendar.minute),
        (local.hour, calendar.hour),
        (local.isoweekday() % 7, calendar.day_of_week),
    )
    return all(any(number in range(one.start, one.end + 1, one.step) for one in ranges) for number, ranges in fields)


@given(
    st.lists(CALENDARS, max_size=2),
    st.lists(st.integers(1, 100_000).map(lambda seconds: Interval(seconds * SECOND)), max_size=2),
    ZONES,
    st.integers(0, 3600).map(lambda seconds: seconds * SECOND),
    INSTANTS,
)
@settings(max_examples=60, deadline=None)
def test_times_rise_strictly_and_none_is_missed_by_asking_later(
    calendars: list[Calendar], intervals: list[Interval], zone: str, jitter: timedelta, after: datetime
) -> None:
    of = possible_spec(Spec(tuple(calendars), tuple(intervals), jitter=jitter, time_zone=zone))
    found = list(islice(dues(of, after, "s"), 30))
    assert all(earlier.nominal < later.nominal and earlier.at <= later.at for earlier, later in pairwise(found))
    for earlier, later in pairwise(found):
        middle = earlier.nominal + (later.nominal - earlier.nominal) / 2
        assert next_due(of, middle, "s") == later
