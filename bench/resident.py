"""How much memory this process holds, and held at most."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import subprocess
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")
_MIB = 1024 * 1024


def settled_mib() -> float:
    """Resident memory after a full collection, with free memory given back to the system where glibc can do that."""
    for _ in range(3):
        gc.collect()
    _trim()
    return _resident_mib()


def can_trim() -> bool:
    """True if free memory is given back before it is measured."""
    return sys.platform == "linux" and hasattr(ctypes.CDLL(None), "malloc_trim")


def peak_mib() -> float:
    """The most this process held since it was exec'ed."""
    # On Linux ru_maxrss starts with the peak of the parent that called exec, so the process's own mark is read instead.
    if _STATUS.exists():
        return _status_kib("VmHWM") * 1024 / _MIB
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / _MIB


def _resident_mib() -> float:
    if _STATUS.exists():
        return _status_kib("VmRSS") * 1024 / _MIB
    answer = subprocess.run(["ps", "-o", "rss=", "-p", str(os.getpid())], capture_output=True, text=True, check=True)
    return int(answer.stdout) * 1024 / _MIB


def _status_kib(name: str) -> int:
    for line in _STATUS.read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise RuntimeError(f"{_STATUS} has no {name}")


def _trim() -> None:
    if can_trim():
        ctypes.CDLL(None).malloc_trim(0)
