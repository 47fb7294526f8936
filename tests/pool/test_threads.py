"""Threads for activities that are not async."""

from __future__ import annotations

import threading

import pytest

from actorflow.pool.threads import DaemonThreads


def test_calls_run_in_daemon_threads_and_give_their_results() -> None:
    threads = DaemonThreads(2, "t")
    is_daemon = threads.submit(lambda: threading.current_thread().daemon)
    assert is_daemon.result(5)
    threads.shutdown()


def test_no_more_threads_than_allowed_run_and_idle_ones_are_used_again() -> None:
    threads = DaemonThreads(2, "t")
    names = {threads.submit(lambda: threading.current_thread().name).result(5) for _ in range(20)}
    assert names <= {"t-1", "t-2"}
    both = threading.Barrier(2)
    waiting = [threads.submit(both.wait) for _ in range(2)]
    assert sorted(future.result(5) for future in waiting) == [0, 1]
    third = threads.submit(lambda: 3)
    assert third.result(5) == 3
    threads.shutdown()


def test_what_a_call_raises_is_in_its_future() -> None:
    threads = DaemonThreads(1, "t")
    with pytest.raises(ZeroDivisionError):
        threads.submit(lambda: 1 // 0).result(5)
    assert threads.submit(lambda: "alive").result(5) == "alive"
    threads.shutdown()


def test_after_shutdown_nothing_more_is_taken_and_what_waited_is_done() -> None:
    threads = DaemonThreads(1, "t")
    gate = threading.Event()
    first, second = threads.submit(gate.wait), threads.submit(lambda: "done")
    threads.shutdown(wait=False)
    with pytest.raises(RuntimeError, match="shut down"):
        threads.submit(print)
    gate.set()
    assert (first.result(5), second.result(5)) == (True, "done")


def test_what_has_not_begun_can_be_cancelled() -> None:
    threads = DaemonThreads(1, "t")
    gate = threading.Event()
    first = threads.submit(gate.wait)
    second = threads.submit(lambda: "done")
    threads.shutdown(wait=False, cancel_futures=True)
    gate.set()
    assert first.result(5)
    assert second.cancelled()
