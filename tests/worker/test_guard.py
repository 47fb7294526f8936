"""Workflow code does no I/O: it is refused while a turn runs, wherever in the code, and nowhere else."""

from __future__ import annotations

import asyncio
import gc
import io
import linecache
import logging
import logging.handlers
import os
import pdb
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import traceback
import urllib.request
import warnings
import weakref
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from actorflow import activity, workflow
from actorflow.client import WorkflowHandle, WorkflowQueryFailedError
from actorflow.core import limits
from actorflow.exceptions import ApplicationError, RestrictedWorkflowAccessError, WorkflowParkedError
from actorflow.worker import Replayer, UnsandboxedWorkflowRunner
from actorflow.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from tests.support import a_client, a_place, a_worker, events_of, execute, failure_of, start


@pytest.fixture(autouse=True)
def parks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TURN_FAILURES_BEFORE_PARKING", 1)
    monkeypatch.delenv("ACTORFLOW_DEVELOPMENT", raising=False)


FORBIDDEN: Final[Mapping[str, Callable[[], object]]] = {
    "open": lambda: open("orders.txt"),  # noqa: SIM115 - it must not come to that
    "os.open": lambda: os.open("orders.txt", os.O_RDONLY),
    "pathlib": lambda: Path("orders.txt").write_text("order"),
    "listdir": lambda: os.listdir("."),
    "glob": lambda: list(Path().glob("*.py")),
    "rmtree": lambda: shutil.rmtree("orders"),
    "tempfile": tempfile.NamedTemporaryFile,
    "sqlite": lambda: sqlite3.connect("orders.db"),
    "socket": lambda: socket.create_connection(("127.0.0.1", 1)),
    "urlopen": lambda: urllib.request.urlopen("http://127.0.0.1:1"),
    "subprocess": lambda: subprocess.run([sys.executable, "-c", ""], check=True),
    "system": lambda: os.system("true"),
    "input": input,
}


@workflow.defn
class Tries:
    """Does one forbidden thing in its run."""

    @workflow.run
    async def run(self, what: str) -> str:
        await workflow.sleep(0)
        FORBIDDEN[what]()
        return "done"


@pytest.mark.parametrize("what", FORBIDDEN)
async def test_a_turn_that_does_io_is_refused_and_says_where_and_what_to_do_instead(what: str) -> None:
    async with a_place(Tries) as client:
        with pytest.raises(WorkflowParkedError) as parked:
            await execute(client, Tries.run, what)
    message = str(parked.value)
    assert "RestrictedWorkflowAccessError" in message
    assert "test_guard.py:" in message
    assert "do it in an activity" in message


@workflow.defn
class Everywhere:
    """Opens a file in the place it is told to."""

    @workflow.init
    def __init__(self, place: str) -> None:
        self.is_over = False
        self.place = place
        self.visit("init")

    def visit(self, place: str) -> None:
        if place == self.place:
            Path("orders.txt").read_text()

    def is_ready(self) -> bool:
        self.visit("condition")
        return self.is_over

    @workflow.run
    async def run(self, place: str) -> None:
        await workflow.wait_condition(self.is_ready)

    @workflow.signal
    def end(self) -> None:
        self.visit("signal")
        self.is_over = True

    @workflow.update
    async def change(self) -> None:
        self.visit("update")

    @change.validator
    def judge(self) -> None:
        self.visit("validator")

    @workflow.query
    def ask(self) -> bool:
        self.visit("query")
        return self.is_over


async def signalled(handle: WorkflowHandle[Any, Any]) -> None:
    await handle.signal(Everywhere.end)
    await handle.result()


async def updated(handle: WorkflowHandle[Any, Any]) -> None:
    await handle.execute_update(Everywhere.change)


