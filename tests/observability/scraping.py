"""An engine that counts for itself, and its metrics as a Prometheus server would read them."""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from actorflow.client import Client
from actorflow.clock import SystemClock
from actorflow.engine.engine import Engine
from actorflow.observability import Collector, start_http_server
from actorflow.observability.metrics import Metrics
from actorflow.observability.process import Process, Source
from actorflow.store.memory import MemoryStore
from actorflow.store.protocol import Store
from actorflow.store.sqlite import SqliteStore


class Scraped:
    """One page, parsed."""

    def __init__(self, text: str) -> None:
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        self._samples = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families.values()
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float | None:
        """A sample, without the prefix; None if there is none."""
        return self._samples.get((f"actorflow_{name}", frozenset(labels.items())))

    def labelled(self, name: str) -> dict[tuple[str, ...], float]:
        """Every sample of that name, by its label values in the order of their names."""
        return {
            tuple(value for _, value in sorted(labels)): number
            for (sample, labels), number in self._samples.items()
            if sample == f"actorflow_{name}"
        }


def get(port: int, path: str = "/metrics", *, method: str = "GET", accept: str = "") -> tuple[str, Any]:
    """What a server of this machine answers, and its headers."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", method=method, headers={"Accept": accept} if accept else {}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read().decode(), answer.headers


def registry_of(source: Source, **options: Any) -> CollectorRegistry:
    """A registry that holds nothing but the metrics of one source."""
    registry = CollectorRegistry()
    registry.register(Collector(source, **options))
    return registry


async def scrape(source: Source) -> Scraped:
    """Over HTTP, by a server of this source's own."""
    with start_http_server(0, registry=registry_of(source)) as server:
        text, _ = await asyncio.to_thread(get, server.port)
    return Scraped(text)


@asynccontextmanager
async def a_metered_client(
    path: Path | None = None, *, process: Process | None = None, store: Store | None = None
) -> AsyncIterator[Client]:
    """A client whose engine counts apart from those of other tests."""
    chosen = store or (MemoryStore() if path is None else SqliteStore(path))
    engine = Engine(chosen, SystemClock(), "journal", Metrics(process or Process()))
    await engine.opened()
    async with Client(engine) as client:
        yield client
