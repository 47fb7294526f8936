"""What clients ask about updates: to be taken, to be told of their outcome, also after the run is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager

import msgspec

from actorflow.clock import Clock
from actorflow.core import events as ev
from actorflow.core.policy.checks import check_name, check_payloads
from actorflow.core.policy.succession import successor_id
from actorflow.core.state import ExecutionState
from actorflow.engine.calls import Calls
from actorflow.engine.ends import end_of
from actorflow.engine.population import Population
from actorflow.engine.site import Site
from actorflow.engine.starts import Starts, check_start
from actorflow.engine.updates import abandoned, answer_of
from actorflow.service import (
    Parked,
    RPCError,
    RPCStatusCode,
    StartRequest,
    Target,
    UpdateAnswer,
    UpdateRequest,
    already_closed,
    unknown_update,
)
from actorflow.store.protocol import Identity, RunRecord


class UpdateRequests:
    """Takes updates.

    Args:
        site: collaborators.
        population: where actors are found.
        clock: identities.
        calls: what every call needs.
        starts: begins executions.
    """

    def __init__(self, site: Site, population: Population, clock: Clock, calls: Calls, starts: Starts) -> None:
        self._site = site
        self._population = population
        self._clock = clock
        self._calls = calls
        self._starts = starts

    async def update(self, target: Target, request: UpdateRequest) -> UpdateAnswer | Parked:
        """See `Service.update`."""
        update_id = request.update_id or self._clock.new_run_id()
        check_name("update", request.name)
        check_name("update id", update_id)
        check_payloads(f"update {request.name!r}", request.input)
        aimed = target
        while True:
            answer = await self._update_run(aimed, request, update_id)
            if isinstance(answer, UpdateAnswer | Parked):
                return answer
            # The run is over and knows nothing of it. The one that follows may have got it already.
            successor = await self._follower_of(answer) if target.run_id is None else ""
            if not successor:
                raise already_closed(target.workflow_id, answer.head.status)
            aimed = msgspec.structs.replace(target, run_id=successor)

    async def _update_run(
        self, target: Target, request: UpdateRequest, update_id: str
    ) -> UpdateAnswer | Parked | RunRecord:
        """Ask one run; its record, if it is over and has accepted no such update."""
        self._calls.check_writable()
        actor, record = await self._calls.find(target)
        if actor is None:
            assert record is not None
            return await self._known_to(record, update_id) or record
        identity = actor.identity
        with self._waiting_for_update(identity.key, update_id, wants_outcome=request.wants_outcome) as answer:
            try:
                await self._calls.posted(actor, _message(request, update_id))
                if actor.parked is not None:  # the request is kept, and is looked at with the next try
                    return actor.parked
                return _about(await answer, update_id, identity.run_id)
            except RPCError as refusal:
                if refusal.status != RPCStatusCode.NOT_FOUND:
                    raise
        # It has closed meanwhile, perhaps with this very update.
        ended = await self._calls.record(Target(target.namespace, target.workflow_id, identity.run_id))
        return await self._known_to(ended, update_id) or ended

    async def _follower_of(self, ended: RunRecord) -> str:
        end = await end_of(self._site.store, ended)
        return "" if end is None else successor_id(end.event)

    async def update_outcome(self, target: Target, update_id: str) -> UpdateAnswer | Parked:
        """See `Service.update_outcome`."""
        self._calls.check_running()
        actor, record = await self._calls.find(target)
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
        ended = await self._calls.record(Target(target.namespace, target.workflow_id, identity.run_id))
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
            if answer.done() and not answer.cancelled():
                answer.exception()  # the call was refused before anybody asked for the answer

    async def _closed_update(self, record: RunRecord, update_id: str) -> UpdateAnswer | Parked:
        """What became of an update of a run that is over."""
        known = await self._known_to(record, update_id)
        if known is None:
            raise already_closed(record.identity.workflow_id, record.head.status)
        return known

    async def _known_to(self, record: RunRecord, update_id: str) -> UpdateAnswer | Parked | None:
        """What a run that is over knows of an update; None if it has accepted no such one."""
        identity = record.identity
        updates = ExecutionState.folded(await self._calls.turns(identity)).updates
        if updates is None or update_id not in updates:
            return None
        return _about(answer_of(updates[update_id] or abandoned(update_id)), update_id, identity.run_id)

    async def update_with_start(
        self, start: StartRequest, request: UpdateRequest, on_started: Callable[[str], None]
    ) -> UpdateAnswer | Parked:
        """See `Service.update_with_start`."""
        update_id = request.update_id or self._clock.new_run_id()
        check_name("update", request.name)
        check_name("update id", update_id)
        check_payloads(f"update {request.name!r}", request.input)
        check_start(start)
        message = _message(request, update_id)
        with ExitStack() as waiting:
            answers: dict[str, asyncio.Future[UpdateAnswer | Parked]] = {}

            def watch(new: Identity) -> None:
                wait = self._waiting_for_update(new.key, update_id, wants_outcome=request.wants_outcome)
                answers[new.run_id] = waiting.enter_context(wait)

            started = await self._starts.begin(start, message, watch=watch)
            on_started(started.run_id)
            if started.is_new:
                return _about(await answers[started.run_id], update_id, started.run_id)
        target = Target(start.namespace, start.workflow_id, started.run_id)
        return await self.update(target, msgspec.structs.replace(request, update_id=update_id))


def _message(request: UpdateRequest, update_id: str) -> ev.UpdateRequested:
    return ev.UpdateRequested(update_id, request.name, request.input, request.headers)


def _about(answer: UpdateAnswer | Parked, update_id: str, run_id: str) -> UpdateAnswer | Parked:
    """The answer, and which update of which run it is about."""
    if isinstance(answer, Parked):
        return answer
    return msgspec.structs.replace(answer, update_id=update_id, run_id=run_id)
