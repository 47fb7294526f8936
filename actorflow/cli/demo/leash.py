"""Runs a module like ``python -m``, and ends when whoever started it is gone.

The starter holds the other end of our stdin, and however it dies, the system closes that end for it.
"""

from __future__ import annotations

import os
import runpy
import sys
import threading
from typing import Final

_ABANDONED: Final = 75


def _end_when_abandoned() -> None:
    # Not sys.stdin, whose lock the interpreter wants when it ends by itself.
    while os.read(0, 1024):
        pass
    os._exit(_ABANDONED)


if __name__ == "__main__":
    threading.Thread(target=_end_when_abandoned, daemon=True).start()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
