"""Fields of a table: taken by their type, refused by their name."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final, cast

from actorflow.exceptions import EnvironmentConfigError

_log = logging.getLogger("actorflow.client")
_KINDS: Final = {str: "a text", bool: "true or false", dict: "a table"}


class Fields:
    """A table of a file, or a mapping given to ``from_dict``.

    Args:
        source: where it is from, for people.
        path: of the table within that.
        values: its fields.
        lines: where fields stand in the file, by their paths.
    """

    def __init__(
        self, source: str, path: tuple[str, ...], values: Mapping[str, Any], lines: Mapping[tuple[str, ...], int]
    ) -> None:
        self._source = source
        self._path = path
        self._values = values
        self._lines = lines

    def text(self, name: str) -> str | None:
        """A text; None if there is none."""
        return self._taken(name, str)

    def truth(self, name: str) -> bool | None:
        """True or false; None if there is none."""
        return self._taken(name, bool)

    def table(self, name: str) -> Fields | None:
        """A table; None if there is none."""
        found = self._taken(name, dict)
        return None if found is None else Fields(self._source, (*self._path, name), found, self._lines)

    def names(self) -> list[str]:
        """Of all its fields."""
        return list(self._values)

    def refused(self, why: str, name: str | None = None) -> EnvironmentConfigError:
        """The error about a field, or about the table."""
        path = self._path if name is None else (*self._path, name)
        return EnvironmentConfigError(self._source, why, field=".".join(path), line=self._lines.get(path))

    def check_names(self, known: Iterable[str], *, is_strict: bool) -> None:
        """Look for fields nobody knows: an error if that is wanted, else a line in the log.

        Raises:
            EnvironmentConfigError: see above.
        """
        for name in self._values:
            if name in known:
                continue
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            problem = self.refused(f"there is no such field; {hint}", name)
            if is_strict:
                raise problem
            _log.warning("%s It is ignored", problem)

    def _taken(self, name: str, kind: type) -> Any:
        value = self._values.get(name)
        if value is None:
            return None
        if kind is dict and isinstance(value, Mapping):
            return cast("Mapping[str, Any]", value)
        if not isinstance(value, kind):
            raise self.refused(f"it must be {_KINDS[kind]}, not {value!r}", name)
        return value