@pytest.mark.parametrize(
    ("place", "step"),
    [
        ("init", signalled),
        ("condition", signalled),
        ("signal", signalled),
        ("update", updated),
        ("validator", updated),
    ],
)
async def test_no_part_of_a_turn_may_do_io(place: str, step: Callable[[Any], Any]) -> None:
    async with a_place(Everywhere) as client:
        handle = await start(client, Everywhere.run, place)
        with pytest.raises(WorkflowParkedError, match=r"RestrictedWorkflowAccessError: .*orders\.txt"):
            await step(handle)


async def test_a_query_that_does_io_fails_and_leaves_the_workflow_alone() -> None:
    async with a_place(Everywhere) as client:
        handle = await start(client, Everywhere.run, "query")
        with pytest.raises(WorkflowQueryFailedError, match=r"orders\.txt"):
            await handle.query(Everywhere.ask)
        await signalled(handle)


async def test_whoever_catches_a_refusal_does_not_get_past_it() -> None:
    @workflow.defn
    class Catches:
        @workflow.run
        async def run(self) -> str:
            try:
                return Path("orders.txt").read_text()
            except Exception:
                return "nothing"

    async with a_place(Catches) as client:
        with pytest.raises(WorkflowParkedError, match=r"orders\.txt"):
            await execute(client, Catches.run)


async def test_a_refused_run_goes_on_with_repaired_code_and_nothing_is_lost(tmp_path: Path) -> None:
    @workflow.defn(name="Orders")
    class Broken:
        def __init__(self) -> None:
            self.orders: list[str] = []

        @workflow.run
        async def run(self) -> list[str]:
            await workflow.wait_condition(lambda: len(self.orders) == 2)
            return self.orders

        @workflow.signal
        def order(self, name: str) -> None:
            if self.orders:
                (tmp_path / "orders.txt").write_text(name)
            self.orders.append(name)

    @workflow.defn(name="Orders")
    class Repaired:
        def __init__(self) -> None:
            self.orders: list[str] = []

        @workflow.run
        async def run(self) -> list[str]:
            await workflow.wait_condition(lambda: len(self.orders) == 2)
            return self.orders

        @workflow.signal
        def order(self, name: str) -> None:
            self.orders.append(name)

    async with a_client(tmp_path / "j.db") as client:
        async with a_worker(client, workflows=[Broken]):
            handle = await start(client, Broken.run)
            await handle.signal("order", "tea")
            await handle.signal("order", "cake")
            with pytest.raises(WorkflowParkedError):
                await handle.result()
        async with a_worker(client, workflows=[Repaired]):
            assert await client.get_workflow_handle("w").result() == ["tea", "cake"]
    assert not (tmp_path / "orders.txt").exists()


async def test_a_refusal_fails_the_workflow_where_that_is_configured() -> None:
    async with a_place(Tries, workflow_failure_exception_types=[RestrictedWorkflowAccessError]) as client:
        failure = await failure_of(await start(client, Tries.run, "open"))
    assert isinstance(failure, ApplicationError)
    assert failure.type == "RestrictedWorkflowAccessError"


async def test_a_refused_turn_is_in_the_history() -> None:
    async with a_place(Tries) as client:
        handle = await start(client, Tries.run, "open")
        with pytest.raises(WorkflowParkedError):
            await handle.result()
        assert "TurnFailed" in await events_of(handle)


# What stays free


def imports(place: Path) -> None:
    assert __import__("reads_when_imported").CONTENT == "content"


def reads_tracebacks(_place: Path) -> None:
    linecache.clearcache()
    try:
        raise ValueError("why")
    except ValueError:
        assert 'raise ValueError("why")' in traceback.format_exc()


def logs(place: Path) -> None:
    late = logging.FileHandler(place / "late.log", delay=True)
    rotating = logging.handlers.RotatingFileHandler(place / "rotating.log", maxBytes=1, backupCount=1, delay=True)
    logger = workflow.logger.base_logger
    for handler in (late, rotating):
        logger.addHandler(handler)
    try:
        workflow.logger.error("one")
        workflow.logger.error("two")
    finally:
        for handler in (late, rotating):
            logger.removeHandler(handler)
            handler.close()
    with workflow.unsafe.sandbox_unrestricted():
        assert "two" in (place / "rotating.log").read_text()


