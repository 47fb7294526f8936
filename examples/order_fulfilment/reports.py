"""What there is to say while an order is on its way: a line for people, and the same as facts for programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from actorflow import activity
from examples.order_fulfilment.models import Approval, Loop, Phase, Receipt, Snapshot


@dataclass(frozen=True)
class Report:
    """Something that happened.

    Attributes:
        kind: what kind of thing, one word.
        order_id: to which order.
        text: for people.
        facts: for programs; values that JSON can say, dataclasses and enums of `models` among them.
    """

    kind: str
    order_id: str
    text: str
    facts: Mapping[str, Any]


Tell = Callable[[Report], None]


def of_step(
    kind: Literal["begin", "end", "fail"], order_id: str, about: activity.Info, problem: str | None = None
) -> Report:
    """An attempt begins, ends, or fails."""
    facts: dict[str, Any] = {
        "activity_type": about.activity_type,
        "activity_id": about.activity_id,
        "attempt": about.attempt,
    }
    text = f"     {kind:5} {order_id} {about.activity_type} (activity {about.activity_id}, attempt {about.attempt})"
    if problem is None:
        return Report(kind, order_id, text, facts)
    return Report(kind, order_id, f"{text}: {problem}", {**facts, "problem": problem})


def of_phase(order_id: str, phase: Phase) -> Report:
    """The order enters a phase."""
    return Report("phase", order_id, f"== {phase.value}", {"phase": phase})


def of_round(loop: Loop, number: int, of: int, snapshot: Snapshot) -> Report:
    """A round of a loop begins; the snapshot is what the program remembers before it."""
    facts = {"loop": loop, "number": number, "of": of, "snapshot": snapshot}
    return Report("round", snapshot.order_id, f"-- {loop.value}: round {number} of {of}", facts)


def of_problem(order_id: str, problem: str) -> Report:
    """A verdict was no."""
    return Report("problem", order_id, f"-- problem: {problem}", {"problem": problem})


def of_approval(order_id: str, approval: Approval, words: str) -> Report:
    """Somebody is asked about the customer, or has answered, or has not."""
    return Report("approval", order_id, f"-- approval: {words}", {"approval": approval, "words": words})


def of_receipt(receipt: Receipt) -> Report:
    """The order is over."""
    lines = [f"order {receipt.order_id}: {receipt.status.value}"]
    for loop, statistics in receipt.statistics.items():
        runs = ", ".join(f"{activity_type} {count}" for activity_type, count in statistics.runs.items())
        lines.append(f"{loop.value}: {statistics.rounds} rounds; {runs or 'nothing ran'}")
    if receipt.shipment is not None:
        lines.append(f"{receipt.shipment.carrier}, {receipt.shipment.tracking_number}: {receipt.proof}")
    return Report("result", receipt.order_id, "\n".join(lines), {"receipt": receipt})
