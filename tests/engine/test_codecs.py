"""Codecs: where they are asked, and what becomes of an execution whose codec can't."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actorflow import activity, workflow
from actorflow.api.common.v1 import Payload
from actorflow.client import (
    Client,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowParkedError,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
)
from actorflow.common import RawValue, RetryPolicy
from actorflow.core import limits
from actorflow.exceptions import ApplicationError, CodecError
from actorflow.worker import Replayer
from tests.engine.hidden import SECRET, Hidden, Slow, Strict, files_hold, hiding
from tests.support import a_client, a_worker, events_of, start

SOON = timedelta(seconds=5)

runs: list[str] = []
once_ran = asyncio.Event()


@activity.defn
async def whisper(text: str) -> str:
    runs.append(text)
    if activity.info().attempt == 1:
        activity.heartbeat(f"beat {text}")
        raise ApplicationError(f"first {text}", text)
    (beat,) = activity.info().heartbeat_details
    assert beat == f"beat {text}"
    return f"{text}!"


@activity.defn
async def once(text: str) -> str:
    runs.append(text)
    once_ran.set()
    return text


@workflow.defn
class Secretive:
    def __init__(self) -> None:
        self.heard: list[str] = []

    @workflow.run
    async def run(self, text: str) -> str:
        first = RetryPolicy(initial_interval=timedelta(milliseconds=1))
        said = await workflow.execute_activity(
            whisper, text, start_to_close_timeout=SOON, retry_policy=first, heartbeat_timeout=SOON
        )
        await workflow.wait_condition(lambda: len(self.heard) == 3)
        return f"{said} {self.heard}"

    @workflow.signal
    def hear(self, text: str) -> None:
        self.heard.append(text)

    @workflow.update
    async def tell(self, text: str) -> str:
        self.heard.append(text)
        return f"told {text}"

    @tell.validator
    def check(self, text: str) -> None:
        if text.startswith("bad"):
            raise ApplicationError(f"refused {text}", text)

    @workflow.signal(dynamic=True)
    def others(self, name: str, args: Sequence[RawValue]) -> None:
        self.heard.append(workflow.payload_converter().from_payload(args[0].payload, str))

    @workflow.query
    def last(self, prefix: str) -> str:
        return prefix + self.heard[-1]

    @workflow.query
    def broken(self) -> str:
        raise ApplicationError(f"can't say {SECRET}", SECRET)


@workflow.defn
class Waits:
    @workflow.run
    async def run(self, text: str) -> str:
        return await workflow.execute_activity(
            once, text, start_to_close_timeout=SOON, retry_policy=RetryPolicy(maximum_attempts=1)
        )


@workflow.defn
class Idle:
    @workflow.run
    async def run(self, text: str) -> str:
        self.text = text
        await workflow.wait_condition(lambda: False)
        return text

    @workflow.query
    def given(self) -> str:
        return self.text


@workflow.defn
class Echo:
    @workflow.run
    async def run(self, text: str) -> str:
        return text


@workflow.defn
class Fails:
    @workflow.run
    async def run(self, text: str) -> None:
        raise ApplicationError(f"failed with {text}", text)


@workflow.defn
class Listens:
    def __init__(self) -> None:
        self.heard: list[str] = []

    @workflow.signal
    def hear(self, text: str) -> None:
        self.heard.append(text)

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: bool(self.heard))
        return self.heard[0]


WORKFLOWS = [Secretive, Listens, Waits, Idle, Fails]


@pytest.fixture(autouse=True)
def nothing_has_run(monkeypatch: pytest.MonkeyPatch) -> None:
    runs.clear()
    monkeypatch.setitem(globals(), "once_ran", asyncio.Event())  # an event belongs to one loop
    monkeypatch.setattr(limits, "TURN_RETRY_DELAY_MIN", timedelta(milliseconds=2))
    monkeypatch.setattr(limits, "TURN_RETRY_DELAY_MAX", timedelta(milliseconds=30))
    monkeypatch.setattr(limits, "CODEC_RETRY_DELAY", timedelta(milliseconds=2))


def a_place(client: Client) -> Any:
    return a_worker(client, workflows=WORKFLOWS, activities=[whisper, once])


async def result_of(handle: WorkflowHandle[Any, Any]) -> Any:
    """The result of an execution that is parked, and goes on by itself as far as its activity."""
    async with asyncio.timeout(10):
        await once_ran.wait()
        return await handle.result()


async def test_nothing_a_program_says_or_hears_reaches_the_disk_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with a_client(path, data_converter=hiding(Hidden())) as client, a_place(client):
        handle = await start(client, Secretive.run, SECRET)
        await handle.signal(Secretive.hear, f"{SECRET} 1")
        await handle.signal("unknown", f"{SECRET} 2")
        with pytest.raises(WorkflowUpdateFailedError) as rejected:
            await handle.execute_update(Secretive.tell, f"bad {SECRET}")
        assert isinstance(rejected.value.cause, ApplicationError)
        assert (rejected.value.cause.message, rejected.value.cause.details) == (
            f"refused bad {SECRET}",
            (f"bad {SECRET}",),
        )
        assert await handle.execute_update(Secretive.tell, f"{SECRET} 3") == f"told {SECRET} 3"
        assert await handle.query(Secretive.last, "> ") == f"> {SECRET} 3"
        with pytest.raises(WorkflowQueryFailedError, match=f"can't say {SECRET}"):
            await handle.query(Secretive.broken)
        heard = [f"{SECRET} {number}" for number in (1, 2, 3)]
        assert await handle.result() == f"{SECRET}! {heard}"
        assert await handle.query(Secretive.last, "> ") == f"> {SECRET} 3"
        await Replayer(workflows=[Secretive], data_converter=hiding(Hidden())).replay_workflow(
            await handle.fetch_history()
        )
        assert not files_hold(path, SECRET)
    assert not files_hold(path, SECRET)
    assert runs == [SECRET, SECRET]


async def test_details_and_messages_of_failures_are_hidden_and_come_back(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with a_client(path, data_converter=hiding(Hidden())) as client, a_place(client):
        handle = await start(client, Fails.run, SECRET)
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
        assert isinstance(failed.value.cause, ApplicationError)
        assert (failed.value.cause.message, failed.value.cause.details) == (f"failed with {SECRET}", (SECRET,))
    assert not files_hold(path, SECRET)


async def test_a_client_without_the_codec_is_told_what_it_needs() -> None:
    async with a_client(data_converter=hiding(Hidden())) as client, a_place(client):
        handle = await start(client, Waits.run, SECRET)
        assert await handle.result() == SECRET
        stranger = Client(**{**client.config(), "data_converter": None})
        with pytest.raises(Exception, match=r"'binary/hidden'.*give the client the data converter"):
            await stranger.get_workflow_handle("w").result()


async def test_a_worker_without_the_codec_loses_nothing_and_charges_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with (
        a_client(path, data_converter=hiding(Hidden())) as client,
        a_worker(client, workflows=[Waits, Listens]),
    ):
        waits = await start(client, Waits.run, SECRET)
        await start(client, Listens.run, id="listens")
        assert await events_of(waits) == ["Started", "ActivityScheduled"]
    async with a_client(path, data_converter=hiding(Hidden())) as client:
        await client.get_workflow_handle("listens").signal("hear", SECRET)
    async with asyncio.timeout(20), a_client(path) as client, a_worker(client, workflows=[Listens], activities=[once]):
        with pytest.raises(WorkflowParkedError, match=r"codec: .*'binary/hidden'.*give the client the data converter"):
            await client.get_workflow_handle("listens").result()
        (pending,) = (await client.get_workflow_handle("w").describe()).pending_activities
        assert pending.attempt == 1
    async with asyncio.timeout(20), a_client(path, data_converter=hiding(Hidden())) as client, a_place(client):
        assert await client.get_workflow_handle("w").result() == SECRET
        assert await client.get_workflow_handle("listens").result() == SECRET
    assert runs == [SECRET]


async def test_what_was_written_before_there_was_a_codec_goes_on_with_one(tmp_path: Path) -> None:
    async with a_client(tmp_path / "journal.db") as client, a_place(client):
        handle = await start(client, Secretive.run, "plain")
        await handle.signal(Secretive.hear, "plain")
    async with a_client(tmp_path / "journal.db", data_converter=hiding(Hidden())) as client, a_place(client):
        handle = client.get_workflow_handle("w", result_type=str)
        await handle.signal(Secretive.hear, "hidden")
        await handle.signal(Secretive.hear, "hidden")
        assert await handle.result() == "plain! ['plain', 'hidden', 'hidden']"


async def test_a_missing_key_parks_the_run_which_goes_on_when_the_key_is_there() -> None:
    codec = Hidden()
    async with a_client(data_converter=hiding(codec)) as client:
        handle = await start(client, Waits.run, SECRET)
        codec.cannot = {"decode"}
        async with a_place(client):
            with pytest.raises(WorkflowParkedError, match=r"codec: .*no key.*goes on by itself") as parked:
                await handle.result()
            assert isinstance(parked.value.__cause__, ApplicationError)
            assert parked.value.__cause__.type == CodecError.__name__
            about = await handle.describe()
            assert about.parked is not None
            assert about.parked.startswith("codec: ")
            assert (about.inbox_messages, runs) == (1, [])
            codec.cannot = set()
            assert await result_of(handle) == SECRET
    assert runs == [SECRET]


async def test_who_waits_does_not_hear_of_a_hiccup() -> None:
    codec = Picky("decode", 1, 2)
    async with asyncio.timeout(10), a_client(data_converter=hiding(codec)) as client, a_place(client):
        handle = await start(client, Waits.run, SECRET)
        assert await handle.result() == SECRET
        assert await events_of(handle) == ["Started", "ActivityScheduled", "ActivityCompleted", "Completed"]


async def test_a_worker_that_comes_with_the_key_ends_the_parking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CODEC_FAILURES_BEFORE_PARKING", 1)
    monkeypatch.setattr(limits, "TURN_RETRY_DELAY_MIN", timedelta(hours=1))
    monkeypatch.setattr(limits, "TURN_RETRY_DELAY_MAX", timedelta(hours=1))
    without = Hidden()
    without.cannot = {"decode"}
    async with a_client(data_converter=hiding(Hidden())) as client:
        handle = await start(client, Waits.run, SECRET)
        async with a_place(Client(**{**client.config(), "data_converter": hiding(without)})):
            with pytest.raises(WorkflowParkedError):
                await handle.result()
        async with a_place(client):
            assert await result_of(handle) == SECRET


async def test_a_turn_that_can_not_be_encoded_is_not_taken_for_done() -> None:
    codec = Hidden()
    async with a_client(data_converter=hiding(codec)) as client:
        handle = await start(client, Waits.run, SECRET)
        codec.cannot = {"encode"}
        async with a_place(client):
            with pytest.raises(WorkflowParkedError, match="can't encode payloads"):
                await handle.result()
            assert (await events_of(handle), runs) == ([], [])
            codec.cannot = set()
            assert await result_of(handle) == SECRET
    assert runs == [SECRET]


class Picky(Hidden):
    """Can't do a thing for the so-many-th time it is asked to, and the time after that."""

    def __init__(self, what: str, *times: int) -> None:
        super().__init__()
        self.what = what
        self.times = times

    async def _ask(self, what: str) -> None:
        self.asked.append(what)
        if what == self.what and self.asked.count(what) in self.times:
            raise KeyError("no key")


