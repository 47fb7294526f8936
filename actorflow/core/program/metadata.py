"""What a program tells about itself to people and tools: its handlers, and what it says it is doing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final

from actorflow.core.program.handlers import Handlers
from actorflow.core.program.lines import waiting_lines

STACK_TRACE_QUERY: Final = "__stack_trace"
METADATA_QUERY: Final = "__temporal_workflow_metadata"
"""Queries every program answers, named as in the public SDK."""

_BUILT_IN: Final = (
    (STACK_TRACE_QUERY, "Where each task of the workflow waits."),
    (METADATA_QUERY, "The workflow's handlers, and its current details."),
)


def stack_trace_of(tasks: Iterable[asyncio.Task[Any]]) -> str:
    """Where each task waits: its name, then lines of user code, outermost first."""
    return "\n\n".join(
        "\n    ".join((task.get_name(), *(waiting_lines(task) or ("(in the runtime)",)))) for task in tasks
    )


def metadata_of(workflow_type: str, handlers: Handlers, current_details: str) -> Mapping[str, Any]:
    """A program's description in the JSON shape of the public API's ``WorkflowMetadata``; what is empty is left out."""
    definition = {
        "type": workflow_type,
        "queryDefinitions": _named([*_BUILT_IN, *_described(handlers, "query")]),
        "signalDefinitions": _named(_described(handlers, "signal")),
        "updateDefinitions": _named(_described(handlers, "update")),
    }
    told = {"definition": _filled(definition), "currentDetails": current_details}
    return _filled(told)


def _described(handlers: Handlers, kind: str) -> Iterable[tuple[str, str]]:
    return [(handler.name, handler.description) for handler in handlers.known(kind).values()]


def _named(described: Iterable[tuple[str, str]]) -> list[Mapping[str, Any]]:
    return [_filled({"name": name, "description": description}) for name, description in sorted(described)]


def _filled(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in fields.items() if value}
