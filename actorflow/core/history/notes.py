"""Memo, search attributes and headers in the public history, both ways.

A search attribute is a payload of JSON there, its type in the metadata; one that is removed is null.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, cast

import msgspec

from actorflow.converter import Payload
from actorflow.core import events as ev
from actorflow.core.history import public, shapes, values as to
from actorflow.core.history.exported import ExportedEvent, References
from actorflow.core.history.numbers import Numbers
from actorflow.core.notes import IndexedValue, Type, kept_value, looks_like

_REMOVED: Final = b"binary/null"
_TYPE: Final = "type"
_TYPE_BY_NAME: Final = {to.plain(one.public_name): one for one in Type}

# Out


def payload_map_out(payloads: Mapping[str, Payload | None]) -> dict[str, shapes.Payload]:
    """Entries of a memo, or headers."""
    removed = shapes.Payload(metadata={"encoding": _REMOVED})
    return {name: removed if one is None else to.payload_out(one) for name, one in payloads.items()}


def memo_out(memo: Mapping[str, Payload | None] | None) -> shapes.Memo | None:
    """A memo, or changes of it."""
    return None if memo is None else shapes.Memo(fields=payload_map_out(memo))


def header_out(headers: Mapping[str, Payload] | None) -> shapes.Header | None:
    """What interceptors pass on."""
    return None if headers is None else shapes.Header(fields=payload_map_out(headers))


def attributes_out(attributes: Mapping[str, IndexedValue | None] | None) -> shapes.SearchAttributes | None:
    """Search attributes, or changes of them."""
    if attributes is None:
        return None
    return shapes.SearchAttributes(indexed_fields={name: _attribute_out(one) for name, one in attributes.items()})


def _attribute_out(value: IndexedValue | None) -> shapes.Payload:
    if value is None:
        return to.json_out(None)
    payload = to.json_out(value.value)
    named = {_TYPE: Type(value.type).public_name.encode()}
    return msgspec.structs.replace(payload, metadata={**payload.metadata, **named})


def _attributes_upserted(numbers: Numbers, event: ev.SearchAttributesUpserted) -> public.SearchAttributesUpserted:
    return public.SearchAttributesUpserted(
        workflow_task_completed_event_id=numbers.last_task,
        search_attributes=attributes_out(event.search_attributes) or shapes.SearchAttributes(),
    )


def _memo_upserted(numbers: Numbers, event: ev.MemoUpserted) -> public.PropertiesModified:
    return public.PropertiesModified(
        workflow_task_completed_event_id=numbers.last_task, upserted_memo=memo_out(event.memo) or shapes.Memo()
    )


SHAPES: Final[Mapping[type[ev.Event], Callable[[Numbers, Any], shapes.Shape]]] = {
    ev.SearchAttributesUpserted: _attributes_upserted,
    ev.MemoUpserted: _memo_upserted,
}
"""How changes are written."""

# In


def payload_map_in(payloads: Mapping[str, shapes.Payload]) -> dict[str, Payload]:
    """Entries of a memo, or headers."""
    return {name: to.payload_in(payload) for name, payload in payloads.items()}


def memo_in(memo: shapes.Memo | None) -> dict[str, Payload] | None:
    """A memo."""
    return None if memo is None else payload_map_in(memo.fields)


def header_in(header: shapes.Header | None) -> dict[str, Payload] | None:
    """What interceptors pass on; None for nothing."""
    return None if header is None else payload_map_in(header.fields) or None


def attributes_in(attributes: shapes.SearchAttributes | None) -> dict[str, IndexedValue] | None:
    """Search attributes.

    Raises:
        ValueError: a value is not of its type.
    """
    if attributes is None:
        return None
    found = {name: _attribute_in(name, payload) for name, payload in attributes.indexed_fields.items()}
    return {name: value for name, value in found.items() if value is not None}


def _attribute_in(name: str, payload: shapes.Payload) -> IndexedValue | None:
    if payload.metadata.get("encoding") == _REMOVED:
        return None
    told: Any = msgspec.json.decode(payload.data)
    if told is None or told == []:
        return None
    named = _TYPE_BY_NAME.get(to.plain(payload.metadata.get(_TYPE, b"").decode("utf-8", "replace")))
    if isinstance(told, list) and len(cast("list[Any]", told)) == 1 and named is not Type.KEYWORD_LIST:
        told = cast("list[Any]", told)[0]  # servers tell of untyped ones as lists
    indexed = named or looks_like(told)
    if indexed is Type.DATETIME and isinstance(told, str):
        told = datetime.fromisoformat(told)
    value = kept_value(indexed, told)
    if value is None:
        raise ValueError(f"search attribute {name!r} is {told!r}, which is no {indexed.public_name}")
    return value


def _attributes_read(_known: References, event: ExportedEvent) -> ev.SearchAttributesUpserted:
    attributes = cast("public.SearchAttributesUpserted", event.attributes)
    fields = attributes.search_attributes.indexed_fields
    return ev.SearchAttributesUpserted({name: _attribute_in(name, payload) for name, payload in fields.items()})


def _memo_read(_known: References, event: ExportedEvent) -> ev.MemoUpserted:
    fields = cast("public.PropertiesModified", event.attributes).upserted_memo.fields
    return ev.MemoUpserted(
        {
            name: None if payload.metadata.get("encoding") == _REMOVED else to.payload_in(payload)
            for name, payload in fields.items()
        }
    )


DECISIONS: Final[Mapping[type[shapes.Shape], Callable[[References, ExportedEvent], ev.Event]]] = {
    public.SearchAttributesUpserted: _attributes_read,
    public.PropertiesModified: _memo_read,
}
"""How changes are read."""
