"""Events of a history as people and programs get them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from actorflow.cli.jsontext import as_json
from actorflow.cli.table import Column
from actorflow.client import HistoryEvent

Tell = Callable[[HistoryEvent], None]

_SUBJECTS: Final = ("activity_", "timer_", "workflow_")


def record_of(event: HistoryEvent) -> Mapping[str, Any]:
    """An event as programs get it."""
    return {
        "event_id": event.event_id,
        "event_time": event.event_time,
        "event_type": event.event_type,
        "attributes": event.attributes,
    }


def in_full(event: HistoryEvent) -> Mapping[str, Any]:
    """An event as people get it who want to see all of it."""
    attributes = {name: _unpacked(value) for name, value in event.attributes.items()}
    return {"event": f"{event.event_id} {event.event_type}", "time": event.event_time, **attributes}


def _brief(record: Mapping[str, Any]) -> str:
    """The attributes in one line, what tells most first; it is cut off where the terminal ends."""
    return "  ".join(f"{_short(name)}={_in_short(value)}" for name, value in record["attributes"].items())


def _short(name: str) -> str:
    # The type of the event says already whose id it is.
    return next((name.removeprefix(subject) for subject in _SUBJECTS if name.startswith(subject)), name)


def _in_short(value: Any) -> str:
    plain = _unpacked(value)
    return plain if isinstance(plain, str) else as_json(plain)


def _unpacked(value: Any) -> Any:
    """JSON payloads without their wrapping; anything else as it is."""
    match value:
        case {"json": inner} if len(cast("dict[str, Any]", value)) == 1:
            return inner
        case list():
            return [_unpacked(item) for item in cast("list[Any]", value)]
        case _:
            return value


# Widths count where rows are shown as they come. The details stand last and take what is left.
COLUMNS: Final = (
    Column("event_id", "event", width=5),
    Column("event_time", "time", width=19),
    Column("event_type", "type", width=18),
    Column("attributes", "details", width=10_000, is_shortened=True, brief=_brief),
)
