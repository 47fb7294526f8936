"""The doors: a server, an ASGI application, a collector."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from typing import Any
from urllib.error import HTTPError

import pytest
import uvicorn
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from actorflow.exceptions import PortUnavailableError
from actorflow.observability import Collector, asgi, start_http_server, table
from actorflow.observability.metrics import Metrics
from actorflow.observability.page import Page
from actorflow.observability.process import Process
from tests.observability.scraping import Scraped, get, registry_of

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


def a_process() -> Process:
    process = Process()
    metrics = Metrics(process)
    metrics.open(lambda: [(table.TIMERS, (), 3.0)])
    metrics.count(table.WORKFLOWS_STARTED, 'odd "type"\n\\ name').value += 2
    metrics.count(table.BUILD, "1", "3", "", "asyncio").value = 1
    metrics.histogram(table.HISTORY_BYTES, "Order").observe(5000)
    return process


def test_a_page_holds_the_process_and_the_interpreter_beside_our_metrics() -> None:
    with start_http_server(0) as server:
        text, headers = get(server.port)
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert {"python_info", "process_open_fds"} <= Scraped(text).families.keys()


def test_a_scraper_that_prefers_openmetrics_gets_it() -> None:
    with start_http_server(0, registry=registry_of(a_process())) as server:
        text, headers = get(server.port, accept=OPENMETRICS)
    families = {family.name: family for family in parse_openmetrics(text)}
    assert headers["Content-Type"].startswith("application/openmetrics-text")
    assert text.endswith("# EOF\n")
    assert families["actorflow_build"].type == "info"
    assert families["actorflow_workflows_started"].samples[0].labels == {"type": 'odd "type"\n\\ name'}


def test_a_histogram_is_cumulative_and_ends_with_all() -> None:
    with start_http_server(0, registry=registry_of(a_process())) as server:
        page = Scraped(get(server.port)[0])
    counts = [
        page.value("workflow_history_bytes_bucket", type="Order", le=bound) for bound in ("4096.0", "16384.0", "+Inf")
    ]
    assert counts == [0, 1, 1]
    assert page.value("workflow_history_bytes_sum", type="Order") == 5000


def test_a_server_answers_head_and_refuses_to_be_written_to() -> None:
    with start_http_server(0, registry=registry_of(a_process())) as server:
        body, headers = get(server.port, "/", method="HEAD")
        with pytest.raises(HTTPError, match="405") as refused:
            get(server.port, method="POST")
        refused.value.close()
    assert (body, int(headers["Content-Length"]) > 0) == ("", True)
    assert refused.value.headers["Allow"] == "GET, HEAD"


def test_an_occupied_port_is_named_and_given_back_when_its_server_closes() -> None:
    with start_http_server(0) as server:
        with pytest.raises(PortUnavailableError, match=f"127.0.0.1:{server.port}: .*choose another port") as refused:
            start_http_server(server.port)
        assert refused.value.port == server.port
    server.close()
    start_http_server(server.port).close()


def test_a_port_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="from 0"):
        start_http_server(65_536)


def test_metrics_join_a_registry_of_the_programs_own_once() -> None:
    registry = CollectorRegistry()
    registry.register(Collector())
    with pytest.raises(ValueError, match="Duplicated"):
        registry.register(Collector())


def test_low_cardinality_adds_up_over_types() -> None:
    process = Process()
    for name in ("A", "B"):
        metrics = Metrics(process)
        metrics.open(tuple)
        metrics.count(table.WORKFLOWS_COMPLETED, name, "failed").value += 2
    with start_http_server(0, registry=registry_of(process, cardinality="low")) as server:
        page = Scraped(get(server.port)[0])
    assert page.labelled("workflows_completed_total") == {("failed",): 4}


def test_a_page_is_rendered_once_a_second_for_each_format() -> None:
    now = [100.0]
    process = a_process()
    page = Page(registry_of(process), monotonic=lambda: now[0])
    metrics = Metrics(process)
    metrics.open(tuple)
    first = page.rendered("")
    metrics.count(table.RECOVERED).value += 1
    now[0] += 0.9
    assert page.rendered("") is first
    assert b"recovered_instances" in page.rendered(OPENMETRICS).body
    now[0] += 0.2
    assert b"recovered_instances" in page.rendered("").body


async def asked(method: str = "GET", kind: str = "http") -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(event: Any) -> None:
        sent.append(event)

    async def receive() -> Any:
        return {"type": ("lifespan.startup", "lifespan.shutdown")[len(sent)]}

    scope = {"type": kind, "method": method, "path": "/anything", "headers": [(b"accept", b"text/plain")]}
    await asgi(registry=registry_of(a_process()))(scope, receive, send)
    return sent


async def test_the_application_answers_get_and_head_on_any_path() -> None:
    (start, body), (same_start, nothing) = await asked(), await asked("HEAD")
    assert (start["status"], same_start["status"], nothing["body"]) == (200, 200, b"")
    assert dict(start["headers"])[b"content-length"] == str(len(body["body"])).encode()
    assert Scraped(body["body"].decode()).value("timers") == 3


async def test_the_application_refuses_what_it_does_not_serve() -> None:
    assert (await asked("DELETE"))[0] == {
        "type": "http.response.start",
        "status": 405,
        "headers": [(b"allow", b"GET, HEAD")],
    }
    assert await asked(kind="websocket") == [{"type": "websocket.close"}]
    with pytest.raises(ValueError, match="over http"):
        await asked(kind="smoke")


async def test_the_application_lives_as_long_as_its_server_says() -> None:
    assert [event["type"] for event in await asked(kind="lifespan")] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


async def test_a_web_server_serves_the_application() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(asgi(registry=registry_of(a_process())), log_level="error")
        server = uvicorn.Server(config)
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            serving = group.create_task(server.serve(sockets=[listening]))
            text, _ = await asyncio.to_thread(get, listening.getsockname()[1])
            server.should_exit = True
            await serving
    assert Scraped(text).value("timers") == 3


def test_prometheus_client_is_loaded_only_when_metrics_are_shown() -> None:
    code = (
        "import sys, actorflow, actorflow.client, actorflow.worker, actorflow.observability;"
        "print('prometheus_client' in sys.modules);"
        "actorflow.observability.asgi(); print('prometheus_client' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["False", "True"]


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    import actorflow.observability as observability

    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = observability.nothing
