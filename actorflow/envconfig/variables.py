"""Variables of the environment, each under two names: ours, and the public SDK's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from actorflow.exceptions import EnvironmentConfigError

_PREFIXES: Final = ("ACTORFLOW_", "TEMPORAL_")
_GRPC_META: Final = "GRPC_META_"
_TRUTHS: Final = {"true": True, "1": True, "false": False, "0": False}


class Variable(NamedTuple):
    """One that is set, and not to nothing."""

    name: str
    value: str


class Variables:
    """An environment."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def plain(self, name: str) -> str:
        """One that has no prefix; empty if it is not set."""
        return self._environment.get(name, "")

    def find(self, name: str) -> Variable | None:
        """The one of this name behind one of the prefixes, ours first; None if neither is set."""
        for prefix in _PREFIXES:
            value = self._environment.get(f"{prefix}{name}", "")
            if value:
                return Variable(f"{prefix}{name}", value)
        return None

    def text(self, name: str) -> str | None:
        """Its value."""
        found = self.find(name)
        return None if found is None else found.value

    def truth(self, name: str) -> bool | None:
        """Its value as true or false.

        Raises:
            EnvironmentConfigError: it is neither.
        """
        found = self.find(name)
        if found is None:
            return None
        truth = _TRUTHS.get(found.value.strip().lower())
        if truth is None:
            raise EnvironmentConfigError(found.name, f"it must be true or false, not {found.value!r}")
        return truth

    def metadata(self) -> Mapping[str, str]:
        """What ``GRPC_META_*`` say, by the names of headers; an empty text takes a header away."""
        found: dict[str, str] = {}
        for prefix in reversed(_PREFIXES):
            start = f"{prefix}{_GRPC_META}"
            for name, value in self._environment.items():
                if name.startswith(start) and len(name) > len(start):
                    found[header(name.removeprefix(start))] = value
        return found


def header(name: str) -> str:
    """A name of metadata as it is sent."""
    return name.lower().replace("_", "-")
