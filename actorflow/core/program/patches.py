"""Which side of each change of its code a program takes: decided once per run, and the same on every replay.

A run that asks for the first time while it is live takes the newer side and leaves a marker in its journal. On replay
only the marker counts, and it is known before anything of its turn runs: the same turn asked for it then. The answer to
the first question is kept, so a run that has gone the older way once goes it to its end.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from actorflow.core import events as ev


class Patches:
    """The answers one program has got, and the markers it knows."""

    __slots__ = ("_deprecated", "_is_taken", "_recorded")

    def __init__(self) -> None:
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

    def is_recorded(self, patch_id: str) -> bool:
        """True if a marker says that the run has taken this patch."""
        return patch_id in self._recorded

    def answer(self, patch_id: str) -> bool | None:
        """What the run was told when it asked first; None if it has not asked."""
        return self._is_taken.get(patch_id)

    def keep(self, patch_id: str, *, is_taken: bool) -> None:
        """Remember the answer to the first question."""
        self._is_taken[patch_id] = is_taken

    def deprecate(self, patch_id: str) -> None:
        """The code has no older side: it no longer matters whether and where the journal holds the marker."""
        self._deprecated.add(patch_id)

    @property
    def optional(self) -> Collection[str]:
        """Ids whose markers may stand in the journal only, or be asked for by the code only."""
        return self._deprecated
