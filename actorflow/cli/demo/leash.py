"""Runs a module of a folder like ``python -m``, and ends when whoever started it is gone.

The starter holds the other end of our stdin, and however it dies, the system closes that end for it. The arguments are
the folder, ``folder.module`` under the folder's name, and what the module takes.
"""

from __future__ import annotations

import os
import runpy
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Final

_ABANDONED: Final = 75


def _end_when_abandoned() -> None:
    # Not sys.stdin, whose lock the interpreter wants when it ends by itself.
    while os.read(0, 1024):
        pass
    os._exit(_ABANDONED)


def _take_from(folder: Path) -> None:
    """Let the folder be the package of its name: other installed packages may have one of the same name."""
    package = ModuleType(folder.name)
    package.__path__ = [str(folder)]
    sys.modules[folder.name] = package


if __name__ == "__main__":
    threading.Thread(target=_end_when_abandoned, daemon=True).start()
    _take_from(Path(sys.argv[1]))
    del sys.argv[:2]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