def warns(_place: Path) -> None:
    linecache.clearcache()
    assert "def warns" in warnings.formatwarning("careful", UserWarning, __file__, warns.__code__.co_firstlineno)


def tells_zones(_place: Path) -> None:
    ZoneInfo.clear_cache()
    assert workflow.now().astimezone(ZoneInfo("Europe/Berlin")).tzname() in ("CET", "CEST")


def debugs(_place: Path) -> None:
    shown = io.StringIO()
    linecache.clearcache()
    pdb.Pdb(stdin=io.StringIO("list\ncontinue\n"), stdout=shown, nosigint=True).set_trace()
    assert "linecache.clearcache()" in shown.getvalue()


class Leftover:
    """Part of a cycle: only the garbage collector ends it."""

    def __init__(self, place: Path) -> None:
        self.itself = self
        self.place = place

    def __del__(self) -> None:
        (self.place / "deleted").touch()


def collects_garbage(place: Path) -> None:
    def told(_phase: str, _about: object) -> None:
        (place / "told").touch()

    weakref.finalize(Leftover(place), (place / "finalized").touch)
    Finalize(Leftover(place), (place / "said good-bye").touch)
    gc.callbacks.append(told)
    try:
        gc.collect()
    finally:
        gc.callbacks.remove(told)
    with workflow.unsafe.sandbox_unrestricted():
        assert {"deleted", "finalized", "said good-bye", "told"} <= {found.name for found in place.iterdir()}


def hears_a_signal(place: Path) -> None:
    def heard(_number: int, _frame: object) -> None:
        (place / "heard").touch()

    before = signal.signal(signal.SIGUSR1, heard)
    try:
        signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    with workflow.unsafe.sandbox_unrestricted():
        assert (place / "heard").exists()


def lets_other_threads_be(place: Path) -> None:
    thread = threading.Thread(target=(place / "by a thread").write_text, args=("written",))
    thread.start()
    thread.join()
    with workflow.unsafe.sandbox_unrestricted():
        assert (place / "by a thread").read_text() == "written"


def lifts(place: Path) -> None:
    assert not workflow.unsafe.is_sandbox_unrestricted()
    with workflow.unsafe.sandbox_unrestricted():
        assert workflow.unsafe.is_sandbox_unrestricted()
        (place / "lifted").touch()
    assert not workflow.unsafe.is_sandbox_unrestricted()


FREE: Final = {
    free.__name__: free
    for free in (
        imports,
        reads_tracebacks,
        logs,
        warns,
        tells_zones,
        debugs,
        collects_garbage,
        hears_a_signal,
        lets_other_threads_be,
        lifts,
    )
}


@workflow.defn
class Does:
    """Does one thing that is free in its run."""

    @workflow.run
    async def run(self, what: str, place: str) -> str:
        FREE[what](Path(place))
        return "done"


