"""Memo and search attributes as a program sees them: changed by what it asks for, at once and the same on replay."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from actorflow.converter import Payload
from actorflow.core import events as ev
from actorflow.core.notes import Attributes, IndexedValue, Memo, merged
from actorflow.core.program.asked import Asked
from actorflow.core.program.mode import Mode


class ProgramNotes:
    """See the module's head.

    Args:
        options: what the run brought along.
        asked: takes the commands.
        mode: of the program.
    """

    __slots__ = ("_asked", "_changes", "_is_memo_changed", "_mode", "attributes", "memo")

    def __init__(self, options: ev.RunOptions, asked: Asked, mode: Mode) -> None:
        self._asked = asked
        self._mode = mode
        self.memo: Memo = dict(options.memo or {})
        self.attributes: Attributes = dict(options.search_attributes or {})
        self._is_memo_changed = False
        self._changes = 0

    def upsert_memo(self, changes: Mapping[str, Payload | None]) -> None:
        """Change the memo; None removes an entry.

        Raises:
            ReadOnlyContextError: inside a query.
        """
        self._mode.check_writable("change the memo")
        self.memo = merged(self.memo, changes)
        self._is_memo_changed = True
        self._ask(ev.MemoUpserted(dict(changes)))

    def upsert_attributes(self, changes: Mapping[str, IndexedValue | None]) -> None:
        """Change search attributes; None removes one.

        Raises:
            ReadOnlyContextError: inside a query.
        """
        self._mode.check_writable("change search attributes")
        self._asked.has_attributes = True
        self.attributes = merged(self.attributes, changes)
        self._ask(ev.SearchAttributesUpserted(dict(changes)))

    def _ask(self, command: ev.MemoUpserted | ev.SearchAttributesUpserted) -> None:
        self._changes += 1
        self._asked.add(("notes", str(self._changes)), command)

    def kept_by(self, decision: ev.ContinuedAsNew) -> ev.ContinuedAsNew:
        """The decision to go on as a new run, with the notes it does not replace as they are now."""
        if not self._changes:
            return decision
        memo = self.memo if decision.memo is None and self._is_memo_changed else decision.memo
        attributes = self.attributes if decision.search_attributes is None else decision.search_attributes
        return msgspec.structs.replace(decision, memo=memo, search_attributes=attributes)
