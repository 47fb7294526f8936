"""A runtime as ported programs make it: what it serves, what it logs, what it refuses."""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from actorflow import workflow
from actorflow.client import Client
from actorflow.exceptions import ActorflowError, BindAddressError, PortUnavailableError, UnsupportedOptionError
from actorflow.observability.logs import LOGGERS, level_of
from actorflow.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    MetricBuffer,
    OpenTelemetryConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)
from actorflow.worker import Worker
from tests.observability.scraping import get

ANYWHERE = PrometheusConfig(bind_address="127.0.0.1:0")


@workflow.defn(name="RuntimeGreeting")
class Greeting:
    @workflow.run
    async def run(self) -> str:
        return "hello"


def a_runtime(**telemetry: Any) -> Runtime:
    return Runtime(telemetry=TelemetryConfig(**telemetry))


def page_of(runtime: Runtime) -> str:
    assert runtime.metrics_address is not None
    return get(int(runtime.metrics_address.rpartition(":")[2]))[0]


@pytest.fixture
def no_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """As at the beginning of a process."""
    monkeypatch.setattr(Runtime, "_default", None)
    monkeypatch.setattr(Runtime, "_is_default_prevented", False)


@pytest.fixture
def records() -> Iterator[list[logging.LogRecord]]:
    """What a logger of the program gets."""
    kept: list[logging.LogRecord] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            kept.append(record)

    handler = Keeping()
    logger = logging.getLogger("mine")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    yield kept
    logger.removeHandler(handler)


async def test_a_runtime_serves_the_metrics_of_a_client_that_has_it() -> None:
    with a_runtime(metrics=ANYWHERE, global_tags={"stage": "test"}) as runtime:
        async with (
            await Client.connect("memory://", runtime=runtime) as client,
            Worker(client, task_queue="q", workflows=[Greeting]),
        ):
            await client.execute_workflow(Greeting.run, id="w", task_queue="q")
            page = await asyncio.to_thread(page_of, runtime)
    # Of which type depends on how many this process has seen before.
    assert 'actorflow_workflows_completed_total{outcome="completed",stage="test",type=' in page


def test_metrics_of_the_program_are_on_the_page_with_tags_unless_they_have_their_own() -> None:
    with a_runtime(metrics=ANYWHERE, global_tags={"service-name": "shop"}) as runtime:
        runtime.metric_meter.create_counter("runtime_visits").add(2, {"door": "left"})
        runtime.metric_meter.create_histogram("runtime_sizes").record(3, {"service_name": "own"})
        page = page_of(runtime)
    assert 'runtime_visits_total{door="left",service_name="shop"} 2.0' in page
    assert 'runtime_sizes_count{service_name="own"} 1.0' in page
    assert "\npython_info{implementation=" in page


def test_a_runtime_without_metrics_serves_none() -> None:
    with a_runtime() as runtime:
        assert runtime.metrics_address is None


def test_a_closed_runtime_gives_its_address_back() -> None:
    first = a_runtime(metrics=ANYWHERE)
    address = first.metrics_address
    assert address is not None
    with pytest.raises(PortUnavailableError, match=address):
        a_runtime(metrics=PrometheusConfig(bind_address=address))
    first.close()
    first.close()
    assert first.metrics_address is None
    with a_runtime(metrics=PrometheusConfig(bind_address=address)) as second:
        assert second.metrics_address == address


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
def test_metrics_are_served_at_other_kinds_of_addresses() -> None:
    with a_runtime(metrics=PrometheusConfig("localhost:0")) as runtime:
        assert "python_info" in page_of(runtime)
    with a_runtime(metrics=PrometheusConfig("[::1]:0")) as runtime:
        assert runtime.metrics_address is not None
        assert runtime.metrics_address.startswith("[::1]:")


@pytest.mark.parametrize(
    "address",
    ["", "9000", ":9000", "localhost", "localhost:", "localhost:99999", "[nine]:1", "::1:9", "http://x:1", "a b:1"],
)
def test_a_malformed_address_is_refused(address: str) -> None:
    with pytest.raises(BindAddressError, match="is no address to listen at") as refused:
        a_runtime(metrics=PrometheusConfig(bind_address=address))
    assert isinstance(refused.value, ValueError)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(PortUnavailableError, match=r"192\.0\.2\.1:0"):
        a_runtime(metrics=PrometheusConfig(bind_address="192.0.2.1:0"))


@pytest.mark.parametrize(
    ("telemetry", "option"),
    [
        ({"metrics": OpenTelemetryConfig(url="http://localhost:4317")}, "OpenTelemetryConfig"),
        ({"metrics": MetricBuffer(10_000)}, "MetricBuffer"),
        (
            {"metrics": PrometheusConfig("127.0.0.1:0", histogram_bucket_overrides={"x": [1.0]})},
            "histogram_bucket_overrides",
        ),
        ({"metric_prefix": "mine_"}, "metric_prefix"),
    ],
)
def test_what_nobody_would_do_is_refused_by_name(telemetry: dict[str, Any], option: str) -> None:
    with pytest.raises(UnsupportedOptionError, match=option):
        a_runtime(**telemetry)


def test_what_is_the_same_here_is_accepted() -> None:
    config = PrometheusConfig("127.0.0.1:0", counters_total_suffix=True, unit_suffix=True, durations_as_seconds=True)
    with a_runtime(metrics=config, attach_service_name=False, metric_prefix="temporal_") as runtime:
        assert runtime.metrics_address is not None


