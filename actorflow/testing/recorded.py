"""Histories that were recorded once, and have to replay with today's code."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from actorflow.client import WorkflowHandle, WorkflowHistory
from actorflow.converter import DataConverter
from actorflow.worker import Replayer


class RecordedHistory:
    """The golden histories of one test, as files in the public JSON.

    Args:
        folder: where they are; made when the first one is recorded.
        test: name of the test.
        recorded: told of each file that was written.
        is_anew: record, whether or not there is a file.
    """

    def __init__(self, folder: Path, test: str, recorded: Callable[[Path], None], *, is_anew: bool) -> None:
        self._folder = folder
        self._test = test
        self._recorded = recorded
        self._is_anew = is_anew

    async def check(
        self,
        handle: WorkflowHandle[Any, Any],
        *,
        workflows: Sequence[type],
        name: str = "",
        data_converter: DataConverter = DataConverter.default,
        workflow_failure_exception_types: Sequence[type[BaseException]] = (AssertionError,),
    ) -> Path:
        """Replay the history of this run, and the one that was recorded; if there is none, record this run's.

        Args:
            handle: of the run.
            workflows: today's code.
            name: tells several histories of one test apart.
            data_converter: as the client has it.
            workflow_failure_exception_types: as the worker has them, and AssertionError as test environments have it.

        Returns:
            The file.

        Raises:
            NondeterminismError: the code asks for something else than a history says; it names event and line.
            RuntimeError: the code raised on replay.
            HistoryFormatError: the file holds no history.
        """
        replayer = Replayer(
            workflows=workflows,
            data_converter=data_converter,
            workflow_failure_exception_types=workflow_failure_exception_types,
        )
        history = await handle.fetch_history()
        await replayer.replay_workflow(history)
        file = self._folder / f"{_file_name(self._test, name)}.json"
        if self._is_anew or not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(history.to_json_dict(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            self._recorded(file)
        await replayer.replay_workflow(WorkflowHistory.from_json(handle.id, file.read_text(encoding="utf-8")))
        return file


def _file_name(*parts: str) -> str:
    """What a file may be called everywhere."""
    return re.sub(r"[^\w.-]+", "_", ".".join(part for part in parts if part)).strip("_")
