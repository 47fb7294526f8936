"""Child processes that run calls."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

from actorflow.exceptions import CancelledError, ProcessDiedError
from actorflow.pool.processes import Likeness, Processes
from tests.worker.in_processes import Fifo, hangs


@pytest.mark.parametrize("by", ["us", "somebody else"])
def test_a_child_that_we_end_is_told_from_one_that_died(tmp_path: Path, by: str) -> None:
    began = Fifo(str(tmp_path / "began")).make()
    processes = Processes(Likeness.of(ProcessPoolExecutor(1)))
    with ThreadPoolExecutor(1) as thread:
        call = thread.submit(processes.call, hangs, began.path)
        pid = int(began.wait())
        if by == "us":
            processes.close()
            with pytest.raises(CancelledError, match="ended with its worker"):
                call.result()
        else:
            os.kill(pid, 9)
            with pytest.raises(ProcessDiedError, match=str(pid)):
                call.result()
            processes.close()
