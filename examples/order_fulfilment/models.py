"""What an order is made of, what activities answer, and how often anything may be tried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum


@dataclass(frozen=True)
class Limits:
    """How many rounds each loop may take."""

    validation_rounds: int = 3
    fulfilment_rounds: int = 3
    packaging_rounds: int = 3
    delivery_rounds: int = 3


@dataclass(frozen=True)
class Odds:
    """Chances of failure in the first, second, … round of a loop; later rounds don't fail.

    ``carrier_down`` is the chance that the carrier's line is dead when it is called for the first time.
    """

    low_credit: tuple[float, ...] = (0.8,)
    inventory: tuple[float, ...] = (0.4,)
    payment: tuple[float, ...] = (0.3,)
    picking: tuple[float, ...] = (0.2,)
    quality: tuple[float, ...] = (0.3,)
    delivery: tuple[float, ...] = (0.6, 0.3)
    carrier_down: float = 0.3


@dataclass(frozen=True)
class Handling:
    """How an order is handled.

    Attributes:
        is_parallel: check customer, inventory and payment at once instead of one after the other.
        approval_deadline: if the customer's verification fails in the first round, ask somebody and wait this long for
            the answer; None asks nobody.
        round_delay: wait this long before a loop starts over.
    """

    is_parallel: bool = False
    approval_deadline: timedelta | None = None
    round_delay: timedelta = timedelta(0)


@dataclass(frozen=True)
class Customer:
    """Who ordered. Below 600 points of credit somebody has to look at the order first."""

    name: str
    address: str
    credit: int


@dataclass(frozen=True)
class Item:
    """One line of an order; the price is in cents."""

    sku: str
    quantity: int
    price: int


@dataclass(frozen=True)
class Order:
    """What was ordered. ``seed`` decides what goes wrong on the way, so that a run can be repeated."""

    order_id: str
    customer: Customer
    items: tuple[Item, ...]
    seed: int = 1
    limits: Limits = field(default_factory=Limits)
    handling: Handling = field(default_factory=Handling)

    @property
    def total(self) -> int:
        """In cents."""
        return sum(item.quantity * item.price for item in self.items)


@dataclass(frozen=True)
class Round:
    """Which round of a loop an activity works for; ``outer`` counts the loop around it, if there is one."""

    number: int
    outer: int = 0


@dataclass(frozen=True)
class Verdict:
    """Whether a step went well, and if not, why."""

    passed: bool
    problem: str = ""


@dataclass(frozen=True)
class Package:
    """A box with everything in it."""

    box: str
    is_sealed: bool = False


@dataclass(frozen=True)
class Shipment:
    """A labelled package and who carries it."""

    tracking_number: str
    carrier: str


class Phase(Enum):
    """Where an order is."""

    VALIDATION = "validation"
    FULFILMENT = "fulfilment"
    DELIVERY = "delivery"
    CLOSED = "closed"


class Loop(Enum):
    """What an order may go through more than once; packaging is inside fulfilment."""

    VALIDATION = "validation"
    FULFILMENT = "fulfilment"
    PACKAGING = "packaging"
    DELIVERY = "delivery"


class Approval(Enum):
    """What somebody said about the customer."""

    NOT_ASKED = "not asked"
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    UNANSWERED = "unanswered"


class Status(Enum):
    """How an order ended."""

    DELIVERED = "delivered"
    REJECTED = "rejected"
    UNFULFILLED = "unfulfilled"
    UNDELIVERED = "undelivered"


@dataclass(frozen=True)
class Progress:
    """Where an order is, and how many rounds each loop has taken; packaging rounds are counted over all picks."""

    phase: Phase = Phase.VALIDATION
    validation_rounds: int = 0
    fulfilment_rounds: int = 0
    packaging_rounds: int = 0
    delivery_rounds: int = 0
    last_problem: str = ""

    def __str__(self) -> str:
        return (
            f"{self.phase.value}, rounds so far: validation {self.validation_rounds}, "
            f"fulfilment {self.fulfilment_rounds}, packaging {self.packaging_rounds}, "
            f"delivery {self.delivery_rounds}"
        )


@dataclass(frozen=True)
class LoopStatistics:
    """Rounds of one loop, and how often each of its activities ran (attempts of one run are not counted)."""

    rounds: int = 0
    runs: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Snapshot:
    """All that an order's program remembers at one moment."""

    order_id: str
    progress: Progress
    approval: Approval
    statistics: Mapping[Loop, LoopStatistics]


@dataclass(frozen=True)
class Receipt:
    """How an order ended and what it took."""

    order_id: str
    status: Status
    progress: Progress
    shipment: Shipment | None = None
    proof: str = ""
    approval: Approval = Approval.NOT_ASKED
    statistics: Mapping[Loop, LoopStatistics] = field(default_factory=dict)
