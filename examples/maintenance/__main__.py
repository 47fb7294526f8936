"""Make a nightly schedule, unless it is there already, and let it run once at once."""

from __future__ import annotations

import argparse
import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import actorflow
from actorflow.client import (
    Client,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleHandle,
    ScheduleSpec,
    ScheduleSpecError,
)
from actorflow.exceptions import StorageError
from actorflow.worker import Worker
from examples.maintenance.activities import Application
from examples.maintenance.models import Report
from examples.maintenance.workflow import MaintenanceWorkflow

_TASK_QUEUE = "maintenance"
_SCHEDULE = "daily-maintenance"


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and do maintenance; 0 if all went well, 1 if it was refused, 130 if interrupted."""
    options = _parser().parse_args(arguments)
    try:
        asyncio.run(_maintain(options))
    except KeyboardInterrupt:
        return 130
    except (StorageError, ScheduleSpecError) as refusal:
        print(refusal, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m examples.maintenance", description=__doc__)
    parser.add_argument("--db", default="maintenance.db", metavar="PATH", help="the journal (default: maintenance.db)")
    parser.add_argument("--folder", default="application", type=Path, help="of the application (default: application)")
    parser.add_argument("--cron", default="0 2 * * *", help="when a new schedule is due (default: '0 2 * * *')")
    parser.add_argument("--time-zone", default="UTC", help="of its clock, such as Europe/Berlin (default: UTC)")
    parser.add_argument("--stay", action="store_true", help="stay, and do maintenance whenever it is due, until Ctrl-C")
    return parser


async def _maintain(options: argparse.Namespace) -> None:
    application = Application(options.folder)
    application.work_a_day()
    with ThreadPoolExecutor(1) as threads:
        async with (
            actorflow.open(options.db) as client,
            Worker(
                client,
                task_queue=_TASK_QUEUE,
                workflows=[MaintenanceWorkflow],
                activities=application.chores,
                activity_executor=threads,
            ),
        ):
            schedule = await _the_schedule(client, options)
            await schedule.trigger()
            _show(await _latest(client, schedule))
            if options.stay:
                await asyncio.Event().wait()


async def _the_schedule(client: Client, options: argparse.Namespace) -> ScheduleHandle:
    try:
        schedule = await client.create_schedule(
            _SCHEDULE,
            schedule=ScheduleSpec(cron_expressions=[options.cron], time_zone_name=options.time_zone),
            action=ScheduleActionStartWorkflow(MaintenanceWorkflow.run, id="maintenance", task_queue=_TASK_QUEUE),
        )
        print(f"made schedule {_SCHEDULE}")
    except ScheduleAlreadyRunningError:
        schedule = client.get_schedule_handle(_SCHEDULE)
    info = (await schedule.describe()).info
    print(f"actions taken: {info.num_actions}; next: {', '.join(str(at) for at in info.next_action_times[:3])}")
    return schedule


async def _latest(client: Client, schedule: ScheduleHandle) -> Report:
    latest = (await schedule.describe()).info.recent_actions[-1].action
    assert isinstance(latest, ScheduleActionExecutionStartWorkflow)
    print(f"started {latest.workflow_id}")
    return await client.get_workflow_handle_for(MaintenanceWorkflow.run, latest.workflow_id).result()


def _show(report: Report) -> None:
    print(
        f"night {report.night}: {report.files_cleaned} files cleaned, {report.records_archived} records archived, "
        f"analytics {'updated' if report.analytics_updated else 'not updated'}"
    )


if __name__ == "__main__":
    sys.exit(main())
