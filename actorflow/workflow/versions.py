"""Changing the code of workflows that are running: old runs go the old way, new ones the new."""

from __future__ import annotations

from actorflow.core.policy.checks import check_name
from actorflow.workflow.context import running_program


def patched(id: str) -> bool:
    """True if the code after a change is to be run, False if the code before it.

    A run that asks for the first time while it is live takes the new code and records a marker. One that asked before
    the change was deployed goes on with the old code, to its end. The answer to the first question of a run is kept.

    Args:
        id: names the change; it may be asked for several times in one workflow.

    Raises:
        ReadOnlyContextError: inside a query or a validator.
        ValueError: the id is empty, too long, or holds control characters.
    """
    check_name("patch id", id)
    return running_program().patches.take(id)


def deprecate_patch(id: str) -> None:
    """Say that no run needs the code before a change any more, so that it could be removed.

    Runs from now on record a marker that later code may ignore. Once none is left whose marker `patched` has written,
    this call can be removed, too.

    Args:
        id: what `patched` was called with.

    Raises:
        ReadOnlyContextError: inside a query or a validator.
        ValueError: the id is empty, too long, or holds control characters.
    """
    check_name("patch id", id)
    running_program().patches.take(id, is_deprecated=True)
