"""Work that blocks for long in SQLite, while Ctrl-C is heard at once and somebody may see how far it is."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from typing import Final, TypeVar

T = TypeVar("T")
Progress = Callable[[int, int], object]

_TIDYING_SECONDS: Final = 0.5
"""How long interrupted work may take to remove what it has begun."""


def done_with_progress(what: str, work: Callable[[Progress], T]) -> T:
    """Do it, and return what it returns.

    Args:
        what: is counted.
        work: is given what to call with how much is done, and of how much; once interrupted, that call raises.
    """
    is_interrupted = threading.Event()
    outcome: Future[T] = Future()
    with _bar(what) as show:

        def tell(done: int, total: int) -> None:
            if is_interrupted.is_set():
                raise KeyboardInterrupt
            show(done, total)

        # A daemon: a long statement of SQLite does not hear us, and nothing is lost if it is never finished.
        threading.Thread(target=_settle, args=(outcome, work, tell), daemon=True).start()
        try:
            return outcome.result()
        except KeyboardInterrupt:
            is_interrupted.set()
            wait([outcome], timeout=_TIDYING_SECONDS)
            raise


def _settle(outcome: Future[T], work: Callable[[Progress], T], tell: Progress) -> None:
    try:
        outcome.set_result(work(tell))
    except BaseException as problem:
        outcome.set_exception(problem)


@contextmanager
def _bar(what: str) -> Generator[Progress]:
    """A bar on stderr, if anybody is looking."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console  # noqa: PLC0415 - loaded only for a terminal
    from rich.progress import Progress as Bar  # noqa: PLC0415 - see above

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
