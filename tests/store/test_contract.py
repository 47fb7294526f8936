"""What every store promises."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from random import Random

import msgspec
import pytest

from actorflow.store.memory import MemoryStore
from actorflow.store.protocol import (
    COMMITTED,
    ActivityRow,
    Change,
    Conflict,
    Head,
    InboxRow,
    RunRecord,
    Share,
    Store,
)
from actorflow.store.sqlite import SqliteStore
from tests.store.given import NOON, ORDERS, SECOND, TURN_WIDTH, TYPES, begin, closes, receives, turn, turns


def record(change: Change) -> RunRecord:
    assert change.begin is not None
    assert change.head is not None
    return RunRecord(change.begin.identity, change.head)


# Beginning


async def test_a_run_that_began_is_found_and_loaded(store: Store) -> None:
    started = begin(store, "order", wake_at=NOON + SECOND, open_activities=2, failing="{}", parked="because")
    assert await store.commit([started]) == [COMMITTED]
    assert await store.find("default", "order") == record(started)
    assert await store.find("default", "order", f"run-{started.key}") == record(started)
    (loaded,) = await store.load([started.key])
    assert loaded.record == record(started)
    assert tuple(loaded.turns) == started.turns
    assert tuple(await store.journal(started.key)) == started.turns


async def test_what_does_not_exist_is_not_found(store: Store) -> None:
    await store.commit([begin(store, "order")])
    assert await store.find("default", "another") is None
    assert await store.find("elsewhere", "order") is None
    assert await store.find("default", "order", "run-99") is None
    assert await store.load([99]) == []
    assert list(await store.journal(99)) == []


async def test_an_empty_batch_changes_nothing(store: Store) -> None:
    assert list(await store.commit([])) == []


async def test_instants_keep_their_microseconds(store: Store) -> None:
    exact = NOON + timedelta(days=365 * 5000, microseconds=999_999)
    started = begin(store, wake_at=exact)
    await store.commit([started])
    found = await store.find("default", f"order-{started.key}")
    assert found is not None
    assert found.head.wake_at == exact


async def test_a_second_open_run_of_a_workflow_id_meets_the_first(store: Store) -> None:
    first, second = begin(store, "order"), begin(store, "order")
    assert await store.commit([first]) == [COMMITTED]
    assert await store.commit([second]) == [Conflict(record(first))]
    assert await store.load([second.key]) == []


async def test_of_two_begins_in_one_batch_the_second_meets_the_first(store: Store) -> None:
    first, second = begin(store, "order"), begin(store, "order")
    assert await store.commit([first, second]) == [COMMITTED, Conflict(record(first))]


async def test_a_change_after_a_begin_in_conflict_is_a_conflict_too(store: Store) -> None:
    first, second = begin(store, "order"), begin(store, "order")
    batch = [first, second, turns(second.key, TURN_WIDTH), turns(first.key, TURN_WIDTH)]
    assert await store.commit(batch) == [COMMITTED, Conflict(record(first)), Conflict(None), COMMITTED]


async def test_the_same_workflow_id_in_two_namespaces_is_two_workflows(store: Store) -> None:
    first, second = begin(store, "order"), begin(store, "order")
    assert second.begin is not None
    elsewhere = msgspec.structs.replace(second.begin.identity, namespace="elsewhere")
    second = msgspec.structs.replace(second, begin=msgspec.structs.replace(second.begin, identity=elsewhere))
    assert await store.commit([first, second]) == [COMMITTED, COMMITTED]


@pytest.mark.parametrize(
    ("reuse", "last", "begins"),
    [
        ("allow", "completed", True),
        ("allow", "failed", True),
        ("failed_only", "completed", False),
        ("failed_only", "failed", True),
        ("failed_only", "terminated", True),
        ("reject", "completed", False),
        ("reject", "failed", False),
        ("reject", None, True),
        ("failed_only", None, True),
    ],
)
async def test_the_reuse_policy_looks_at_the_last_run(store: Store, reuse: str, last: str | None, begins: bool) -> None:
    for status in ("failed", last) if last else ():
        earlier = begin(store, "order")
        await store.commit([earlier, closes(earlier.key, TURN_WIDTH, status)])
    again, other = begin(store, "order", reuse=reuse), begin(store, "other", reuse=reuse)
    in_the_way = await store.find("default", "order")
    assert await store.commit([again, other]) == [COMMITTED if begins else Conflict(in_the_way), COMMITTED]


@pytest.mark.parametrize("is_closed", [False, True])
async def test_a_begin_with_a_known_request_id_is_the_same_start_repeated(store: Store, is_closed: bool) -> None:
    first = begin(store, "order", request_id="r1")
    await store.commit([first])
    if is_closed:
        await store.commit([closes(first.key, TURN_WIDTH)])
    known = await store.find("default", "order")
    repeated = begin(store, "order", request_id="r1", reuse="reject")
    assert await store.commit([repeated]) == [Conflict(known, repeated=True)]


async def test_request_ids_belong_to_their_workflow_id(store: Store) -> None:
    batch = [begin(store, "order", request_id="r1"), begin(store, "other", request_id="r1")]
    assert await store.commit(batch) == [COMMITTED, COMMITTED]


async def test_the_open_run_is_found_before_the_last_one(store: Store) -> None:
    first, second = begin(store, "order"), begin(store, "order")
    await store.commit([first])
    await store.commit([closes(first.key, TURN_WIDTH), second])
    found = await store.find("default", "order")
    assert found == record(second)
    await store.commit([closes(second.key, TURN_WIDTH)])
    found = await store.find("default", "order")
    assert found is not None
    assert found.identity.key == second.key
    old = await store.find("default", "order", f"run-{first.key}")
    assert old is not None
    assert old.head.status == "completed"


async def test_a_run_begins_turns_and_closes_in_one_batch(store: Store) -> None:
    run = begin(store, "order")
    batch = [run, turns(run.key, TURN_WIDTH), closes(run.key, 2 * TURN_WIDTH), begin(store, "order")]
    assert await store.commit(batch) == [COMMITTED] * 4
    assert [row.number for row in await store.journal(run.key)] == [TURN_WIDTH, 2 * TURN_WIDTH, 3 * TURN_WIDTH]


async def test_a_begin_comes_too_early_for_a_close_later_in_its_batch(store: Store) -> None:
    first, second = begin(store, "order"), begin(store, "order")
    await store.commit([first])
    assert await store.commit([second, closes(first.key, TURN_WIDTH)]) == [Conflict(record(first)), COMMITTED]


async def test_a_begin_without_a_head_is_refused_before_anything_is_written(store: Store) -> None:
    good, bad = begin(store), msgspec.structs.replace(begin(store), head=None)
    with pytest.raises(ValueError, match="no head"):
        await store.commit([good, bad])
    assert await store.load([good.key]) == []


# Changing


async def test_a_change_that_expected_another_event_is_shown_the_run_as_it_stands(store: Store) -> None:
    run = begin(store)
    await store.commit([run])
    assert await store.commit([turns(run.key, 17)]) == [Conflict(record(run))]
    assert len(await store.journal(run.key)) == 1


async def test_one_conflict_does_not_harm_the_others(store: Store) -> None:
    runs = [begin(store) for _ in range(20)]
    await store.commit(runs)
    batch = [turns(run.key, TURN_WIDTH) for run in runs]
    batch[7] = turns(runs[7].key, 17)
    outcomes = await store.commit(batch)
    assert [outcome == COMMITTED for outcome in outcomes] == [number != 7 for number in range(20)]
    assert [len(await store.journal(run.key)) for run in runs] == [1 if number == 7 else 2 for number in range(20)]


async def test_a_closed_run_takes_no_change(store: Store) -> None:
    run = begin(store)
    closed = closes(run.key, TURN_WIDTH)
    await store.commit([run, closed])
    assert closed.head is not None
    assert run.begin is not None
    as_it_stands = Conflict(RunRecord(run.begin.identity, closed.head))
    for late in (turns(run.key, 2 * TURN_WIDTH), receives(store, run.key), Change(run.key, finished=("1",))):
        assert await store.commit([late]) == [as_it_stands]


async def test_a_message_for_an_unknown_run_is_a_conflict_without_a_run(store: Store) -> None:
    assert await store.commit([receives(store, 99)]) == [Conflict(None)]


async def test_messages_wait_in_order_until_a_turn_consumes_them(store: Store) -> None:
    run = begin(store)
    messages = [receives(store, run.key, f'{{"n":{number}}}') for number in range(3)]
    await store.commit([run])
    assert await store.commit(messages) == [COMMITTED] * 3
    (loaded,) = await store.load([run.key])
    assert list(loaded.inbox) == [message.arrived[0] for message in messages]
    first, second = (row.seq for row in loaded.inbox[:2])
    await store.commit([msgspec.structs.replace(turns(run.key, TURN_WIDTH), consumed=(first, second))])
    (loaded,) = await store.load([run.key])
    assert list(loaded.inbox) == [messages[2].arrived[0]]


async def test_a_message_that_arrives_and_is_consumed_in_one_batch_leaves_nothing(store: Store) -> None:
    run = begin(store)
    message = receives(store, run.key)
    consumed = msgspec.structs.replace(turns(run.key, TURN_WIDTH), consumed=(message.arrived[0].seq,))
    assert await store.commit([run, message, consumed]) == [COMMITTED] * 3
    (loaded,) = await store.load([run.key])
    assert list(loaded.inbox) == []


async def test_activity_rows_are_replaced_and_go_with_the_result(store: Store) -> None:
    run = begin(store)
    waiting = ActivityRow("1", 2, 1, next_attempt_at=NOON, last_failure="{}")
    running = ActivityRow("1", 2, 2, started_at=NOON, heartbeat="[]", cancel_requested=True)
    other = ActivityRow("2", 1, 1)
    await store.commit([run, Change(run.key, activities=(other, waiting))])
    assert (await store.load([run.key]))[0].activities == (waiting, other)
    await store.commit([Change(run.key, activities=(running,))])
    assert (await store.load([run.key]))[0].activities == (running, other)
    await store.commit([msgspec.structs.replace(turns(run.key, TURN_WIDTH), finished=("1", "7"))])
    assert (await store.load([run.key]))[0].activities == (other,)


async def test_an_activity_may_end_and_another_of_its_name_begin_in_one_batch(store: Store) -> None:
    run = begin(store)
    first, second = ActivityRow("1", 1, 1), ActivityRow("1", 2, 2)
    ended, again = Change(run.key, finished=("1",)), Change(run.key, activities=(second,))
    await store.commit([run, Change(run.key, activities=(first,)), ended, again])
    assert (await store.load([run.key]))[0].activities == (second,)


async def test_a_head_may_change_without_a_turn(store: Store) -> None:
    run = begin(store)
    await store.commit([run])
    assert run.head is not None
    failing = msgspec.structs.replace(run.head, failing='{"attempts":1}')
    assert await store.commit([Change(run.key, expected=TURN_WIDTH, head=failing)]) == [COMMITTED]
    assert (await store.load([run.key]))[0].record.head == failing


async def test_a_turn_of_two_rows_is_kept_in_order(store: Store) -> None:
    run = begin(store)
    rows = (turn(8), turn(11))
    await store.commit([run, Change(run.key, expected=TURN_WIDTH, head=Head(11, rows[1].checksum), turns=rows)])
    assert tuple(await store.journal(run.key)) == (*run.turns, *rows)


# Looking for work


async def test_runs_are_loaded_in_the_order_asked_for(store: Store) -> None:
    runs = [begin(store) for _ in range(3)]
    await store.commit(runs)
    keys = [runs[2].key, 99, runs[0].key]
    assert [loaded.record.identity.key for loaded in await store.load(keys)] == [runs[2].key, runs[0].key]


async def test_busy_runs_come_in_pages(store: Store) -> None:
    runs = [begin(store, open_activities=number % 2) for number in range(10)]
    await store.commit([*runs, closes(runs[1].key, TURN_WIDTH)])
    busy = [run.key for run in runs[3::2]]
    assert list(await store.busy(0, 2)) == busy[:2]
    assert list(await store.busy(busy[1], 100)) == busy[2:]


async def test_due_runs_come_earliest_first_with_the_next_one_after(store: Store) -> None:
    late, early, future, never = (
        begin(store, wake_at=NOON - SECOND),
        begin(store, wake_at=NOON - 2 * SECOND),
        begin(store, wake_at=NOON + SECOND),
        begin(store),
    )
    await store.commit([late, early, future, never])
    assert await store.due(ORDERS, TYPES, NOON, 10) == ([early.key, late.key], NOON + SECOND)
    assert await store.due(ORDERS, TYPES, NOON, 1) == ([early.key], NOON + SECOND)
    assert await store.due(ORDERS, None, NOON, 10) == ([early.key, late.key], NOON + SECOND)
    assert await store.due(ORDERS, TYPES, NOON - SECOND, 10) == ([early.key, late.key], NOON + SECOND)
    assert await store.due(ORDERS, TYPES, NOON + SECOND, 10) == ([early.key, late.key, future.key], None)


async def test_parked_closed_and_foreign_runs_are_not_due(store: Store) -> None:
    parked, foreign, closed = (
        begin(store, wake_at=NOON, parked="its code is broken"),
        begin(store, wake_at=NOON, task_queue="other"),
        begin(store),
    )
    end = turns(closed.key, TURN_WIDTH, status="failed", closed_at=NOON, wake_at=NOON)
    await store.commit([parked, foreign, closed, end])
    assert await store.due(ORDERS, TYPES, NOON, 10) == ([], None)
    assert await store.due(ORDERS, ("Another",), NOON, 10) == ([], None)
    assert (await store.due(Share("default", "other"), TYPES, NOON, 10))[0] == [foreign.key]


async def test_runs_with_messages_or_a_failing_turn_have_arrivals(store: Store) -> None:
    quiet, with_message, failing, foreign = (
        begin(store),
        begin(store),
        begin(store, failing="{}", parked="its code is broken"),
        begin(store, task_queue="other"),
    )
    messages = [receives(store, run.key) for run in (with_message, with_message, foreign)]
    await store.commit([quiet, with_message, failing, foreign, *messages])
    assert list(await store.arrivals(ORDERS, TYPES, 0, 10)) == [with_message.key, failing.key]
    assert list(await store.arrivals(ORDERS, TYPES, 0, 1)) == [with_message.key]
    assert list(await store.arrivals(ORDERS, TYPES, with_message.key, 10)) == [failing.key]
    assert list(await store.arrivals(ORDERS, ("Another",), 0, 10)) == []
    assert list(await store.arrivals(ORDERS, None, 0, 10)) == [with_message.key, failing.key]


def test_numbers_given_out_rise() -> None:
    store = MemoryStore()
    keys = [store.new_run_key() for _ in range(3)]
    seqs = [store.new_inbox_seq() for _ in range(3)]
    assert keys == sorted(set(keys))
    assert seqs == sorted(set(seqs))


# Agreeing


def a_batch(chance: Random, store: Store, keys: list[int]) -> list[Change]:
    """Changes of which many collide: few workflow ids, guessed event numbers."""
    batch: list[Change] = []
    for _ in range(chance.randrange(1, 12)):
        kind = chance.randrange(7)
        key = chance.choice(keys) if keys else 1
        expected = TURN_WIDTH * chance.randrange(1, 4)
        activity_id = str(chance.randrange(3))
        if kind < 2:
            request_id = chance.choice(["", "", f"r{chance.randrange(3)}"])
            reuse = chance.choice(["allow", "allow", "failed_only", "reject"])
            workflow_id = f"order-{chance.randrange(12)}"
            batch.append(begin(store, workflow_id, reuse=reuse, request_id=request_id))
            keys.append(batch[-1].key)
        elif kind == 2:
            batch.append(turns(key, expected, open_activities=chance.randrange(2)))
        elif kind == 3:
            batch.append(closes(key, expected, chance.choice(["completed", "failed"])))
        elif kind == 4:
            batch.append(receives(store, key))
        elif kind == 5:
            batch.append(Change(key, activities=(ActivityRow(activity_id, chance.randrange(1, 5), 1),)))
        else:
            batch.append(Change(key, expected=chance.choice([None, expected]), finished=(activity_id,)))
    return batch


@pytest.mark.parametrize("number", range(8))
async def test_a_file_gives_the_same_answers_as_memory(sqlite: SqliteStore, number: int) -> None:
    chance, memory, keys = Random(number), MemoryStore(), list[int]()
    for _ in range(60):
        batch = a_batch(chance, memory, keys)
        assert list(await sqlite.commit(batch)) == list(await memory.commit(batch))
    every = sorted(keys)
    assert list(await sqlite.load(every)) == list(await memory.load(every))
    assert list(await sqlite.busy(0, 1000)) == list(await memory.busy(0, 1000))
    assert list(await sqlite.arrivals(ORDERS, TYPES, 0, 1000)) == list(await memory.arrivals(ORDERS, TYPES, 0, 1000))


async def test_a_batch_may_be_large(store: Store) -> None:
    runs = [begin(store) for _ in range(777)]
    assert await store.commit(runs) == [COMMITTED] * 777
    updates = [turns(run.key, TURN_WIDTH) for run in runs]
    assert await store.commit(updates) == [COMMITTED] * 777


async def test_text_is_kept_to_the_letter(store: Store) -> None:
    text = '{"name":"Zoë — 💥 \' \\u0000"}'
    run = begin(store, "Zoë's „order“ 💥")
    await store.commit([run, Change(run.key, arrived=(InboxRow(1, text, NOON, "req"),))])
    found = await store.find("default", "Zoë's „order“ 💥")
    assert found == msgspec.structs.replace(record(run), inbox=1)
    (loaded,) = await store.load([run.key])
    assert loaded.inbox[0].message == text


async def test_numbers_go_on_after_a_restart(path: Path) -> None:
    first = SqliteStore(path)
    await first.open()
    run = begin(first)
    message = receives(first, run.key)
    consumed = msgspec.structs.replace(closes(run.key, TURN_WIDTH), consumed=(message.arrived[0].seq,))
    await first.commit([run, message, consumed])
    await first.close()
    again = SqliteStore(path)
    await again.open()
    assert again.new_run_key() > run.key
    assert again.new_inbox_seq() > message.arrived[0].seq
    await again.close()
