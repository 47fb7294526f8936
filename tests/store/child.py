"""Python programs in processes of their own, for what a process does to others: locks, kills, disks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import actorflow

ROOT = Path(actorflow.__file__).parent.parent

PRELUDE = """
import asyncio, os, sqlite3, sys
from datetime import timedelta
from actorflow.exceptions import *
from actorflow.store.sqlite import SqliteStore
from tests.store.given import *
path = sys.argv[1]
def say(*words):
    print(*words, flush=True)
"""

GROWS = """
from tests.store.sound import SoundRun
async def main():
    store = SqliteStore(path)
    await store.open()
    first, count = map(int, sys.argv[2:])
    runs = [SoundRun(store, f"order-{number * 7919 % 100003}") for number in range(first, first + count)]
    await store.commit([run.begins() for run in runs])
    await store.commit([run.is_signalled("paid" * 300) for run in runs])
    await store.close()
asyncio.run(main())
"""
"""Owns a file for a while and adds runs, so many after the first so many, all over its pages."""


def start(program: str, *arguments: object, prefix: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """Start a program (after `PRELUDE`); talk to it through its pipes."""
    return subprocess.Popen(
        [*prefix, sys.executable, "-c", PRELUDE + program, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def run(program: str, *arguments: object, prefix: tuple[str, ...] = (), timeout: float = 30) -> str:
    """Run a program to its end and return what it said; an error in it is an error here."""
    with start(program, *arguments, prefix=prefix) as child:
        said, complaint = child.communicate(timeout=timeout)
        assert child.returncode == 0, complaint
    return said


def expect(child: subprocess.Popen[str], word: str) -> None:
    """Wait until the program says a word."""
    assert child.stdout is not None
    line = child.stdout.readline().strip()
    assert line == word, f"said {line!r}: {child.stderr.read() if child.stderr and not line else ''}"