@pytest.mark.parametrize("what", FREE)
async def test_what_is_not_the_workflows_io_is_free(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "content.txt").write_text("content")
    (tmp_path / "reads_when_imported.py").write_text(
        "from pathlib import Path\nCONTENT = Path(__file__).with_name('content.txt').read_text()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "reads_when_imported", raising=False)
    async with a_place(Does) as client:
        assert await execute(client, Does.run, what, str(tmp_path)) == "done"


@activity.defn
def write(place: str) -> str:
    Path(place).write_text("by an activity")
    return Path(place).read_text()


@workflow.defn
class Delegates:
    @workflow.run
    async def run(self, place: str) -> str:
        return await workflow.execute_activity(write, place, start_to_close_timeout=timedelta(seconds=5))


async def test_activities_may_do_io(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as threads:
        async with a_place(Delegates, activities=[write], activity_executor=threads) as client:
            assert await execute(client, Delegates.run, str(tmp_path / "f")) == "by an activity"


async def test_a_block_that_lifts_the_guard_lifts_it_for_nobody_else(tmp_path: Path) -> None:
    @workflow.defn
    class Two:
        @workflow.run
        async def run(self) -> None:
            self.has_lifted = False

            async def lift() -> None:
                with workflow.unsafe.sandbox_unrestricted():
                    self.has_lifted = True
                    await workflow.sleep(1)

            async def read() -> None:
                await workflow.wait_condition(lambda: self.has_lifted)
                (tmp_path / "f").read_text()

            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(lift())
                tasks.create_task(read())

    async with a_place(Two) as client:
        with pytest.raises(WorkflowParkedError, match="RestrictedWorkflowAccessError"):
            await execute(client, Two.run)


# Who is not guarded


@workflow.defn(sandboxed=False)
class Unguarded:
    @workflow.run
    async def run(self, place: str) -> str:
        assert workflow.unsafe.is_sandbox_unrestricted()
        return Path(place).read_text()


@workflow.defn
class Reads:
    @workflow.run
    async def run(self, place: str) -> str:
        return Path(place).read_text()


@pytest.fixture
def a_file(tmp_path: Path) -> str:
    (tmp_path / "f").write_text("read")
    return str(tmp_path / "f")


async def test_a_definition_can_do_without_the_guard(a_file: str) -> None:
    async with a_place(Unguarded) as client:
        assert await execute(client, Unguarded.run, a_file) == "read"


@pytest.mark.parametrize(
    "runner",
    [
        UnsandboxedWorkflowRunner(),
        SandboxedWorkflowRunner(SandboxRestrictions.default.with_passthrough_all_modules()),
        SandboxedWorkflowRunner(SandboxRestrictions.default.with_passthrough_modules(__name__.partition(".")[0])),
    ],
)
async def test_a_worker_can_do_without_the_guard(runner: Any, a_file: str) -> None:
    async with a_place(Reads, workflow_runner=runner) as client:
        assert await execute(client, Reads.run, a_file) == "read"


async def test_a_worker_that_lets_other_modules_through_is_guarded(a_file: str) -> None:
    restrictions = SandboxRestrictions.default.with_passthrough_modules("json", f"{__name__}_of_others")
    async with a_place(Reads, workflow_runner=SandboxedWorkflowRunner(restrictions)) as client:
        with pytest.raises(WorkflowParkedError, match="RestrictedWorkflowAccessError"):
            await execute(client, Reads.run, a_file)


async def test_a_replayer_is_as_strict_as_a_worker(a_file: str) -> None:
    async with a_place(Reads, workflow_runner=UnsandboxedWorkflowRunner()) as client:
        handle = await start(client, Reads.run, a_file)
        await handle.result()
        history = await handle.fetch_history()
    await Replayer(workflows=[Reads], workflow_runner=UnsandboxedWorkflowRunner()).replay_workflow(history)
    with pytest.raises(RuntimeError, match="RestrictedWorkflowAccessError"):
        await Replayer(workflows=[Reads]).replay_workflow(history)


async def test_what_a_worker_says_of_a_patch_is_its_own_business(a_file: str) -> None:
    @workflow.defn
    class Patched:
        @workflow.run
        async def run(self) -> str:
            return "new" if workflow.patched("new") else "old"

    def asks(_patch: object) -> bool:
        return Path(a_file).read_text() == "no"

    async with a_place(Patched, patch_activation_callback=asks) as client:
        assert await execute(client, Patched.run) == "old"


async def test_a_program_that_leaves_memory_does_no_io_on_its_way_out(tmp_path: Path) -> None:
    @workflow.defn
    class Tidies:
        @workflow.run
        async def run(self) -> None:
            try:
                await workflow.wait_condition(lambda: False)
            finally:
                (tmp_path / "tidied").touch()

    async with a_place(Tidies) as client:
        handle = await start(client, Tidies.run)
    assert handle.id == "w"
    assert not (tmp_path / "tidied").exists()


def test_a_process_that_only_imports_has_no_hook() -> None:
    program = (
        "import sys, actorflow.worker, actorflow.engine.guard as guard\nsys.exit(guard.install.cache_info().currsize)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