async def test_an_activity_whose_input_can_not_be_decoded_is_not_charged_an_attempt() -> None:
    codec = Picky("decode", 2, 3)  # the first is that of the turn
    async with a_client(data_converter=hiding(codec)) as client, a_place(client):
        handle = await start(client, Waits.run, SECRET)
        assert await result_of(handle) == SECRET
    assert runs == [SECRET]


async def test_a_result_that_can_not_be_encoded_waits_and_the_activity_runs_once() -> None:
    codec = Picky("encode", 3, 4)  # the first two are the client's and the turn's
    async with a_client(data_converter=hiding(codec)) as client, a_place(client):
        handle = await start(client, Waits.run, SECRET)
        assert await result_of(handle) == SECRET
    assert runs == [SECRET]


async def test_a_query_without_the_key_fails_and_harms_nothing() -> None:
    codec = Hidden()
    async with a_client(data_converter=hiding(codec)) as client, a_place(client):
        handle = await start(client, Idle.run, SECRET)
        assert await handle.query(Idle.given) == SECRET
        codec.cannot = {"decode"}
        with pytest.raises((WorkflowQueryFailedError, CodecError), match="can't decode payloads"):
            await handle.query(Idle.given)
        codec.cannot = set()
        assert await handle.query(Idle.given) == SECRET
        assert (await handle.describe()).parked is None


