"""What every store promises about schedules: each write is compared with the version before it."""

from __future__ import annotations

import gzip
from pathlib import Path

from actorflow.store.protocol import COMMITTED, NO_RUN, Change, Conflict, ScheduleRow, ScheduleWrite, Store
from actorflow.store.sqlite import ReadOnlyStore, SqliteStore
from actorflow.store.sqlite.verify import verify
from tests.store.given import begin


def a_row(version: int = 1, schedule_id: str = "daily", namespace: str = "default", record: str = "{}") -> ScheduleRow:
    return ScheduleRow(namespace, schedule_id, version, record)


def put(row: ScheduleRow) -> Change:
    return Change(NO_RUN, schedule=ScheduleWrite(row))


def delete(row: ScheduleRow) -> Change:
    return Change(NO_RUN, schedule=ScheduleWrite(row, is_deleted=True))


async def test_a_schedule_is_found_as_it_was_written_last(store: Store) -> None:
    assert await store.commit([put(a_row())]) == [COMMITTED]
    assert await store.commit([put(a_row(2, record='{"a":1}'))]) == [COMMITTED]
    assert await store.schedule("default", "daily") == a_row(2, record='{"a":1}')
    assert await store.schedule("default", "weekly") is None
    assert await store.schedule("elsewhere", "daily") is None


async def test_several_writes_of_one_batch_are_made_in_their_order(store: Store) -> None:
    batch = [put(a_row()), put(a_row(2)), put(a_row(3, record="[]")), put(a_row(schedule_id="weekly"))]
    assert await store.commit(batch) == [COMMITTED] * 4
    assert await store.schedule("default", "daily") == a_row(3, record="[]")
    assert await store.commit([delete(a_row(3)), put(a_row())]) == [COMMITTED] * 2
    assert await store.schedule("default", "daily") == a_row()


async def test_a_write_from_another_version_is_a_conflict_and_harms_no_other(store: Store) -> None:
    await store.commit([put(a_row())])
    batch = [put(a_row()), put(a_row(3)), delete(a_row(2)), put(a_row(2)), put(a_row(2))]
    assert await store.commit(batch) == [Conflict(), Conflict(), Conflict(), COMMITTED, Conflict()]
    assert await store.schedule("default", "daily") == a_row(2)


async def test_what_does_not_exist_can_be_neither_changed_nor_deleted(store: Store) -> None:
    assert await store.commit([put(a_row(2)), delete(a_row())]) == [Conflict(), Conflict()]
    assert await store.schedule("default", "daily") is None


async def test_schedules_and_runs_are_written_together_and_a_conflict_of_one_leaves_the_other(store: Store) -> None:
    first = begin(store, "order")
    assert await store.commit([first, put(a_row())]) == [COMMITTED, COMMITTED]
    second, third = begin(store, "order"), begin(store, "another")
    outcomes = await store.commit([second, put(a_row(2)), put(a_row(2)), third])
    assert [type(outcome) for outcome in outcomes] == [Conflict, type(COMMITTED), Conflict, type(COMMITTED)]


async def test_schedules_are_listed_by_namespace_and_id_page_by_page(store: Store) -> None:
    names = [("b", "1"), ("a", "2"), ("a", "1"), ("a", "10")]
    await store.commit([put(a_row(1, schedule_id, namespace)) for namespace, schedule_id in names])
    first = await store.schedules(("", ""), 3)
    assert [(row.namespace, row.schedule_id) for row in first] == [("a", "1"), ("a", "10"), ("a", "2")]
    rest = await store.schedules(("a", "2"), 3)
    assert [(row.namespace, row.schedule_id) for row in rest] == [("b", "1")]
    assert list(await store.schedules(("b", "1"), 3)) == []


async def test_schedules_are_there_when_the_file_is_opened_again_and_the_file_is_sound(path: Path) -> None:
    store = SqliteStore(path)
    await store.open()
    await store.commit([put(a_row())])
    await store.close()
    looking = ReadOnlyStore(path)
    await looking.open()
    assert await looking.schedule("default", "daily") == a_row()
    assert await looking.schedules(("default", ""), 5) == [a_row()]
    await looking.close()
    assert verify(path).is_sound


async def test_a_file_without_the_table_gets_it_when_it_is_opened_for_writing(path: Path) -> None:
    path.write_bytes(gzip.decompress((Path(__file__).parent / "schema_1.gz").read_bytes()))
    store = SqliteStore(path)
    await store.open()
    assert list(await store.schedules(("", ""), 5)) == []
    assert await store.commit([put(a_row())]) == [COMMITTED]
    await store.close()