async def test_a_client_refuses_what_is_no_runtime() -> None:
    with pytest.raises(TypeError, match=r"runtime of Client\.connect must be a Runtime, not str"):
        await Client.connect("memory://", runtime="fast")  # pyright: ignore[reportArgumentType]


def test_logging_has_its_level_while_the_runtime_lasts() -> None:
    before = [logging.getLogger(name).level for name in LOGGERS]
    program = logging.getLogger("actorflow.workflow").level
    with a_runtime(logging=LoggingConfig(filter=TelemetryFilter(core_level="ERROR", other_level="INFO"))):
        assert {logging.getLogger(name).level for name in LOGGERS} == {logging.ERROR}
        assert logging.getLogger("actorflow.workflow").level == program
    assert [logging.getLogger(name).level for name in LOGGERS] == before


@pytest.mark.parametrize("config", [None, LoggingConfig.default])
def test_without_a_wish_logging_is_left_alone(config: LoggingConfig | None) -> None:
    before = [logging.getLogger(name).level for name in LOGGERS]
    with a_runtime(logging=config):
        assert [logging.getLogger(name).level for name in LOGGERS] == before


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("INFO", logging.INFO),
        ("warn", logging.WARNING),
        ("ERROR,temporal_sdk_core=INFO,temporal_client=DEBUG", logging.DEBUG),
        ("DEBUG,h2=ERROR", logging.DEBUG),
        ("h2=DEBUG", logging.ERROR),
        ("off", logging.CRITICAL + 1),
        (TelemetryFilter(core_level="TRACE", other_level="ERROR").formatted(), logging.DEBUG),
    ],
)
def test_a_filter_says_the_level_of_the_engine(text: str, level: int) -> None:
    assert level_of(text) == level


@pytest.mark.parametrize("text", ["", "LOUD", "temporal_sdk_core=", "INFO,,", "temporal_sdk_core"])
def test_a_filter_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="TRACE, DEBUG, INFO, WARN, ERROR, OFF") as refused:
        a_runtime(logging=LoggingConfig(filter=text))
    assert isinstance(refused.value, ActorflowError)


def test_what_the_engine_logs_can_be_forwarded(records: list[logging.LogRecord]) -> None:
    forwarding = LogForwardingConfig(logging.getLogger("mine"))
    with a_runtime(logging=LoggingConfig(filter="INFO", forwarding=forwarding)):
        logging.getLogger("actorflow.engine").debug("quiet")
        logging.getLogger("actorflow.engine").info("%d runs", 5)
    logging.getLogger("actorflow.engine").error("later")
    assert [(record.name, record.getMessage()) for record in records] == [
        ("mine-actorflow.engine", "[actorflow.engine] 5 runs")
    ]


def test_forwarded_records_can_be_left_as_they_are(records: list[logging.LogRecord]) -> None:
    forwarding = LogForwardingConfig(
        logging.getLogger("mine"), append_target_to_name=False, prepend_target_on_message=False
    )
    with a_runtime(logging=LoggingConfig(filter="INFO", forwarding=forwarding)):
        logging.getLogger("actorflow.engine").info("%d runs", 5)
        logging.getLogger("mine").setLevel(logging.ERROR)
        logging.getLogger("actorflow.engine").info("below the level of the other logger")
    assert [(record.name, record.getMessage()) for record in records] == [("mine", "5 runs")]


def test_of_two_runtimes_the_newest_that_is_left_says_what_is_logged(records: list[logging.LogRecord]) -> None:
    engine = logging.getLogger("actorflow.engine")
    before = (engine.level, engine.propagate, list(engine.handlers))
    first = a_runtime(logging=LoggingConfig(filter="ERROR"))
    second = a_runtime(logging=LoggingConfig(filter="INFO", forwarding=LogForwardingConfig(logging.getLogger("mine"))))
    first.close()
    engine.info("still told")
    second.close()
    assert [record.getMessage() for record in records] == ["[actorflow.engine] still told"]
    assert (engine.level, engine.propagate, list(engine.handlers)) == before


def test_a_log_is_not_forwarded_to_itself() -> None:
    for name in ("actorflow.engine", "actorflow.engine.part"):
        forwarding = LogForwardingConfig(logging.getLogger(name))
        with pytest.raises(ValueError, match="where it comes from"):
            a_runtime(logging=LoggingConfig(filter="INFO", forwarding=forwarding))


@pytest.mark.usefixtures("no_default")
def test_the_default_is_made_once() -> None:
    assert Runtime.default() is Runtime.default()
    with pytest.raises(RuntimeError, match="Runtime default already set"):
        Runtime.set_default(a_runtime())
    with pytest.raises(RuntimeError, match="Runtime default already set"):
        Runtime.prevent_default()
    own = a_runtime()
    Runtime.set_default(own, error_if_already_set=False)
    assert Runtime.default() is own


@pytest.mark.usefixtures("no_default")
def test_a_program_can_insist_on_a_default_of_its_own() -> None:
    Runtime.prevent_default()
    with pytest.raises(RuntimeError, match=r"call Runtime\.set_default"):
        Runtime.default()
    own = a_runtime()
    Runtime.set_default(own)
    assert Runtime.default() is own


def test_prometheus_is_loaded_by_whoever_wants_metrics() -> None:
    code = (
        "import sys\n"
        "from actorflow.runtime import Runtime, TelemetryConfig\n"
        "Runtime(telemetry=TelemetryConfig())\n"
        "print('prometheus_client' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "False\n"
