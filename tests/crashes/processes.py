"""Starting, watching and ending child processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import actorflow

HANGS = 30
"""Seconds after which a process hangs: it is ended, and says with every stack where it was."""

ROOT = Path(actorflow.__file__).parent.parent


@contextmanager
def running(
    *arguments: object, prefix: tuple[str, ...] = (), options: tuple[str, ...] = ()
) -> Iterator[subprocess.Popen[str]]:
    """A Python process (``-m module …`` or ``-c code …``) with pipes; killed if the block is left with an error."""
    with subprocess.Popen(
        [*prefix, sys.executable, "-X", "faulthandler", *options, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        hangs = threading.Timer(HANGS, process.send_signal, [signal.SIGABRT])
        hangs.start()
        try:
            yield process
        except BaseException:
            process.kill()
            raise
        finally:
            hangs.cancel()


def expect(process: subprocess.Popen[str], wanted: str) -> None:
    """Wait for the next line, which has to be this one."""
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if line != wanted:
        process.kill()
        assert process.stderr is not None
        raise AssertionError(f"wanted {wanted!r}, but it said {line!r}\n{process.stderr.read()}")


def killed_after(wanted: str, *arguments: object) -> None:
    """Let a process say one line, then kill it."""
    with running(*arguments) as process:
        expect(process, wanted)
        process.kill()
