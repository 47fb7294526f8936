"""What the program of an order remembers of its way."""

from __future__ import annotations

from collections import Counter

from examples.order_fulfilment.models import Approval, Loop, LoopStatistics, Order, Phase, Progress, Snapshot


class Record:
    """Phase, rounds, runs, and what was said about the customer."""

    def __init__(self, order: Order) -> None:
        self._order_id = order.order_id
        self._rounds_by_loop = dict.fromkeys(Loop, 0)
        self._runs_by_loop: dict[Loop, Counter[str]] = {loop: Counter() for loop in Loop}
        self.phase = Phase.VALIDATION
        self.last_problem = ""
        self.approval = Approval.NOT_ASKED

    def count_round(self, loop: Loop) -> None:
        """A round begins."""
        self._rounds_by_loop[loop] += 1

    def count_run(self, loop: Loop, activity_type: str) -> None:
        """An activity is run."""
        self._runs_by_loop[loop][activity_type] += 1

    @property
    def progress(self) -> Progress:
        """Where the order is."""
        rounds = self._rounds_by_loop
        return Progress(
            phase=self.phase,
            validation_rounds=rounds[Loop.VALIDATION],
            fulfilment_rounds=rounds[Loop.FULFILMENT],
            packaging_rounds=rounds[Loop.PACKAGING],
            delivery_rounds=rounds[Loop.DELIVERY],
            last_problem=self.last_problem,
        )

    @property
    def statistics(self) -> dict[Loop, LoopStatistics]:
        """What each loop took so far."""
        return {loop: LoopStatistics(self._rounds_by_loop[loop], dict(self._runs_by_loop[loop])) for loop in Loop}

    def snapshot(self) -> Snapshot:
        """All of it, as it is now."""
        return Snapshot(self._order_id, self.progress, self.approval, self.statistics)
