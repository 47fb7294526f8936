"""The page a scraper gets: rendered in whichever format it prefers, at most once a second."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Final, NamedTuple

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector as PrometheusCollector

from actorflow.core import limits
from actorflow.observability.collector import Collector
from actorflow.observability.process import PROCESS, Source

METHODS: Final = ("GET", "HEAD")


class Rendered(NamedTuple):
    """A page and what it is written in."""

    body: bytes
    content_type: str


class Page:
    """Whatever a registry holds. Any thread may ask; those who ask at the same time wait for one rendering.

    Args:
        registry: what is served.
        monotonic: the time in seconds.
    """

    def __init__(self, registry: PrometheusCollector, *, monotonic: Callable[[], float] = monotonic) -> None:
        self._registry = registry
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._rendered: dict[str, tuple[float, Rendered]] = {}

    def rendered(self, accept: str) -> Rendered:
        """The page in the format the header ``Accept`` asks for: OpenMetrics, or Prometheus's own."""
        encode, content_type = choose_encoder(accept)
        with self._lock:
            now = self._monotonic()
            fresh = now - limits.METRICS_CACHE_INTERVAL.total_seconds()
            self._rendered = {kind: page for kind, page in self._rendered.items() if page[0] > fresh}
            if content_type not in self._rendered:
                self._rendered[content_type] = (now, Rendered(encode(self._registry), content_type))
            return self._rendered[content_type][1]


def registry_of(source: Source = PROCESS, *, labels: Mapping[str, str] | None = None) -> CollectorRegistry:
    """A registry of our own: our metrics, and those of the process, the interpreter and its garbage collector."""
    registry = CollectorRegistry()
    registry.register(Collector(source, labels=labels))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry
