"""How long a program waits for its imports."""

from __future__ import annotations

import subprocess
import sys

from bench.progress import Progress
from bench.report import Figure, Table, at_most
from bench.samples import Sample, take_rounds
from bench.settings import Settings

_TIMES = 5
_MODULES = {
    "import actorflow": "actorflow",
    "all a program imports": "actorflow.activity, actorflow.client, actorflow.worker, actorflow.workflow",
}
_STORE = "actorflow.client, actorflow.worker, actorflow.workflow, actorflow.store.sqlite"


def imports(settings: Settings, progress: Progress) -> Table:
    """The time from before the import to after it, in a fresh interpreter, with byte code in place."""
    sides = {**_MODULES, "with the SQLite store": _STORE, "asyncio": "asyncio"}
    for modules in sides.values():
        _seconds(modules)
    often = Settings(_TIMES if settings.rounds > 1 else 1, settings.scale, settings.store, settings.folder)
    rounds = take_rounds(often, progress, {name: lambda m=m: _measured(m) for name, m in sides.items()})
    alone = rounds.of("asyncio", "ms")
    figures = [
        Figure("import actorflow, ms", rounds.of("import actorflow", "ms"), alone, target=at_most(100)),
        Figure("client, worker and workflow, ms", rounds.of("all a program imports", "ms"), alone),
        Figure("the same with the SQLite store, ms", rounds.of("with the SQLite store", "ms"), alone),
    ]
    notes = (f"fresh interpreters: {often.rounds}; plain asyncio: import asyncio",)
    return Table("import", "import time", figures, notes)


def _measured(modules: str) -> Sample:
    return Sample({"ms": _seconds(modules) * 1e3})


def _seconds(modules: str) -> float:
    code = f"from time import perf_counter as now; t = now(); import {modules}; print(now() - t)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(answer.stdout)
