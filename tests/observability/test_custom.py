"""Metrics that activities make for themselves."""

from __future__ import annotations

from datetime import timedelta

import pytest
from prometheus_client.exposition import generate_latest

from actorflow import activity, workflow
from actorflow.core import limits
from actorflow.metering import MetricMeter
from actorflow.observability.collector import Collector
from actorflow.observability.custom import CustomMetrics
from actorflow.observability.page import registry_of
from actorflow.observability.process import Process
from tests.support import a_place, execute


def page_of(process: Process) -> str:
    return generate_latest(registry_of(process)).decode()


def test_what_instruments_count_is_on_the_page() -> None:
    process = Process()
    meter = MetricMeter(process.custom.record, {"queue": "q"})
    counter = meter.create_counter("orders_total", "Orders seen", "pieces")
    counter.add(2)
    counter.with_additional_attributes({"kind": "big"}).add(3)
    counter.add(4, {"kind": "big"})
    meter.create_gauge("depth").set(7)
    meter.create_gauge("depth").set(5)
    meter.create_histogram_timedelta("wait").record(timedelta(seconds=2))
    page = page_of(process)
    assert "# HELP orders_total Orders seen (pieces)" in page
    assert 'orders_total{queue="q"} 2.0' in page
    assert 'orders_total{kind="big",queue="q"} 7.0' in page
    assert 'depth{queue="q"} 5.0' in page
    assert 'wait_bucket{le="2.5",queue="q"} 1.0' in page
    assert 'wait_sum{queue="q"} 2.0' in page


def test_names_and_attributes_prometheus_would_refuse_are_made_fit() -> None:
    process = Process()
    meter = MetricMeter(process.custom.record, {"le": "x", "a-b": True})
    meter.create_counter("my.orders").add(1)
    meter.create_counter("actorflow_turns").add(1)
    page = page_of(process)
    assert 'my_orders_total{_le="x",a_b="True"} 1.0' in page
    assert "app_actorflow_turns_total" in page


def test_one_name_is_one_metric_and_attributes_without_room_are_counted_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "CUSTOM_SERIES_MAX", 2)
    monkeypatch.setattr(limits, "CUSTOM_METRICS_MAX", 1)
    metrics = CustomMetrics()
    meter = MetricMeter(metrics.record, {})
    for number in range(5):
        meter.create_counter("seen").add(1, {"id": number})
    meter.create_gauge("seen").set(1)
    meter.create_gauge("another").set(1)
    (family,) = metrics.families()
    assert (family.name, family.kind) == ("seen", "counter")
    assert sorted(family.series.items()) == [
        ((("id", "0"),), [1]),
        ((("id", "1"),), [1]),
        ((("other", "__other__"),), [3]),
    ]


async def test_an_activitys_meter_reaches_the_page_with_its_type_and_queue() -> None:
    @activity.defn
    async def counts() -> None:
        activity.metric_meter().create_counter("bottles_of_an_activity").add(99)

    @workflow.defn
    class Counts:
        @workflow.run
        async def run(self) -> None:
            await workflow.execute_activity(counts, start_to_close_timeout=timedelta(seconds=5))

    async with a_place(Counts, activities=[counts]) as client:
        await execute(client, Counts.run)
    samples = [sample for metric in Collector().collect() for sample in metric.samples]
    (found,) = [sample for sample in samples if sample.name == "bottles_of_an_activity_total"]
    assert found.value == 99
    assert found.labels == {"activity_type": "counts", "namespace": "default", "task_queue": "q"}


async def test_a_workflows_meter_counts_once_also_when_turns_are_run_twice_or_again() -> None:
    @workflow.defn
    class Steps:
        @workflow.run
        async def run(self) -> None:
            counter = workflow.metric_meter().create_counter("steps_of_a_workflow")
            for _ in range(3):
                counter.add(1)
                await workflow.sleep(0.001)

    async with a_place(Steps, development_mode=True, max_cached_workflows=0) as client:
        await execute(client, Steps.run)
    samples = [sample for metric in Collector().collect() for sample in metric.samples]
    (found,) = [sample for sample in samples if sample.name == "steps_of_a_workflow_total"]
    assert found.value == 3
    assert found.labels == {"namespace": "default", "task_queue": "q", "workflow_type": "Steps"}
