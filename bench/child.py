"""Starts a part of a measurement in a process of its own and reads the JSON line it prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

_ROOT: Final = Path(__file__).resolve().parent.parent
_SECONDS_MAX: Final = 180.0
"""A child that says nothing for so long is killed."""


class ChildFailedError(RuntimeError):
    """A child ended, or was ended, before it said what it was started for."""


@contextmanager
def started(module: str, **arguments: object) -> Iterator[Child]:
    """Run ``python -m module``; it is killed at the end of the block if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, json.dumps(arguments)],
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # an interrupt is the parent's to handle
    )
    overdue = threading.Timer(_SECONDS_MAX, process.kill)
    overdue.start()
    try:
        yield Child(module, process)
    finally:
        overdue.cancel()
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


class Child:
    """A process that says one thing.

    Args:
        module: what it runs.
        process: itself, its output piped.
    """

    def __init__(self, module: str, process: subprocess.Popen[str]) -> None:
        self._module = module
        self._process = process

    def said(self) -> dict[str, Any]:
        """Wait for what it says.

        Raises:
            ChildFailedError: it ended without a word, or was silent for too long.
        """
        assert self._process.stdout is not None
        line = _line(self._process.stdout)
        if not line:
            code = self._process.wait()
            raise ChildFailedError(
                f"python -m {self._module} ended with code {code} before it had an answer; "
                f"see above, or it took longer than {_SECONDS_MAX:.0f} s"
            )
        return json.loads(line)


def asked(module: str, **arguments: object) -> dict[str, Any]:
    """Run ``python -m module`` for what it says."""
    with started(module, **arguments) as child:
        return child.said()


def arguments() -> dict[str, Any]:
    """In the child: what it was started with."""
    return json.loads(sys.argv[1])


def say(**values: object) -> None:
    """In the child: tell the parent."""
    print(json.dumps(values), flush=True)


def until_orphaned() -> None:
    """In the child: return when the parent is gone; until then a child that only waits to be killed waits here."""
    sys.stdin.read()


def _line(stream: IO[str]) -> str:
    return stream.readline()
