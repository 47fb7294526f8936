"""A call on its way: which execution it is for, whether it can be taken now, and the wait until it is durable."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, TypeVar

from actorflow.core import events as ev
from actorflow.core.journal import Turn
from actorflow.core.messages import Message
from actorflow.core.policy.checks import check_id, check_name
from actorflow.engine.execution import turns_of
from actorflow.engine.group_commit import stopped
from actorflow.engine.mailbox import Delivery
from actorflow.engine.population import Population
from actorflow.engine.site import Site
from actorflow.engine.workflow_actor import WorkflowActor
from actorflow.exceptions import MailboxFullError
from actorflow.service import RPCError, Target, already_closed, not_found
from actorflow.store.protocol import Identity, RunRecord

T = TypeVar("T")


class Calls:
    """What every call to an engine needs.

    Args:
        site: collaborators.
        population: where actors are found.
    """

    def __init__(self, site: Site, population: Population) -> None:
        self._site = site
        self._population = population
        self._store = site.store
        self._under_way: set[asyncio.Future[Any]] = set()
        self._stopped: BaseException | None = None

    def stop(self, failure: BaseException | None) -> None:
        """Answer no more; whoever waits is told why."""
        self._stopped = stopped(failure)
        for call in self._under_way:
            if not call.done():
                call.set_exception(stopped(failure))

    @property
    def is_waiting(self) -> bool:
        """True if somebody waits for an answer that needs no time to pass: no result, and no outcome of an update."""
        return bool(self._under_way) or self._site.rest.lookups > 0

    def in_memory(self, target: Target) -> WorkflowActor | None:
        """The actor of a run, if it is in memory."""
        actor = self._population.current(target.namespace, target.workflow_id)
        return actor if actor is not None and _is_meant(target, actor.identity) else None

    async def find(self, target: Target) -> tuple[WorkflowActor | None, RunRecord | None]:
        """The actor of an open run, or the record of a closed one."""
        actor = self.in_memory(target)
        if actor is not None:
            return actor, None
        record = await self.stored(target)
        if record.head.status != "running":
            return None, record
        return self._population.actor_of(record.identity, record.head, record.inbox), record

    async def record(self, target: Target) -> RunRecord:
        """A run as it is on disk, with everything decided until now."""
        self.check_running()
        await self.settled()
        return await self.stored(target)

    async def stored(self, target: Target) -> RunRecord:
        """A run as it is on disk."""
        check_id(target.workflow_id)
        if target.run_id is not None:
            check_name("run id", target.run_id)
        with self._site.rest.lookup():
            record = await self._store.find(target.namespace, target.workflow_id, target.run_id)
        if record is None or not _is_meant(target, record.identity):
            raise not_found(target.workflow_id, target.run_id, target.namespace)
        return record

    async def turns(self, identity: Identity) -> Sequence[Turn]:
        """The journal of a run."""
        with self._site.rest.lookup():
            return turns_of(identity, await self._store.journal(identity.key))

    async def post(self, target: Target, message: ev.SignalReceived | ev.CancelRequested) -> None:
        """Send a message to a run and wait until it is durable."""
        self.check_writable()
        actor, record = await self.find(target)
        if actor is None:
            assert record is not None
            self._site.counting.rejected(message)
            raise already_closed(target.workflow_id, record.head.status)
        await self.posted(actor, message)

    async def posted(self, actor: WorkflowActor, message: Message) -> None:
        """Send a message to an actor and wait until it is durable."""
        reply = self.reply()
        actor.post(Delivery(message, reply))
        await self.taken(reply, message)

    async def taken(self, reply: asyncio.Future[Any], message: Message) -> None:
        """Wait until a message is durable, and count it if it is refused."""
        try:
            await self.answered(reply)
        except (RPCError, MailboxFullError):
            self._site.counting.rejected(message)
            raise

    def reply(self) -> asyncio.Future[Any]:
        """A future for the answer; it fails if the engine stops."""
        self.check_running()  # the engine may have stopped while the caller looked for the run
        reply: asyncio.Future[Any] = self._site.loop.create_future()
        self._under_way.add(reply)
        return reply

    async def answered(self, reply: asyncio.Future[T]) -> T:
        """Wait for the answer."""
        try:
            return await reply
        finally:
            self._under_way.discard(reply)
            self._site.rest.stir()

    async def settled(self) -> None:
        """Wait until everything decided until now is durable; while nothing can be written, the disk is the truth."""
        if not self._site.journal.is_settled:
            reply = self.reply()

            def go_on(_problem: object = None) -> None:
                if not reply.done():
                    reply.set_result(None)

            self._site.journal.when_settled(go_on, go_on)
            await self.answered(reply)

    def check_running(self) -> None:
        """Raise if the engine has stopped."""
        if self._stopped is not None:
            raise self._stopped

    def check_writable(self) -> None:
        """Raise if nothing can be written now."""
        self.check_running()
        if self._site.journal.stalled is not None:
            raise self._site.journal.stalled


def _is_meant(target: Target, identity: Identity) -> bool:
    """True if a run of the target's workflow id is the one, or of the chain, that it names."""
    return target.run_id in (None, identity.run_id) and target.first_run_id in (None, identity.chain)
