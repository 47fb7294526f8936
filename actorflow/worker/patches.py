"""A worker's say in whether a run takes a patch: while a new version is rolled out, say, none should yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from actorflow import workflow


@dataclass(frozen=True)
class PatchActivationInput:
    """Which run asks for which patch, for the first time."""

    workflow_info: workflow.Info
    patch_id: str


PatchActivationCallback = Callable[[PatchActivationInput], bool]
"""True to take the patch, False to decline it. It must not change the workflow."""


def asking(callback: PatchActivationCallback) -> Callable[[str], bool]:
    """A callback as a program asks it: while the program runs."""
    return lambda patch_id: callback(PatchActivationInput(workflow.info(), patch_id))
