"""Slots are bounded and given out in the order of arrival."""

from __future__ import annotations

from hypothesis import given, strategies as st

from actorflow.pool.slots import Slots, TaskQueue


def queue_of(*sizes: int) -> tuple[TaskQueue[str], list[Slots[str]]]:
    queue: TaskQueue[str] = TaskQueue()
    offered = [Slots(f"worker {number}", size) for number, size in enumerate(sizes)]
    for slots in offered:
        queue.add(slots)
    return queue, offered


def test_a_free_slot_is_reserved_at_once_and_a_taken_one_is_not() -> None:
    queue, (slots,) = queue_of(1)
    assert queue.reserve() is slots
    assert queue.reserve() is None
    queue.release(slots)
    assert queue.reserve() is slots


def test_without_a_worker_everybody_waits_for_one() -> None:
    queue, _ = queue_of()
    served: list[str] = []
    assert queue.reserve() is None
    queue.wait(lambda slots: served.append(slots.worker))
    assert served == []
    queue.add(Slots("late", 1))
    assert served == ["late"]


def test_those_who_wait_are_served_in_order_and_before_newcomers() -> None:
    queue, (slots,) = queue_of(1)
    queue.reserve()
    served: list[str] = []
    for name in "abc":
        queue.wait(lambda _, name=name: served.append(name))
    assert queue.reserve() is None
    for _ in range(3):
        queue.release(slots)
    assert served == ["a", "b", "c"]


def test_who_leaves_the_line_is_passed_over() -> None:
    queue, (slots,) = queue_of(1)
    queue.reserve()
    served: list[str] = []
    places = [queue.wait(lambda _, name=name: served.append(name)) for name in "abc"]
    places[0].is_cancelled = places[1].is_cancelled = True
    queue.release(slots)
    assert served == ["c"]


def test_who_left_the_line_keeps_nobody_from_a_free_slot() -> None:
    queue, _ = queue_of()
    queue.wait(lambda _: None).is_cancelled = True
    queue.add(Slots("w", 1))
    assert queue.reserve() is not None


def test_who_gives_its_slot_back_at_once_does_not_keep_the_next_one_waiting() -> None:
    queue, _ = queue_of()
    served: list[int] = []

    def serve(number: int, slots: Slots[str]) -> None:
        served.append(number)
        queue.release(slots)

    for number in range(2000):
        queue.wait(lambda slots, number=number: serve(number, slots))
    queue.add(Slots("w", 1))
    assert served == list(range(2000))


def test_a_worker_that_left_is_given_nothing_more() -> None:
    queue, (one, two) = queue_of(1, 1)
    queue.remove(one)
    assert queue.reserve() is two
    assert queue.reserve() is None
    queue.release(one)
    assert queue.reserve() is None
    assert queue.workers == ["worker 1"]


@given(st.lists(st.sampled_from(["wait", "release"]), max_size=60), st.integers(1, 4))
def test_never_more_run_than_there_are_slots_and_nobody_overtakes(steps: list[str], size: int) -> None:
    queue, (slots,) = queue_of(size)
    served: list[int] = []
    running = arrived = 0
    for step in steps:
        if step == "wait":
            queue.wait(lambda _, number=arrived: served.append(number))
            arrived += 1
        elif running:
            queue.release(slots)
        running = size - slots.free
        assert running <= size
        assert served == list(range(len(served)))
        assert len(served) == arrived or running == size
