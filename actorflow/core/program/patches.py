"""Which side of each change of its code a program takes: decided once per run, and the same on every replay.

A run that asks for the first time while it is live takes the newer side and leaves a marker in its journal. On replay
only the marker counts, and it is known before anything of its turn runs: the same turn asked for it then. The answer to
the first question is kept, so a run that has gone the older way once goes it to its end.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from actorflow.core import events as ev
from actorflow.core.guard import is_lifted
from actorflow.core.program.asked import Asked
from actorflow.core.program.mode import Mode


class Patches:
    """The answers one program has got, and the markers it knows.

    Args:
        asked: takes the markers.
        mode: of the program.
        activates: the worker, who may decline a patch; None takes every one.
    """

    __slots__ = ("_activates", "_asked", "_deprecated", "_is_taken", "_mode", "_recorded")

    def __init__(self, asked: Asked, mode: Mode, activates: Callable[[str], bool] | None) -> None:
        self._asked = asked
        self._mode = mode
        self._activates = activates
        self._is_taken: dict[str, bool] = {}
        self._recorded: set[str] = set()
        self._deprecated: set[str] = set()

    def record(self, decisions: Iterable[ev.Event]) -> None:
        """Learn the markers of a turn that is about to be replayed."""
        for decision in decisions:
            if isinstance(decision, ev.Patched):
                self._recorded.add(decision.patch_id)
                if decision.deprecated:
                    self._deprecated.add(decision.patch_id)

    def take(self, patch_id: str, *, is_deprecated: bool = False) -> bool:
        """True if the run takes the newer side of a change of its code; the first answer is kept, with a marker.

        Args:
            patch_id: of the change.
            is_deprecated: the code has no older side, so it no longer matters whether and where the journal holds the
                marker.

        Raises:
            ReadOnlyContextError: inside a query.
        """
        self._mode.check_writable("take a patch")
        if is_deprecated:
            self._deprecated.add(patch_id)
        is_taken = self._is_taken.get(patch_id)
        if is_taken is None:
            is_taken = self._answer(patch_id, is_deprecated=is_deprecated)
            self._is_taken[patch_id] = is_taken
            if is_taken:
                self._asked.add(("patch", patch_id), ev.Patched(patch_id, is_deprecated))
        return is_taken

    def _answer(self, patch_id: str, *, is_deprecated: bool) -> bool:
        if self._mode.is_replaying:
            return patch_id in self._recorded
        return is_deprecated or self._activates is None or self._ask_worker(self._activates, patch_id)

    def _ask_worker(self, activates: Callable[[str], bool], patch_id: str) -> bool:
        """The worker may decline; whatever it did to the program could not be repeated on replay."""
        lifted = is_lifted.set(True)  # it is the worker's code: it may toss a coin, or read a file
        try:
            with self._mode.reading("a patch activation callback"):
                return bool(activates(patch_id))
        finally:
            is_lifted.reset(lifted)

    @property
    def optional(self) -> Collection[str]:
        """Ids whose markers may stand in the journal only, or be asked for by the code only."""
        return self._deprecated
