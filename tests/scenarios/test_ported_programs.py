"""Programs in the style of the public SDK's users: nothing but the import root is ours."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest

from actorflow import activity, workflow
from actorflow.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowUpdateFailedError,
    WorkflowUpdateStage,
)
from actorflow.common import RawValue, RetryPolicy, WorkflowIDConflictPolicy
from actorflow.exceptions import ActivityError, ApplicationError, CancelledError, is_cancelled_exception
from tests.support import a_client, a_worker, execute, failure_of, start

SOON = timedelta(seconds=5)
ONCE = RetryPolicy(maximum_attempts=1)


@activity.defn
async def greet(name: str) -> str:
    return f"hello {name}"


@activity.defn
def greet_in_a_thread(name: str) -> str:
    return f"HELLO {name}"


@activity.defn
async def refuse(what: str) -> str:
    raise ApplicationError(what, {"code": 7}, type="Refused", non_retryable=True)


@activity.defn
async def hang(name: str) -> str:
    while True:
        activity.heartbeat(name)
        await asyncio.sleep(0.01)


class Language(IntEnum):
    ENGLISH = 1
    FRENCH = 2
    ITALIAN = 3


@dataclass
class Approval:
    name: str
    notes: list[str] = field(default_factory=list[str])


@workflow.defn
class Greeting:
    """A message loop with a validator, a lock around an activity, and a clean end."""

    def __init__(self) -> None:
        self.greetings = {Language.ENGLISH: "Hello", Language.FRENCH: "Bonjour"}
        self.language = Language.ENGLISH
        self.lock = asyncio.Lock()
        self.approval: Approval | None = None

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self.approval is not None)
        await workflow.wait_condition(workflow.all_handlers_finished)
        assert self.approval is not None
        return f"{self.greetings[self.language]} from {self.approval.name}"

    @workflow.query
    def languages(self) -> list[Language]:
        return sorted(self.greetings)

    @workflow.signal
    def approve(self, approval: Approval) -> None:
        self.approval = approval

    @workflow.update
    def set_language(self, language: Language) -> Language:
        before, self.language = self.language, language
        return before

    @set_language.validator
    def check_language(self, language: Language) -> None:
        if language not in self.greetings:
            raise ValueError(f"{language.name} is not supported")

    @workflow.update
    async def learn(self, language: Language) -> Language:
        async with self.lock:
            if language not in self.greetings:
                self.greetings[language] = await workflow.execute_activity(
                    greet, language.name, start_to_close_timeout=SOON
                )
            before, self.language = self.language, language
        return before


@workflow.defn
class Saga:
    """Compensations in reverse order, also when it is cancelled."""

    def __init__(self) -> None:
        self.is_booked = False

    @workflow.update
    async def until_booked(self) -> None:
        await workflow.wait_condition(lambda: self.is_booked)

    @workflow.run
    async def run(self, ends: str) -> list[str]:
        compensations: list[str] = []
        done: list[str] = []

        async def step(name: str) -> None:
            done.append(await workflow.execute_activity(greet, name, start_to_close_timeout=SOON))
            compensations.append(f"undo {name}")

        async def compensate() -> None:
            names = reversed(compensations)
            done.extend([await workflow.execute_activity(greet, name, start_to_close_timeout=SOON) for name in names])

        try:
            await step("flight")
            await step("hotel")
            self.is_booked = True
            if ends == "badly":
                await workflow.execute_activity(refuse, "car", start_to_close_timeout=SOON, retry_policy=ONCE)
            await workflow.sleep(timedelta(hours=1))
        except ActivityError:
            await compensate()
        except asyncio.CancelledError:
            await asyncio.shield(compensate())
            raise ApplicationError("cancelled", *done, type="Compensated") from None
        return done


@workflow.defn
class Pipeline:
    """A bounded queue between signals and several consumers."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[int | None] = asyncio.Queue(maxsize=2)

    @workflow.signal
    async def push(self, item: int | None) -> None:
        await self.queue.put(item)

    @workflow.run
    async def run(self) -> list[int]:
        done: list[int] = []

        async def consume() -> None:
            while (item := await self.queue.get()) is not None:
                await workflow.sleep(0.001)
                done.append(item * 10)
            await self.queue.put(None)

        await asyncio.gather(*(consume() for _ in range(3)))
        return sorted(done)


