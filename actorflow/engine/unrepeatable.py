"""What replay could not repeat: what workflow code must not do, what to do instead, and who may all the same."""

from __future__ import annotations

import _thread
import datetime
import os
import random
import time
from collections.abc import Mapping
from types import CodeType
from typing import Any, Final

_ACTIVITY: Final = "do it in an activity"
_THREAD: Final = "use asyncio's tasks, or an activity for what takes time"
_SLEEP: Final = "await workflow.sleep or asyncio.sleep, which are durable"
_CLOCK: Final = "use workflow.now or workflow.time, which tell the time of the turn"
CHANCE: Final = "use workflow.random or workflow.uuid4, which are the same on replay"

_EVENTS: Final = {
    "builtins": ("input",),
    "fcntl": ("fcntl", "flock", "ioctl", "lockf"),
    "ftplib": ("connect",),
    "glob": ("glob", "glob/2"),
    "http.client": ("connect", "send"),
    "imaplib": ("open",),
    "mmap": ("__new__",),
    "os": (
        *("chdir", "chflags", "chmod", "chown", "fwalk", "getxattr", "link", "listdir", "listxattr", "lockf", "mkdir"),
        *("remove", "removexattr", "rename", "rmdir", "scandir", "setxattr", "startfile", "startfile/2", "symlink"),
        *("truncate", "utime", "walk"),
        *("exec", "fork", "forkpty", "kill", "killpg", "posix_spawn", "spawn", "system"),
    ),
    "pathlib.Path": ("glob", "rglob"),
    "poplib": ("connect",),
    "pty": ("spawn",),
    "shutil": (
        *("chown", "copyfile", "copymode", "copystat", "copytree", "make_archive", "move", "rmtree"),
        "unpack_archive",
    ),
    "smtplib": ("connect",),
    "socket": (
        *("__new__", "bind", "connect", "getaddrinfo", "gethostbyaddr", "gethostbyname", "gethostname", "getnameinfo"),
        *("getservbyname", "getservbyport", "sendmsg", "sendto", "sethostname"),
    ),
    "sqlite3": ("connect",),
    "subprocess": ("Popen",),
    "tempfile": ("mkdtemp", "mkstemp"),
    "urllib": ("Request",),
    "webbrowser": ("open",),
}

IO_EVENTS: Final[Mapping[str, str]] = dict.fromkeys(
    ("open", *(f"{module}.{name}" for module, names in _EVENTS.items() for name in names)), _ACTIVITY
)
"""Audit events of files, sockets and processes; what to do instead."""

_CALLS: Final[tuple[tuple[Any, str, str], ...]] = (
    (time, _SLEEP, "sleep"),
    (_thread, _THREAD, "start_new_thread start_joinable_thread"),
    (time, _CLOCK, "time time_ns monotonic monotonic_ns perf_counter perf_counter_ns clock_gettime clock_gettime_ns"),
    (time, _CLOCK, "process_time process_time_ns thread_time thread_time_ns"),
    (datetime.datetime, _CLOCK, "now utcnow today"),
    (datetime.date, _CLOCK, "today"),
    (os, CHANCE, "urandom getrandom"),
    (random, CHANCE, "random getrandbits"),  # methods of one object; all functions of the module end in these two
)

CALLS: Final[Mapping[Any, tuple[str, str]]] = {
    getattr(owner, name): (f"{owner.__name__}.{name}", instead)
    for owner, instead, names in _CALLS
    for name in names.split()
    if hasattr(owner, name)
}
"""Functions without audit events: their names, and what to do instead. uuid and secrets call them, too."""

SEED: Final[CodeType] = random.Random.seed.__code__
"""Run when a source of chance is made; unrepeatable without a seed."""

FREE: Final = frozenset(
    {
        # Imports.
        "_frozen_importlib",
        "_frozen_importlib_external",
        "importlib",
        "pkgutil",
        "zipimport",
        # Reading the source for tracebacks and warnings.
        "linecache",
        "traceback",
        "warnings",
        # Logs and traces: where they go is the application's business.
        "logging",
        "loguru",
        "opentelemetry",
        "sentry_sdk",
        "structlog",
        # Time zones.
        "dateutil",
        "pytz",
        "zoneinfo",
        # Debuggers, and who measures coverage.
        "IPython",
        "_pydev_bundle",
        "_pydevd_bundle",
        "bdb",
        "cmd",
        "coverage",
        "debugpy",
        "pdb",
        "pydevd",
        # What the garbage collector ends just now has nothing to do with the turn; nor have __del__ and gc.callbacks.
        "weakref",
    }
)
"""Packages whose code, with what it calls, may do all of it within a turn."""
