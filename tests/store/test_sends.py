"""What one run sends another leaves with its own change, or not at all."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from actorflow.core.letters import Address
from actorflow.store.protocol import Begin, Change, Committed, Conflict, Head, InboxRow, NewRun, Send, Store
from tests.store.given import NOON, ORDERS, TURN_WIDTH, begin, closes, identity, receives, seed, turns


def row(store: Store, name: str = "m") -> InboxRow:
    return InboxRow(store.new_inbox_seq(), f'{{"event":"SignalReceived","name":"{name}"}}', NOON)


def newcomer(store: Store, workflow_id: str, *names: str, reuse: str = "allow", first_run_id: str = "") -> NewRun:
    run = msgspec.structs.replace(identity(store.new_run_key(), workflow_id), first_run_id=first_run_id)
    return NewRun(Begin(run, reuse), Head(0, seed(run)), tuple([row(store, name) for name in names or ("started",)]))


def to(workflow_id: str, **more: str) -> Address:
    return Address("default", workflow_id, **more)


def with_sends(change: Change, *sends: Send) -> Change:
    return msgspec.structs.replace(change, sends=sends)


async def inbox(store: Store, key: int) -> Sequence[int]:
    (loaded,) = await store.load([key])
    return [message.seq for message in loaded.inbox]


async def test_a_message_reaches_the_open_run_of_its_address_and_the_sender_gets_a_receipt(store: Store) -> None:
    sender, receiver = begin(store, "sender"), begin(store, "receiver")
    await store.commit([sender, receiver])
    send = Send(to("receiver"), row(store), row(store, "receipt"), row(store, "refusal"))
    assert send.row
    assert send.receipt
    outcomes = await store.commit([with_sends(turns(sender.key, TURN_WIDTH), send)])
    assert outcomes == [Committed((receiver.key,))]
    assert await inbox(store, receiver.key) == [send.row.seq]
    assert await inbox(store, sender.key) == [send.receipt.seq]


@pytest.mark.parametrize("address", [to("nobody"), to("receiver", run_id="run-99"), to("receiver", first_run_id="x")])
async def test_a_message_for_nobody_is_refused_to_its_sender(store: Store, address: Address) -> None:
    sender, receiver = begin(store, "sender"), begin(store, "receiver")
    await store.commit([sender, receiver])
    send = Send(address, row(store), row(store, "receipt"), row(store, "refusal"))
    assert send.refusal
    assert await store.commit([with_sends(turns(sender.key, TURN_WIDTH), send)]) == [Committed((None,))]
    assert await inbox(store, receiver.key) == []
    assert await inbox(store, sender.key) == [send.refusal.seq]


async def test_a_closed_run_gets_nothing(store: Store) -> None:
    sender, receiver = begin(store, "sender"), begin(store, "receiver")
    await store.commit([sender, receiver, closes(receiver.key, TURN_WIDTH)])
    send = Send(to("receiver"), row(store))
    assert await store.commit([with_sends(turns(sender.key, TURN_WIDTH), send)]) == [Committed((None,))]
    assert await inbox(store, receiver.key) == []


async def test_a_message_reaches_its_own_sender(store: Store) -> None:
    sender = begin(store, "sender")
    await store.commit([sender])
    send = Send(to("sender"), row(store))
    assert await store.commit([with_sends(turns(sender.key, TURN_WIDTH), send)]) == [Committed((sender.key,))]
    assert send.row
    assert await inbox(store, sender.key) == [send.row.seq]


async def test_a_change_in_conflict_sends_nothing(store: Store) -> None:
    sender, receiver = begin(store, "sender"), begin(store, "receiver")
    await store.commit([sender, receiver])
    stale = with_sends(turns(sender.key, 1), Send(to("receiver"), row(store)))
    (outcome,) = await store.commit([stale])
    assert isinstance(outcome, Conflict)
    assert await inbox(store, receiver.key) == []


async def test_a_child_begins_with_its_parents_change(store: Store) -> None:
    parent = begin(store, "parent")
    await store.commit([parent])
    child = newcomer(store, "child")
    send = Send(child, None, row(store, "started"), row(store, "refused"))
    key = child.begin.identity.key
    assert await store.commit([with_sends(turns(parent.key, TURN_WIDTH), send)]) == [Committed((key,))]
    (loaded,) = await store.load([key])
    assert loaded.record.identity == child.begin.identity
    assert [message.seq for message in loaded.inbox] == [child.inbox[0].seq]
    assert send.receipt
    assert await inbox(store, parent.key) == [send.receipt.seq]


@pytest.mark.parametrize(("reuse", "begins"), [("allow", True), ("failed_only", False), ("reject", False)])
async def test_a_child_meets_what_is_in_its_way(store: Store, reuse: str, begins: bool) -> None:
    parent, closed, opened = begin(store, "parent"), begin(store, "closed"), begin(store, "open")
    await store.commit([parent, closed, opened, closes(closed.key, TURN_WIDTH)])
    first, second = newcomer(store, "closed", reuse=reuse), newcomer(store, "open", reuse=reuse)
    sends = [Send(new, None, row(store, "started"), row(store, "refused")) for new in (first, second)]
    (outcome,) = await store.commit([with_sends(turns(parent.key, TURN_WIDTH), *sends)])
    assert outcome == Committed((first.begin.identity.key if begins else None, None))
    assert await store.load([second.begin.identity.key]) == []


async def test_of_two_children_of_one_id_the_second_meets_the_first(store: Store) -> None:
    parent = begin(store, "parent")
    await store.commit([parent])
    first, second = newcomer(store, "child"), newcomer(store, "child")
    (outcome,) = await store.commit([with_sends(turns(parent.key, TURN_WIDTH), Send(first), Send(second))])
    assert outcome == Committed((first.begin.identity.key, None))


async def test_a_run_that_follows_begins_as_the_one_before_it_closes(store: Store) -> None:
    first = begin(store, "order")
    await store.commit([first])
    follower = newcomer(store, "order", "started", "carried", first_run_id=f"run-{first.key}")
    change = msgspec.structs.replace(closes(first.key, TURN_WIDTH, "continued"), successor=follower)
    (outcome,) = await store.commit([change])
    assert isinstance(outcome, Committed)
    found = await store.find("default", "order")
    assert found is not None
    assert found.identity == follower.begin.identity
    assert found.identity.chain == f"run-{first.key}"
    assert await inbox(store, found.identity.key) == [message.seq for message in follower.inbox]


async def test_a_chain_may_go_on_twice_in_one_batch(store: Store) -> None:
    first = begin(store, "order")
    second, third = newcomer(store, "order", "a", "b"), newcomer(store, "order")
    key = second.begin.identity.key
    batch = [
        first,
        msgspec.structs.replace(closes(first.key, TURN_WIDTH, "continued"), successor=second),
        msgspec.structs.replace(
            closes(key, 0, "continued"), successor=third, consumed=tuple(message.seq for message in second.inbox)
        ),
    ]
    outcomes = await store.commit(batch)
    assert all(isinstance(outcome, Committed) for outcome in outcomes)
    found = await store.find("default", "order")
    assert found is not None
    assert found.identity.key == third.begin.identity.key
    assert await inbox(store, key) == []


async def test_a_change_that_does_not_close_its_run_leaves_no_successor(store: Store) -> None:
    first = begin(store, "order")
    await store.commit([first])
    follower = newcomer(store, "order")
    stale = msgspec.structs.replace(closes(first.key, 1, "continued"), successor=follower)
    (outcome,) = await store.commit([stale])
    assert isinstance(outcome, Conflict)
    assert await store.load([follower.begin.identity.key]) == []


async def test_whoever_belongs_to_a_chain_is_reached_by_its_first_run(store: Store) -> None:
    sender, first = begin(store, "sender"), begin(store, "order")
    follower = newcomer(store, "order", first_run_id=f"run-{first.key}")
    await store.commit(
        [sender, first, msgspec.structs.replace(closes(first.key, TURN_WIDTH, "continued"), successor=follower)]
    )
    send = Send(to("order", first_run_id=f"run-{first.key}"), row(store))
    (outcome,) = await store.commit([with_sends(turns(sender.key, TURN_WIDTH), send)])
    assert outcome == Committed((follower.begin.identity.key,))


async def test_a_message_of_a_closing_run_is_delivered_and_its_reply_left_out(store: Store) -> None:
    sender, receiver = begin(store, "sender"), begin(store, "receiver")
    await store.commit([sender, receiver])
    send = Send(to("receiver"), row(store), row(store, "receipt"), row(store, "refusal"))
    (outcome,) = await store.commit([with_sends(closes(sender.key, TURN_WIDTH), send)])
    assert outcome == Committed((receiver.key,))
    assert await inbox(store, sender.key) == []


@pytest.mark.parametrize("is_in_one_batch", [True, False])
async def test_a_sweep_leaves_nothing_behind(store: Store, is_in_one_batch: bool) -> None:
    sender, receiver = begin(store, "sender"), begin(store, "receiver")
    await store.commit([sender, receiver])
    sends = with_sends(turns(sender.key, TURN_WIDTH), Send(to("receiver"), row(store), row(store, "receipt")))
    leaves = msgspec.structs.replace(closes(sender.key, 2 * TURN_WIDTH), is_swept=True)
    for batch in [[sends, leaves]] if is_in_one_batch else [[sends], [leaves]]:
        assert all(isinstance(outcome, Committed) for outcome in await store.commit(batch))
    assert await inbox(store, sender.key) == []
    assert len(await inbox(store, receiver.key)) == 1


async def test_what_is_sent_is_sent_too_when_a_neighbour_is_in_conflict(store: Store) -> None:
    sender, receiver, other = begin(store, "sender"), begin(store, "receiver"), begin(store, "other")
    await store.commit([sender, receiver, other])
    send = Send(to("receiver"), row(store), row(store, "receipt"))
    child = newcomer(store, "child")
    batch = [turns(other.key, 1), with_sends(turns(sender.key, TURN_WIDTH), send, Send(child)), receives(store, 99)]
    outcomes = await store.commit(batch)
    assert outcomes[1] == Committed((receiver.key, child.begin.identity.key))
    assert isinstance(outcomes[0], Conflict)
    assert len(await inbox(store, receiver.key)) == 1


async def test_runs_of_every_type_are_found_for_who_runs_every_type(store: Store) -> None:
    one = begin(store, "one", wake_at=NOON)
    await store.commit([one, receives(store, one.key)])
    assert list(await store.arrivals(ORDERS, None, 0, 10)) == [one.key]
    assert list(await store.arrivals(ORDERS, (), 0, 10)) == []
    assert (await store.due(ORDERS, None, NOON, 10))[0] == [one.key]


async def test_an_inbox_that_is_full_takes_no_other_message(store: Store) -> None:
    sender, receiver = begin(store, "sender"), begin(store, "receiver")
    await store.commit([sender, receiver])
    sends = [Send(to("receiver"), row(store), None, row(store, "refusal"), inbox_max=2) for _ in range(3)]
    (outcome,) = await store.commit([with_sends(turns(sender.key, TURN_WIDTH), *sends)])
    assert outcome == Committed((receiver.key, receiver.key, None))
    assert len(await inbox(store, sender.key)) == 1
