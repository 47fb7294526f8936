"""Activities that run in processes; children import this module, so it is small."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from actorflow import activity
from actorflow.exceptions import ApplicationError


class Fifo:
    """A named pipe, by which a test and a child wait for each other without asking again and again."""

    def __init__(self, path: str) -> None:
        self.path = path

    def make(self) -> Fifo:
        os.mkfifo(self.path)
        return self

    def pass_on(self, text: str = "go") -> None:
        """Hand a text to whoever waits, or comes next."""
        Path(self.path).write_text(text, encoding="utf-8")

    def wait(self) -> str:
        """Wait for a text."""
        return Path(self.path).read_text(encoding="utf-8")


@activity.defn
def where() -> list[Any]:
    about = activity.info()
    return [os.getpid(), about.activity_type, about.workflow_id, activity.in_activity()]


@activity.defn
def decodes() -> Any:
    converter = activity.payload_converter()
    return converter.from_payload(converter.to_payload({"a": 1}))


@activity.defn
def raises() -> None:
    try:
        raise KeyError("inner")
    except KeyError as inner:
        raise ApplicationError("outer", {"n": 1}, type="Odd", non_retryable=True) from inner


@activity.defn
def beats(word: str) -> list[Any]:
    """Fails at first; then gives what the attempt before has said."""
    activity.heartbeat(word)
    if activity.info().attempt == 1:
        raise ApplicationError("once more")
    return list(activity.info().heartbeat_details)


class Unpicklable(Exception):
    def __init__(self, left: str, right: str) -> None:
        super().__init__(f"{left} and {right}")


@activity.defn
def raises_what_can_not_be_sent() -> None:
    raise Unpicklable("this", "that")


@activity.defn
def returns_what_can_not_be_sent() -> Callable[[], None]:
    return lambda: None


@activity.defn
def beats_and_fails() -> list[Any]:
    details = list(activity.info().heartbeat_details)
    if details:
        return details
    for number in range(20):
        activity.heartbeat("step", number)
    raise ValueError("again")


@activity.defn
def beats_badly() -> None:
    activity.heartbeat({1, 2, complex(1, 2)})


@activity.defn
def waits_for_cancel(began: str) -> list[Any]:
    activity.heartbeat()
    Fifo(began).pass_on()
    activity.wait_for_cancelled_sync()
    return [activity.is_cancelled(), activity.is_worker_shutdown()]


@activity.defn
def waits_for_shutdown(began: str) -> list[Any]:
    Fifo(began).pass_on()
    activity.wait_for_worker_shutdown_sync()
    return [activity.is_cancelled(), activity.is_worker_shutdown()]


@activity.defn
def hangs(began: str) -> None:
    Fifo(began).pass_on(str(os.getpid()))
    signal.pause()


@activity.defn
def passes(begin: str, go_on: str) -> int:
    """Says its process id, waits, and returns its attempt."""
    Fifo(begin).pass_on(str(os.getpid()))
    Fifo(go_on).wait()
    return activity.info().attempt


@activity.defn
def dies_once() -> int:
    if activity.info().attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return activity.info().attempt


@activity.defn
def leaves_open() -> None:
    activity.raise_complete_async()


@activity.defn
def exits() -> None:
    raise SystemExit(3)