@workflow.defn
class Account:
    """Lazily made by its first update, which waits until it is ready."""

    @workflow.init
    def __init__(self, owner: str, limit: int = 100) -> None:
        self.owner = owner
        self.limit = limit
        self.total = 0
        self.is_ready = self.is_closed = False

    @workflow.run
    async def run(self, owner: str, limit: int = 100) -> str:
        await workflow.execute_activity(greet, owner, start_to_close_timeout=SOON)
        self.is_ready = True
        await workflow.wait_condition(lambda: self.is_closed and workflow.all_handlers_finished())
        return f"{self.owner}: {self.total}"

    @workflow.update
    async def add(self, amount: int) -> int:
        await workflow.wait_condition(lambda: self.is_ready)
        if self.total + amount > self.limit:
            raise ApplicationError("over the limit", self.limit, type="Limit")
        self.total += amount
        return self.total

    @workflow.signal(name="close account")
    def close(self) -> None:
        self.is_closed = True


@workflow.defn
class Timeouts:
    """Every way to give up waiting."""

    @workflow.run
    async def run(self) -> list[str]:
        seen: list[str] = []
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.gather(workflow.sleep(60), asyncio.sleep(90)), timeout=0.01)
            seen.append("never")
        try:
            async with asyncio.timeout(0.01):
                try:
                    await workflow.wait_condition(lambda: False)
                finally:
                    seen.append(await workflow.execute_activity(greet, "finally", start_to_close_timeout=SOON))
        except TimeoutError:
            seen.append("timeout")
        for patience in (0, 0.01, timedelta(milliseconds=1)):
            try:
                await workflow.wait_condition(lambda: False, timeout=patience)
            except TimeoutError:
                seen.append("condition")
        try:
            await asyncio.wait_for(
                workflow.execute_activity(hang, "x", start_to_close_timeout=SOON, heartbeat_timeout=SOON), 0.01
            )
        except (TimeoutError, ActivityError) as problem:
            seen.append("cancelled" if is_cancelled_exception(problem) else "timeout")
        done, pending = await workflow.wait(
            [asyncio.create_task(asyncio.sleep(0.001)), asyncio.create_task(asyncio.sleep(60))],
            return_when=asyncio.FIRST_COMPLETED,
        )
        seen.append(f"{len(done)} done, {len(pending)} pending")
        for task in pending:
            task.cancel()
        return seen


@workflow.defn
class Groups:
    """A failing member of a task group, turned into a failure of the workflow."""

    @workflow.run
    async def run(self, fails: bool) -> list[str]:
        failed: ActivityError | None = None
        tasks: list[asyncio.Task[str]] = []
        try:
            async with asyncio.TaskGroup() as group:
                tasks.append(group.create_task(workflow.execute_activity(greet, "a", start_to_close_timeout=SOON)))
                tasks.append(
                    group.create_task(workflow.execute_activity(greet_in_a_thread, "b", start_to_close_timeout=SOON))
                )
                if fails:
                    tasks.append(group.create_task(self.refuse_soon()))
        except* ActivityError as problems:
            (failed,) = [problem for problem in problems.exceptions if isinstance(problem, ActivityError)]
        if failed is not None:
            raise ApplicationError("a member failed", type="Member") from failed
        return [task.result() for task in tasks]

    async def refuse_soon(self) -> str:
        return await workflow.execute_activity(refuse, "member", start_to_close_timeout=SOON)


