"""Which journal stands in for a node: the one the environment names, or a temporary one of this process."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from actorflow.client.host import Host, parse_host
from actorflow.exceptions import AddressError, NotOurFileError

ADDRESS_VARIABLE: Final = "ACTORFLOW_ADDRESS"
HOME_VARIABLE: Final = "ACTORFLOW_HOME"
JOURNALS: Final = ("sqlite:", "memory:")
"""How the address of a journal begins."""

_log = logging.getLogger("actorflow.client")


class StandIn(NamedTuple):
    """A journal's address, and who says that it is this one, for people."""

    address: str
    origin: str


def address_of_file(path: str | os.PathLike[str]) -> str:
    """The address of the journal in a file, whatever the file's name holds."""
    return f"sqlite:///{os.fsdecode(path).replace('%', '%25')}"


def named_stand_in(host: Host, environment: Mapping[str, str]) -> StandIn | None:
    """The journal that the environment names for a node: ``ACTORFLOW_ADDRESS``, if it is the address of a journal, is
    that one; else ``ACTORFLOW_HOME`` is the directory of a file that is named after the node. None if neither says so.

    Raises:
        AddressError: ``ACTORFLOW_ADDRESS`` is no address.
        NotOurFileError: the directory is not there and can't be made.
    """
    address = environment.get(ADDRESS_VARIABLE, "")
    if address.startswith(JOURNALS):
        # Memory without a name is private to each client, but here they are to meet.
        return StandIn(f"memory://{host}" if address == "memory://" else address, ADDRESS_VARIABLE)
    if address:
        parse_host(address)  # that of a node, which says nothing of journals
    home = environment.get(HOME_VARIABLE, "")
    if not home:
        return None
    folder = Path(home).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise NotOurFileError(
            f"{HOME_VARIABLE} names {home!r}, which can't be a directory for journals: {problem.strerror}; name another"
        ) from problem
    return StandIn(address_of_file(folder / host.file_name), HOME_VARIABLE)


class TemporaryJournals:
    """The journals of nodes that neither run nor have a journal to stand in for them.

    Each lasts as long as the process, so that whoever comes back to an address finds what was there, as at a server;
    they are removed when the process ends by itself. One that is killed leaves them where the log says they are.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._folders: dict[tuple[int, Host], Path] = {}

    def stand_in(self, host: Host) -> StandIn:
        """The journal of an address, made and told of if it is not there yet."""
        with self._lock:
            # A fork has journals of its own: its parent's are open, and its parent's to remove.
            folder = self._folders.get((os.getpid(), host))
            if folder is None:
                folder = self._folders[os.getpid(), host] = self._made(host)
        return StandIn(address_of_file(folder / host.file_name), "temporary")

    def known(self, host: Host) -> StandIn:
        """The journal of an address.

        Raises:
            AddressError: there is none.
        """
        if (os.getpid(), host) not in self._folders:
            raise AddressError(
                str(host),
                "no node is asked yet, and nobody in this process has opened a journal for it; name the journal "
                f"with {HOME_VARIABLE} or {ADDRESS_VARIABLE}, or connect to its file",
            )
        return self.stand_in(host)

    def remove(self) -> None:
        """Delete those of this process."""
        for (pid, _), folder in list(self._folders.items()):
            if pid == os.getpid():
                shutil.rmtree(folder, ignore_errors=True)  # what stays is in the system's folder for such files

    def _made(self, host: Host) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="actorflow-"))
        _log.warning(
            "%s is served by this process alone, from a temporary journal, %s, which is removed when the process ends. "
            "Other processes that name this address don't see it; to keep it, set %s to a directory, or %s to the "
            "address of a journal",
            host,
            folder / host.file_name,
            HOME_VARIABLE,
            ADDRESS_VARIABLE,
        )
        return folder


TEMPORARY: Final = TemporaryJournals()
"""Those of this process."""

atexit.register(TEMPORARY.remove)
