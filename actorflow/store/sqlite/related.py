"""Looks up, for what a run says of others, the one turn of the other that must agree."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from actorflow.core import events as ev
from actorflow.core.journal import Turn, decode_events
from actorflow.core.messages import decode_message
from actorflow.core.relations import Other, Relation
from actorflow.exceptions import StorageError
from actorflow.store.sqlite import queries
from actorflow.store.sqlite.read_only_file import ReadOnlyFile
from actorflow.store.sqlite.rows import from_micros, whole

_AT_ONCE: Final = 100  # turns in memory together


def related(file: ReadOnlyFile, relations: Sequence[Relation]) -> Iterator[tuple[Relation, Other | None]]:
    """Each relation with the other run, None if there is none; left out if its rows can't be read."""
    for first in range(0, len(relations), _AT_ONCE):
        yield from _portion(file, relations[first : first + _AT_ONCE])


def _portion(file: ReadOnlyFile, relations: Sequence[Relation]) -> Iterator[tuple[Relation, Other | None]]:
    try:
        rows = file.fetch(queries.RELATED, {"wanted": json.dumps([[one.run_id, one.event] for one in relations])})
    except StorageError:
        if len(relations) > 1:  # find out which of them it is
            for relation in relations:
                yield from _portion(file, [relation])
        return  # what can't be read is said of that run itself
    found = {place: row for place, *row in rows}
    for place, relation in enumerate(relations):
        if place not in found:
            yield relation, None
        elif (other := _other(found[place])) is not None:
            yield relation, other


def _other(row: Sequence[Any]) -> Other | None:
    namespace, workflow_id, run_id, first_run_id, number, at, events, message, bodies = row
    try:
        turn = None if number is None else Turn(number, from_micros(at), decode_events(whole(events, bodies)))
        started = None if message is None else decode_message(whole(message, bodies))
    except (msgspec.MsgspecError, RecursionError, ValueError, OverflowError):
        return None
    is_beginning = isinstance(started, ev.Started)
    return Other(namespace, workflow_id, run_id, first_run_id, turn, started if is_beginning else None)
