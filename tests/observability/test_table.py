"""What is documented is what is exported."""

from __future__ import annotations

import re
from math import prod

import pytest

from actorflow.core import limits
from actorflow.observability import table
from actorflow.observability.collector import Collector
from actorflow.observability.process import Process
from actorflow.observability.table import TABLE

COUNTS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 5000, 10000)
OURS = {"outcome": 6, "state": 4, "kind": 5, "result": 4, "tier": 2, "reason": 3, "code": 3, "metric": len(TABLE)}
"""How many values a label of ours has at most."""


def test_names_follow_the_rules_of_prometheus() -> None:
    for spec in TABLE:
        assert re.fullmatch(r"actorflow_[a-z_]+", spec.name)
        assert spec.name.endswith("_total") == (spec.kind == "counter")
        assert spec.help.endswith(".")
    assert len({spec.name for spec in TABLE}) == len(TABLE)


def test_the_collector_describes_every_metric_of_the_table_and_no_other() -> None:
    described = {(metric.name, metric.type, metric.documentation) for metric in Collector(Process()).describe()}
    assert described == {
        (spec.name.removesuffix("_total").removesuffix("_info" if spec.kind == "info" else ""), spec.kind, spec.help)
        for spec in TABLE
    }


@pytest.mark.parametrize(
    ("name", "buckets"),
    [
        ("FAST", (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)),
        ("LATENCY", (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)),
        ("LONG", (0.1, 1, 5, 30, 60, 300, 900, 3600, 21600, 86400, 604800)),
        ("BYTES", (256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304)),
        ("COUNTS", COUNTS),
    ],
)
def test_buckets_stay_as_they_are_because_dashboards_name_them(name: str, buckets: tuple[float, ...]) -> None:
    assert getattr(table, name) == buckets


def test_what_is_kept_for_other_values_is_enough_for_all_of_them() -> None:
    series = sum(spec.width * prod(OURS.get(label, 1) for label in spec.labels) for spec in TABLE)
    assert series <= limits.METRIC_SERIES_KEPT
