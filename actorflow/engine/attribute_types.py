"""Which types search attributes have: the first use of a name in a namespace decides it, and each later one is checked.

The types are in memory from the moment the engine opens, since turns can't wait; they are stored with the notes of the
run that has brought them, in its transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

import msgspec

from actorflow.core import events as ev, limits
from actorflow.core.commands import Command
from actorflow.core.notes import PREDEFINED, IndexedValue, Type, typed_as
from actorflow.exceptions import SearchAttributeLimitError, SearchAttributeTypeError
from actorflow.store.protocol import AttributeType, Identity

V = TypeVar("V", IndexedValue, IndexedValue | None)


class AttributeTypes:
    """The types of one engine, by namespace and name."""

    def __init__(self) -> None:
        self._types: dict[str, dict[str, Type]] = {}

    def learn(self, declared: AttributeType) -> None:
        """One that is stored."""
        if PREDEFINED.get(declared.name) == declared.type:
            return  # known in any case, and takes no room
        self._types.setdefault(declared.namespace, {})[declared.name] = declared.type

    def known(self, namespace: str) -> Mapping[str, Type]:
        """The names of a namespace."""
        return {**PREDEFINED, **self._types.get(namespace, {})}

    def command(self, identity: Identity, command: Command) -> Command:
        """A command with its search attributes in the types of their names; raises as `typed`."""
        match command:
            case ev.SearchAttributesUpserted() | ev.ChildScheduled() | ev.ContinuedAsNew():
                whom = f"workflow {identity.workflow_id!r} (run {identity.run_id})"
                given: Any = command.search_attributes
                if not given:
                    return command
                return msgspec.structs.replace(command, search_attributes=self.typed(identity.namespace, whom, given))
            case _:
                return command

    def options(self, namespace: str, workflow_id: str, options: ev.RunOptions) -> ev.RunOptions:
        """What a run is to be started with, its search attributes in the types of their names; raises as `typed`."""
        if not options.search_attributes:
            return options
        attributes = self.typed(namespace, f"workflow {workflow_id!r}", options.search_attributes)
        return msgspec.structs.replace(options, search_attributes=attributes)

    def typed(self, namespace: str, whom: str, given: Mapping[str, V]) -> dict[str, V]:
        """Search attributes in the types of their names; names that are new get the types they come with.

        Raises:
            SearchAttributeTypeError: a name has another type; no name has got one then.
            SearchAttributeLimitError: the namespace has too many names.
        """
        known = self._types.setdefault(namespace, {})
        fitting: dict[str, V] = {}
        coming: dict[str, Type] = {}
        for name, value in given.items():
            if value is None:
                fitting[name] = value
                continue
            wanted = known.get(name) or PREDEFINED.get(name)
            fitting[name] = cast("V", _fitting(namespace, whom, name, value, wanted))
            if name not in known and name not in PREDEFINED:
                coming[name] = Type(value.type)
        if len(known) + len(coming) > limits.SEARCH_ATTRIBUTE_NAMES_MAX:
            raise SearchAttributeLimitError(whom, namespace, limit=limits.SEARCH_ATTRIBUTE_NAMES_MAX)
        known.update(coming)
        return fitting


def _fitting(namespace: str, whom: str, name: str, value: IndexedValue, wanted: Type | None) -> IndexedValue:
    given = Type(value.type)
    wanted = wanted or given
    if not value.is_guess:
        found = value if given is wanted else None
    else:
        found = typed_as(value, wanted)
    if found is None:
        raise SearchAttributeTypeError(
            whom, name, namespace=namespace, declared=wanted.public_name, given=given.public_name
        )
    return found
