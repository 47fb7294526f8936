"""Workflows of tests: an assertion that does not hold fails the workflow at once, instead of its turn."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from actorflow.core.definitions import HandlerDefinition, WorkflowDefinition
from actorflow.exceptions import ApplicationError


def asserting(definition: WorkflowDefinition) -> WorkflowDefinition:
    """The definition with every AssertionError of ``run`` and of signal and update handlers turned into a failure.

    A turn that fails is tried again, with code that may have been repaired; a test wants to hear of it now.
    """
    return dataclasses.replace(
        definition,
        run=_translated(definition.run),
        signals={name: _asserting(handler) for name, handler in definition.signals.items()},
        updates={name: _asserting(handler) for name, handler in definition.updates.items()},
    )


def _asserting(handler: HandlerDefinition) -> HandlerDefinition:
    return dataclasses.replace(handler, function=_translated(handler.function))


def _translated(function: Callable[..., Any]) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def run(*arguments: Any) -> Any:
            with _translation():
                return await function(*arguments)

        return run

    @wraps(function)
    def call(*arguments: Any) -> Any:
        with _translation():
            return function(*arguments)

    return call


@contextmanager
def _translation() -> Generator[None]:
    try:
        yield
    except AssertionError as problem:
        raise ApplicationError(str(problem), type="AssertionError", non_retryable=True) from problem
