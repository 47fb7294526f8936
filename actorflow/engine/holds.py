"""Workflows to which something is on its way that only the store will deliver.

Until that is durable none of their runs is read or takes a turn: it could close without what it is about to get, or,
as a child, before its parent has heard that it began.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from actorflow.store.protocol import Identity


class Holds:
    """How many letters are on their way, by namespace and workflow id."""

    def __init__(self) -> None:
        self.names: Final[Counter[tuple[str, str]]] = Counter()
        """Empty most of the time: whoever asks often looks here first."""
        self._waiting: dict[tuple[str, str], dict[int, Callable[[], None]]] = {}

    def hold(self, namespace: str, workflow_id: str) -> None:
        """One more is on its way."""
        self.names[namespace, workflow_id] += 1

    def release(self, namespace: str, workflow_id: str) -> None:
        """One is delivered, or never will be; with the last one, whoever waits goes on."""
        name = (namespace, workflow_id)
        self.names[name] -= 1
        if not self.names[name]:
            del self.names[name]
            for go_on in self._waiting.pop(name, {}).values():
                go_on()

    def is_held(self, identity: Identity) -> bool:
        """True if something is on its way to the workflow of this run."""
        return (identity.namespace, identity.workflow_id) in self.names

    def holds_back(self, identity: Identity, go_on: Callable[[], None]) -> bool:
        """True if a run has to wait; then it is called once that is over, however often it has asked."""
        if not self.is_held(identity):
            return False
        self._waiting.setdefault((identity.namespace, identity.workflow_id), {})[identity.key] = go_on
        return True
