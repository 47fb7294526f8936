"""What counting costs, and what being scraped costs: W1 with metrics and without, and a page of 2,000 series."""

from __future__ import annotations

import asyncio
import threading
import time
import urllib.request
from typing import Any, Final

from prometheus_client import CollectorRegistry

from actorflow.client import Client
from actorflow.observability import Collector, start_http_server, table
from actorflow.observability.metrics import Metrics
from actorflow.observability.process import Process
from bench.durable import QUEUE, measured
from bench.load import crowd
from bench.programs import OneStep, Order
from bench.progress import Progress
from bench.report import Figure, Table, at_most
from bench.samples import Rounds, Sample, Values, percentile, take_rounds
from bench.settings import Settings

_WORKFLOWS: Final = 6_000
_IN_FLIGHT: Final = 200
_SERIES: Final = 2_000
_SCRAPES: Final = 20
_COST_MAX: Final = 3.0
_SCRAPE_MS_MAX: Final = 50.0


def metrics(settings: Settings, progress: Progress) -> Table:
    """Both."""
    rounds = take_rounds(
        settings,
        progress,
        {
            "counting": lambda: _work(settings, is_counting=True),
            "silent": lambda: _work(settings, is_counting=False),
            "scraped": lambda: asyncio.run(_scraped(settings, is_scraping=True)),
            "left alone": lambda: asyncio.run(_scraped(settings, is_scraping=False)),
        },
    )
    figures = [
        Figure("W1 with metrics, workflows/s", rounds.of("counting", "rate")),
        Figure("W1 without, workflows/s", rounds.of("silent", "rate")),
        Figure("cost of metrics, % of the rate", _cost(rounds, "rate", sign=1), target=at_most(_COST_MAX)),
        Figure("cost of metrics, % of the loop's CPU", _cost(rounds, "cpu", sign=-1)),
        Figure("scrape, ms", rounds.of("scraped", "ms"), target=at_most(_SCRAPE_MS_MAX)),
        Figure("series in it", rounds.of("scraped", "series")),
        Figure("event loop's longest pause while scraped, ms", rounds.of("scraped", "longest")),
        Figure("its longest pause without, ms", rounds.of("left alone", "longest")),
        Figure("event loop's p99 pause while scraped, ms", rounds.of("scraped", "p99")),
    ]
    notes = (
        "without: the same engine with everything that counts replaced by something that forgets",
        "a pause: how long an event loop that does nothing else took for one round; the interpreter lets a thread "
        "keep it for 5 ms",
        *rounds.journals,
    )
    return Table("metrics", "what metrics cost", figures, notes)


def _cost(rounds: Rounds, name: str, *, sign: int) -> list[float]:
    return [sign * (1 - ratio) * 100 for ratio in rounds.ratio(name, "counting", "silent")]


def _work(settings: Settings, *, is_counting: bool) -> Sample:
    count = settings.sized(_WORKFLOWS)

    async def body(client: Client) -> Values:
        if not is_counting:
            _silence(client)

        async def one(number: int) -> None:
            name = f"order-{number}"
            await client.execute_workflow(OneStep.run, Order(name), id=name, task_queue=QUEUE)

        began = time.thread_time()
        seconds = await crowd(one, count, in_flight=_IN_FLIGHT)
        return {"rate": count / seconds, "cpu": (time.thread_time() - began) / count}

    return measured(settings, body)


def _forget(*_values: object) -> None:
    """Takes whatever is counted, and keeps nothing."""


class _Silence:
    """Has every slot the engine asks a type or an activity for, at the price of an attribute."""

    value = 0
    turn_seconds = closed = waited = ended = staticmethod(_forget)

    def __init__(self) -> None:
        self.started = self


class _Silent(dict[Any, Any]):
    def __missing__(self, name: object) -> _Silence:
        return self.setdefault(name, _Silence())


def _silence(client: Client) -> None:
    counting: Any = client.engine.site.counting
    counting.types, counting.activities = _Silent(), _Silent()
    counting.turn = counting.batch = _forget


def _filled(series: int) -> Process:
    """Counts of so many series, as workflows of many types would leave them."""
    process = Process()
    filled = Metrics(process)
    filled.open(tuple)
    taken = 0
    for number in range(series):
        for spec in (table.WORKFLOWS_STARTED, table.TURN_SECONDS, table.HISTORY_EVENTS, table.HISTORY_BYTES):
            if taken + spec.width > series:
                return process
            taken += spec.width
            if spec.buckets:
                filled.histogram(spec, f"type-{number}").observe(1.0)
            else:
                filled.count(spec, f"type-{number}").value += 1
    return process


async def _scraped(settings: Settings, *, is_scraping: bool) -> Sample:
    """Scrape over HTTP from a thread while an event loop does nothing but look at the time."""
    pages: list[tuple[float, int]] = []
    pauses: list[float] = []
    is_over = threading.Event()

    def scrape() -> None:
        for _ in range(settings.sized(_SCRAPES, least=2)):
            registry = CollectorRegistry()
            registry.register(Collector(process))
            with start_http_server(0, registry=registry) as server:  # a new one has nothing in its cache
                began = time.perf_counter()
                with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as answer:
                    lines = answer.read().splitlines()
                pages.append((time.perf_counter() - began, sum(not line.startswith(b"#") for line in lines)))

    def act() -> None:
        if is_scraping:
            scrape()
        else:
            time.sleep(0.5 * settings.scale)
        is_over.set()

    process = _filled(_SERIES)
    acting = threading.Thread(target=act)
    acting.start()
    before = time.perf_counter()
    while not (pauses and is_over.is_set()):
        await asyncio.sleep(0)
        now = time.perf_counter()
        pauses.append(now - before)
        before = now
    acting.join()
    values = {"longest": max(pauses) * 1e3, "p99": percentile(pauses, 0.99) * 1e3}
    if pages:
        seconds = sorted(seconds for seconds, _ in pages)
        values |= {"ms": seconds[len(seconds) // 2] * 1e3, "series": float(pages[0][1])}
    return Sample(values)
