"""A flag wakes whoever waits for it, in tasks and in threads."""

from __future__ import annotations

import asyncio
import threading

from actorflow.pool.flag import Flag


async def test_it_wakes_tasks_and_threads_from_either() -> None:
    for set_it in (lambda flag: flag.set(), lambda flag: threading.Thread(target=flag.set).start()):
        flag = Flag()
        waiting = asyncio.gather(flag.wait(), flag.wait(), asyncio.to_thread(flag.wait_sync))
        await asyncio.sleep(0)
        set_it(flag)
        async with asyncio.timeout(5):
            await waiting
        assert flag.is_set()
        async with asyncio.timeout(5):
            await flag.wait()
        flag.wait_sync()


async def test_who_waits_no_longer_leaves_no_trace() -> None:
    flag = Flag()
    flag.wait_sync(0.001)
    try:
        async with asyncio.timeout(0):
            await flag.wait()
    except TimeoutError:
        assert not flag.is_set()
    flag.set()
    flag.set()
    assert flag.is_set()
