"""The command line: ``actorflow``, of the extra ``cli``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec

_NEEDED = ("click", "rich")
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (see `actorflow.cli.exits`).

    Args:
        arguments: without the program's name; default is the command line.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        print(f"the command line needs {' and '.join(missing)}: pip install 'actorflow[cli]'", file=sys.stderr)
        return 1
    try:
        return import_module("actorflow.cli.root").run(arguments)
    except KeyboardInterrupt:  # while it was being loaded; later ones are met by `run`
        return _INTERRUPTED
