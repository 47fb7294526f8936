"""How executions begin: alone, with a signal or an update, or in place of one that is open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import msgspec

from actorflow.clock import Clock
from actorflow.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from actorflow.core import events as ev
from actorflow.core.messages import Message
from actorflow.core.policy.checks import check_id, check_name, check_payloads, check_text
from actorflow.core.policy.succession import first_options
from actorflow.core.program.matcher import interpreter_version
from actorflow.core.state import NO_OPTIONS
from actorflow.engine.calls import Calls
from actorflow.engine.mailbox import Delivery
from actorflow.engine.population import Population, patiently
from actorflow.engine.post import REUSE
from actorflow.engine.site import Site
from actorflow.engine.workflow_actor import WorkflowActor
from actorflow.exceptions import WorkflowAlreadyStartedError
from actorflow.service import RPCError, RPCStatusCode, StartRequest, Target
from actorflow.store.protocol import Begin, Conflict, Identity, RunRecord

_TERMINATE: Final = WorkflowIDConflictPolicy.TERMINATE_EXISTING
_START_TRIES_MAX: Final = 10
"""How often a start with a signal meets an open run that has closed before the signal came; then something is odd."""

Watch = Callable[[Identity], None]
"""Told of each run that is about to begin, before anything of it happens."""


class _NewRun(NamedTuple):
    """A run that is about to begin: with `Started`, the signal of its request, and what else comes with it."""

    actor: WorkflowActor
    begin: Begin
    messages: Sequence[Message]


class Begun(NamedTuple):
    """The run that a start has led to: a new one, one that the same call began before, or one that was open."""

    run_id: str
    is_new: bool = False
    is_repeated: bool = False


class Starts:
    """Begins executions.

    Args:
        site: collaborators.
        population: where actors are found.
        clock: time and identities.
        calls: what every call needs.
    """

    def __init__(self, site: Site, population: Population, clock: Clock, calls: Calls) -> None:
        self._site = site
        self._population = population
        self._clock = clock
        self._calls = calls
        self._store = site.store

    async def start(self, request: StartRequest) -> tuple[str, bool]:
        """See `Service.start`."""
        check_start(request)
        for _ in range(_START_TRIES_MAX):
            started = await self.begin(request)
            if started.is_new or started.is_repeated or request.signal is None:
                return started.run_id, started.is_new
            try:
                target = Target(request.namespace, request.workflow_id, started.run_id)
                await self._calls.post(target, request.signal)
                return started.run_id, False
            except RPCError as refusal:  # it has closed meanwhile: the next one may begin
                if refusal.status != RPCStatusCode.NOT_FOUND:
                    raise
        raise _restless(request)

    async def begin(self, request: StartRequest, *messages: Message, watch: Watch | None = None) -> Begun:
        """Begin a run if the policies allow it; ``watch`` is told of each that is about to."""
        self._calls.check_writable()
        request = self._typed(request)
        is_taken = await self._is_taken(request, is_asked=bool(messages))
        new = self._new_run(request, messages, watch)
        outcome = await self._begin(new, is_doubtful=is_taken)
        if outcome is None:
            return Begun(new.actor.identity.run_id, is_new=True)
        run = outcome.run
        assert run is not None
        is_open = run.head.status == "running"
        if outcome.repeated or (is_open and request.conflict == WorkflowIDConflictPolicy.USE_EXISTING):
            return Begun(run.identity.run_id, is_repeated=outcome.repeated)
        if is_open and request.conflict == _TERMINATE:
            new = self._new_run(request, messages, watch)
            await self._replace(new, run)
            return Begun(new.actor.identity.run_id, is_new=True)
        raise _already_started(run)

    def _typed(self, request: StartRequest) -> StartRequest:
        options = request.options
        if options is None or not options.search_attributes:
            return request
        options = self._site.attribute_types.options(request.namespace, request.workflow_id, options)
        return msgspec.structs.replace(request, options=options)

    async def _is_taken(self, request: StartRequest, *, is_asked: bool) -> bool:
        """True if a run of this id is known to be open; the store is asked where one is likely to be.

        Code that runs for a run that may not begin does no harm, but traces and logs would tell of it.
        """
        if self._population.current(request.namespace, request.workflow_id) is not None:
            return True
        if not is_asked and request.conflict != WorkflowIDConflictPolicy.USE_EXISTING:
            return False
        record = await patiently(lambda: self._store.find(request.namespace, request.workflow_id))
        return record is not None and record.head.status == "running"

    async def _begin(self, new: _NewRun, *, is_doubtful: bool = False) -> Conflict | None:
        self._population.expect(new.actor)
        reply = self._calls.reply()
        new.actor.begin(new.begin, new.messages, reply, is_doubtful=is_doubtful)
        return await self._calls.answered(reply)

    def _new_run(self, request: StartRequest, messages: Sequence[Message], watch: Watch | None) -> _NewRun:
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
        options = request.options or (None if request.start_delay is None else NO_OPTIONS)
        if options is not None:
            options = first_options(options, started_at=identity.started_at, start_delay=request.start_delay)
        started = ev.Started(request.workflow_type, request.task_queue, request.input, interpreter_version(), options)
        signals = () if request.signal is None else (request.signal,)
        begin = Begin(identity, REUSE[request.reuse])
        return _NewRun(WorkflowActor(self._site, identity), begin, (started, *signals, *messages))

    async def _replace(self, new: _NewRun, run: RunRecord) -> None:
        """End the open run and begin the new one in one transaction."""
        existing = await self._population.undisturbed(run.identity.key)
        if existing.is_unreadable:  # its end can be written, but not together with anything else
            ended = self._calls.reply()
            existing.terminate(Delivery(ev.Terminated("replaced by TERMINATE_EXISTING"), ended))
            await self._calls.answered(ended)
            outcome = await self._begin(new)
        else:
            # From here to the reply nothing waits: both submit their change now, so both are in the same transaction.
            existing.terminate(Delivery(ev.Terminated("replaced by TERMINATE_EXISTING")))
            existing.step()
            self._population.expect(new.actor)
            reply = self._calls.reply()
            new.actor.begin(new.begin, new.messages, reply)
            new.actor.step()
            outcome = await self._calls.answered(reply)
        if outcome is not None:
            assert outcome.run is not None
            raise _already_started(outcome.run)


def check_start(request: StartRequest) -> None:
    """Refuse what can't be started.

    Raises:
        ValueError, TypeError: an id or a name, or policies that contradict each other.
        PayloadTooLargeError: the input, the memo, or the signal's input.
    """
    check_id(request.workflow_id)
    check_name("workflow type", request.workflow_type)
    check_name("task queue", request.task_queue)
    check_text("request id", request.request_id)
    check_payloads(f"workflow {request.workflow_id!r}", request.input)
    if request.options is not None and request.options.memo:
        check_payloads(f"the memo of workflow {request.workflow_id!r}", request.options.memo.values())
    if request.signal is not None:
        check_name("signal", request.signal.name)
        check_payloads(f"signal {request.signal.name!r}", request.signal.input)
    if (request.conflict, request.reuse) == (_TERMINATE, WorkflowIDReusePolicy.REJECT_DUPLICATE):
        raise ValueError("TERMINATE_EXISTING and REJECT_DUPLICATE contradict each other; choose one")


def _restless(request: StartRequest) -> RPCError:
    return RPCError(
        f"workflow {request.workflow_id!r} was open whenever it was to begin, and closed whenever signal "
        f"{request.signal.name if request.signal else ''!r} was to be sent; try again",
        RPCStatusCode.ABORTED,
    )


def _already_started(run: RunRecord) -> WorkflowAlreadyStartedError:
    identity = run.identity
    return WorkflowAlreadyStartedError(identity.workflow_id, identity.workflow_type, run_id=identity.run_id)
