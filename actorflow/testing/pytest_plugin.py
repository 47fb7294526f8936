"""Fixtures for pytest, beside the plugin of anyio or pytest-asyncio, whichever runs the test.

Loaded with every pytest of an environment in which actorflow is installed: so it imports nothing but pytest until a
fixture is used.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator, Callable, Generator
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from actorflow.testing.environment import WorkflowEnvironment
    from actorflow.testing.recorded import RecordedHistory
    from actorflow.worker import Worker

TASK_QUEUE: Final = "actorflow-test"
"""Where the client of `actorflow_env` starts workflows, and what workers of `actorflow_worker` serve by default."""

_RECORDED: Final = "actorflow_recorded"
_journal: Final = pytest.StashKey[Path]()
_has_failed: Final = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """See pytest."""
    parser.getgroup("actorflow").addoption(
        "--actorflow-record",
        action="store_true",
        help="record the histories of `actorflow_history` anew, instead of replaying those that were recorded",
    )


# The environment

Starts = Callable[[pytest.FixtureRequest], "AsyncGenerator[WorkflowEnvironment]"]


def _environment() -> Starts:
    """The fixture's function, a new one each time: each plugin that runs coroutines leaves its marks on it."""

    async def actorflow_env(request: pytest.FixtureRequest) -> AsyncGenerator[WorkflowEnvironment]:
        """A test environment that skips time, shut down with the test; a `WorkflowEnvironment`.

        Its client needs no ``task_queue`` to start workflows. Its journal is in memory; together with
        `actorflow_journal` it is in that file.
        """
        from actorflow.testing.environment import WorkflowEnvironment  # noqa: PLC0415 - see the module's head

        names = request.fixturenames
        file = str(request.getfixturevalue("actorflow_journal")) if "actorflow_journal" in names else None
        async with await WorkflowEnvironment.start_time_skipping(
            task_queue=TASK_QUEUE, db_filename=file
        ) as environment:
            yield environment

    return actorflow_env


_plain = _environment()
_marked = _environment()
actorflow_env = pytest.fixture(_marked)


def pytest_configure(config: pytest.Config) -> None:
    """Mark the environment's fixture for pytest-asyncio, which in its strict mode runs no other."""
    if config.pluginmanager.hasplugin("asyncio"):
        import pytest_asyncio  # noqa: PLC0415 - only where it is installed

        pytest_asyncio.fixture(_marked)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Let the plugin that runs the test run the environment's fixture, so that both are on one event loop."""
    definition: Any = fixturedef
    if definition.func is not _marked:
        return (yield)
    if "anyio_backend" in request.fixturenames:
        definition.func = _plain  # anyio takes every asynchronous fixture of its tests, pytest-asyncio only marked ones
    elif not request.config.pluginmanager.hasplugin("asyncio"):
        definition.func = _refuse
    try:
        return (yield)
    finally:
        definition.func = _marked


def _refuse(request: pytest.FixtureRequest) -> None:
    pytest.fail(
        f"{request.node.name} uses actorflow_env, which lives on an event loop, and no plugin runs this test on one: "
        "mark it with @pytest.mark.anyio (or set anyio_mode), or install pytest-asyncio",
        pytrace=False,
    )


# Workers


@pytest.fixture
def actorflow_worker(actorflow_env: WorkflowEnvironment) -> Generator[Callable[..., Worker]]:
    """Makes workers of the environment: ``async with actorflow_worker(workflows=[Order], activities=[charge]):``.

    It takes what `actorflow.worker.Worker` takes. By default a worker serves the task queue on which the environment's
    client starts workflows, and runs sync activities in threads of its own.
    """
    from actorflow.core import limits  # noqa: PLC0415 - see the module's head
    from actorflow.pool.threads import DaemonThreads  # noqa: PLC0415
    from actorflow.worker import Worker  # noqa: PLC0415

    executor = DaemonThreads(limits.ACTIVITIES_CONCURRENT_MAX, "actorflow-test-activity")

    def make(**options: Any) -> Worker:
        options.setdefault("task_queue", TASK_QUEUE)
        options.setdefault("activity_executor", executor)
        return Worker(actorflow_env.client, **options)

    yield make
    executor.shutdown(wait=False, cancel_futures=True)


# Recorded histories


@pytest.fixture
def actorflow_history(request: pytest.FixtureRequest) -> RecordedHistory:
    """Keeps the history of a run beside the test, and replays it whenever the test runs; see `RecordedHistory`."""
    from actorflow.testing.recorded import RecordedHistory  # noqa: PLC0415 - see the module's head

    node = request.node

    def recorded(path: Path) -> None:
        node.user_properties.append((_RECORDED, str(path)))

    folder = node.path.parent / "histories" / node.path.stem
    return RecordedHistory(folder, node.name, recorded, is_anew=bool(request.config.getoption("--actorflow-record")))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say which histories are new, also those of other processes: they should be committed."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    properties = [known for report in reports for known in getattr(report, "user_properties", ())]
    recorded = sorted({str(path) for name, path in properties if name == _RECORDED})
    if recorded:
        terminalreporter.section("actorflow: histories were recorded; commit them, later runs replay them")
        for path in recorded:
            terminalreporter.write_line(path)


# Journals


@pytest.fixture
def actorflow_journal(request: pytest.FixtureRequest) -> Path:
    """A file for a journal, gone after the test; if the test fails it is kept, and the report says where."""
    folder = Path(mkdtemp(prefix="actorflow-journal-"))
    request.node.stash[_journal] = folder
    return folder / "journal.db"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the journal of a test that failed, in whichever phase, and remove that of any other."""
    report = yield
    folder = item.stash.get(_journal, None)
    if folder is None:
        return report
    if report.failed and (folder / "journal.db").exists():
        item.stash[_has_failed] = True
        file = folder / "journal.db"
        report.sections.append(("actorflow journal", f"kept: {file}\nlook: actorflow workflow list --db {file}"))
    if report.when == "teardown" and not item.stash.get(_has_failed, False):
        shutil.rmtree(folder, ignore_errors=True)
    return report
