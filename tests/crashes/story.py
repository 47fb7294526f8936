"""The programs that live through the crashes, and what each of them has to come to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from zlib import crc32

from actorflow import RetryPolicy, activity, workflow
from actorflow.client import Client
from actorflow.exceptions import ActivityError, ApplicationError, ApplicationErrorCategory
from tests.crashes.ledger import Ledger

SOON = timedelta(milliseconds=2)
LONG = timedelta(minutes=5)
SIGNALS = 6


def work(text: str) -> str:
    """What every activity answers."""
    return f"{crc32(text.encode()):08x}"


class Steps:
    """Activities that note in the ledger when their bodies begin and end."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    @activity.defn
    async def step(self, text: str) -> str:
        """Work, and give others a chance meanwhile."""
        self._note("begin")
        await asyncio.sleep(0)
        self._note("end")
        return work(text)

    @activity.defn
    def thread_step(self, text: str) -> str:
        """Work in a thread."""
        self._note("begin")
        self._note("end")
        return work(text)

    @activity.defn
    async def shaky_step(self, text: str) -> str:
        """Fail at first."""
        self._note("begin")
        if activity.info().attempt < 3:
            raise ApplicationError("not yet", next_retry_delay=SOON, category=ApplicationErrorCategory.BENIGN)
        self._note("end")
        return work(text)

    @activity.defn
    async def once(self, text: str) -> str:
        """What must never run twice."""
        self._note("begin")
        await asyncio.sleep(0.001)
        self._note("end")
        return work(text)

    @property
    def all(self) -> list[Callable[..., Any]]:
        """For a worker."""
        return [self.step, self.thread_step, self.shaky_step, self.once]

    def _note(self, what: str) -> None:
        about = activity.info()
        self._ledger.write(
            what,
            run=about.workflow_run_id,
            workflow=about.workflow_id,
            activity=about.activity_id,
            type=about.activity_type,
            attempt=about.attempt,
        )


def does(step: Callable[..., Any], text: str, **options: Any) -> workflow.ActivityHandle[str]:
    """Start an activity from a workflow."""
    return workflow.start_activity_method(step, args=[text], start_to_close_timeout=LONG, **options)


class Remembers:
    """A workflow that can say what it has come to so far."""

    def __init__(self) -> None:
        self._so_far: list[str] = []

    @workflow.query
    def so_far(self) -> list[str]:
        """What it has come to."""
        return self._so_far


@workflow.defn
class Chain(Remembers):
    """One activity after the other."""

    @workflow.run
    async def run(self, name: str) -> list[str]:
        for number in range(6):
            step = Steps.shaky_step if number % 3 == 1 else Steps.step
            self._so_far.append(await does(step, f"{name}{number}"))
        return self._so_far


@workflow.defn
class Fan(Remembers):
    """Many activities at once, in threads and on the loop."""

    @workflow.run
    async def run(self, name: str) -> list[str]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._one(number, f"{name}{number}")) for number in range(8)]
        self._so_far.extend(task.result() for task in tasks)
        return self._so_far

    async def _one(self, number: int, text: str) -> str:
        return await does(Steps.thread_step if number % 2 else Steps.step, text)


@workflow.defn
class Collector(Remembers):
    """Waits for signals and works on each."""

    def __init__(self) -> None:
        super().__init__()
        self._received: list[str] = []

    @workflow.signal
    def take(self, text: str) -> None:
        """One more."""
        self._received.append(text)

    @workflow.run
    async def run(self, name: str) -> list[str]:
        for number in range(SIGNALS):
            await workflow.wait_condition(lambda wanted=number: len(self._received) > wanted)
            text = self._received[number]
            self._so_far.append(f"{text} {await does(Steps.step, name + text)}")
        return self._so_far


@workflow.defn
class Sleeper(Remembers):
    """Timers, some of which ring and some of which don't."""

    @workflow.run
    async def run(self, name: str) -> list[str]:
        for number in range(3):
            await workflow.sleep(SOON)
            try:
                async with asyncio.timeout(300):
                    self._so_far.append(await does(Steps.step, f"{name}{number}"))
                async with asyncio.timeout(0.003):
                    await workflow.wait_condition(lambda: False)
            except TimeoutError:
                self._so_far.append("late")
        return self._so_far


@workflow.defn
class Cautious(Remembers):
    """Steps that may each run once; whether one was lost is part of the answer."""

    @workflow.run
    async def run(self, name: str) -> list[str]:
        for number in range(4):
            try:
                step = await does(Steps.once, f"{name}{number}", retry_policy=RetryPolicy(maximum_attempts=1))
            except ActivityError as error:
                cause = error.cause
                step = f"{cause.type}: {cause.message}" if isinstance(cause, ApplicationError) else repr(cause)
            self._so_far.append(step)
        return self._so_far


@workflow.defn
class Stubborn(Remembers):
    """Waits to be cancelled, and then cleans up."""

    @workflow.run
    async def run(self, name: str) -> list[str]:
        try:
            await workflow.wait_condition(lambda: False)
        except asyncio.CancelledError:
            for number in range(3):
                self._so_far.append(await does(Steps.step, f"{name}{number}"))
        return self._so_far


WORKFLOWS = [Chain, Fan, Collector, Sleeper, Cautious, Stubborn]
TYPES = {cls.__name__: cls for cls in WORKFLOWS}


@dataclass(frozen=True)
class Part:
    """One workflow of the story, and which calls are made on it."""

    workflow_id: str
    type: str
    signals: tuple[str, ...] = ()
    is_cancelled: bool = False


def parts(copies: int) -> list[Part]:
    """The story: each workflow so many times."""
    return [
        Part(
            f"{cls.__name__.lower()}-{copy}",
            cls.__name__,
            signals=tuple(f"s{number}" for number in range(SIGNALS)) if cls is Collector else (),
            is_cancelled=cls is Stubborn,
        )
        for copy in range(copies)
        for cls in WORKFLOWS
    ]


async def tell(client: Client, ledger: Ledger, known: set[str], part: Part) -> None:
    """Make every call of a part that no earlier life got an answer to, then wait for the end.

    A client that doesn't know the outcome of a call repeats it under the same request id.
    """

    async def call(name: str, made: Callable[[], Awaitable[Any]]) -> None:
        full = f"{part.workflow_id} {name}"
        if full not in known:
            ledger.write("sent", call=full)
            await made()
            ledger.write("acknowledged", call=full)

    handle = client.get_workflow_handle(part.workflow_id)
    await call(
        "start",
        lambda: client.start_workflow(
            part.type, part.workflow_id, id=part.workflow_id, task_queue="q", request_id=f"start {part.workflow_id}"
        ),
    )
    for text in part.signals:
        await call(text, lambda text=text: handle.signal("take", text, request_id=f"{text} {part.workflow_id}"))
    if part.is_cancelled:
        await call("cancel", lambda: handle.cancel(reason="enough"))
    ledger.write("result", workflow=part.workflow_id, result=await handle.result())


def worker_options(ledger: Ledger, executor: Executor, **options: Any) -> dict[str, Any]:
    """What a worker of the story is given."""
    return {"workflows": WORKFLOWS, "activities": Steps(ledger).all, "activity_executor": executor, **options}
