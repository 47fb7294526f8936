"""What a program asks for. A command becomes a decision in the journal when its turn is committed."""

from __future__ import annotations

from actorflow.core import events as ev

Command = ev.Decision
"""A command is the decision it will become: the same value, before it is a fact."""


def command_key(command: Command) -> tuple[str, str]:
    """What must be the same when the program asks again on replay: the kind, and which of that kind."""
    match command:
        case ev.ActivityScheduled(activity_id=activity_id, activity_type=activity_type):
            return "schedule activity", f"{activity_type} (id {activity_id})"
        case ev.ActivityCancelRequested(activity_id=activity_id):
            return "cancel activity", f"(id {activity_id})"
        case ev.LocalActivityScheduled(activity_id=activity_id, activity_type=activity_type):
            return "start local activity", f"{activity_type} (id {activity_id})"
        case ev.LocalActivityCancelRequested(activity_id=activity_id):
            return "cancel local activity", f"(id {activity_id})"
        case ev.TimerStarted(timer_id=timer_id):
            return "start timer", f"(id {timer_id})"
        case ev.TimerCancelled(timer_id=timer_id):
            return "cancel timer", f"(id {timer_id})"
        case ev.UpdateCompleted(update_id=update_id):
            return "complete update", f"(id {update_id})"
        case ev.Patched(patch_id=patch_id):
            return "take patch", patch_id
        case ev.ChildScheduled(workflow_id=workflow_id, workflow_type=workflow_type):
            return "start child", f"{workflow_type} (id {workflow_id})"
        case ev.SignalSent(workflow_id=workflow_id, name=name):
            return "signal", f"{workflow_id} ({name})"
        case ev.CancelSent(workflow_id=workflow_id):
            return "cancel", workflow_id
        case ev.ContinuedAsNew(workflow_type=workflow_type):
            return "continue as new", workflow_type
        case ev.Completed():
            return "complete", "the workflow"
        case ev.Failed():
            return "fail", "the workflow"
        case ev.Cancelled():
            return "close as cancelled", "the workflow"
