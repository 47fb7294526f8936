"""Says why a result that is awaited does not come, when skipping time brings it no nearer."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from actorflow.core.state import ExecutionState
from actorflow.engine.activity_actor import ActivityActor
from actorflow.engine.execution import turns_of
from actorflow.engine.site import Site
from actorflow.exceptions import ActorflowError
from actorflow.store.protocol import Identity, LoadedRun

_log = logging.getLogger("actorflow.testing")


class ResultNeverComesError(ActorflowError):
    """A test awaits a result that skipping time does not bring.

    Args:
        workflow_id: whose result.
        reason: why it does not come, and what to do.
    """

    def __init__(self, workflow_id: str, reason: str) -> None:
        super().__init__(f"the result of workflow {workflow_id!r} does not come: {reason}")
        self.workflow_id = workflow_id


class Outlook:
    """Looks at the executions whose results are awaited.

    Args:
        site: of the engine that hosts them.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._warned: set[int] = set()

    async def explain(self) -> None:
        """Nothing is due, ever: refuse what can't come by itself, and warn about what waits for somebody to call."""
        for run in await self._awaited():
            identity = run.record.identity
            reason = self._no_worker(identity) or self._not_served(run)
            if reason is not None:
                self._refuse(identity, reason)
            elif identity.key not in self._warned:
                self._warned.add(identity.key)
                _log.warning(
                    "workflow %r (type %r) waits for a signal, an update or another call: no time brings its result; "
                    "if nobody calls it, this test waits for ever",
                    identity.workflow_id,
                    identity.workflow_type,
                )

    async def give_up(self, reason: str) -> None:
        """Refuse every result that is awaited: for a reason of its own if it has one, else for this one."""
        for run in await self._awaited():
            identity = run.record.identity
            own = self._no_worker(identity) or self._failing_activity(run)
            self._refuse(identity, own or f"{reason}; what it waits for must come from a call")

    async def _awaited(self) -> Sequence[LoadedRun]:
        runs = await self._site.store.load(list(self._site.waiters))
        return [run for run in runs if run.record.head.status == "running"]

    def _refuse(self, identity: Identity, reason: str) -> None:
        self._site.refuse_waiters(identity.key, ResultNeverComesError(identity.workflow_id, reason))

    def _no_worker(self, identity: Identity) -> str | None:
        registry, queue = self._site.registry, identity.task_queue
        if registry.host_of(identity.namespace, queue, identity.workflow_type) is not None:
            return None
        known = sorted({f"{name} on {host.task_queue!r}" for host in registry.hosts for name in host.workflows})
        return (
            f"no worker of this environment runs type {identity.workflow_type!r} on task queue {queue!r} "
            f"(those that are here run {', '.join(known) or 'none'}); start one before you await it"
        )

    def _not_served(self, run: LoadedRun) -> str | None:
        """An activity or a child that waits for a worker; had it a timeout, time would have been skipped to that."""
        registry, namespace = self._site.registry, run.record.identity.namespace
        state = _state(run)
        for pending in state.activities.values():
            scheduled = pending.scheduled
            if not registry.queue(namespace, scheduled.task_queue).workers:
                return (
                    f"its activity {scheduled.activity_type!r} waits for task queue {scheduled.task_queue!r}, on which "
                    "no worker of this environment has activities; start one, or give the activity a timeout"
                )
        for child in (state.children or {}).values():
            if registry.host_of(namespace, child.task_queue, child.workflow_type) is None:
                return (
                    f"its child {child.workflow_id!r} waits: no worker of this environment runs type "
                    f"{child.workflow_type!r} on task queue {child.task_queue!r}; start one, or give it a timeout"
                )
        return None

    def _failing_activity(self, run: LoadedRun) -> str | None:
        open_activities = self._site.activities.get(run.record.identity.key, {})
        for activity_id, pending in _state(run).activities.items():
            actor = open_activities.get(activity_id)
            failure = actor.status()[3] if isinstance(actor, ActivityActor) else None
            if failure is not None:
                return (
                    f"its activity {pending.scheduled.activity_type!r} fails again and again, the last time with "
                    f"{failure.type or failure.kind}: {failure.message}; bound its retries, or register another "
                    "activity under its name"
                )
        return None


def _state(run: LoadedRun) -> ExecutionState:
    return ExecutionState.folded(turns_of(run.record.identity, run.turns))
