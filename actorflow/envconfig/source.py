"""Files, or what would be in them."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from actorflow.exceptions import EnvironmentConfigError

DataSource: TypeAlias = Path | str | bytes
"""A file, or what would be in it."""


def content_of(path: Path) -> bytes | None:
    """What is in a file; None if it is not there.

    Raises:
        EnvironmentConfigError: it can't be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise EnvironmentConfigError(
            str(path), f"it can't be read ({problem.strerror}); let the program read it, or name another file"
        ) from problem
    except ValueError as problem:
        raise EnvironmentConfigError(repr(str(path)), f"that is no path ({problem}); name another file") from problem
