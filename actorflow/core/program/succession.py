"""How a program asks to go on as a new run."""

from __future__ import annotations

from actorflow.core import events as ev


class ContinueAsNewError(BaseException):
    """Ends the run and goes on as a new one; raised by ``workflow.continue_as_new``, not to be made by hand.

    A BaseException, so that ``except Exception`` in workflow code lets it pass.
    """

    def __init__(self, decision: ev.ContinuedAsNew) -> None:
        super().__init__("Workflow continues as new")
        self.decision = decision
