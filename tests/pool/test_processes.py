"""Child processes that run calls."""

from __future__ import annotations

import gc
import os
import signal
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
            os.kill(pid, signal.SIGKILL)
            with pytest.raises(ProcessDiedError, match=str(pid)):
                call.result()
            processes.close()


def test_no_file_of_a_child_is_left_open_whoever_ends_it(tmp_path: Path) -> None:
    began = Fifo(str(tmp_path / "began")).make()

    def a_life() -> None:
        processes = Processes(Likeness.of(ProcessPoolExecutor(2)))
        with ThreadPoolExecutor(2) as threads:
            call = threads.submit(processes.call, hangs, began.path)
            began.wait()
            assert threads.submit(processes.call, abs, -1).result() == 1  # by another child, which is idle now
            processes.close()
            with pytest.raises(CancelledError, match="ended with its worker"):
                call.result()

    a_life()  # the first one starts what the standard library keeps
    gc.collect()
    open_before = os.listdir("/proc/self/fd")
    a_life()
    gc.collect()
    assert os.listdir("/proc/self/fd") == open_before
