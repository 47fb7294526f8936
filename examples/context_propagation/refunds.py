"""A refund: asked for by one, approved by another. No function has a parameter for who it is."""

from __future__ import annotations

from datetime import timedelta

from actorflow import activity, workflow
from examples.context_propagation.caller import caller

SHORT = timedelta(seconds=10)


@activity.defn
async def note(what: str) -> str:
    """Write into the books what was done, and by whom."""
    return f"{what} by {caller.get()}"


@workflow.defn
class Payment:
    """Pays money back."""

    @workflow.run
    async def run(self, amount: int) -> str:
        """Returns what is in the books."""
        return await workflow.execute_activity(note, f"{amount} EUR asked for", start_to_close_timeout=SHORT)


@workflow.defn
class Refund:
    """Waits for an approval by somebody else than who has asked, and has the money paid."""

    def __init__(self) -> None:
        self._asked_by = ""
        self._books: list[str] = []

    @workflow.run
    async def run(self, amount: int) -> list[str]:
        """Returns what is in the books."""
        self._asked_by = caller.get()
        await workflow.wait_condition(lambda: bool(self._books) and workflow.all_handlers_finished())
        return [await workflow.execute_child_workflow(Payment.run, amount), *self._books]

    @workflow.update
    async def approve(self) -> str:
        """Approve it; returns what is in the books then."""
        self._books.append(await workflow.execute_activity(note, "approved", start_to_close_timeout=SHORT))
        return self._books[-1]

    @approve.validator
    def _check(self) -> None:
        if caller.get() == self._asked_by:
            raise PermissionError(f"{caller.get()} has asked for it, and can't approve it")
