"""The worker of the demo: a process of its own, which runs the example and says what it does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from actorflow.cli.exits import CommandError

_PACKAGE: Final = Path(__file__).resolve().parents[2]
_LEASH: Final = "actorflow.cli.demo.leash"
_EXAMPLE: Final = "examples.order_fulfilment"
_SILENCE_MAX: Final = 30.0
"""Seconds without a line after which the worker is given up: each activity takes a fraction of one."""


class Worker:
    """Runs the example on a journal until it ends or is killed.

    Args:
        folder: for the journal, ``orders.db``, and for what the worker logs.
        order: the order's id.
        seed: what goes wrong on its way.
        delay: seconds each activity takes.
    """

    def __init__(self, folder: Path, order: str, *, seed: int, delay: float) -> None:
        about = ["--db", str(folder / "orders.db"), "--order", order, "--seed", str(seed), "--delay", str(delay)]
        self._log = folder / "worker.log"
        self._watchdog: threading.Timer | None = None
        self._was_silent = False
        with self._log.open("a", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", _LEASH, str(examples()), _EXAMPLE, "--jsonl", *about],
                stdin=subprocess.PIPE,  # nothing is written to it: see `leash`
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join((str(_PACKAGE.parent), os.environ.get("PYTHONPATH", ""))),
                },
                start_new_session=True,  # so that Ctrl-C reaches the demo alone, which then stops its worker
            )

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL: nothing of the process's own runs any more."""
        self._process.kill()
        self._process.wait()

    def reports(self) -> Iterator[Mapping[str, Any]]:
        """What it says, as it says it, until it ends.

        Raises:
            CommandError: it failed, or said nothing for half a minute.
        """
        assert self._process.stdout is not None
        self._watch()
        for line in self._process.stdout:
            self._watch()
            yield json.loads(line)
        self._rest()
        code = self._process.wait()
        if self._was_silent:
            raise CommandError(f"the demo's worker said nothing for {_SILENCE_MAX:.0f} s; see {self._log}")
        if code:
            raise CommandError(f"the demo's worker ended with code {code}: {self._last_words()} (see {self._log})")

    def _last_words(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "it said nothing about why")

    def _watch(self) -> None:
        self._rest()
        self._watchdog = threading.Timer(_SILENCE_MAX, self._give_up)
        self._watchdog.daemon = True
        self._watchdog.start()

    def _rest(self) -> None:
        if self._watchdog is not None:
            self._watchdog.cancel()

    def _give_up(self) -> None:
        self._was_silent = True
        self._process.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._rest()
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


def examples() -> Path:
    """The folder of the example: beside the package in a clone, inside it once it is installed.

    Raises:
        CommandError: it is in neither place.
    """
    for place in (_PACKAGE / "cli" / "demo", _PACKAGE.parent):
        if (place / "examples" / "order_fulfilment" / "__main__.py").exists():
            return place / "examples"
    raise CommandError("the demo's example is missing from this installation; install actorflow again")
