"""Counting, bounded."""

from __future__ import annotations

import pytest

from actorflow.core import limits
from actorflow.observability import table
from actorflow.observability.metrics import Metrics
from actorflow.observability.process import Process
from actorflow.observability.slots import Histogram


def test_a_value_on_a_bound_belongs_to_the_bucket_below_it() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (2.0, 0.5, 1.0, 1.5, 3.0):
        histogram.observe(value)
    assert histogram.read() == [2, 2, 1, 8.0]


def test_values_that_come_after_a_fold_are_added() -> None:
    histogram = Histogram((1.0,))
    histogram.observe(0.5)
    histogram.fold()
    histogram.observe(4.0)
    assert histogram.read() == [1, 1, 4.5]


def test_the_hundred_and_first_value_of_a_label_is_counted_with_all_others_beyond() -> None:
    metrics = Metrics(Process())
    for number in range(limits.METRIC_LABEL_VALUES_MAX + 5):
        metrics.count(table.WORKFLOWS_STARTED, f"type-{number}").value += 1

    snapshot = metrics.snapshot()
    started = dict(snapshot.of(table.WORKFLOWS_STARTED))

    assert len(started) == limits.METRIC_LABEL_VALUES_MAX + 1
    assert started["__other__",] == [5]
    assert dict(snapshot.of(table.OVERFLOW)) == {("actorflow_workflows_started_total",): [5]}


def test_a_value_that_has_a_series_keeps_it_when_there_is_no_more_room() -> None:
    metrics = Metrics(Process())
    first = metrics.count(table.WORKFLOWS_STARTED, "first")
    for number in range(limits.METRIC_LABEL_VALUES_MAX + 5):
        metrics.count(table.WORKFLOWS_STARTED, f"type-{number}")
    assert metrics.count(table.WORKFLOWS_STARTED, "first") is first


def test_all_series_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "METRIC_SERIES_MAX", 200)
    monkeypatch.setattr(limits, "METRIC_SERIES_KEPT", 100)
    metrics = Metrics(Process())
    for number in range(50):
        metrics.histogram(table.ACTIVITY_SECONDS, f"type-{number}", "ok").observe(1.0)

    of_types = dict(metrics.snapshot().of(table.ACTIVITY_SECONDS))

    assert len(of_types) * table.ACTIVITY_SECONDS.width <= 200
    assert sum(sum(numbers[:-1]) for numbers in of_types.values()) == 50
    assert ("__other__", "ok") in of_types


def test_two_engines_of_a_process_share_its_bounds() -> None:
    process = Process()
    one, other = Metrics(process), Metrics(process)
    for number in range(limits.METRIC_LABEL_VALUES_MAX):
        one.count(table.WORKFLOWS_STARTED, f"type-{number}")
    assert other.count(table.WORKFLOWS_STARTED, "late") is other.count(table.WORKFLOWS_STARTED, "later")
    assert other.count(table.WORKFLOWS_STARTED, "type-7") is not other.count(table.WORKFLOWS_STARTED, "late")


def test_an_engine_that_has_closed_leaves_its_counts_and_takes_its_gauges_along() -> None:
    process = Process()
    closed, open_one = Metrics(process), Metrics(process)
    for metrics, timers in ((closed, 5.0), (open_one, 2.0)):
        metrics.open(lambda timers=timers: [(table.TIMERS, (), timers)])
        metrics.count(table.RECOVERED).value += 3
        metrics.histogram(table.TURN_MESSAGES).observe(1)

    before = process.snapshot()
    closed.close()
    closed.close()
    after = process.snapshot()

    assert list(before.of(table.RECOVERED)) == list(after.of(table.RECOVERED)) == [((), [6])]
    assert list(before.of(table.TURN_MESSAGES)) == list(after.of(table.TURN_MESSAGES))
    assert (list(before.of(table.TIMERS)), list(after.of(table.TIMERS))) == ([((), [7.0])], [((), [2.0])])


def test_an_age_of_several_engines_is_the_greatest_and_a_free_disk_the_fullest() -> None:
    process = Process()
    for age, free in ((5.0, 100.0), (9.0, 70.0), (1.0, 90.0)):
        Metrics(process).open(lambda age=age, free=free: [(table.QUEUE_AGE, ("q",), age), (table.DB_FREE, (), free)])
    snapshot = process.snapshot()
    assert list(snapshot.of(table.QUEUE_AGE)) == [(("q",), [9.0])]
    assert list(snapshot.of(table.DB_FREE)) == [((), [70.0])]