@pytest.mark.parametrize("what", ["decode", "encode"])
async def test_a_termination_waits_for_no_codec(what: str) -> None:
    codec = Hidden()
    async with a_client(data_converter=hiding(codec)) as client:
        handle = await start(client, Idle.run, SECRET)
        codec.was_asked.clear()
        codec.gate = asyncio.Event()
        async with a_place(client), asyncio.timeout(10):
            await codec.was_asked.wait()
            await handle.terminate(reason="enough")
            codec.gate.set()
            with pytest.raises(WorkflowFailureError):
                await handle.result()
            assert await events_of(handle) == ["Started", "Terminated"]


async def test_a_signal_that_is_accepted_while_a_closing_turn_is_encoded_is_recorded_as_unhandled() -> None:
    class SlowInTheEnd(Hidden):
        """Fails the first closing turn, so that messages are accepted as rows, and waits with the second."""

        async def _ask(self, what: str) -> None:
            self.asked.append(what)
            if (what, self.asked.count(what)) == ("encode", 2):
                raise KeyError("no key")
            if (what, self.asked.count(what)) == ("encode", 3):
                self.was_asked.set()
                await gate.wait()

    gate = asyncio.Event()
    codec = SlowInTheEnd()
    async with (
        a_client(data_converter=hiding(codec)) as client,
        a_worker(client, workflows=[Echo]),
        asyncio.timeout(10),
    ):
        handle = await start(client, Echo.run, SECRET)
        await codec.was_asked.wait()
        await handle.signal("too late", SECRET)
        gate.set()
        assert await handle.result() == SECRET
        assert await events_of(handle) == ["Started", "SignalUnhandled", "Completed"]


