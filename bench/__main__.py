"""Answers questions about speed and size, beside plain asyncio and beside bare SQLite, measured in the same run."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sqlite3
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import actorflow
from bench import latency, listing, memory, messages, metrics, recovery, replay, schedules, startup, testing, throughput
from bench.ceilings import ceilings
from bench.data import data
from bench.progress import Progress
from bench.report import Table
from bench.settings import Settings

_QUESTIONS: Final[Mapping[str, Callable[[Settings, Progress], Table]]] = {
    "ceilings": ceilings,
    "w1": throughput.one_step,
    "data": data,
    "w2": throughput.ten_steps,
    "w3": latency.fan_out,
    "w4": latency.one_at_a_time,
    "w5": latency.signal_to_result,
    "w6": memory.waiting,
    "w7": recovery.recovery,
    "replay": replay.replay,
    "messages": messages.messages,
    "listing": listing.listing,
    "metrics": metrics.metrics,
    "schedules": schedules.schedules,
    "testing": testing.testing,
    "import": startup.imports,
}
_QUICK_SCALE: Final = 0.01


def main() -> int:
    """Print a table per question; 1 if one could not be answered, 130 if interrupted."""
    options = _options()
    # Ended either way, it takes its files and children along.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings = Settings(options.rounds, options.scale, options.store, options.dir)
    progress = Progress(sys.stderr)
    tables: list[Table] = []
    failed: list[str] = []
    print(_heading(settings), flush=True)
    try:
        for name in options.questions or _QUESTIONS:
            table = _answered(name, settings, progress)
            if table is None:
                failed.append(name)
            else:
                tables.append(table)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    finally:
        if options.json is not None:
            _write(options.json, settings, tables, failed)
    return 1 if failed else 0


def _answered(name: str, settings: Settings, progress: Progress) -> Table | None:
    progress.begin(name)
    try:
        table = _QUESTIONS[name](settings, progress)
    except Exception as problem:
        # The other questions can still be answered.
        progress.clear()
        traceback.print_exc()
        print(f"### {name.upper()}: not answered: {type(problem).__name__}: {problem}\n", flush=True)
        return None
    progress.clear()
    print(table.text(is_judged=settings.is_judged), flush=True)
    return table


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "questions", nargs="*", metavar="QUESTION", help=f"which ones: {', '.join(_QUESTIONS)} (default: all)"
    )
    parser.add_argument("--rounds", type=_positive(int), default=3, help="figures are medians of so many (default: 3)")
    parser.add_argument("--scale", type=_positive(float), default=1.0, help="multiply every size (default: 1)")
    parser.add_argument(
        "--quick", action="store_true", help=f"only see that it runs: --rounds 1 --scale {_QUICK_SCALE}"
    )
    parser.add_argument("--store", choices=("sqlite", "memory"), default="sqlite", help="the journal (default: sqlite)")
    parser.add_argument("--dir", type=_folder, metavar="PATH", help="the disk to measure (default: the system's temp)")
    parser.add_argument("--json", type=_file, metavar="FILE", help="write every figure of every round here, too")
    options = parser.parse_args()
    if unknown := [name for name in options.questions if name not in _QUESTIONS]:
        parser.error(f"no question is called {unknown[0]!r}; there are {', '.join(_QUESTIONS)}")
    if options.quick:
        options.rounds, options.scale = 1, _QUICK_SCALE
    return options


def _positive(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    def parsed(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = 0
        if not 0 < value < float("inf"):
            raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
        return value

    return parsed


def _folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is not a folder")
    return Path(text)


def _file(text: str) -> Path:
    if not Path(text).absolute().parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is in no folder that exists")
    return Path(text)


def _heading(settings: Settings) -> str:
    about = _environment(settings)
    lines = [
        f"actorflow {about['actorflow']}, {about['python']}, SQLite {about['sqlite']}, {about['cpus']} CPUs, "
        f"{about['platform']}",
        f"rounds: {settings.rounds} (figures are medians), store: {settings.store}",
    ]
    if not settings.is_judged:
        lines.append(f"at scale {settings.scale:g} on {settings.store}: targets are stated, not judged")
    return "\n".join([*lines, ""])


def _environment(settings: Settings) -> dict[str, Any]:
    return {
        "actorflow": actorflow.__version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "sqlite": sqlite3.sqlite_version,
        "cpus": os.cpu_count(),
        "platform": platform.platform(terse=True),
        "rounds": settings.rounds,
        "scale": settings.scale,
        "store": settings.store,
    }


def _write(path: Path, settings: Settings, tables: Sequence[Table], failed: Sequence[str]) -> None:
    values = {
        "environment": _environment(settings),
        "is_judged": settings.is_judged,
        "tables": [table.as_values() for table in tables],
        "not_answered": list(failed),
    }
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
