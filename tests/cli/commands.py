"""Running commands: in this process, in one of their own, and on a terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from actorflow.cli import main
from tests.crashes.processes import ROOT


class Ended(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]


def in_here(capsys: pytest.CaptureFixture[str], *arguments: object) -> Ended:
    """Run a command in this process."""
    code = main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return Ended(code, said.out, said.err)


def environment(**more: str) -> dict[str, str]:
    """Of a command in a process of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ACTORFLOW_DB", "NO_COLOR"))}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def command(*arguments: object) -> list[str]:
    """A command line."""
    return [sys.executable, "-m", "actorflow.cli", *map(str, arguments)]


def in_a_process(*arguments: object, stdin: str = "", **variables: str) -> Ended:
    """Run a command in a process of its own."""
    done = subprocess.run(
        command(*arguments), input=stdin, capture_output=True, text=True, env=environment(**variables), check=False
    )
    return Ended(done.returncode, done.stdout, done.stderr)


class Terminal:
    """A command on a terminal; what it prints is read until something appears, or until it ends."""

    def __init__(self, *arguments: object, columns: int = 80, variables: Mapping[str, str] | None = None) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        known = environment(**{"TERM": "xterm-256color", **(variables or {})})
        known.pop("COLUMNS", None)
        self.process = subprocess.Popen(
            command(*arguments), stdin=theirs, stdout=theirs, stderr=theirs, env=known, start_new_session=True
        )
        os.close(theirs)
        self.raw = ""

    def until(self, wanted: str) -> None:
        """Read until it has printed this."""
        while wanted not in self.raw:
            assert self._read(), f"it ended without {wanted!r}:\n{self.raw}"

    def end(self) -> Ended:
        """Read until it ends; ``out`` has no colours and no movements of the cursor in it."""
        while self._read():
            pass
        os.close(self._ours)
        return Ended(self.process.wait(), re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.raw).replace("\r", ""), "")

    def _read(self) -> bool:
        found = b""
        with suppress(OSError):  # which is how Linux says that the other end is closed
            found = os.read(self._ours, 65_536)
        self.raw += found.decode(errors="replace")
        return bool(found)


def on_a_terminal(*arguments: object, columns: int = 80) -> Ended:
    """Run a command on a terminal."""
    return Terminal(*arguments, columns=columns).end()


def files_of(path: Path) -> dict[str, bytes]:
    """What is in a journal's files; not the shared memory, which holds nothing."""
    found = sorted(path.parent.glob(f"{path.name}*"))
    return {file.name: file.read_bytes() for file in found if not file.name.endswith("-shm")}
