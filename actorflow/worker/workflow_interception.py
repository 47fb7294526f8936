"""What a worker asks its interceptors once, to put them around its workflows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from actorflow.core.definitions import WorkflowDefinition
from actorflow.worker.interceptor import Interceptor
from actorflow.workflow.interception import RunInterceptors, WorkflowInterceptorClassInput
from actorflow.workflow.interceptor import WorkflowInboundInterceptor


def intercepting(
    definitions: Mapping[str, WorkflowDefinition], interceptors: Sequence[Interceptor]
) -> dict[str, WorkflowDefinition]:
    """Definitions whose runs have these interceptors, outermost first; as they are if none wants a run.

    Raises:
        TypeError: an interceptor gives what is no class for runs.
    """
    extern_functions: dict[str, Callable[..., Any]] = {}
    asked = WorkflowInterceptorClassInput(extern_functions)
    classes = [cls for one in interceptors if (cls := _class_of(one, asked)) is not None]
    if not classes:
        return dict(definitions)
    made = partial(RunInterceptors, classes, extern_functions)
    return {name: dataclasses.replace(definition, intercepts=made) for name, definition in definitions.items()}


def _class_of(
    interceptor: Interceptor, asked: WorkflowInterceptorClassInput
) -> type[WorkflowInboundInterceptor] | None:
    cls: object = interceptor.workflow_interceptor_class(asked)
    if cls is None:
        return None
    if not isinstance(cls, type) or not issubclass(cls, WorkflowInboundInterceptor):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(
            f"workflow_interceptor_class of {type(interceptor).__qualname__} must return a class derived from "
            f"WorkflowInboundInterceptor, or None, not {cls!r}"
        )
    return cls
