"""The same work in plain asyncio, without durability: an activity is a task, a workflow the coroutine that awaits it.

Nothing lighter would be the same work: activities of one workflow run side by side and can be cancelled one by one.
"""

from __future__ import annotations

import asyncio

from bench.programs import FAN_OUT, STEPS, Order, receipt_of


async def _charge(order: Order) -> str:
    return receipt_of(order)


async def one_step(order: Order) -> str:
    """See `programs.OneStep`."""
    return await asyncio.create_task(_charge(order))


async def ten_steps(order: Order) -> str:
    """See `programs.TenSteps`."""
    receipt = ""
    for _ in range(STEPS):
        receipt = await asyncio.create_task(_charge(order))
    return receipt


async def fan_out(order: Order) -> int:
    """See `programs.FanOut`."""
    return len(await asyncio.gather(*[asyncio.create_task(_charge(order)) for _ in range(FAN_OUT)]))


class Approval:
    """See `programs.ApprovalInTime`; without a limit `programs.Approval`."""

    def __init__(self) -> None:
        self._is_approved = asyncio.Event()
        self._approved_by = ""

    async def run(self, order: Order, *, limit: float | None = None) -> str:
        """Wait for `approve`, at most for ``limit`` seconds."""
        async with asyncio.timeout(limit):
            await self._is_approved.wait()
        return f"{order.id} approved by {self._approved_by}"

    def approve(self, name: str) -> None:
        """Let it go on."""
        self._approved_by = name
        self._is_approved.set()
