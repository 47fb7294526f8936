"""Addresses of the form ``host:port``, as programs for a server have them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Final

from actorflow.exceptions import AddressError

DEFAULT_PORT: Final = 7233
EXAMPLES: Final = (
    'use "sqlite:///orders.db" (relative), "sqlite:////var/lib/orders.db" (absolute), "memory://", or the address of a '
    'node such as "localhost:7233"'
)

_PORT_MAX: Final = 65_535
_NAME_CHARACTERS_MAX: Final = 253  # of a name in the DNS
_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_PARTS: Final = re.compile(
    r"(?:https?://)?(?:\[(?P<six>[^\]]*)\]|(?P<name>[^:/]*))(?::(?P<port>[^:/]*))?/?", re.IGNORECASE
)
_FILE: Final = re.compile(r"\.(?:db|sqlite3?)$", re.IGNORECASE)


@dataclass(frozen=True)
class Host:
    """Where a node listens. All names of this machine for itself are "localhost"."""

    name: str
    port: int

    def __str__(self) -> str:
        return f"[{self.name}]:{self.port}" if ":" in self.name else f"{self.name}:{self.port}"

    @property
    def file_name(self) -> str:
        """Of a journal that stands in for the node."""
        return f"{self.name.replace(':', '_')}-{self.port}.db"


def parse_host(address: str) -> Host:
    """Read an address: host and port, both of ``http://`` or ``https://`` if that stands before them, or a host alone.

    Raises:
        AddressError: it is none; says which are.
    """
    if _is_ipv6(address):
        return Host(_canonical(address), DEFAULT_PORT)
    parts = _PARTS.fullmatch(address)
    if parts is None:
        raise AddressError(address, EXAMPLES)
    name, port = parts["six"] or parts["name"], parts["port"]
    if not name or not (_is_ipv6(name) if parts["six"] else _is_name(name)):
        raise AddressError(address, f"{name!r} is no name of a host; {EXAMPLES}")
    if port is None and _FILE.search(name):
        raise AddressError(address, f'that would be a host, not a file; for the file use "sqlite:///{address}"')
    return Host(_canonical(name), DEFAULT_PORT if port is None else _port(address, port))


def _port(address: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 0 < int(text[: len(str(_PORT_MAX)) + 1]) <= _PORT_MAX:
        raise AddressError(address, f"a port is a number from 1 to {_PORT_MAX}, not {text!r}")
    return int(text)


def _is_name(text: str) -> bool:
    return len(text) <= _NAME_CHARACTERS_MAX and _NAME.fullmatch(text) is not None


def _is_ipv6(text: str) -> bool:
    try:
        return "%" not in text and isinstance(ip_address(text), IPv6Address)
    except ValueError:
        return False


def _canonical(name: str) -> str:
    plain = name.lower().rstrip(".")
    try:
        address = ip_address(plain)
    except ValueError:
        return plain
    return "localhost" if address.is_loopback else str(address)
