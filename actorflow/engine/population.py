"""The actors of one engine: found by run or by workflow id, created when needed, loaded in batches."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

from actorflow.core import limits
from actorflow.core.messages import Message
from actorflow.engine.mailbox import Delivery, Later
from actorflow.engine.site import Addressable, Site
from actorflow.engine.workflow_actor import WorkflowActor
from actorflow.exceptions import StorageBusyError, StorageError
from actorflow.store.protocol import Head, Identity

_log = logging.getLogger("actorflow.engine")
T = TypeVar("T")


class Population:
    """Actors in memory, and the loader that brings others in.

    Args:
        site: collaborators; its callables are set here.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._by_key: dict[int, WorkflowActor] = {}
        self._key_by_id: dict[tuple[str, str], int] = {}
        self._wanted: list[int] = []
        self._loading: set[int] = set()
        self._under_way = 0
        self._reads: dict[int, list[asyncio.Future[None]]] = {}
        self._outdated: set[int] = set()
        self._stopped: BaseException | None = None
        self._wake: asyncio.Future[None] | None = None
        site.deliver = self.deliver
        site.load = self.load
        site.wake = self.wake
        site.admit = self._admit
        site.forget = self._forget

    def __len__(self) -> int:
        return len(self._by_key)

    @property
    def actors(self) -> Sequence[WorkflowActor]:
        """Every actor in memory."""
        return list(self._by_key.values())

    @property
    def is_idle(self) -> bool:
        """True if no run is being read, or about to be."""
        return not (self._wanted or self._loading or self._under_way)

    def by_key(self, key: int) -> WorkflowActor | None:
        """The actor of a run, if it is in memory."""
        return self._by_key.get(key)

    def current(self, namespace: str, workflow_id: str) -> WorkflowActor | None:
        """The actor of the open run of a workflow id, if it is in memory."""
        key = self._key_by_id.get((namespace, workflow_id))
        actor = None if key is None else self._by_key.get(key)
        return None if actor is None or actor.is_closed else actor

    def actor_of(self, identity: Identity, head: Head | None = None, backlog: int = 0) -> WorkflowActor:
        """The actor of a run, created as a stub if it is not in memory; head and backlog as they were just read."""
        actor = self._by_key.get(identity.key)
        if actor is None:
            actor = WorkflowActor(self._site, identity, head, backlog)
            actor.is_loading = identity.key in self._loading
            self._admit(actor)
        return actor

    def expect(self, actor: WorkflowActor) -> None:
        """A run is about to begin: nobody may read it from the store meanwhile, nor find it by its workflow id."""
        self._by_key[actor.identity.key] = actor

    def succeed(self, identity: Identity, head: Head, deliveries: Sequence[Delivery]) -> None:
        """A run follows one that closes, with what waits for it; whoever asks for its workflow gets it from here on."""
        actor = WorkflowActor(self._site, identity)
        self._admit(actor)
        actor.begin_with_another(head, deliveries)

    def has_begun(self, identity: Identity) -> None:
        """Such a run is durable."""
        self._site.counting.types[identity.workflow_type].started.value += 1
        actor = self._by_key.get(identity.key)
        if actor is not None:
            actor.has_begun()

    def begin(self, identity: Identity, head: Head, deliveries: Sequence[Delivery]) -> None:
        """A run has begun with the turn of another one, durably."""
        self._site.counting.types[identity.workflow_type].started.value += 1
        if identity.key in self._by_key or identity.key in self._loading:
            self._load_settled(identity.key)  # somebody has found it meanwhile
            return
        actor = WorkflowActor(self._site, identity)
        self._admit(actor)
        actor.begin_with_another(head, deliveries)
        actor.has_begun()

    def receive(self, key: int, delivery: Delivery) -> None:
        """A run has got an inbox row, durably."""
        actor = self._by_key.get(key)
        if actor is not None and actor.is_loaded:
            actor.receive(delivery)
        elif key in self._loading:
            self._outdated.add(key)  # it may have been read before the row was written
        else:
            self._load_settled(key)

    def deliver(self, identity: Identity, message: Message, on_durable: Later) -> None:
        """See `Site.deliver`."""
        self.actor_of(identity).post(Delivery(message, None, 0, on_durable))

    def wake(self, key: int) -> None:
        """See `Site.wake`."""
        actor = self._by_key.get(key)
        if actor is None:
            self.load(key)
        else:
            actor.wake_up()

    def load(self, key: int) -> None:
        """See `Site.load`."""
        actor = self._by_key.get(key)
        if key in self._loading or (actor is not None and actor.is_loaded):
            return
        self._mark(key)
        self._want(key)

    def _load_settled(self, key: int) -> None:
        """Load a run once the store has everything of it: read now, what is under way might be missed."""
        actor = self._by_key.get(key)
        if actor is None or actor.is_settled_stub:
            self.load(key)
        elif not actor.is_loaded:
            self._site.journal.when_settled(lambda: self._load_settled_soon(key))

    def _load_settled_soon(self, key: int) -> None:
        # Not at once: others of the same batch may not have been told yet.
        self._site.loop.call_soon(self._load_settled, key)

    def _want(self, key: int) -> None:
        self._wanted.append(key)
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def run(self) -> None:
        """Load what is wanted, in batches, until cancelled."""
        while True:
            if not self._wanted:
                self._wake = self._site.loop.create_future()
                await self._wake
                self._wake = None
            keys = self._wanted[: limits.LOADS_CONCURRENT_MAX]
            del self._wanted[: len(keys)]
            try:
                await self._read(keys)
            except StorageError as problem:
                self._site.fail(problem)
                return

    async def loaded(self, key: int) -> WorkflowActor:
        """The actor of a run, once its journal was read. Cancelling the caller does not cancel the reading."""
        while (actor := self._by_key.get(key)) is None or not (actor.is_loaded or actor.is_unreadable):
            if self._stopped is not None:
                raise self._stopped
            if actor is not None and not actor.is_loading and not actor.is_settled_stub:
                await self._site.journal.settled()  # read now, what is under way might be missed
                continue
            self.load(key)
            read: asyncio.Future[None] = self._site.loop.create_future()
            self._reads.setdefault(key, []).append(read)
            try:
                await read
            finally:
                if (wanted := self._by_key.get(key)) is not None:
                    wanted.is_wanted = False
                    self._site.dispatcher.wake(wanted)
        return actor

    async def undisturbed(self, key: int) -> WorkflowActor:
        """The actor of a run, once its journal was read and nothing is on its way to it: it can take a turn now."""
        while True:
            actor = await self.loaded(key)
            if not self._site.holds.is_held(actor.identity):
                return actor
            await self._site.journal.settled()

    def close(self, problem: BaseException) -> None:
        """Nothing is read any more; whoever waits for it is told why."""
        self._stopped = problem
        for reads in self._reads.values():
            for read in reads:
                if not read.done():
                    read.set_exception(problem)
        self._reads.clear()

    async def bring_in(self, keys: Sequence[int]) -> None:
        """Load those of these runs that are not in memory, and wait for them."""
        absent = [key for key in keys if self._is_absent(key)]
        unsettled = [key for key in keys if self._has_message_under_way(key)]
        for key in absent:
            self._mark(key)
        await self._read(absent)
        self._site.counting.recovered.value += len(absent)
        for key in unsettled:
            await self.loaded(key)

    def _has_message_under_way(self, key: int) -> bool:
        actor = self._by_key.get(key)
        return actor is not None and not actor.is_loaded and not actor.is_loading and not actor.is_settled_stub

    def _is_absent(self, key: int) -> bool:
        # A stub with a message under way loads by itself when that is durable: read now, it might be missed.
        actor = self._by_key.get(key)
        return key not in self._loading and (actor is None or actor.is_settled_stub)

    def _mark(self, key: int) -> None:
        """From here until it is read, nobody else loads the run, and new messages are kept in memory too."""
        self._loading.add(key)
        actor = self._by_key.get(key)
        if actor is not None:
            actor.is_loading = True

    async def _read(self, keys: Sequence[int]) -> None:
        self._under_way += 1
        try:
            await self._bring(keys)
        finally:
            self._under_way -= 1
            self._site.rest.stir()

    async def _bring(self, keys: Sequence[int]) -> None:
        for host in self._site.registry.hosts:
            host.residency.trim()  # so that recovering more runs than may stay does not fill the memory
        self._outdated.difference_update(keys)
        try:
            runs = await patiently(lambda: self._site.store.load(keys)) if keys else ()
        except BaseException:
            self._unmark(keys)
            raise
        again = {run.record.identity.key for run in runs if self._is_read_again(run.record.identity)}
        read_now = [key for key in keys if key not in again]
        self._unmark(read_now)
        for run in runs:
            identity = run.record.identity
            if identity.key not in again:
                actor = self.actor_of(identity, run.record.head)
                actor.is_wanted = identity.key in self._reads
                actor.on_loaded(run)
        for key in read_now:
            for read in self._reads.pop(key, ()):
                if not read.done():
                    read.set_result(None)

    def _is_read_again(self, identity: Identity) -> bool:
        """True if what was just read is not all there is, or soon won't be; the run is read again then."""
        if self._site.holds.holds_back(identity, partial(self._want, identity.key)):
            return True
        if identity.key not in self._outdated:
            return False
        self._want(identity.key)
        return True

    def _unmark(self, keys: Iterable[int]) -> None:
        self._loading.difference_update(keys)
        for key in keys:
            if (actor := self._by_key.get(key)) is not None:
                actor.is_loading = False

    def _admit(self, actor: Addressable) -> None:
        assert isinstance(actor, WorkflowActor)
        identity = actor.identity
        self._by_key[identity.key] = actor
        if not actor.is_closed:
            self._key_by_id[identity.namespace, identity.workflow_id] = identity.key

    def _forget(self, actor: Addressable) -> None:
        identity = actor.identity
        if self._by_key.get(identity.key) is not actor:
            return
        del self._by_key[identity.key]
        if self._key_by_id.get((identity.namespace, identity.workflow_id)) == identity.key:
            del self._key_by_id[identity.namespace, identity.workflow_id]


async def patiently(read: Callable[[], Awaitable[T]]) -> T:
    """Read from the store, again and again while somebody holds a lock on it."""
    while True:
        try:
            return await read()
        except StorageBusyError as problem:
            _log.warning("reading the journal again: %s", problem)
            await asyncio.sleep(limits.STORE_RETRY_DELAY.total_seconds())