@workflow.defn
class Cleans:
    """Waits in several ways, and cleans up with an activity whichever it is cancelled in."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    @workflow.run
    async def run(self, waits: str) -> None:
        try:
            self.seen.append("waits")
            match waits:
                case "condition":
                    await workflow.wait_condition(lambda: False)
                case "activity":
                    await workflow.execute_activity(
                        hang,
                        "x",
                        start_to_close_timeout=timedelta(minutes=1),
                        heartbeat_timeout=SOON,
                        cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
                    )
                case "group":
                    async with asyncio.TaskGroup() as group:
                        group.create_task(asyncio.sleep(60))
                        group.create_task(workflow.sleep(60))
                case _:
                    await asyncio.sleep(60)
        finally:
            self.seen.append(await workflow.execute_activity(greet, "cleaner", start_to_close_timeout=SOON))
            self.seen.append(workflow.cancellation_reason() or "no reason")

    @workflow.query
    def so_far(self) -> list[str]:
        return self.seen

    @workflow.update
    async def until_waiting(self) -> None:
        await workflow.wait_condition(lambda: bool(self.seen))


@workflow.defn
class Polls:
    """Asks until the answer is the one it wants."""

    @workflow.run
    async def run(self) -> list[Any]:
        seen: list[Any] = []
        while len(seen) < 3:
            try:
                await workflow.execute_activity(refuse, "not yet", schedule_to_close_timeout=SOON)
            except ActivityError as problem:
                cause = problem.cause
                seen.append([problem.activity_type, *(cause.details if isinstance(cause, ApplicationError) else ())])
                await asyncio.sleep(0.001)
        return seen


@workflow.defn
class Everything:
    """Handlers that are set while it runs, beside dynamic ones, sync and async."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        async def shout(text: str) -> str:
            await workflow.sleep(0.001)
            return text.upper()

        def check(text: str) -> None:
            if not text:
                raise ApplicationError("nothing to shout", type="Empty")

        workflow.set_update_handler("shout", shout, validator=check)
        workflow.set_query_handler("count", lambda: len(self.seen))
        workflow.set_signal_handler("quiet", lambda text: self.seen.append(f"quiet {text}"))
        await workflow.wait_condition(lambda: "bye" in self.seen)
        return self.seen

    @workflow.signal(dynamic=True)
    async def anything(self, name: str, args: Sequence[RawValue]) -> None:
        await asyncio.sleep(0)
        self.seen.append(name)


@pytest.fixture(params=[None, 0], ids=["resident", "rebuilt"])
async def client(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Client]:
    options: dict[str, Any] = {} if request.param is None else {"max_cached_workflows": request.param}
    with ThreadPoolExecutor(2) as threads:
        async with (
            asyncio.timeout(20),
            a_client(tmp_path / "j.db") as client,
            a_worker(
                client,
                workflows=[Greeting, Saga, Pipeline, Account, Timeouts, Groups, Cleans, Polls, Everything],
                activities=[greet, greet_in_a_thread, refuse, hang],
                activity_executor=threads,
                **options,
            ),
        ):
            yield client


async def test_messages_with_validators_locks_and_a_clean_end(client: Client) -> None:
    handle = await start(client, Greeting.run)
    assert await handle.query(Greeting.languages) == [Language.ENGLISH, Language.FRENCH]
    assert await handle.execute_update(Greeting.set_language, Language.FRENCH) is Language.ENGLISH
    with pytest.raises(WorkflowUpdateFailedError) as rejected:
        await handle.execute_update(Greeting.set_language, Language.ITALIAN)
    assert str(rejected.value.cause) == "ValueError: ITALIAN is not supported"
    learning = await handle.start_update(Greeting.learn, Language.ITALIAN, wait_for_stage=WorkflowUpdateStage.ACCEPTED)
    await handle.signal(Greeting.approve, Approval("Ada"))
    assert await learning.result() is Language.FRENCH
    assert await handle.result() == "hello ITALIAN from Ada"


async def test_a_saga_compensates_in_reverse_order_when_a_step_fails(client: Client) -> None:
    done = ["hello flight", "hello hotel", "hello undo hotel", "hello undo flight"]
    assert await execute(client, Saga.run, "badly") == done


