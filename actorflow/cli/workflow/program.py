"""A user's workflow classes, loaded to rebuild a program from its journal."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from actorflow.cli.exits import CommandError, Exit
from actorflow.client import WorkflowExecutionDescription, WorkflowHistory
from actorflow.converter import DataConverter, ValueConverter
from actorflow.core import events as ev
from actorflow.core.definitions import WORKFLOW_MARK, WorkflowDefinition
from actorflow.core.program.errors import TurnError
from actorflow.engine.execution import Execution
from actorflow.store.protocol import Identity


@dataclass(frozen=True)
class _Code:
    """See `engine.execution.Code`."""

    workflows: Mapping[str, WorkflowDefinition]
    converter: ValueConverter = DataConverter.default.values
    failure_types: tuple[type[BaseException], ...] = field(default=())


def definitions_in(app: str) -> Mapping[str, WorkflowDefinition]:
    """The workflow definitions of a module, by workflow type.

    Args:
        app: a dotted module name, or the path of a Python file; ``:Name`` behind it picks one class.

    Raises:
        CommandError: it can't be loaded, or holds no workflow.
    """
    place, _, name = app.partition(":")
    module = _loaded(place)
    values = [getattr(module, name, None)] if name else list(vars(module).values())
    found = [value for value in values if isinstance(value, type) and WORKFLOW_MARK in vars(value)]
    if not found:
        what = f"{name!r} in {place}" if name else place
        raise CommandError(f"--app: {what} holds no class with @workflow.defn", Exit.USAGE)
    return {definition.name: definition for definition in map(WorkflowDefinition.of, found)}


def _loaded(place: str) -> ModuleType:
    sys.path.insert(0, str(Path.cwd()))
    try:
        return _loaded_file(Path(place)) if place.endswith(".py") else import_module(place)
    except (Exception, SystemExit) as problem:  # whatever the user's module does while it is imported
        raise CommandError(
            f"--app: {place} can't be loaded: {type(problem).__name__}: {problem}", Exit.USAGE
        ) from problem


def _loaded_file(path: Path) -> ModuleType:
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None  # a path that ends with .py always has one
    assert spec.loader is not None
    module = sys.modules[path.stem] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def stack_of(
    about: WorkflowExecutionDescription, history: WorkflowHistory, definitions: Mapping[str, WorkflowDefinition]
) -> str:
    """Where the tasks of an execution wait, from its journal.

    Raises:
        CommandError: its class is not there, it has not begun, or its journal does not replay with this code.
    """
    if about.workflow_type not in definitions:
        known = ", ".join(sorted(definitions))
        raise CommandError(f"--app holds {known}, but workflow {about.id!r} is a {about.workflow_type!r}", Exit.USAGE)
    started = history.turns[0].events[0] if history.turns else None
    if not isinstance(started, ev.Started):
        raise CommandError(f"workflow {about.id!r} has not begun: it waits for a worker", Exit.FAILED)
    identity = Identity(
        key=0,
        namespace=about.namespace,
        workflow_id=about.id,
        run_id=about.run_id,
        workflow_type=about.workflow_type,
        task_queue=about.task_queue,
        started_at=about.start_time,
    )
    execution = Execution(identity, turns=history.turns)
    try:
        return execution.program_on(_Code(definitions), started).stack_trace()
    except TurnError as problem:
        raise CommandError(
            f"the journal of {about.id!r} does not replay with this code: {problem.cause}", Exit.FAILED
        ) from problem
    finally:
        execution.tear_down()
