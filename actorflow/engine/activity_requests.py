"""What somebody outside says of an activity: that it is alive, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from actorflow.converter import Payload, fitting
from actorflow.core.policy.checks import check_name, check_payloads
from actorflow.engine.activity_actor import ActivityActor
from actorflow.engine.calls import Calls
from actorflow.engine.population import Population
from actorflow.engine.site import Site
from actorflow.service import ActivityNotRunningError, ActivityReport, ActivityTarget, already_closed
from actorflow.store.protocol import Conflict, Outcome


class ActivityRequests:
    """The part of the service that is about single activities.

    Args:
        site: collaborators.
        population: where actors are found.
        calls: what every call needs.
    """

    def __init__(self, site: Site, population: Population, calls: Calls) -> None:
        self._site = site
        self._population = population
        self._calls = calls

    async def settle(self, activity: ActivityTarget, report: ActivityReport) -> None:
        """See `Service.settle_activity`."""
        self._calls.check_writable()
        check_payloads(f"the outcome of activity {activity.activity_id!r}", _payloads(report))
        if report.failure is not None:
            report = msgspec.structs.replace(report, failure=fitting(report.failure))
        found = await self._find(activity)
        found.check_report(activity.attempt, report)
        reply = self._calls.reply()

        def told(outcome: Outcome) -> None:
            if reply.done():
                return
            if isinstance(outcome, Conflict):
                reply.set_exception(already_closed(activity.target.workflow_id, "closed"))
            else:
                reply.set_result(None)

        found.settle(report, told)
        await self._calls.answered(reply)

    async def beat(self, activity: ActivityTarget, details: tuple[Payload, ...]) -> bool:
        """See `Service.beat_activity`."""
        self._calls.check_writable()
        check_payloads(f"a heartbeat of activity {activity.activity_id!r}", details)
        return (await self._find(activity)).beat(activity.attempt, details)

    async def _find(self, activity: ActivityTarget) -> ActivityActor:
        """The activity, which an earlier process may have left; nothing is awaited between its being found and used."""
        target, activity_id = activity.target, activity.activity_id
        check_name("activity id", activity_id)
        actor, record = await self._calls.find(target)
        if actor is None:
            assert record is not None
            raise ActivityNotRunningError(target.workflow_id, activity_id, f"the workflow is {record.head.status}")
        key = actor.identity.key
        if activity_id not in self._site.activities.get(key, ()):
            actor = await self._population.loaded(key)
        found = self._site.activities.get(key, {}).get(activity_id)
        if actor.is_closed:
            raise ActivityNotRunningError(target.workflow_id, activity_id, "the workflow is closed")
        if not isinstance(found, ActivityActor):
            raise ActivityNotRunningError(target.workflow_id, activity_id, "there is no open activity of that id")
        return found


def _payloads(report: ActivityReport) -> Sequence[Payload]:
    return (*report.details, *(() if report.result is None else (report.result,)))