async def test_a_cancelled_saga_compensates_behind_a_shield(client: Client) -> None:
    handle = await start(client, Saga.run, "well")
    await handle.execute_update(Saga.until_booked)
    await handle.cancel()
    cause = await failure_of(handle)
    assert isinstance(cause, ApplicationError)
    assert cause.type == "Compensated"
    assert cause.details == ("hello flight", "hello hotel", "hello undo hotel", "hello undo flight")


async def test_a_bounded_queue_between_signals_and_consumers_loses_nothing(client: Client) -> None:
    handle = await start(client, Pipeline.run)
    for item in [*range(8), None]:
        await handle.signal(Pipeline.push, item)
    assert await handle.result() == [item * 10 for item in range(8)]


async def test_an_account_is_made_by_its_first_update(client: Client) -> None:
    for amount, total in ((60, 60), (30, 90)):
        operation = WithStartWorkflowOperation(
            Account.run,
            "Ada",
            id="account",
            task_queue="q",
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
        got = await client.execute_update_with_start_workflow(Account.add, amount, start_workflow_operation=operation)
        assert got == total
    handle = client.get_workflow_handle_for(Account.run, "account")
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await handle.execute_update(Account.add, 20)
    cause = refused.value.cause
    assert isinstance(cause, ApplicationError)
    assert (cause.type, cause.details) == ("Limit", (100,))
    await handle.signal(Account.close)
    assert await handle.result() == "Ada: 90"


async def test_every_way_to_give_up_waiting(client: Client) -> None:
    assert await execute(client, Timeouts.run) == [
        "hello finally",
        "timeout",
        *["condition"] * 3,
        "cancelled",
        "1 done, 1 pending",
    ]


async def test_members_of_a_task_group_give_their_results(client: Client) -> None:
    assert await execute(client, Groups.run, False) == ["hello a", "HELLO b"]


async def test_a_member_of_a_task_group_that_fails_can_fail_the_workflow(client: Client) -> None:
    cause = await failure_of(await start(client, Groups.run, True))
    assert isinstance(cause, ApplicationError)
    assert isinstance(cause.cause, ActivityError)
    assert str(cause.cause.cause) == "Refused: member"


@pytest.mark.parametrize("waits", ["condition", "activity", "group", "sleep"])
async def test_a_cancelled_workflow_cleans_up_with_an_activity(client: Client, waits: str) -> None:
    handle = await start(client, Cleans.run, waits)
    await handle.execute_update(Cleans.until_waiting)
    await handle.cancel(reason="enough")
    with pytest.raises(WorkflowFailureError) as cancelled:
        await handle.result()
    assert isinstance(cancelled.value.cause, CancelledError)
    assert (await handle.describe()).status == WorkflowExecutionStatus.CANCELED
    assert await handle.query(Cleans.so_far) == ["waits", "hello cleaner", "enough"]


async def test_a_poll_goes_on_after_each_refusal(client: Client) -> None:
    assert await execute(client, Polls.run) == [["refuse", {"code": 7}]] * 3


async def test_handlers_set_at_run_time_stand_beside_dynamic_ones(client: Client) -> None:
    handle = await start(client, Everything.run)
    assert await handle.execute_update("shout", "hey") == "HEY"
    with pytest.raises(WorkflowUpdateFailedError, match="Workflow update failed") as rejected:
        await handle.execute_update("shout", "")
    assert str(rejected.value.cause) == "Empty: nothing to shout"
    await handle.signal("quiet", "please")
    await handle.signal("hello")
    assert await handle.query("count") == 2
    await handle.signal("bye")
    assert await handle.result() == ["quiet please", "hello", "bye"]


async def test_what_was_sent_before_there_was_a_worker_is_handled_before_the_first_line(tmp_path: Path) -> None:
    async with asyncio.timeout(20), a_client(tmp_path / "j.db") as client:
        handle = await start(client, Everything.run)
        await handle.signal("first")
        await handle.signal("quiet", "too early")
        await handle.cancel()
        async with a_worker(client, workflows=[Everything]):
            with pytest.raises(WorkflowFailureError):
                await handle.result()
            assert await handle.query("count") == 2
