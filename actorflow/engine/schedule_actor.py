"""The actor of one schedule: it decides what is due, stores that, and only then starts workflows.

Its row is written before a workflow is started, and once more after it; the start's request id makes sure that one
which is repeated after a crash starts nothing twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple, TypeVar

import anyio
import msgspec

from actorflow.common import WorkflowIDReusePolicy
from actorflow.core import limits
from actorflow.core.events import AnyEvent
from actorflow.core.schedules import steps
from actorflow.core.schedules.record import (
    Action,
    RunningAction,
    ScheduleRecord,
    encode_record,
    request_id_of,
    stamped,
)
from actorflow.core.state import NO_OPTIONS
from actorflow.engine.calls import Calls
from actorflow.engine.ends import end_of
from actorflow.engine.population import patiently
from actorflow.engine.site import Site
from actorflow.engine.starts import Starts
from actorflow.exceptions import (
    ActorflowError,
    CorruptJournalError,
    EngineStoppedError,
    StorageBusyError,
    StorageError,
    StorageFailedError,
    StorageFullError,
    WorkflowAlreadyStartedError,
)
from actorflow.service import RPCError, RPCStatusCode, StartRequest, Target, schedule_not_found
from actorflow.store.protocol import NO_RUN, Change, Committed, Identity, Outcome, ScheduleRow, ScheduleWrite

_log = logging.getLogger("actorflow.engine")

T = TypeVar("T")

Step = Callable[[ScheduleRecord | None], ScheduleRecord | None]
"""What a message makes of a record (None: it does not exist yet, or no more); raises what its sender is told."""

_Reply = asyncio.Future[None]


class Errands:
    """What an actor of a schedule has done by others.

    Args:
        site: collaborators.
        calls: whether anything can be written.
        starts: begins executions.
        cancel: as `Service.cancel`.
        terminate: as `Service.terminate`.
    """

    def __init__(
        self,
        site: Site,
        calls: Calls,
        starts: Starts,
        cancel: Callable[[Target, str], Awaitable[None]],
        terminate: Callable[[Target, str, tuple[()]], Awaitable[None]],
    ) -> None:
        self._site = site
        self._calls = calls
        self._starts = starts
        self._cancel = cancel
        self._terminate = terminate

    async def start(
        self, namespace: str, record: ScheduleRecord, action: Action, told: Callable[[str, AnyEvent | None], None]
    ) -> steps.Start | None:
        """Start the workflow of an action, or find the one it started before; None if another one is in its way.

        ``told`` is called once it has closed for good, with its first run and, if it is known, the closing event.
        """
        request = _start_request(namespace, record, action)
        found = await self._begun_before(request)
        if found is not None:
            running = RunningAction(request.workflow_id, found.run_id)
            await self.watch(namespace, running, told)
            is_own = found.started_at >= action.decided_at
            return steps.Start(request.workflow_id, found.run_id, found.started_at, is_own)
        watched: list[str] = []

        def watch(identity: Identity) -> None:
            watched.append(identity.run_id)
            self._site.scheduled[identity.run_id] = partial(told, identity.run_id)

        try:
            begun = await self._persistently(lambda: self._starts.begin(request, watch=watch))
        except WorkflowAlreadyStartedError as taken:
            _log.warning("schedule %r can't start what is due: %s", record.schedule_id, taken)
            begun = None
        for run_id in watched:
            if begun is None or run_id != begun.run_id:
                self._site.scheduled.pop(run_id, None)
        if begun is None:
            return None
        if not begun.is_new:  # a try before this one was kept while the disk was full
            await self.watch(namespace, RunningAction(request.workflow_id, begun.run_id), told)
        return steps.Start(request.workflow_id, begun.run_id, self._site.clock.now())

    async def _begun_before(self, request: StartRequest) -> Identity | None:
        """The first run of what the same start began before, in an earlier process or for another action."""
        store, name = self._site.store, (request.namespace, request.workflow_id)
        record = await patiently(lambda: store.find(*name))
        if record is not None and record.identity.first_run_id:
            first = record.identity.first_run_id
            record = await patiently(lambda: store.find(*name, first))
        if record is None or record.identity.request_id != request.request_id:
            return None
        return record.identity

    async def watch(self, namespace: str, running: RunningAction, told: Callable[[str, AnyEvent | None], None]) -> None:
        """Have somebody told once a workflow has closed for good, also if it did before."""
        first = running.first_run_id
        self._site.scheduled[first] = partial(told, first)
        store = self._site.store
        record = await patiently(lambda: store.find(namespace, running.workflow_id))
        if record is None or record.identity.chain != first:
            record = await patiently(lambda: store.find(namespace, running.workflow_id, first))
        if record is not None and record.head.status == "running":
            return
        try:
            end = None if record is None else await patiently(lambda: end_of(store, record))
        except (CorruptJournalError, msgspec.DecodeError) as problem:
            _log.warning("how workflow %r ended can't be read: %s", running.workflow_id, problem)
            end = None
        if self._site.scheduled.pop(first, None) is not None:
            told(first, None if end is None else end.event)

    async def stop(self, namespace: str, running: RunningAction, schedule_id: str) -> None:
        """Ask a workflow to stop, or end it."""
        target = Target(namespace, running.workflow_id, first_run_id=running.first_run_id)
        reason = f"the next action of schedule {schedule_id!r} is due"
        try:
            if running.stop == "cancel":
                await self._persistently(lambda: self._cancel(target, reason))
            else:
                await self._persistently(lambda: self._terminate(target, reason, ()))
        except RPCError as refusal:
            if refusal.status != RPCStatusCode.NOT_FOUND:  # it has closed meanwhile
                raise

    async def _persistently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call again and again while the disk is full or locked; what is repeated is repeated with the same id."""
        while True:
            try:
                return await call()
            except (StorageFullError, StorageBusyError):
                await asyncio.sleep(limits.STORE_RETRY_DELAY.total_seconds())


