"""How strict a worker is with workflow code: what it was told, the environment, and whether this is a test."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from itertools import repeat
from typing import Final, TypeVar

from actorflow.core import limits
from actorflow.core.definitions import WorkflowDefinition
from actorflow.core.guard import Guard
from actorflow.engine.guard import install, watching
from actorflow.worker.workflow_sandbox import SandboxedWorkflowRunner, UnsandboxedWorkflowRunner

DEVELOPMENT_VARIABLE: Final = "ACTORFLOW_DEVELOPMENT"
"""Turns development mode on for workers that were not told; "0" turns it off, in tests too."""

T = TypeVar("T")
_OFF: Final = frozenset({"0", "false", "no", "off"})


def guarded(
    definitions: Mapping[str, WorkflowDefinition],
    runner: object,
    *,
    development_mode: bool | None = None,
    is_of_test: bool = False,
) -> dict[str, WorkflowDefinition]:
    """The definitions, as strict as a worker with this ``workflow_runner`` and ``development_mode`` is."""
    is_development = _is_development(development_mode, is_of_test=is_of_test)
    return {
        name: dataclasses.replace(definition, guard=_guard(definition, runner, is_development=is_development))
        for name, definition in definitions.items()
    }


def install_guard(definitions: Mapping[str, WorkflowDefinition]) -> None:
    """See `engine.guard.install`; needed only if one of the definitions is guarded."""
    if any(definition.guard.is_on for definition in definitions.values()):
        install()


def _is_development(said: bool | None, *, is_of_test: bool) -> bool:
    if said is not None:
        return said
    by_environment = os.environ.get(DEVELOPMENT_VARIABLE, "")
    return by_environment.lower() not in _OFF if by_environment else is_of_test


def _guard(definition: WorkflowDefinition, runner: object, *, is_development: bool) -> Guard:
    restrictions = runner.restrictions if isinstance(runner, SandboxedWorkflowRunner) else None
    is_on = (
        definition.guard.is_on
        and not isinstance(runner, UnsandboxedWorkflowRunner)
        and not (restrictions is not None and restrictions.passthrough_all_modules)
    )
    passes = frozenset[str]() if restrictions is None else frozenset(restrictions.passthrough_modules)
    if not is_development:
        return Guard(is_on=is_on, passes=passes)
    watch = _first(watching, None) if is_on else _first(None, None)
    return Guard(is_on=is_on, passes=passes, watch=watch, runs_twice=_first(True, False))


def _first(these: T, others: T) -> Callable[[], T]:
    """One thing for the first programs of a definition, another for those after them: the same code is no news then."""
    first = repeat(these, limits.PROGRAMS_WATCHED_MAX)
    return lambda: next(first, others)
