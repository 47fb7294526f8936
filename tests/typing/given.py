"""The definitions that the other programs use: typed as users type theirs."""

from __future__ import annotations

from dataclasses import dataclass

from actorflow import activity, workflow


@dataclass
class Order:
    """An argument."""

    number: int


@dataclass
class Receipt:
    """A result."""

    total: float


@activity.defn
async def charge(order: Order) -> Receipt:
    return Receipt(order.number)


@activity.defn
def charge_in_a_thread(order: Order) -> Receipt:
    return Receipt(order.number)


@activity.defn
async def ping() -> str:
    return "pong"


@activity.defn
def ping_in_a_thread() -> str:
    return "pong"


@activity.defn(name="add")
async def added(left: int, right: int) -> int:
    return left + right


@activity.defn
async def with_default(order: Order, times: int = 1) -> Receipt:
    return Receipt(order.number * times)


class Mailer:
    """Activities that are methods."""

    @activity.defn
    async def send(self, text: str) -> bool:
        return bool(text)

    @activity.defn
    def send_in_a_thread(self, text: str) -> bool:
        return bool(text)

    @activity.defn
    async def flush(self) -> int:
        return 0

    @activity.defn
    async def copy(self, text: str, times: int) -> int:
        return len(text) * times


@activity.defn
class Stamp:
    """An activity that is a class."""

    async def __call__(self, order: Order) -> int:
        return order.number


@activity.defn
class Clock:
    """An activity that is a class, of a thread, without an argument."""

    def __call__(self) -> float:
        return 0.0


@activity.defn
class Sum:
    """An activity that is a class, of several arguments."""

    async def __call__(self, left: int, right: int) -> int:
        return left + right


@workflow.defn
class Sale:
    """One argument, and every kind of handler."""

    @workflow.run
    async def run(self, order: Order) -> Receipt:
        return Receipt(order.number)

    @workflow.signal
    def stop(self) -> None: ...

    @workflow.signal
    async def add(self, order: Order) -> None: ...

    @workflow.signal(name="move")
    def moved(self, left: int, right: int) -> None: ...

    @workflow.query
    def total(self) -> float:
        return 0.0

    @workflow.query
    def price_of(self, order: Order) -> float:
        return order.number

    @workflow.query
    def difference(self, left: int, right: int) -> int:
        return left - right

    @workflow.update
    async def close(self) -> bool:
        return True

    @workflow.update
    def change(self, order: Order) -> Receipt:
        return Receipt(order.number)

    @change.validator
    def can_change(self, order: Order) -> None: ...

    @workflow.update(name="swap")
    async def swapped(self, left: int, right: int) -> str:
        return f"{right} {left}"


@workflow.defn(name="Nightly")
class Night:
    """No argument."""

    @workflow.run
    async def run(self) -> int:
        return 0

    @workflow.signal
    def stop(self) -> None: ...

    @workflow.query
    def count(self) -> int:
        return 0

    @workflow.update
    async def close(self) -> bool:
        return True


@workflow.defn
class Pair:
    """Several arguments."""

    @workflow.run
    async def run(self, left: int, right: str) -> list[str]:
        return [right] * left

    @workflow.signal
    def stop(self) -> None: ...
