"""Memo and search attributes as a program sees them: changed by what it asks for, at once and the same on replay."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from actorflow.converter import Payload
from actorflow.core import events as ev
from actorflow.core.notes import Attributes, IndexedValue, Memo, merged


class ProgramNotes:
    """See the module's head.

    Args:
        options: what the run brought along.
    """

    __slots__ = ("_changes", "_is_memo_changed", "attributes", "memo")

    def __init__(self, options: ev.RunOptions) -> None:
        self.memo: Memo = dict(options.memo or {})
        self.attributes: Attributes = dict(options.search_attributes or {})
        self._is_memo_changed = False
        self._changes = 0

    def change_memo(self, changes: Mapping[str, Payload | None]) -> None:
        """Take changes in."""
        self.memo = merged(self.memo, changes)
        self._is_memo_changed = True
        self._changes += 1

    def change_attributes(self, changes: Mapping[str, IndexedValue | None]) -> None:
        """Take changes in."""
        self.attributes = merged(self.attributes, changes)
        self._changes += 1

    @property
    def change(self) -> tuple[str, str]:
        """What tells the latest change apart from every other one."""
        return ("notes", str(self._changes))

    def kept_by(self, decision: ev.ContinuedAsNew) -> ev.ContinuedAsNew:
        """The decision to go on as a new run, with the notes it does not replace as they are now."""
        if not self._changes:
            return decision
        memo = self.memo if decision.memo is None and self._is_memo_changed else decision.memo
        attributes = self.attributes if decision.search_attributes is None else decision.search_attributes
        return msgspec.structs.replace(decision, memo=memo, search_attributes=attributes)
