"""The actor of one schedule: it decides what is due, stores that, and only then starts workflows.

Its row is written before a workflow is started, and once more after it; the start's request id makes sure that one
which is repeated after a crash starts nothing twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import anyio

from actorflow.core.events import AnyEvent
from actorflow.core.schedules import steps
from actorflow.core.schedules.record import (
    Action,
    RunningAction,
    ScheduleRecord,
    encode_record,
)
from actorflow.engine.schedule_errands import Errands
from actorflow.engine.site import Site
from actorflow.exceptions import (
    ActorflowError,
    EngineStoppedError,
    StorageError,
    StorageFailedError,
)
from actorflow.service import schedule_not_found
from actorflow.store.protocol import NO_RUN, Change, Committed, Outcome, ScheduleRow, ScheduleWrite

_log = logging.getLogger("actorflow.engine")

Step = Callable[[ScheduleRecord | None], ScheduleRecord | None]
"""What a message makes of a record (None: it does not exist yet, or no more); raises what its sender is told."""

_Reply = asyncio.Future[None]


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
