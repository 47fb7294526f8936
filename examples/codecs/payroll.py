"""A payment whose amount nobody is to read on the disk."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from actorflow import activity, workflow
from actorflow.exceptions import ApplicationError


@dataclass
class Salary:
    """Who gets how much."""

    name: str
    amount: Decimal
    note: str = ""


@activity.defn
async def transfer(salary: Salary) -> str:
    """Pay; returns the number of the payment."""
    if salary.amount <= 0:
        raise ApplicationError(f"{salary.name} can't get {salary.amount}", salary, type="Refused", non_retryable=True)
    return f"payment to {salary.name}"


@workflow.defn
class Payroll:
    """Pays a salary once somebody has confirmed it."""

    def __init__(self) -> None:
        self._confirmed_by = ""

    @workflow.run
    async def run(self, salary: Salary) -> str:
        """Returns the number of the payment, and who has confirmed it."""
        await workflow.wait_condition(lambda: bool(self._confirmed_by))
        paid = await workflow.execute_activity(transfer, salary, start_to_close_timeout=timedelta(seconds=10))
        return f"{paid}, confirmed by {self._confirmed_by}"

    @workflow.signal
    def confirm(self, name: str) -> None:
        """Somebody agrees."""
        self._confirmed_by = name

    @workflow.query
    def confirmed_by(self) -> str:
        """Who has agreed; empty if nobody has."""
        return self._confirmed_by
