"""Schedules as programs use them: over a real file or memory, with a clock that is moved by hand."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from actorflow import activity, workflow
from actorflow.client import (
    Client,
    RPCError,
    RPCStatusCode,
    Schedule,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleBackfill,
    ScheduleCalendarSpec,
    ScheduleDescription,
    ScheduleHandle,
    ScheduleIntervalSpec,
    ScheduleListActionStartWorkflow,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleSpecError,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
    WorkflowFailureError,
)
from actorflow.common import RetryPolicy, SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from actorflow.core import limits
from actorflow.engine.engine import Engine
from actorflow.exceptions import (
    ApplicationError,
    CancelledError,
    SearchAttributeTypeError,
    StorageFullError,
    TerminatedError,
    UnsupportedOptionError,
)
from actorflow.observability import table
from actorflow.store.memory import MemoryStore
from actorflow.store.sqlite.verify import verify
from actorflow.testing import WorkflowEnvironment
from tests.crashes import invariants
from tests.crashes.gated import a_gated_client
from tests.engine.stores import FullStore
from tests.examples.clocks import MovableClock
from tests.support import a_client, a_worker, start

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
OVERLAP = ScheduleOverlapPolicy
HOURLY = ScheduleSpec(intervals=[ScheduleIntervalSpec(HOUR)])


class Hall:
    """Where what is started says so."""

    def __init__(self) -> None:
        self.arrivals: asyncio.Queue[str] = asyncio.Queue()

    @activity.defn
    async def arrive(self) -> None:
        self.arrivals.put_nowait(activity.info().workflow_id)


@workflow.defn
class Work:
    """Says that it is there, and waits for a word."""

    def __init__(self) -> None:
        self.word = ""

    @workflow.run
    async def run(self, first: str = "") -> list[Any]:
        await workflow.execute_activity("arrive", start_to_close_timeout=MINUTE)
        await workflow.wait_condition(lambda: bool(self.word))
        if self.word == "fail":
            raise ApplicationError("no luck")
        before: Any = workflow.get_last_completion_result() if workflow.has_last_completion_result() else None
        failure = workflow.get_last_failure()
        return [first, before and before[0], failure and str(failure)]

    @workflow.signal
    def say(self, word: str) -> None:
        self.word = word


@workflow.defn
class Quick:
    @workflow.run
    async def run(self) -> str:
        return workflow.info().workflow_id


class Place:
    """A client, a clock, and what has arrived."""

    def __init__(self, client: Client, clock: MovableClock, hall: Hall) -> None:
        self.client = client
        self.clock = clock
        self.hall = hall

    async def schedule(self, spec: ScheduleSpec = HOURLY, id: str = "s", **options: Any) -> ScheduleHandle:
        """Make a schedule of `Work`."""
        policy = SchedulePolicy(**{name: options.pop(name) for name in list(options) if name in POLICIES})
        state = options.pop("state", ScheduleState())
        action = options.pop("action", ScheduleActionStartWorkflow(Work.run, "x", id="work", task_queue="q"))
        return await self.client.create_schedule(id, Schedule(action, spec, policy, state), **options)

    async def arrived(self) -> str:
        """The id of the next workflow that was started."""
        return await self.hall.arrivals.get()

    async def say(self, workflow_id: str, word: str = "go") -> Any:
        """Tell a workflow what to do, and wait for its end."""
        handle = self.client.get_workflow_handle(workflow_id)
        await handle.signal("say", word)
        return await handle.result()


POLICIES = {"overlap", "catchup_window", "pause_on_failure"}


@asynccontextmanager
async def a_hall(path: Path | None = None, clock: MovableClock | None = None) -> AsyncIterator[Place]:
    clock, hall = clock or MovableClock(), Hall()
    async with (
        asyncio.timeout(20),
        a_client(path, clock=clock) as client,
        a_worker(client, workflows=[Work, Quick], activities=[hall.arrive]),
    ):
        yield Place(client, clock, hall)


def next_hour(clock: MovableClock, hours: int = 1) -> str:
    """The id of the workflow for a full hour to come."""
    at = clock.now().replace(minute=0, second=0, microsecond=0) + hours * HOUR
    return f"work-{at:%Y-%m-%dT%H:%M:%S}Z"


def running(described: ScheduleDescription) -> list[str]:
    return ids(described.info.running_actions)


def recent(described: ScheduleDescription) -> list[str]:
    return ids(result.action for result in described.info.recent_actions)


def ids(actions: Iterable[object]) -> list[str]:
    return [one.workflow_id for one in actions if isinstance(one, ScheduleActionExecutionStartWorkflow)]


# Being due


@pytest.mark.parametrize("is_on_disk", [True, False])
async def test_a_schedule_starts_a_workflow_when_it_is_due_whose_id_carries_the_time(
    tmp_path: Path, is_on_disk: bool
) -> None:
    async with a_hall(tmp_path / "j.db" if is_on_disk else None) as place:
        schedule = await place.schedule()
        expected = next_hour(place.clock)
        place.clock.skip(HOUR)
        assert await place.arrived() == expected
        described = await schedule.describe()
        assert (recent(described), running(described)) == ([expected], [expected])
        assert await place.say(expected) == ["x", None, None]
        described = await schedule.describe()
        assert (described.info.num_actions, running(described)) == (1, [])
        assert described.info.next_action_times[0] - described.info.recent_actions[0].scheduled_at == HOUR


async def test_results_and_failures_are_passed_on_to_the_next_run() -> None:
    async with a_hall() as place:
        await place.schedule()
        answers: list[Any] = []
        for word in ("go", "fail", "go", "go"):
            place.clock.skip(HOUR)
            workflow_id = await place.arrived()
            try:
                answers.append(await place.say(workflow_id, word))
            except WorkflowFailureError:
                answers.append("failed")
        assert answers == [["x", None, None], "failed", ["x", "x", "no luck"], ["x", "x", None]]


async def test_a_schedule_waits_for_the_last_run_of_a_chain() -> None:
    retried = ScheduleActionStartWorkflow(
        Work.run, id="work", task_queue="q", retry_policy=RetryPolicy(initial_interval=SECOND)
    )
    async with a_hall() as place:
        schedule = await place.schedule(action=retried, pause_on_failure=True)
        place.clock.skip(HOUR)
        first = await place.arrived()
        await place.client.get_workflow_handle(first).signal("say", "fail")
        place.clock.skip(2 * SECOND)
        assert await place.arrived() == first
        described = await schedule.describe()
        assert (running(described), described.schedule.state.paused) == ([first], False)
        await place.say(first)
        assert running(await schedule.describe()) == []


# Overlap


async def test_what_still_runs_is_asked_to_stop_and_followed() -> None:
    async with a_hall() as place:
        await place.schedule(overlap=OVERLAP.CANCEL_OTHER)
        place.clock.skip(HOUR)
        first = await place.arrived()
        second = next_hour(place.clock)
        place.clock.skip(HOUR)
        with pytest.raises(WorkflowFailureError) as cancelled:
            await place.client.get_workflow_handle(first).result()
        assert isinstance(cancelled.value.cause, CancelledError)
        assert await place.arrived() == second


async def test_what_still_runs_is_ended_and_followed() -> None:
    async with a_hall() as place:
        await place.schedule(overlap=OVERLAP.TERMINATE_OTHER)
        place.clock.skip(HOUR)
        first = await place.arrived()
        place.clock.skip(HOUR)
        with pytest.raises(WorkflowFailureError) as ended:
            await place.client.get_workflow_handle(first).result()
        assert isinstance(ended.value.cause, TerminatedError)
        assert await place.arrived() != first


async def test_what_is_due_waits_skips_or_runs_beside_as_the_policy_says() -> None:
    async with a_hall() as place:
        one, every, beside, skips = [
            await place.schedule(
                id=str(policy),
                overlap=policy,
                action=ScheduleActionStartWorkflow(Work.run, id=policy.name, task_queue="q"),
            )
            for policy in (OVERLAP.BUFFER_ONE, OVERLAP.BUFFER_ALL, OVERLAP.ALLOW_ALL, OVERLAP.SKIP)
        ]
        for expected in (4, 1, 1):
            place.clock.skip(HOUR)
            for _ in range(expected):
                await place.arrived()
        found = [await schedule.describe() for schedule in (one, every, beside, skips)]
        assert [len(running(described)) for described in found] == [1, 1, 3, 1]
        assert [described.info.num_actions_skipped_overlap for described in found] == [1, 0, 0, 2]
        for schedule, waiting in ((one, 1), (every, 2)):
            for _ in range(waiting):
                await place.say(running(await schedule.describe())[0])
                await place.arrived()


async def test_a_stranger_of_the_same_id_is_left_alone_and_the_next_time_taken() -> None:
    async with a_hall() as place:
        taken = next_hour(place.clock)
        await start(place.client, Work.run, "stranger", id=taken)
        await place.arrived()
        schedule = await place.schedule()
        place.clock.skip(HOUR)
        described = await schedule.describe()
        assert (described.info.num_actions, recent(described)) == (0, [])
        following = next_hour(place.clock)
        place.clock.skip(HOUR)
        assert await place.arrived() == following
        assert (await place.say(taken))[0] == "stranger"


# Pauses and limits


async def test_a_failure_pauses_a_schedule_that_wants_that() -> None:
    async with a_hall() as place:
        schedule = await place.schedule(pause_on_failure=True)
        place.clock.skip(HOUR)
        with pytest.raises(WorkflowFailureError):
            await place.say(await place.arrived(), "fail")
        state = (await schedule.describe()).schedule.state
        assert state.paused
        assert state.note is not None
        assert "no luck" in state.note
        place.clock.skip(3 * HOUR)
        await schedule.unpause(note="mended")
        expected = next_hour(place.clock)
        place.clock.skip(HOUR)
        assert await place.arrived() == expected
        described = await schedule.describe()
        assert (described.schedule.state.note, described.info.num_actions) == ("mended", 2)


async def test_a_paused_schedule_takes_only_what_somebody_asks_for() -> None:
    async with a_hall() as place:
        schedule = await place.schedule(state=ScheduleState(paused=True, note="later"))
        place.clock.skip(5 * HOUR)
        assert (await schedule.describe()).info.num_actions == 0
        await schedule.trigger()
        workflow_id = await place.arrived()
        described = await schedule.describe()
        assert recent(described) == [workflow_id]
        assert (described.schedule.state.paused, described.schedule.state.note) == (True, "later")


async def test_a_limited_schedule_ends_with_its_last_action_and_goes_on_with_new_ones() -> None:
    async with a_hall() as place:
        schedule = await place.schedule(state=ScheduleState(limited_actions=True, remaining_actions=1))
        place.clock.skip(HOUR)
        await place.say(await place.arrived())
        place.clock.skip(5 * HOUR)
        described = await schedule.describe()
        assert (described.info.num_actions, described.info.next_action_times) == (1, [])
        assert described.schedule.state == ScheduleState(limited_actions=True, remaining_actions=0)

        def one_more(input: ScheduleUpdateInput) -> ScheduleUpdate:
            input.description.schedule.state.remaining_actions = 1
            return ScheduleUpdate(input.description.schedule)

        await schedule.update(one_more)
        expected = next_hour(place.clock)
        place.clock.skip(HOUR)
        assert await place.arrived() == expected


# Triggers and backfills


async def test_a_schedule_may_begin_with_an_action_and_a_backfill() -> None:
    async with a_hall() as place:
        hour = place.clock.now().replace(minute=0, second=0, microsecond=0)
        span = ScheduleBackfill(hour - 2 * HOUR, hour - HOUR, OVERLAP.ALLOW_ALL)
        schedule = await place.schedule(trigger_immediately=True, backfill=[span])
        found = {await place.arrived() for _ in range(3)}
        assert {next_hour(place.clock, -2), next_hour(place.clock, -1)} < found
        assert set(recent(await schedule.describe())) == found


async def test_a_backfill_takes_times_that_have_no_workflow_yet() -> None:
    async with a_hall() as place:
        schedule = await place.schedule(overlap=OVERLAP.ALLOW_ALL)
        place.clock.skip(HOUR)
        first = await place.arrived()
        await place.say(first)
        now = place.clock.now()
        await schedule.backfill(ScheduleBackfill(now - 2 * HOUR, now))
        second = await place.arrived()
        assert second != first
        described = await schedule.describe()
        assert (described.info.num_actions, running(described)) == (2, [second])


async def test_triggers_of_one_instant_start_several_workflows() -> None:
    async with a_hall() as place:
        schedule = await place.schedule()
        await asyncio.gather(*[schedule.trigger(overlap=OVERLAP.ALLOW_ALL) for _ in range(5)])
        assert len({await place.arrived() for _ in range(5)}) == 5


# Describing, listing, updating, deleting


async def test_a_description_shows_what_was_given_with_cron_as_calendars() -> None:
    spec = ScheduleSpec(
        calendars=[ScheduleCalendarSpec(hour=[ScheduleRange(9)], comment="morning")],
        intervals=[ScheduleIntervalSpec(HOUR, MINUTE)],
        cron_expressions=["30 2 * * MON"],
        skip=[ScheduleCalendarSpec(month=[ScheduleRange(12, 12)])],
        start_at=datetime(2030, 1, 1, tzinfo=UTC),
        jitter=SECOND,
        time_zone_name="Europe/Berlin",
    )
    action = ScheduleActionStartWorkflow(
        Work.run, "x", id="work", task_queue="q", run_timeout=HOUR, retry_policy=RetryPolicy(maximum_attempts=2)
    )
    async with a_hall() as place:
        schedule = await place.schedule(spec, action=action, overlap=OVERLAP.BUFFER_ONE, memo={"team": "night"})
        described = await schedule.describe()
        found = described.schedule
        assert [(calendar.hour, calendar.comment) for calendar in found.spec.calendars] == [
            ((ScheduleRange(9, 9, 1),), "morning"),
            ((ScheduleRange(2, 2, 1),), None),
        ]
        assert found.spec.calendars[1].day_of_week == (ScheduleRange(1, 1, 1),)
        assert found.spec.intervals == spec.intervals
        assert (found.spec.cron_expressions, found.spec.time_zone_name) == ([], "Europe/Berlin")
        assert (found.spec.start_at, found.spec.jitter) == (spec.start_at, SECOND)
        assert found.policy == SchedulePolicy(OVERLAP.BUFFER_ONE, limits.SCHEDULE_CATCHUP_WINDOW)
        assert isinstance(found.action, ScheduleActionStartWorkflow)
        assert (found.action.workflow, found.action.id, found.action.run_timeout) == ("Work", "work", HOUR)
        assert await place.client.data_converter.decode(found.action.args) == ["x"]
        assert (await described.memo(), await described.memo_value("team")) == ({"team": "night"}, "night")
        assert await described.memo_value("none", 3) == 3
        with pytest.raises(KeyError):
            await described.memo_value("none")
        assert len(described.info.next_action_times) == limits.SCHEDULE_NEXT_MAX
        assert described.info.next_action_times == sorted(described.info.next_action_times)


async def test_what_was_described_can_be_given_back_and_means_the_same() -> None:
    async with a_hall() as place:
        schedule = await place.schedule(ScheduleSpec(cron_expressions=["*/7 3-5 * * MON-FRI", "@every 90s/5s"]))
        before = await schedule.describe()
        await schedule.update(lambda input: ScheduleUpdate(input.description.schedule))
        after = await schedule.describe()
        assert after.schedule == before.schedule
        assert after.info.last_updated_at is not None
        assert after.info.next_action_times == before.info.next_action_times


async def test_an_update_changes_what_is_started_from_now_on() -> None:
    async with a_hall() as place:
        schedule = await place.schedule()

        async def other(input: ScheduleUpdateInput) -> ScheduleUpdate:
            action = ScheduleActionStartWorkflow(Work.run, "y", id="other", task_queue="q")
            return ScheduleUpdate(replace(input.description.schedule, action=action))

        await schedule.update(other)
        place.clock.skip(HOUR)
        workflow_id = await place.arrived()
        assert workflow_id.startswith("other-")
        assert (await place.say(workflow_id))[0] == "y"


async def test_an_update_without_a_change_or_with_an_error_changes_nothing() -> None:
    async with a_hall() as place:
        schedule = await place.schedule()
        before = await schedule.describe()
        await schedule.update(lambda _: None)

        def fails(_: ScheduleUpdateInput) -> ScheduleUpdate:
            raise RuntimeError("no idea")

        def is_wrong(input: ScheduleUpdateInput) -> ScheduleUpdate:
            input.description.schedule.spec.intervals = [ScheduleIntervalSpec(-HOUR)]
            return ScheduleUpdate(input.description.schedule)

        with pytest.raises(RuntimeError, match="no idea"):
            await schedule.update(fails)
        with pytest.raises(ScheduleSpecError, match=r"intervals\[0\].every"):
            await schedule.update(is_wrong)
        with pytest.raises(TypeError, match="ScheduleUpdate"):
            await schedule.update(lambda _: "yes")  # pyright: ignore[reportArgumentType]
        after = await schedule.describe()
        assert (after.schedule, after.revision) == (before.schedule, before.revision)


async def test_an_update_that_meets_another_is_decided_again() -> None:
    async with a_hall() as place:
        schedule = await place.schedule()
        seen: list[str | None] = []

        async def decide(input: ScheduleUpdateInput) -> ScheduleUpdate:
            seen.append(input.description.schedule.state.note)
            if len(seen) == 1:
                await schedule.pause(note="meanwhile")
            input.description.schedule.policy.overlap = OVERLAP.ALLOW_ALL
            return ScheduleUpdate(input.description.schedule)

        await schedule.update(decide)
        found = (await schedule.describe()).schedule
        assert seen == [None, "meanwhile"]
        assert (found.policy.overlap, found.state.paused) == (OVERLAP.ALLOW_ALL, True)


async def test_schedules_are_listed_page_by_page() -> None:
    async with a_hall() as place:
        for number in (3, 1, 2):
            await place.schedule(id=f"s{number}", state=ScheduleState(paused=number == 2, note=f"n{number}"))
        found = [one async for one in await place.client.list_schedules(page_size=2)]
        assert [one.id for one in found] == ["s1", "s2", "s3"]
        assert [one.schedule and one.schedule.state.paused for one in found] == [False, True, False]
        assert found[0].schedule is not None
        assert found[0].schedule.action == ScheduleListActionStartWorkflow("Work")
        assert found[0].info is not None
        assert len(found[0].info.next_action_times) == limits.SCHEDULE_NEXT_MAX
        first = await place.client.list_schedules(page_size=2)
        await first.fetch_next_page()
        rest = await place.client.list_schedules(next_page_token=first.next_page_token)
        assert [one.id async for one in rest] == ["s3"]
        with pytest.raises(RPCError, match="can't be filtered"):
            await place.client.list_schedules("paused = true")


async def test_a_deleted_schedule_is_gone_and_what_it_started_goes_on() -> None:
    async with a_hall() as place:
        schedule = await place.schedule(trigger_immediately=True)
        workflow_id = await place.arrived()
        await schedule.delete()
        for call in (schedule.describe, schedule.delete, schedule.trigger, schedule.pause, schedule.unpause):
            with pytest.raises(RPCError) as refused:
                await call()
            assert refused.value.status == RPCStatusCode.NOT_FOUND
        assert [one async for one in await place.client.list_schedules()] == []
        place.clock.skip(5 * HOUR)
        assert await place.say(workflow_id) == ["x", None, None]
        await place.schedule()
        place.clock.skip(HOUR)
        assert await place.arrived()
        assert place.hall.arrivals.empty()


# Mistakes


async def test_a_call_waits_as_long_as_it_is_told_to(tmp_path: Path) -> None:
    async with asyncio.timeout(20), a_gated_client(tmp_path / "j.db") as (client, store):
        schedule = await client.create_schedule(
            "s", HOURLY, action=ScheduleActionStartWorkflow(Quick.run, id="work", task_queue="q", static_summary="x")
        )
        store.before_commit.close()
        with pytest.raises(RPCError) as late:
            await schedule.pause(rpc_timeout=timedelta(milliseconds=1))
        assert late.value.status == RPCStatusCode.DEADLINE_EXCEEDED
        store.before_commit.open()
        assert (await schedule.describe()).schedule.state.paused


async def test_an_id_that_exists_is_refused_and_the_schedule_stays_as_it_is() -> None:
    async with a_hall() as place:
        schedule = await place.schedule()
        before = await schedule.describe()
        with pytest.raises(ScheduleAlreadyRunningError, match="'s'"):
            await place.schedule(state=ScheduleState(paused=True))
        assert (await schedule.describe()).schedule == before.schedule
        other = Client(place.client.engine, namespace="other")
        await other.create_schedule("s", HOURLY, action=ScheduleActionStartWorkflow("W", id="w", task_queue="q"))


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (ScheduleSpec(cron_expressions=["0 0 30 2 *"]), "cron_expressions[0]"),
        (ScheduleSpec(cron_expressions=["@daily", "0 0 30 2 * 2030"]), "cron_expressions[1]"),
        (ScheduleSpec(cron_expressions="@daily"), "cron_expressions"),
        (ScheduleSpec(cron_expressions=["@every 1ms"]), "cron_expressions[0].every"),
        (ScheduleSpec(cron_expressions=["CRON_TZ=Mars @daily"]), "time_zone_name"),
        (ScheduleSpec(cron_expressions=["TZ=Asia/Tokyo @daily"], time_zone_name="UTC"), "cron_expressions[0]"),
        (ScheduleSpec(time_zone_name="Mars"), "time_zone_name"),
        (ScheduleSpec(intervals=[ScheduleIntervalSpec(-SECOND)]), "intervals[0].every"),
        (ScheduleSpec(start_at=datetime(2030, 1, 1)), "start_at"),  # noqa: DTZ001 - that is the mistake
        (ScheduleSpec(calendars=[ScheduleCalendarSpec(hour=[ScheduleRange(25)])]), "calendars[0].hour"),
        (ScheduleSpec(jitter=-SECOND), "jitter"),
    ],
)
async def test_a_spec_that_makes_no_sense_is_refused_by_its_field_and_nothing_is_written(
    spec: ScheduleSpec, field: str
) -> None:
    async with a_hall() as place:
        with pytest.raises(ScheduleSpecError) as refused:
            await place.schedule(spec)
        assert refused.value.field == field
        assert [one async for one in await place.client.list_schedules()] == []


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (ScheduleSpec(calendars=[ScheduleCalendarSpec(hour=5)]), r"calendars\[0\].hour"),  # pyright: ignore[reportArgumentType]
        (ScheduleSpec(calendars=[ScheduleCalendarSpec(hour=ScheduleRange(5))]), r"calendars\[0\].hour"),  # pyright: ignore[reportArgumentType]
        (ScheduleSpec(calendars=ScheduleCalendarSpec()), "calendars"),  # pyright: ignore[reportArgumentType]
    ],
    ids=["number", "range", "calendar"],
)
async def test_what_must_be_a_list_and_is_none_is_named(spec: ScheduleSpec, field: str) -> None:
    async with a_hall() as place:
        with pytest.raises(ScheduleSpecError, match=f"^{field} .* must be a list"):
            await place.schedule(spec)


async def test_other_mistakes_are_refused_in_words() -> None:
    action = ScheduleActionStartWorkflow(Work.run, id="work", task_queue="q")
    async with a_hall() as place:
        create = place.client.create_schedule
        with pytest.raises(ScheduleSpecError, match="one at least"):
            await place.schedule(state=ScheduleState(limited_actions=True))
        with pytest.raises(ScheduleSpecError, match="limited_actions must be True"):
            await place.schedule(state=ScheduleState(remaining_actions=3))
        with pytest.raises(ScheduleSpecError, match="negative"):
            await place.schedule(state=ScheduleState(limited_actions=True, remaining_actions=-1))
        with pytest.raises(ScheduleSpecError, match="catchup_window"):
            await place.schedule(catchup_window=-HOUR)
        with pytest.raises(TypeError, match="needs an action"):
            await create("s", HOURLY)
        with pytest.raises(TypeError, match="give them there"):
            await create("s", Schedule(action, HOURLY), action=action)
        with pytest.raises(TypeError, match="task_queue"):
            await create("s", HOURLY, action=ScheduleActionStartWorkflow(Work.run, id="work"))
        with pytest.raises(TypeError, match="other arguments"):
            ScheduleActionStartWorkflow(Quick.run, args=[1, 2], id="work")
        with pytest.raises(TypeError, match="ScheduleSpec"):
            await create("s", "@daily", action=action)  # pyright: ignore[reportArgumentType]
        with pytest.raises(ValueError, match="workflow id"):
            await create("", HOURLY, action=action)
        with pytest.raises(ValueError, match="workflow id"):
            await create("s", HOURLY, action=ScheduleActionStartWorkflow(Work.run, id="w" * 990, task_queue="q"))
        schedule = await place.schedule()
        naive = datetime(2030, 1, 1)  # noqa: DTZ001 - that is the mistake
        aware = datetime(2030, 1, 1, tzinfo=UTC)
        for span in (
            ScheduleBackfill(naive, aware),
            ScheduleBackfill(aware, naive),
            ScheduleBackfill(aware, aware - HOUR),
        ):
            with pytest.raises(ScheduleSpecError, match="backfill"):
                await schedule.backfill(span)
        with pytest.raises(ScheduleSpecError, match="backfill"):
            await schedule.backfill(*[ScheduleBackfill(aware, aware)] * 101)
        with pytest.raises(ValueError, match="one backfill"):
            await schedule.backfill()
        assert (await schedule.describe()).info.num_actions == 0
        with pytest.raises(ScheduleSpecError, match="backfill"):
            await place.schedule(id="t", backfill=[ScheduleBackfill(aware, aware)] * 101)
        assert [one.id async for one in await place.client.list_schedules()] == ["s"]


async def test_asking_often_starts_nothing_twice() -> None:
    async with a_hall() as place:
        schedule = await place.schedule()
        for _ in range(20):
            await schedule.describe()
            await schedule.unpause()
        place.clock.skip(HOUR)
        await place.arrived()
        assert (await schedule.describe()).info.num_actions == 1


async def test_there_is_a_bound_to_schedules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SCHEDULES_MAX", 2)
    async with a_hall() as place:
        for number in range(2):
            await place.schedule(id=str(number))
        with pytest.raises(RPCError) as refused:
            await place.schedule(id="2")
        assert refused.value.status == RPCStatusCode.RESOURCE_EXHAUSTED


# Coming and going


async def test_what_was_due_while_nobody_was_there_is_made_up_for(tmp_path: Path) -> None:
    path, clock = tmp_path / "j.db", MovableClock()
    async with a_hall(path, clock) as place:
        await place.schedule(catchup_window=2 * HOUR + 30 * MINUTE, overlap=OVERLAP.ALLOW_ALL)
        expected = [next_hour(clock, hours) for hours in range(1, 6)]
    clock.skip(5 * HOUR)
    late = [name for name in expected if name < f"work-{clock.now() - 2 * HOUR - 30 * MINUTE:%Y-%m-%dT%H:%M:%S}Z"]
    async with a_hall(path, clock) as place:
        made_up = sorted([await place.arrived() for _ in range(5 - len(late))])
        assert made_up == [name for name in expected if name not in late]
        info = (await place.client.get_schedule_handle("s").describe()).info
        assert (info.num_actions, info.num_actions_missed_catchup_window) == (len(made_up), len(late))


async def test_what_ended_while_the_schedule_was_not_there_is_noticed(tmp_path: Path) -> None:
    path, clock = tmp_path / "j.db", MovableClock()
    async with a_hall(path, clock) as place:
        await place.schedule(overlap=OVERLAP.BUFFER_ALL, trigger_immediately=True)
        first = await place.arrived()
        clock.skip(HOUR)
        described = await place.client.get_schedule_handle("s").describe()
        assert running(described) == [first]
    async with a_hall(path, clock) as place:
        await place.say(first)
        await place.arrived()
    with closing(sqlite3.connect(path)) as raw:
        # As an earlier process would have left it, had it died before it wrote that the first one ended.
        ((record,),) = raw.execute("SELECT record FROM schedule").fetchall()
        raw.execute(
            "UPDATE schedule SET record = ?", (record.replace('"running":[', f'"running":[{as_running(path)},'),)
        )
        raw.commit()
    async with a_hall(path, clock) as place:
        described = await place.client.get_schedule_handle("s").describe()
        assert first not in running(described)
    assert verify(path).is_sound


def as_running(path: Path) -> str:
    """The workflow that began first, as a schedule remembers it."""
    first = min(invariants.read_runs(path), key=lambda run: run.run_id)
    return f'{{"workflow_id":"{first.workflow_id}","first_run_id":"{first.run_id}"}}'


async def test_a_month_of_nights_takes_no_time_in_a_test_environment() -> None:
    async with (
        asyncio.timeout(20),
        await WorkflowEnvironment.start_time_skipping() as environment,
        a_worker(environment.client, workflows=[Quick]),
    ):
        action = ScheduleActionStartWorkflow(Quick.run, id="night", task_queue="q")
        nightly = ScheduleSpec(cron_expressions=["0 2 * * *"])
        schedule = await environment.client.create_schedule("s", nightly, action=action)
        began = await environment.get_current_time()
        await environment.sleep(timedelta(days=30))
        info = (await schedule.describe()).info
        assert info.num_actions + info.num_actions_skipped_overlap == 30
        assert info.next_action_times[0] > began + timedelta(days=30)


async def test_a_schedule_without_a_worker_starts_workflows_that_wait_for_one(tmp_path: Path) -> None:
    path, clock = tmp_path / "j.db", MovableClock()
    async with a_client(path, clock=clock) as client:
        action = ScheduleActionStartWorkflow(Quick.run, id="work", task_queue="q")
        schedule = await client.create_schedule("s", HOURLY, action=action, policy=SchedulePolicy(OVERLAP.ALLOW_ALL))
        clock.skip(2 * HOUR)
        started = recent(await schedule.describe())
        assert len(started) == 2
        async with a_worker(client, workflows=[Quick]):
            for workflow_id in started:
                assert await client.get_workflow_handle(workflow_id).result() == workflow_id


async def test_who_only_looks_sees_schedules_and_changes_none(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    async with a_hall(path) as place:
        await place.schedule(memo={"a": 1})
        async with a_client(path, read_only=True) as beside:
            assert (await beside.get_schedule_handle("s").describe()).id == "s"
    async with a_client(path, read_only=True) as client:
        schedule = client.get_schedule_handle("s")
        assert await (await schedule.describe()).memo() == {"a": 1}
        assert [one.id async for one in await client.list_schedules()] == ["s"]
        with pytest.raises(RPCError, match="not found"):
            await client.get_schedule_handle("t").describe()
        action = ScheduleActionStartWorkflow(Quick.run, id="work", task_queue="q")
        for call in (
            schedule.pause(),
            schedule.trigger(),
            schedule.delete(),
            schedule.update(lambda input: ScheduleUpdate(input.description.schedule)),
            client.create_schedule("t", HOURLY, action=action),
        ):
            with pytest.raises(RPCError, match="read-only"):
                await call


async def test_a_full_disk_refuses_and_what_is_due_is_started_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "STORE_RETRY_DELAY", timedelta(milliseconds=5))
    store, clock = FullStore(tmp_path / "j.db"), MovableClock()
    engine = Engine(store, clock, "journal")
    await engine.opened()
    async with asyncio.timeout(20), Client(engine) as client, a_worker(client, workflows=[Quick]):
        action = ScheduleActionStartWorkflow(Quick.run, id="work", task_queue="q")
        schedule = await client.create_schedule("s", HOURLY, action=action)
        expected = next_hour(clock)
        store.is_full = True
        with pytest.raises(StorageFullError):
            await schedule.pause(note="full")
        with pytest.raises(StorageFullError):
            await schedule.unpause()
        assert not (await schedule.describe()).schedule.state.paused
        store.is_full = False
        await engine.site.journal.settled()
        assert (await schedule.describe()).schedule.state.note == "full"
        await schedule.unpause()
        clock.skip(HOUR)
        assert recent(await schedule.describe()) == [expected]
        assert await client.get_workflow_handle(expected).result() == expected


async def test_what_schedules_do_is_counted() -> None:
    clock = MovableClock()
    engine = Engine(MemoryStore(), clock, "memory")
    await engine.opened()
    async with asyncio.timeout(20), Client(engine) as client:
        action = ScheduleActionStartWorkflow(Quick.run, id="work", task_queue="q")
        policy = SchedulePolicy(catchup_window=2 * HOUR + 30 * MINUTE)
        schedule = await client.create_schedule("s", HOURLY, action=action, policy=policy)
        clock.skip(5 * HOUR)
        info = (await schedule.describe()).info
        assert engine.metrics.count(table.SCHEDULE_MISSED).value == info.num_actions_missed_catchup_window > 0
        counted = [engine.metrics.count(table.SCHEDULE_RUNS, outcome).value for outcome in ("started", "skipped")]
        assert counted == [info.num_actions, info.num_actions_skipped_overlap]
        assert counted[1] > 0


TENANT = SearchAttributeKey.for_keyword("Tenant")
BY_ID, START_TIME = (
    SearchAttributeKey.for_keyword("TemporalScheduledById"),
    SearchAttributeKey.for_datetime("TemporalScheduledStartTime"),
)


async def test_what_is_noted_in_an_action_is_noted_about_what_it_starts_also_after_an_update() -> None:
    action = ScheduleActionStartWorkflow(
        Work.run,
        "x",
        id="work",
        task_queue="q",
        memo={"who": {"name": "ann"}},
        typed_search_attributes=TypedSearchAttributes([SearchAttributePair(TENANT, "acme")]),
        static_summary="hourly",
        static_details="every hour",
    )
    async with a_hall() as place:
        schedule = await place.schedule(action=action)
        described = (await schedule.describe()).schedule

        def same(input: ScheduleUpdateInput) -> ScheduleUpdate:
            return ScheduleUpdate(input.description.schedule)

        await schedule.update(same)
        assert (await schedule.describe()).schedule == described
        await schedule.trigger()
        workflow_id = await place.arrived()
        (result,) = (await schedule.describe()).info.recent_actions
        started = await place.client.get_workflow_handle(workflow_id).describe()
        assert await started.memo() == {"who": {"name": "ann"}}
        assert await started.static_summary() == "hourly"
        assert started.typed_search_attributes[TENANT] == "acme"
        assert started.typed_search_attributes[BY_ID] == "s"
        assert started.typed_search_attributes[START_TIME] == result.scheduled_at
        found = [one.id async for one in place.client.list_workflows("TemporalScheduledById = 's'")]
        assert found == [workflow_id]
        assert [one async for one in place.client.list_workflows("TemporalScheduledById = 't'")] == []


async def test_an_action_whose_search_attribute_has_another_type_is_refused() -> None:
    number = TypedSearchAttributes([SearchAttributePair(SearchAttributeKey.for_int("Tenant"), 1)])
    async with a_hall() as place:
        await start(place.client, Quick, id="w", search_attributes={"Tenant": ["acme"]})
        action = ScheduleActionStartWorkflow(Quick.run, id="work", task_queue="q", typed_search_attributes=number)
        with pytest.raises(SearchAttributeTypeError, match="Tenant"):
            await place.schedule(action=action)
        with pytest.raises(UnsupportedOptionError, match="search_attributes of create_schedule"):
            await place.schedule(search_attributes={"Tenant": ["acme"]})


async def test_a_search_attribute_that_got_another_type_meanwhile_refuses_the_action_and_the_schedule_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tenant = TypedSearchAttributes([SearchAttributePair(TENANT, "acme")])
    action = ScheduleActionStartWorkflow(Quick.run, id="work", task_queue="q", typed_search_attributes=tenant)
    async with a_hall(tmp_path / "j.db") as place:
        await place.schedule(action=action)
    async with a_hall(tmp_path / "j.db") as place:
        await start(place.client, Quick, id="w", search_attributes={"Tenant": [7]})
        schedule = place.client.get_schedule_handle("s")
        await schedule.trigger()

        def without(input: ScheduleUpdateInput) -> ScheduleUpdate:
            plain = ScheduleActionStartWorkflow(Work.run, "x", id="plain", task_queue="q")
            return ScheduleUpdate(replace(input.description.schedule, action=plain))

        await schedule.update(without)
        await schedule.trigger()
        assert (await place.arrived()).startswith("plain-")
        assert "schedule 's' can't start what is due" in caplog.text


async def test_a_namespace_without_room_for_names_has_room_for_those_of_schedules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SEARCH_ATTRIBUTE_NAMES_MAX", 1)
    async with a_hall(tmp_path / "j.db") as place:
        await start(place.client, Quick, id="w", search_attributes={"Tenant": ["acme"]})
        schedule = await place.schedule()
        await schedule.trigger()
        workflow_id = await place.arrived()
        assert [one.id async for one in place.client.list_workflows("TemporalScheduledById = 's'")] == [workflow_id]
    async with a_hall(tmp_path / "j.db") as place:
        await start(place.client, Quick, id="other", search_attributes={"Tenant": ["acme"]})
