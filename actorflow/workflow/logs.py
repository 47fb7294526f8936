"""A logger for workflow code: silent on replay, and it says which execution speaks."""

from __future__ import annotations

import logging
from collections.abc import Mapping, MutableMapping
from typing import Any

from actorflow.core.program.updates import UpdateInfo
from actorflow.workflow.context import Info, current_update_info, in_workflow, info, running_program


class LoggerAdapter(logging.LoggerAdapter[logging.Logger]):
    """Adds the execution to the message and, as ``temporal_workflow``, to ``extra``; logs nothing on replay.

    Inside the handler or validator of an update its id and name are added, too. What a call gives as ``extra`` counts
    more than what is added.

    Attributes:
        workflow_info_on_message: add it to the message.
        workflow_info_on_extra: add it to ``extra``.
        full_workflow_info_on_extra: add the whole `Info` as ``workflow_info``.
        log_during_replay: don't be silent on replay.
        disable_sandbox: accepted for ported programs; what logging does is free of the guard.
    """

    def __init__(self, logger: logging.Logger, extra: Mapping[str, Any] | None) -> None:
        super().__init__(logger, extra or {})
        self.workflow_info_on_message = True
        self.workflow_info_on_extra = True
        self.full_workflow_info_on_extra = False
        self.log_during_replay = False
        self.disable_sandbox = False

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """See `logging.LoggerAdapter.process`."""
        added: dict[str, Any] = dict(self.extra or {})
        if not in_workflow():
            return msg, _with_extra(kwargs, added)
        about = info()
        details = {**_details(about), **_update_details(current_update_info())}
        if self.workflow_info_on_message:
            msg = f"{msg} ({details})"
        if self.workflow_info_on_extra:
            added["temporal_workflow"] = details
        if self.full_workflow_info_on_extra:
            added["workflow_info"] = about
        return msg, _with_extra(kwargs, added)

    def isEnabledFor(self, level: int) -> bool:
        """False on replay, when the line was logged already."""
        if in_workflow() and not self.log_during_replay and _is_repeating():
            return False
        return super().isEnabledFor(level)

    def unsafe_disable_sandbox(self, value: bool = True) -> None:
        """Accepted for ported programs; what logging does is free of the guard."""
        self.disable_sandbox = value

    @property
    def base_logger(self) -> logging.Logger:
        """The logger underneath."""
        return self.logger


def _with_extra(kwargs: MutableMapping[str, Any], added: Mapping[str, Any]) -> MutableMapping[str, Any]:
    return {**kwargs, "extra": {**added, **(kwargs.get("extra") or {})}} if added else kwargs


def _is_repeating() -> bool:
    program = running_program()
    return program.mode.is_replaying and not program.mode.is_read_only


def _details(about: Info) -> Mapping[str, Any]:
    return {
        "attempt": about.attempt,
        "namespace": about.namespace,
        "run_id": about.run_id,
        "task_queue": about.task_queue,
        "workflow_id": about.workflow_id,
        "workflow_type": about.workflow_type,
    }


def _update_details(update: UpdateInfo | None) -> Mapping[str, Any]:
    return {} if update is None else {"update_id": update.id, "update_name": update.name}


logger = LoggerAdapter(logging.getLogger("actorflow.workflow"), None)
"""Logs with the execution's identity, once."""
