"""Memo and search attributes of the workflow that is running."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from actorflow.common import SearchAttributes, SearchAttributeUpdate
from actorflow.converter import Payload
from actorflow.core.notes import attribute_changes
from actorflow.core.policy.checks import check_name
from actorflow.exceptions import PayloadError
from actorflow.workflow.context import running_program

_NO_DEFAULT: Final[Any] = object()


def upsert_search_attributes(attributes: SearchAttributes | Sequence[SearchAttributeUpdate[Any]]) -> None:
    """Change by what this execution is found; attributes that are not named stay as they are.

    Args:
        attributes: typed changes, such as ``[key.value_set("a"), other_key.value_unset()]``; or lists of values by
            name, an empty one to remove an attribute.

    Raises:
        ValueError, TypeError: a name or a value that can't be one.
        ReadOnlyContextError: inside a query.

    A name that has another type in the namespace fails the turn with `SearchAttributeTypeError`.
    """
    program = running_program()
    whom = f"workflow {program.identity.workflow_id!r}"
    changes = attribute_changes(whom, attributes, program.notes.attributes)
    if changes:
        program.notes.upsert_attributes(changes)


def upsert_memo(updates: Mapping[str, Any]) -> None:
    """Change the memo of this execution; entries that are not named stay as they are, None removes one.

    Raises:
        PayloadError: a value can't be encoded, or is too large.
        ValueError, TypeError: a name that can't be one.
        ReadOnlyContextError: inside a query.
    """
    if updates:
        running_program().notes.upsert_memo(memo_changes(updates))


def memo() -> Mapping[str, Any]:
    """The memo of this execution as it is now, as plain values.

    Raises:
        PayloadError: a value can't be decoded.
    """
    program = running_program()
    return {name: program.converter.decode_one(payload) for name, payload in program.notes.memo.items()}


def memo_value(key: str, default: Any = _NO_DEFAULT, *, type_hint: Any = None) -> Any:
    """One value of the memo as it is now.

    Args:
        key: its name.
        default: what to return if there is none.
        type_hint: what to decode it as; plain values by default.

    Raises:
        KeyError: there is none, and no default.
        PayloadError: it can't be decoded as that.
    """
    program = running_program()
    payload = program.notes.memo.get(key)
    if payload is not None:
        return program.converter.decode_one(payload, Any if type_hint is None else type_hint)
    if default is _NO_DEFAULT:
        raise KeyError(f"Memo does not have a value for key {key}")
    return default


def memo_changes(updates: Mapping[str, Any]) -> dict[str, Payload | None]:
    """Changes of a memo as they are journaled; raises as `upsert_memo`."""
    program = running_program()
    converter = program.converter
    changes: dict[str, Payload | None] = {}
    for name, value in updates.items():
        check_name("name of a memo's entry", name)
        try:
            changes[name] = None if value is None else converter.encode_one(value)
        except PayloadError as problem:
            problem.add_note(f"while encoding {name!r} of the memo")
            raise
    program.asked.take_along("the memo", [payload for payload in changes.values() if payload is not None])
    return changes


def memo_given(memo: Mapping[str, Any] | None) -> dict[str, Payload] | None:
    """A memo as it is journaled; None for none. Raises as `upsert_memo`."""
    if memo is None:
        return None
    return {name: payload for name, payload in memo_changes(memo).items() if payload is not None}
