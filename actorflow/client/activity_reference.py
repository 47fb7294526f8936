"""Which activity somebody outside means: by its ids, or by the token of one attempt."""

from __future__ import annotations

from dataclasses import dataclass

from actorflow.core.task_token import decode_task_token
from actorflow.service import ActivityTarget, RPCError, RPCStatusCode, Target


@dataclass(frozen=True)
class AsyncActivityIDReference:
    """An activity by its ids; without a run id of the workflow's open run."""

    workflow_id: str
    run_id: str | None
    activity_id: str


def activity_target(reference: AsyncActivityIDReference | bytes, namespace: str) -> ActivityTarget:
    """Which activity a call is for.

    Raises:
        RPCError: INVALID_ARGUMENT: the token is none of ours, or of another namespace.
    """
    if isinstance(reference, AsyncActivityIDReference):
        return ActivityTarget(Target(namespace, reference.workflow_id, reference.run_id), reference.activity_id)
    try:
        token = decode_task_token(reference)
    except ValueError as problem:
        raise RPCError(str(problem), RPCStatusCode.INVALID_ARGUMENT) from problem
    if token.namespace != namespace:
        raise RPCError(
            f"the task token is of another namespace than this client, which is of {namespace!r}; "
            "connect to the one its activity runs in",
            RPCStatusCode.INVALID_ARGUMENT,
        )
    return ActivityTarget(Target(token.namespace, token.workflow_id, token.run_id), token.activity_id, token.attempt)
