"""The file: found, read, and its lines known by what stands there."""

from __future__ import annotations

import logging
import re
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

from actorflow.envconfig.fields import Fields
from actorflow.envconfig.source import DataSource, content_of
from actorflow.envconfig.variables import Variables
from actorflow.exceptions import EnvironmentConfigError

_log = logging.getLogger("actorflow.client")
_AT_LINE: Final = re.compile(r" \(at line (\d+), column \d+\)$")
_DEFAULTS: Final = (Path("actorflow", "actorflow.toml"), Path("temporalio", "temporal.toml"))


def profiles_in(source: DataSource | None, variables: Variables, *, is_strict: bool) -> Mapping[str, Fields]:
    """The profiles of a file, by name; none if there is no such file.

    Args:
        source: the file, or what would be in it; None means the one the environment names, else the user's own
            (``actorflow/actorflow.toml``, or ``temporalio/temporal.toml``, where the user's configuration is).
        variables: the environment.
        is_strict: refuse fields nobody knows.

    Raises:
        EnvironmentConfigError: it can't be read or understood.
    """
    found = _found(source, variables)
    if found is None:
        return {}
    name, content = found
    text = _decoded(name, content)
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise _not_toml(name, str(problem)) from problem
    top = Fields(name, (), values, _lines(text))
    top.check_names(("profile",), is_strict=is_strict)
    profiles = top.table("profile")
    if profiles is None:
        return {}
    return {profile: table for profile in profiles.names() if (table := profiles.table(profile)) is not None}


def _found(source: DataSource | None, variables: Variables) -> tuple[str, bytes] | None:
    if isinstance(source, str):
        return "the given configuration", source.encode()
    if isinstance(source, bytes):
        return "the given configuration", source
    if source is not None:
        return _named(source, "the call")
    variable = variables.find("CONFIG_FILE")
    if variable is not None:
        return _named(Path(variable.value), variable.name)
    for path in (_user_folder(variables) / default for default in _DEFAULTS):
        content = content_of(path)
        if content is not None:
            return str(path), content
    return None


def _named(path: Path, by: str) -> tuple[str, bytes] | None:
    content = content_of(path)
    if content is None:
        # As in the public SDK no error: the variables may say everything.
        _log.warning("there is no file %s, which %s names; nothing is read from it", path, by)
        return None
    return str(path), content


def _user_folder(variables: Variables) -> Path:
    named = variables.plain("XDG_CONFIG_HOME")
    if named:
        return Path(named)
    return Path.home() / ("Library/Application Support" if sys.platform == "darwin" else ".config")


def _decoded(name: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as problem:
        line = content.count(b"\n", 0, problem.start) + 1
        raise EnvironmentConfigError(name, "it is not UTF-8; save it as UTF-8", line=line) from problem


def _not_toml(name: str, message: str) -> EnvironmentConfigError:
    at = _AT_LINE.search(message)
    why = f"this is no TOML: {_AT_LINE.sub('', message)}; texts stand in quotes, tables in brackets"
    return EnvironmentConfigError(name, why, line=int(at[1]) if at else None)


def _lines(text: str) -> Mapping[tuple[str, ...], int]:
    """Where each field and table begins. The parser doesn't tell, so each line is read by itself; what goes on over
    several lines is found by its first.
    """
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        path = _path(line)
        if line.lstrip().startswith("["):
            table = path
        else:
            path = (*table, *path)
        for length in range(1, len(path) + 1):
            found.setdefault(path[:length], number)
    return found


def _path(line: str) -> tuple[str, ...]:
    for text in (line, f"{line.partition('=')[0]}=0"):
        try:
            value: Any = tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            continue
        path: list[str] = []
        while isinstance(value, dict) and value:
            name, value = next(iter(cast("dict[str, Any]", value).items()))
            path.append(name)
        return tuple(path)
    return ()
