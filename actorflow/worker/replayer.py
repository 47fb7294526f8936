"""Recorded histories run against today's code, without an engine and without a journal: does it still replay?"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Unpack

from actorflow.client import WorkflowHistory
from actorflow.client.data import check_converter
from actorflow.client.interceptor import check_instances
from actorflow.converter import DataConverter, ValueConverter
from actorflow.core import events as ev
from actorflow.core.definitions import DYNAMIC, WorkflowDefinition
from actorflow.core.journal import Turn
from actorflow.core.program.errors import NondeterminismError, TurnError
from actorflow.engine.codecs import read
from actorflow.engine.execution import Execution, extra_failure_types
from actorflow.exceptions import CodecError
from actorflow.store.protocol import Identity
from actorflow.worker.config import ReplayerConfig, check_failure_types
from actorflow.worker.guarding import guarded, install_guard
from actorflow.worker.interceptor import Interceptor
from actorflow.worker.plugin import Plugin, replaying_through
from actorflow.worker.ported import PortedOptions, check_ported
from actorflow.worker.worker import workflows_by_name
from actorflow.worker.workflow_interception import intercepting


@dataclass(frozen=True)
class WorkflowReplayResult:
    """How one replay went; ``replay_failure`` is None if the code asked for just what it had asked for then."""

    history: WorkflowHistory
    replay_failure: Exception | None


@dataclass(frozen=True)
class WorkflowReplayResults:
    """What went wrong in several replays, by run id."""

    replay_failures: Mapping[str, Exception]


@dataclass(frozen=True)
class _Code:
    """See `engine.execution.Code`."""

    workflows: Mapping[str, WorkflowDefinition]
    converter: ValueConverter
    failure_types: tuple[type[BaseException], ...]


class Replayer:
    """Replays histories of open and closed runs; nothing is performed, and nothing is written.

    Args:
        workflows: classes with ``@workflow.defn``.
        namespace: what `workflow.info` says.
        data_converter: as the client had it; its codec decodes the histories (as those of ``namespace``).
        workflow_failure_exception_types: as the worker had them.
        interceptors: as client and worker had them, outermost first; those of activities are not asked.
        plugins: may change how the replayer is made and run.
        identity: accepted for ported programs.
        ported: as of a `Worker`.

    Raises:
        TypeError: something is not decorated, or an interceptor or a plugin is none.
        ValueError: no workflow was given, or two have one name.
    """

    def __init__(
        self,
        *,
        workflows: Sequence[type],
        namespace: str = "ReplayNamespace",
        data_converter: DataConverter = DataConverter.default,
        workflow_failure_exception_types: Sequence[type[BaseException]] = (),
        interceptors: Sequence[Interceptor] | None = (),
        plugins: Sequence[Plugin] | None = (),
        identity: str | None = None,
        **ported: Unpack[PortedOptions],
    ) -> None:
        check_ported("Replayer", ported)
        interceptors, plugins = interceptors or (), plugins or ()
        config = ReplayerConfig(
            workflows=workflows,
            namespace=namespace,
            data_converter=data_converter,
            workflow_failure_exception_types=workflow_failure_exception_types,
            interceptors=interceptors,
            plugins=plugins,
            identity=identity,
            **ported,
        )
        check_instances("plugins", plugins, Plugin, "actorflow.worker.Plugin")
        self._given_config = config.copy()
        self._plugins = plugins
        for plugin in plugins:
            config = plugin.configure_replayer(config)
        self._active_config = config
        self._set_up(**config)

    def _set_up(
        self,
        *,
        workflows: Sequence[type],
        namespace: str = "ReplayNamespace",
        data_converter: DataConverter = DataConverter.default,
        workflow_failure_exception_types: Sequence[type[BaseException]] = (),
        interceptors: Sequence[Interceptor] | None = (),
        plugins: Sequence[Plugin] | None = (),
        identity: str | None = None,
        **ported: Unpack[PortedOptions],
    ) -> None:
        check_ported("Replayer", ported)
        if not workflows:
            raise ValueError("At least one workflow must be specified")
        check_converter(data_converter)
        check_failure_types(workflow_failure_exception_types)
        self._namespace = namespace
        self._coder = data_converter.coder
        interceptors = interceptors or ()
        check_instances("interceptors", interceptors, Interceptor, "actorflow.worker.Interceptor")
        definitions = guarded(workflows_by_name(workflows), ported.get("workflow_runner"))
        self._code = _Code(
            intercepting(definitions, interceptors),
            data_converter.values,
            tuple(workflow_failure_exception_types),
        )

    def config(self, *, active_config: bool = False) -> ReplayerConfig:
        """What makes another replayer like this one; see `Worker.config`."""
        return (self._active_config if active_config else self._given_config).copy()

    async def replay_workflow(
        self, history: WorkflowHistory, *, raise_on_replay_failure: bool = True
    ) -> WorkflowReplayResult:
        """Replay one history.

        Args:
            history: from `WorkflowHandle.fetch_history`, or read by `WorkflowHistory.from_json`.
            raise_on_replay_failure: raise what went wrong instead of returning it.

        Raises:
            NondeterminismError: the code asks for something else than the history says; it names event and line.
            RuntimeError: the workflow type is not registered here, or the code raised what fails a turn (its cause).
            CodecError: the codec can't decode the history.
        """
        async with self.workflow_replay_iterator(_only(history)) as results:
            async for result in results:
                if result.replay_failure is not None and raise_on_replay_failure:
                    raise result.replay_failure
                return result
        raise RuntimeError(f"a plugin has swallowed the replay of workflow {history.workflow_id!r}; let it pass it on")

    async def replay_workflows(
        self, histories: AsyncIterator[WorkflowHistory], *, raise_on_replay_failure: bool = True
    ) -> WorkflowReplayResults:
        """Replay several histories, such as `Client.list_workflows(…).map_histories()` gives.

        Args:
            histories: in any order.
            raise_on_replay_failure: raise the first thing that goes wrong instead of going on.

        Raises:
            NondeterminismError, RuntimeError: see `replay_workflow`.
        """
        failures: dict[str, Exception] = {}
        async with self.workflow_replay_iterator(histories) as results:
            async for result in results:
                if result.replay_failure is None:
                    continue
                if raise_on_replay_failure:
                    raise result.replay_failure
                failures[result.history.run_id] = result.replay_failure
        return WorkflowReplayResults(failures)

    def workflow_replay_iterator(
        self, histories: AsyncIterator[WorkflowHistory]
    ) -> AbstractAsyncContextManager[AsyncIterator[WorkflowReplayResult]]:
        """Replay several histories one by one: ``async with`` it, and go through the results with ``async for``."""
        return replaying_through(self._plugins, Replayer.results_of)(self, histories)

    @asynccontextmanager
    async def results_of(
        self, histories: AsyncIterator[WorkflowHistory]
    ) -> AsyncGenerator[AsyncIterator[WorkflowReplayResult], None]:
        """Replay several histories one by one, without the plugins: what they end with."""
        results = self._replayed(histories)
        try:
            yield results
        finally:
            await results.aclose()

    async def _replayed(self, histories: AsyncIterator[WorkflowHistory]) -> AsyncGenerator[WorkflowReplayResult, None]:
        async for history in histories:
            yield WorkflowReplayResult(history, await self._failure_of(history))

    async def _failure_of(self, history: WorkflowHistory) -> Exception | None:
        started = _started(history.turns)
        if started is None:
            return None  # nothing of it has run yet
        if started.workflow_type not in self._code.workflows and DYNAMIC not in self._code.workflows:
            known = ", ".join(sorted(self._code.workflows))
            return RuntimeError(
                f"Workflow type {started.workflow_type} is not registered with this replayer, which knows {known}; "
                "add its class to workflows"
            )
        identity = self._identity(history, started)
        install_guard(self._code.workflows)
        turns = history.turns
        if self._coder is not None:
            try:
                turns = (await read(self._coder, identity, turns, (), {})).turns
            except CodecError as problem:
                return problem
            started = _started(turns) or started
        execution = Execution(identity, turns=turns, has_unseen=False)
        try:
            execution.program_on(self._code, started)
        except TurnError as problem:
            if _is_recorded(history, problem.cause, extra_failure_types(self._code, identity)):
                return None
            return _replay_failure(history, problem)
        finally:
            execution.tear_down()
        return None

    def _identity(self, history: WorkflowHistory, started: ev.Started) -> Identity:
        return Identity(
            key=0,
            namespace=self._namespace,
            workflow_id=history.workflow_id,
            run_id=history.run_id,
            workflow_type=started.workflow_type,
            task_queue=started.task_queue,
            started_at=history.start_time or history.turns[0].at,
        )


async def _only(history: WorkflowHistory) -> AsyncIterator[WorkflowHistory]:
    yield history


def _started(turns: Sequence[Turn]) -> ev.Started | None:
    events = [event for turn in turns for event in turn.events]
    return next((event for event in events if isinstance(event, ev.Started)), None)


def _is_recorded(
    history: WorkflowHistory, cause: BaseException, failure_types: tuple[type[BaseException], ...]
) -> bool:
    """True if the run failed, as it was told to, with what its code raised outside its own control, and does again."""
    close = history.turns[-1].events[-1]
    if isinstance(cause, NondeterminismError) or not isinstance(cause, failure_types):
        return False
    return isinstance(close, ev.Failed) and close.failure.type == type(cause).__name__


def _replay_failure(history: WorkflowHistory, problem: TurnError) -> Exception:
    cause = problem.cause
    if isinstance(cause, NondeterminismError):
        return cause
    failure = RuntimeError(
        f"the code of workflow {history.workflow_id!r} (run {history.run_id}) raised {type(cause).__name__} on replay: "
        f"{problem}"
    )
    failure.__cause__ = cause
    return failure
