"""One night: clean up, archive, count; it knows how many nights there were before."""

from __future__ import annotations

from datetime import timedelta

from actorflow import workflow
from actorflow.common import RetryPolicy
from examples.maintenance.activities import Application
from examples.maintenance.models import Report

_THREE_TRIES = RetryPolicy(maximum_attempts=3)
_DAYS_OLD = 90


@workflow.defn
class MaintenanceWorkflow:
    """Scheduled maintenance tasks."""

    @workflow.run
    async def run(self) -> Report:
        """Do the chores of one night."""
        cleaned = await workflow.execute_activity_method(
            Application.cleanup_temp_files,
            start_to_close_timeout=timedelta(minutes=30),
            retry_policy=_THREE_TRIES,
        )
        archived = await workflow.execute_activity_method(
            Application.archive_old_history,
            _DAYS_OLD,
            start_to_close_timeout=timedelta(minutes=60),
            retry_policy=_THREE_TRIES,
        )
        analytics = await workflow.execute_activity_method(
            Application.update_daily_analytics,
            start_to_close_timeout=timedelta(minutes=15),
            retry_policy=_THREE_TRIES,
        )
        # A schedule passes on what the run before it has returned.
        before = workflow.get_last_completion_result(Report) if workflow.has_last_completion_result() else None
        return Report(cleaned.count, archived.count, analytics.success, night=1 if before is None else before.night + 1)