@pytest.mark.parametrize("kind", ["memory", "file"])
async def test_a_signal_that_came_with_the_start_is_kept_when_the_worker_leaves_before_they_are_decoded(
    tmp_path: Path, kind: str
) -> None:
    codec = Slow("decode")
    path = tmp_path / "journal.db" if kind == "file" else None
    async with asyncio.timeout(10), a_client(path, data_converter=hiding(codec)) as client:
        async with a_place(client):
            starting = asyncio.create_task(
                start(client, Secretive.run, SECRET, start_signal="hear", start_signal_args=["first"])
            )
            await codec.reached.wait()
        codec.go_on.set()
        handle = await starting
        async with a_place(client):
            for text in ("second", "third"):
                await handle.signal(Secretive.hear, text)
            assert await handle.result() == f"{SECRET}! ['first', 'second', 'third']"


async def test_a_program_whose_worker_leaves_while_its_turn_is_encoded_leaves_too() -> None:
    has_left = asyncio.Event()

    @workflow.defn
    class Stays:
        def __init__(self) -> None:
            self.notes: list[str] = []

        @workflow.signal
        def note(self, text: str) -> None:
            workflow.upsert_memo({"note": text})

        @workflow.run
        async def run(self) -> None:
            try:
                await workflow.wait_condition(lambda: False)
            finally:
                has_left.set()

    codec = Slow("encode")
    async with asyncio.timeout(10), a_client(data_converter=hiding(codec)) as client:
        other = Client(**{**client.config(), "data_converter": hiding(Hidden())})
        async with a_worker(client, workflows=[Stays], max_cached_workflows=100):
            handle = await start(other, Stays.run)
            sending = asyncio.create_task(handle.signal(Stays.note, SECRET))
            await codec.reached.wait()
        assert not has_left.is_set()
        codec.go_on.set()
        await sending
        await has_left.wait()


async def test_why_an_update_was_turned_away_is_encoded_too() -> None:
    async with a_client(data_converter=hiding(Strict())) as client, a_place(client):
        handle = await start(client, Secretive.run, SECRET)
        with pytest.raises(WorkflowUpdateFailedError) as rejected:
            await handle.execute_update(Secretive.tell, f"bad {SECRET}")
        assert isinstance(rejected.value.cause, ApplicationError)
        assert rejected.value.cause.details == (f"bad {SECRET}",)


async def test_an_error_of_the_program_that_is_called_like_ours_is_its_own_matter() -> None:
    class CodecError(Exception):
        pass

    @workflow.defn
    class Raises:
        @workflow.run
        async def run(self) -> None:
            raise CodecError("mine")

    async with a_client() as client, a_worker(client, workflows=[Raises]):
        handle = await start(client, Raises.run)
        with pytest.raises(WorkflowParkedError, match=r"failed 5 times.*CodecError: mine"):
            await handle.result()


async def test_messages_that_come_while_the_codec_works_keep_their_order() -> None:
    codec = Hidden()
    async with a_client(data_converter=hiding(codec)) as client, a_place(client):
        handle = await start(client, Secretive.run, SECRET)
        async with asyncio.TaskGroup() as group:
            for number in range(3):
                group.create_task(handle.signal(Secretive.hear, str(number)))
        assert await handle.result() == f"{SECRET}! ['0', '1', '2']"


async def test_a_codec_that_returns_something_else_is_named() -> None:
    class Lossy(Hidden):
        async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
            return []

    async with a_client(data_converter=hiding(Lossy())) as client:
        with pytest.raises(CodecError, match=r"the codec .*Lossy can't encode payloads: it returned 0 payloads for 1"):
            await start(client, Waits.run, SECRET)


async def test_a_codec_that_never_answers_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CODEC_TIMEOUT", timedelta(milliseconds=20))
    codec = Hidden()
    async with a_client(data_converter=hiding(codec)) as client:
        handle = await start(client, Waits.run, SECRET)
        codec.gate = asyncio.Event()
        async with a_place(client):
            with pytest.raises(WorkflowParkedError, match=r"codec: .*longer than 0.02 s"):
                await handle.result()
            codec.gate.set()
            assert await result_of(handle) == SECRET
