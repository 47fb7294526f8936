"""What clients ask of an engine, and how it is answered: nothing is said before it is durable."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple, TypeVar

import msgspec

from actorflow.clock import Clock
from actorflow.common import QueryRejectCondition, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from actorflow.converter import Failure, Payload
from actorflow.core import events as ev
from actorflow.core import limits
from actorflow.core.journal import Turn
from actorflow.core.messages import Message
from actorflow.core.policy.checks import check_id, check_name, check_text
from actorflow.core.program.matcher import interpreter_version
from actorflow.core.state import ExecutionState
from actorflow.engine.describe import describe_run
from actorflow.engine.ends import end_of, parking_of
from actorflow.engine.execution import turns_of
from actorflow.engine.group_commit import stopped
from actorflow.engine.listing import count_runs, list_page
from actorflow.engine.mailbox import Delivery, Query
from actorflow.engine.population import Population
from actorflow.engine.site import Site
from actorflow.engine.updates import abandoned, answer_of
from actorflow.engine.workflow_actor import WorkflowActor
from actorflow.exceptions import MailboxFullError, StorageError, WorkflowAlreadyStartedError
from actorflow.service import (
    Closed,
    Description,
    ExecutionCount,
    ExecutionPage,
    ListRequest,
    Parked,
    QueryRejected,
    RPCError,
    RPCStatusCode,
    RunHistory,
    StartRequest,
    Target,
    UpdateAnswer,
    UpdateRequest,
    already_closed,
    not_found,
    unknown_update,
)
from actorflow.store.protocol import Begin, Conflict, Identity, RunRecord

T = TypeVar("T")

_REUSE = {
    WorkflowIDReusePolicy.ALLOW_DUPLICATE: "allow",
    WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY: "failed_only",
    WorkflowIDReusePolicy.REJECT_DUPLICATE: "reject",
}
_TERMINATE = WorkflowIDConflictPolicy.TERMINATE_EXISTING


_START_TRIES_MAX = 10
"""How often a start with a signal meets an open run that has closed before the signal came; then something is odd."""


class _NewRun(NamedTuple):
    """A run that is about to begin: with `Started`, the signal of its request, and what else comes with it."""

    actor: WorkflowActor
    begin: Begin
    messages: Sequence[Message]


class _Started(NamedTuple):
    """The run that a start has led to: a new one, one that the same call began before, or one that was open."""

    run_id: str
    is_new: bool = False
    is_repeated: bool = False


class Requests:
    """Implements `actorflow.service.Service` for one engine.

    Args:
        site: collaborators.
        population: where actors are found.
        clock: time and identities.
    """

    def __init__(self, site: Site, population: Population, clock: Clock) -> None:
        self._site = site
        self._population = population
        self._clock = clock
        self._store = site.store
        self._loop = site.loop
        self._calls: set[asyncio.Future[Any]] = set()
        self._stopped: BaseException | None = None

    def stop(self, failure: BaseException | None) -> None:
        """Answer no more; whoever waits is told why."""
        self._stopped = stopped(failure)
        waiters = [waiter for waiting in self._site.waiters.values() for waiter in waiting]
        for call in [*self._calls, *waiters]:
            if not call.done():
                call.set_exception(stopped(failure))
        self._site.waiters.clear()
        self._site.updates.stop(stopped(failure))

    async def start(self, request: StartRequest) -> tuple[str, bool]:
        """See `Service.start`."""
        _check_start(request)
        for _ in range(_START_TRIES_MAX):
            started = await self._start(request)
            if started.is_new or started.is_repeated or request.signal is None:
                return started.run_id, started.is_new
            try:
                target = Target(request.namespace, request.workflow_id, started.run_id)
                await self._post(target, request.signal)
                return started.run_id, False
            except RPCError as refusal:  # it has closed meanwhile: the next one may begin
                if refusal.status != RPCStatusCode.NOT_FOUND:
                    raise
        raise _restless(request)

    async def update_with_start(
        self, start: StartRequest, request: UpdateRequest, on_started: Callable[[str], None]
    ) -> UpdateAnswer | Parked:
        """See `Service.update_with_start`."""
        update_id = request.update_id or self._clock.new_run_id()
        check_name("update", request.name)
        check_name("update id", update_id)
        _check_start(start)
        message = ev.UpdateRequested(update_id, request.name, request.input)
        with ExitStack() as waiting:
            answers: dict[str, asyncio.Future[UpdateAnswer | Parked]] = {}

            def watch(new: Identity) -> None:
                wait = self._waiting_for_update(new.key, update_id, wants_outcome=request.wants_outcome)
                answers[new.run_id] = waiting.enter_context(wait)

            started = await self._start(start, message, watch=watch)
            on_started(started.run_id)
            if started.is_new:
                return _about(await answers[started.run_id], update_id, started.run_id)
        target = Target(start.namespace, start.workflow_id, started.run_id)
        return await self.update(target, msgspec.structs.replace(request, update_id=update_id))

    async def _start(
        self, request: StartRequest, *messages: Message, watch: Callable[[Identity], None] | None = None
    ) -> _Started:
        """Begin a run if the policies allow it; ``watch`` is told of each that is about to."""
        self._check_writable()
        new = self._new_run(request, messages, watch)
        outcome = await self._begin(new)
        if outcome is None:
            return _Started(new.actor.identity.run_id, is_new=True)
        run = outcome.run
        assert run is not None
        is_open = run.head.status == "running"
        if outcome.repeated or (is_open and request.conflict == WorkflowIDConflictPolicy.USE_EXISTING):
            return _Started(run.identity.run_id, is_repeated=outcome.repeated)
        if is_open and request.conflict == _TERMINATE:
            new = self._new_run(request, messages, watch)
            await self._replace(new, run)
            return _Started(new.actor.identity.run_id, is_new=True)
        raise _already_started(run)

    async def _begin(self, new: _NewRun) -> Conflict | None:
        self._population.expect(new.actor)
        reply = self._reply()
        new.actor.begin(new.begin, new.messages, reply)
        return await self._answered(reply)

    def _new_run(
        self, request: StartRequest, messages: Sequence[Message], watch: Callable[[Identity], None] | None
    ) -> _NewRun:
        identity = Identity(
            key=self._store.new_run_key(),
            namespace=request.namespace,
            workflow_id=request.workflow_id,
            run_id=self._clock.new_run_id(),
            workflow_type=request.workflow_type,
            task_queue=request.task_queue,
            started_at=self._clock.now(),
            request_id=request.request_id,
        )
        if watch is not None:
            watch(identity)
        started = ev.Started(request.workflow_type, request.task_queue, request.input, interpreter_version())
        signals = () if request.signal is None else (request.signal,)
        begin = Begin(identity, _REUSE[request.reuse])
        return _NewRun(WorkflowActor(self._site, identity), begin, (started, *signals, *messages))

    async def _replace(self, new: _NewRun, run: RunRecord) -> None:
        """End the open run and begin the new one in one transaction."""
        existing = await self._population.loaded(run.identity.key)
        if existing.is_unreadable:  # its end can be written, but not together with anything else
            ended = self._reply()
            existing.terminate(Delivery(ev.Terminated("replaced by TERMINATE_EXISTING"), ended))
            await self._answered(ended)
            outcome = await self._begin(new)
        else:
            # From here to the reply nothing waits: both submit their change now, so both are in the same transaction.
            existing.terminate(Delivery(ev.Terminated("replaced by TERMINATE_EXISTING")))
            existing.step()
            self._population.expect(new.actor)
            reply = self._reply()
            new.actor.begin(new.begin, new.messages, reply)
            new.actor.step()
            outcome = await self._answered(reply)
        if outcome is not None:
            assert outcome.run is not None
            raise _already_started(outcome.run)

    async def signal(self, target: Target, name: str, input: tuple[Payload, ...], request_id: str = "") -> None:
        """See `Service.signal`."""
        check_name("signal", name)
        check_text("request id", request_id)
        await self._post(target, ev.SignalReceived(name, input, request_id))

    async def update(self, target: Target, request: UpdateRequest) -> UpdateAnswer | Parked:
        """See `Service.update`."""
        update_id = request.update_id or self._clock.new_run_id()
        check_name("update", request.name)
        check_name("update id", update_id)
        self._check_writable()
        actor, record = await self._find(target)
        if actor is None:
            assert record is not None
            return await self._closed_update(record, update_id)
        identity = actor.identity
        with self._waiting_for_update(identity.key, update_id, wants_outcome=request.wants_outcome) as answer:
            try:
                await self._posted(actor, ev.UpdateRequested(update_id, request.name, request.input))
                if actor.parked is not None:  # the request is kept, and is looked at with the next try
                    return actor.parked
                return _about(await answer, update_id, identity.run_id)
            except RPCError as refusal:
                if refusal.status != RPCStatusCode.NOT_FOUND:
                    raise
        # It has closed meanwhile, perhaps with this very update.
        ended = await self._record(Target(target.namespace, target.workflow_id, identity.run_id))
        return await self._closed_update(ended, update_id)

    async def update_outcome(self, target: Target, update_id: str) -> UpdateAnswer | Parked:
        """See `Service.update_outcome`."""
        self._check_running()
        actor, record = await self._find(target)
        if actor is None:
            assert record is not None
            return await self._closed_update(record, update_id)
        identity = actor.identity
        with self._waiting_for_update(identity.key, update_id, wants_outcome=True) as answer:
            actor = await self._population.loaded(identity.key)
            if actor.parked is not None:
                return actor.parked
            if not actor.is_closed:
                if not actor.tell_update(update_id):
                    raise unknown_update(target.workflow_id, update_id)
                return _about(await answer, update_id, identity.run_id)
        ended = await self._record(Target(target.namespace, target.workflow_id, identity.run_id))
        return await self._closed_update(ended, update_id)

    @contextmanager
    def _waiting_for_update(
        self, key: int, update_id: str, *, wants_outcome: bool
    ) -> Generator[asyncio.Future[UpdateAnswer | Parked]]:
        answer = self._site.updates.wait(key, update_id, wants_outcome=wants_outcome)
        try:
            yield answer
        finally:
            self._site.updates.forget(key, update_id, answer)

    async def _closed_update(self, record: RunRecord, update_id: str) -> UpdateAnswer | Parked:
        """What became of an update of a run that is over."""
        identity = record.identity
        updates = ExecutionState.folded(await self._turns(identity)).updates
        if updates is None or update_id not in updates:
            raise already_closed(identity.workflow_id, record.head.status)
        return _about(answer_of(updates[update_id] or abandoned(update_id)), update_id, identity.run_id)

    async def cancel(self, target: Target, reason: str) -> None:
        """See `Service.cancel`."""
        self._check_writable()
        check_text("reason", reason)
        actor, _ = await self._find(target)
        if actor is None:
            return
        try:
            await self._posted(actor, ev.CancelRequested(reason))
        except RPCError as refusal:
            if refusal.status != RPCStatusCode.NOT_FOUND:
                raise

    async def terminate(self, target: Target, reason: str, details: tuple[Payload, ...]) -> None:
        """See `Service.terminate`."""
        self._check_writable()
        check_text("reason", reason)
        actor, record = await self._find(target)
        if actor is None:
            assert record is not None
            self._site.counting.rejected(ev.Terminated())
            raise already_closed(target.workflow_id, record.head.status)
        reply = self._reply()
        message = ev.Terminated(reason, details)
        actor.terminate(Delivery(message, reply))
        await self._taken(reply, message)

    async def query(
        self,
        target: Target,
        name: str,
        input: tuple[Payload, ...],
        reject: QueryRejectCondition | None,
        timeout: float | None,
    ) -> Payload | Failure | Parked | QueryRejected:
        """See `Service.query`."""
        self._check_running()
        check_name("query", name)
        actor, record = await self._find(target)
        status = "running" if actor is not None else record.head.status if record is not None else ""
        if _is_rejected(reject, status):
            self._site.counting.query(is_answered=False)
            return QueryRejected(status)
        if actor is None:
            assert record is not None
            actor = self._population.actor_of(record.identity, record.head, record.inbox)
        reply = self._reply()
        actor.ask(Query(name, input, reply))
        try:
            async with asyncio.timeout(limits.QUERY_TIMEOUT.total_seconds() if timeout is None else timeout):
                answer = await self._answered(reply)
            self._site.counting.query(is_answered=True)
            return answer
        except TimeoutError as late:
            self._site.counting.query(is_answered=False)
            self._site.dispatcher.wake(actor)  # it may have been kept in memory for this question alone
            raise RPCError(
                f"query {name!r} of workflow {target.workflow_id!r} was not answered in time; "
                f"is a worker for its type on task queue {actor.identity.task_queue!r} running?",
                RPCStatusCode.DEADLINE_EXCEEDED,
            ) from late

    async def describe(self, target: Target) -> Description:
        """See `Service.describe`."""
        record = await self._record(target)
        return await describe_run(self._store, record, now=self._clock.now(), live=self._site.activities)

    async def list(self, request: ListRequest) -> ExecutionPage:
        """See `Service.list`."""
        self._check_running()
        await self._settled()
        try:
            return await list_page(self._store, request)
        except StorageError:
            self._check_running()  # the journal was closed while it was being read
            raise

    async def count(self, namespace: str, query: str) -> ExecutionCount:
        """See `Service.count`."""
        self._check_running()
        await self._settled()
        try:
            return await count_runs(self._store, namespace, query)
        except StorageError:
            self._check_running()
            raise

    async def history(self, target: Target) -> RunHistory:
        """See `Service.history`."""
        identity = (await self._record(target)).identity
        return RunHistory(identity.run_id, identity.started_at, await self._turns(identity))

    async def result(self, target: Target) -> Closed | Parked:
        """See `Service.result`."""
        self._check_running()
        actor = self._in_memory(target)
        if actor is not None:
            key, run_id = actor.identity.key, actor.identity.run_id
            if actor.parked is not None:
                return actor.parked
        else:
            identity = (await self._record(target)).identity
            key, run_id = identity.key, identity.run_id
            actor = self._population.by_key(key)
            if actor is not None and actor.is_closed:
                actor = None
            elif actor is not None and actor.parked is not None:  # since it was looked for
                return actor.parked
        self._check_running()
        waiter: asyncio.Future[Closed | Parked] = self._loop.create_future()
        self._site.waiters.setdefault(key, []).append(waiter)
        try:
            if actor is None:
                # Read once more: it may have closed between the first look and the waiter.
                known = await self._known_end(Target(target.namespace, target.workflow_id, run_id))
                if known is not None:
                    return known
            return await waiter
        finally:
            self._stop_waiting(key, waiter)

    async def _known_end(self, target: Target) -> Closed | Parked | None:
        record = await self._record(target)
        parking = parking_of(record)
        if parking is not None:
            actor = self._population.actor_of(record.identity, record.head, record.inbox)
            if actor.host is not None and actor.parked is None:
                actor.wake_up()  # there is code to try again with: wait for what comes of it
                return None
            return actor.parked or parking
        return await end_of(self._store, record)

    def _stop_waiting(self, key: int, waiter: asyncio.Future[Closed | Parked]) -> None:
        waiting = self._site.waiters.get(key)
        if waiting is not None and waiter in waiting:
            waiting.remove(waiter)
            if not waiting:
                del self._site.waiters[key]

    # Finding and waiting

    def _in_memory(self, target: Target) -> WorkflowActor | None:
        actor = self._population.current(target.namespace, target.workflow_id)
        if actor is None or (target.run_id is not None and actor.identity.run_id != target.run_id):
            return None
        return actor

    async def _find(self, target: Target) -> tuple[WorkflowActor | None, RunRecord | None]:
        """The actor of an open run, or the record of a closed one."""
        actor = self._in_memory(target)
        if actor is not None:
            return actor, None
        record = await self._stored(target)
        if record.head.status != "running":
            return None, record
        return self._population.actor_of(record.identity, record.head, record.inbox), record

    async def _record(self, target: Target) -> RunRecord:
        """A run as it is on disk, with everything decided until now."""
        self._check_running()
        await self._settled()
        return await self._stored(target)

    async def _stored(self, target: Target) -> RunRecord:
        check_id(target.workflow_id)
        if target.run_id is not None:
            check_name("run id", target.run_id)
        record = await self._store.find(target.namespace, target.workflow_id, target.run_id)
        if record is None:
            raise not_found(target.workflow_id, target.run_id, target.namespace)
        return record

    async def _turns(self, identity: Identity) -> Sequence[Turn]:
        return turns_of(identity, await self._store.journal(identity.key))

    async def _post(self, target: Target, message: ev.SignalReceived | ev.CancelRequested) -> None:
        self._check_writable()
        actor, record = await self._find(target)
        if actor is None:
            assert record is not None
            self._site.counting.rejected(message)
            raise already_closed(target.workflow_id, record.head.status)
        await self._posted(actor, message)

    async def _posted(self, actor: WorkflowActor, message: Message) -> None:
        reply = self._reply()
        actor.post(Delivery(message, reply))
        await self._taken(reply, message)

    async def _taken(self, reply: asyncio.Future[Any], message: Message) -> None:
        try:
            await self._answered(reply)
        except (RPCError, MailboxFullError):
            self._site.counting.rejected(message)
            raise

    def _reply(self) -> asyncio.Future[Any]:
        self._check_running()  # the engine may have stopped while the caller looked for the run
        reply: asyncio.Future[Any] = self._loop.create_future()
        self._calls.add(reply)
        return reply

    async def _answered(self, reply: asyncio.Future[T]) -> T:
        try:
            return await reply
        finally:
            self._calls.discard(reply)

    async def _settled(self) -> None:
        """Wait until everything decided until now is durable; while nothing can be written, the disk is the truth."""
        if not self._site.journal.is_settled:
            reply = self._reply()

            def go_on(_problem: object = None) -> None:
                if not reply.done():
                    reply.set_result(None)

            self._site.journal.when_settled(go_on, go_on)
            await self._answered(reply)

    def _check_running(self) -> None:
        if self._stopped is not None:
            raise self._stopped

    def _check_writable(self) -> None:
        self._check_running()
        if self._site.journal.stalled is not None:
            raise self._site.journal.stalled


def _check_start(request: StartRequest) -> None:
    check_id(request.workflow_id)
    check_name("workflow type", request.workflow_type)
    check_name("task queue", request.task_queue)
    check_text("request id", request.request_id)
    if request.signal is not None:
        check_name("signal", request.signal.name)
    if (request.conflict, request.reuse) == (_TERMINATE, WorkflowIDReusePolicy.REJECT_DUPLICATE):
        raise ValueError("TERMINATE_EXISTING and REJECT_DUPLICATE contradict each other; choose one")


def _restless(request: StartRequest) -> RPCError:
    return RPCError(
        f"workflow {request.workflow_id!r} was open whenever it was to begin, and closed whenever signal "
        f"{request.signal.name if request.signal else ''!r} was to be sent; try again",
        RPCStatusCode.ABORTED,
    )


def _about(answer: UpdateAnswer | Parked, update_id: str, run_id: str) -> UpdateAnswer | Parked:
    """The answer, and which update of which run it is about."""
    if isinstance(answer, Parked):
        return answer
    return msgspec.structs.replace(answer, update_id=update_id, run_id=run_id)


def _already_started(run: RunRecord) -> WorkflowAlreadyStartedError:
    identity = run.identity
    return WorkflowAlreadyStartedError(identity.workflow_id, identity.workflow_type, run_id=identity.run_id)


def _is_rejected(reject: QueryRejectCondition | None, status: str) -> bool:
    if reject is None or reject == QueryRejectCondition.NONE:
        return False
    if reject == QueryRejectCondition.NOT_OPEN:
        return status != "running"
    return status not in ("running", "completed")