def _start_request(namespace: str, record: ScheduleRecord, action: Action) -> StartRequest:
    asked = record.definition.action
    options = msgspec.structs.replace(
        asked.options or NO_OPTIONS, last_result=record.last_result, last_failure=record.last_failure
    )
    return StartRequest(
        namespace=namespace,
        workflow_id=stamped(asked.workflow_id, action.nominal),
        workflow_type=asked.workflow_type,
        task_queue=asked.task_queue,
        input=asked.input,
        reuse=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        request_id=request_id_of(record, action),
        options=None if options == NO_OPTIONS else options,
    )


class _Letter(NamedTuple):
    step: Step
    reply: _Reply | None


class ScheduleActor:
    """One schedule: at most one turn of it is under way.

    Args:
        site: collaborators.
        errands: what it has done by others.
        row: as it was read; version 0 if it does not exist yet.
        record: what the row holds.
        arm: told when it is due next.
        leave: told that it is gone.
    """

    def __init__(
        self,
        site: Site,
        errands: Errands,
        row: ScheduleRow,
        record: ScheduleRecord | None,
        *,
        arm: Callable[[ScheduleActor], None],
        leave: Callable[[ScheduleActor], None],
    ) -> None:
        self._site = site
        self._errands = errands
        self._arm = arm
        self._leave = leave
        self._version = row.version
        self._letters: list[_Letter] = []
        self._is_working = False
        self._is_gone = False
        self._unwatched = () if record is None else record.running
        self.namespace = row.namespace
        self.schedule_id = row.schedule_id
        self.record = record
        """As it is on disk; None if it is not."""

    def post(self, step: Step, reply: _Reply | None = None) -> None:
        """Take a message; the reply is given once it is durable and the first that follows from it is done."""
        self._letters.append(_Letter(step, reply))
        if self._is_gone:
            self._refuse()
        else:
            self.wake()

    def wake(self) -> None:
        """Something may be due."""
        if not self._is_working:
            self._is_working = True
            self._site.spawn(self._work())

    def _told(self, first_run_id: str, close: AnyEvent | None) -> None:
        """What it started has closed for good."""
        self.post(_of_known(lambda record: steps.ended(record, first_run_id, close)))

    async def _work(self) -> None:
        try:
            await self._turns()
        except EngineStoppedError:
            _log.debug("schedule %r goes on when the journal is opened again", self.schedule_id)
        finally:
            self._is_working = False

    async def _turns(self) -> None:
        """Turn after turn, until there is nothing left to do; first of all, see what has become of what it started."""
        unwatched, self._unwatched = self._unwatched, ()
        for running in unwatched:
            await self._errands.watch(self.namespace, running, self._told)
        performed: list[_Reply] = []
        while True:
            letters, self._letters = self._letters, []
            is_changed = await self._turn(letters)
            _answer(performed)
            performed = [letter.reply for letter in letters if letter.reply is not None]
            if self.record is None:
                break
            await self._perform(self.record)
            if not (is_changed or self._letters):
                break
        _answer(performed)
        if self.record is None:
            self._is_gone = True
            self._leave(self)
            self._refuse()
        else:
            self._arm(self)

    def _refuse(self) -> None:
        letters, self._letters = self._letters, []
        for letter in letters:
            _tell(letter.reply, schedule_not_found(self.schedule_id, self.namespace))

    async def _turn(self, letters: list[_Letter]) -> bool:
        """Decide, and wait until that is durable; True if anything has changed."""
        record = self.record
        waiting: list[_Reply] = []
        for letter in letters:
            try:
                record = letter.step(record)
            except ActorflowError as refusal:
                _tell(letter.reply, refusal)
            else:
                waiting.extend([letter.reply] if letter.reply is not None else ())
        if record is not None:
            record = steps.advance(record, self._site.clock.now())
        if record == self.record:
            return False
        await self._store(record, waiting)
        return True

    async def _store(self, record: ScheduleRecord | None, waiting: list[_Reply]) -> None:
        known = self.record
        version = self._version if record is None else self._version + 1
        text = "" if record is None else encode_record(record)
        row = ScheduleRow(self.namespace, self.schedule_id, version, text)
        written: asyncio.Future[Outcome] = self._site.loop.create_future()
        self._site.journal.submit(
            Change(NO_RUN, schedule=ScheduleWrite(row, is_deleted=record is None)),
            lambda outcome: None if written.done() else written.set_result(outcome),
            partial(_stall, waiting),
        )
        self._site.journal.flush_soon()
        if not isinstance(await written, Committed):
            raise StorageFailedError(f"schedule {self.schedule_id!r} was changed by somebody else; restart")
        self._version, self.record = version, record
        if known is not None and record is None:
            for running in known.running:
                self._site.scheduled.pop(running.first_run_id, None)
        elif known is not None and record is not None:
            self._site.counting.scheduled(steps.counted(known.counts, record.counts))

    async def _perform(self, record: ScheduleRecord) -> None:
        """Do what is owed; what came of it is in front of all other messages."""
        done: list[_Letter] = []
        for running in record.running:
            if running.stop and not running.is_asked:
                await self._errands.stop(self.namespace, running, self.schedule_id)
                done.append(_Letter(_of_known(partial(_asked, running)), None))
        if record.owed:
            try:
                async with anyio.create_task_group() as group:
                    for action in record.owed:
                        group.start_soon(self._start, record, action, done)
            except ExceptionGroup as problems:
                raise problems.exceptions[0] from problems
        self._letters[:0] = done

    async def _start(self, record: ScheduleRecord, action: Action, done: list[_Letter]) -> None:
        start = await self._errands.start(self.namespace, record, action, self._told)
        step = partial(_refused, action) if start is None else partial(_begun, action, start)
        done.append(_Letter(_of_known(step), None))


def _asked(running: RunningAction, record: ScheduleRecord) -> ScheduleRecord:
    return steps.asked(record, running)


def _begun(action: Action, start: steps.Start, record: ScheduleRecord) -> ScheduleRecord:
    return steps.begun(record, action, start)


def _refused(action: Action, record: ScheduleRecord) -> ScheduleRecord:
    return steps.refused(record, action)


def _of_known(step: Callable[[ScheduleRecord], ScheduleRecord]) -> Step:
    """A step that changes nothing once the schedule is deleted."""
    return lambda record: None if record is None else step(record)


def _answer(replies: list[_Reply]) -> None:
    for reply in replies:
        if not reply.done():
            reply.set_result(None)


def _tell(reply: _Reply | None, problem: BaseException) -> None:
    if reply is not None and not reply.done():
        reply.set_exception(problem)


def _stall(replies: list[_Reply], problem: StorageError) -> None:
    for reply in replies:
        _tell(
            reply,
            type(problem)(
                f"{problem} (this call is kept and will be written as soon as possible; look before you repeat it)"
            ),
        )
