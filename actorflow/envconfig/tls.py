"""How a connection would be encrypted. `Client.connect` refuses it by name where it says anything but "not"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypedDict

from actorflow.envconfig.fields import Fields
from actorflow.envconfig.source import DataSource, content_of
from actorflow.envconfig.variables import Variables
from actorflow.exceptions import EnvironmentConfigError
from actorflow.service import TLSConfig

# Fields of the class, their names in the file and, in capitals, in variables.
_SOURCES: Final = {
    "server_root_ca_cert": "server_ca_cert",
    "client_cert": "client_cert",
    "client_private_key": "client_key",
}
TLS_FIELDS: Final = (
    "disabled",
    "server_name",
    "disable_host_verification",
    *(f"{name}_{form}" for name in _SOURCES.values() for form in ("path", "data")),
)


class ClientConfigTLSDict(TypedDict, total=False):
    """`ClientConfigTLS` as a dictionary."""

    disabled: bool
    server_name: str
    server_ca_cert: Mapping[str, str]
    client_cert: Mapping[str, str]
    client_key: Mapping[str, str]


@dataclass(frozen=True)
class ClientConfigTLS:
    """See the module's head.

    Attributes:
        disabled: True means no encryption; None is like False.
        server_name: whom the server's certificate must name.
        server_root_ca_cert: who may have signed it.
        client_cert: the client's own certificate.
        client_private_key: the key to that.
    """

    disabled: bool | None = None
    server_name: str | None = None
    server_root_ca_cert: DataSource | None = None
    client_cert: DataSource | None = None
    client_private_key: DataSource | None = None

    def to_dict(self) -> ClientConfigTLSDict:
        """As a dictionary of what is set; `from_dict` reads it."""
        made: dict[str, Any] = {}
        if self.disabled is not None:
            made["disabled"] = self.disabled
        if self.server_name is not None:
            made["server_name"] = self.server_name
        for attribute, name in _SOURCES.items():
            source = getattr(self, attribute)
            if source is not None:
                made[name] = _source_as_dict(source)
        return ClientConfigTLSDict(**made)

    @staticmethod
    def from_dict(d: ClientConfigTLSDict | None) -> ClientConfigTLS | None:
        """From a dictionary; None from None.

        Raises:
            EnvironmentConfigError: a field is of another type, or none.
        """
        return None if d is None else tls_from_dict(Fields("the given dictionary", ("tls",), d, {}))

    def to_connect_tls_config(self) -> bool | TLSConfig:
        """What `Client.connect` would take as ``tls``.

        Raises:
            EnvironmentConfigError: a file can't be read.
        """
        if self.disabled:
            return False
        return TLSConfig(
            domain=self.server_name,
            server_root_ca_cert=_read(self.server_root_ca_cert),
            client_cert=_read(self.client_cert),
            client_private_key=_read(self.client_private_key),
        )


def tls_from_file(fields: Fields, *, is_strict: bool) -> ClientConfigTLS:
    """What a file says.

    Raises:
        EnvironmentConfigError: a field can't be understood, or a source is given twice.
    """
    fields.check_names(TLS_FIELDS, is_strict=is_strict)
    fields.truth("disable_host_verification")
    sources: dict[str, DataSource | None] = {}
    for attribute, name in _SOURCES.items():
        path, data = fields.text(f"{name}_path"), fields.text(f"{name}_data")
        if path is not None and data is not None:
            raise fields.refused(f"there is a {name}_path, too; choose one of them", f"{name}_data")
        sources[attribute] = data if path is None else Path(path)
    return ClientConfigTLS(fields.truth("disabled"), fields.text("server_name"), **sources)


def tls_from_dict(fields: Fields) -> ClientConfigTLS:
    """What `ClientConfigTLS.to_dict` made."""
    fields.check_names(ClientConfigTLSDict.__annotations__, is_strict=True)
    sources: dict[str, DataSource | None] = {}
    for attribute, name in _SOURCES.items():
        table = fields.table(name)
        if table is None:
            continue
        table.check_names(("path", "data"), is_strict=True)
        path, data = table.text("path"), table.text("data")
        if (path is None) == (data is None):
            raise table.refused("it must have either a path or data")
        sources[attribute] = data if path is None else Path(path)
    return ClientConfigTLS(fields.truth("disabled"), fields.text("server_name"), **sources)


def tls_with(variables: Variables, tls: ClientConfigTLS | None) -> ClientConfigTLS | None:
    """What variables say beside, or instead of, what is there.

    Raises:
        EnvironmentConfigError: a variable can't be understood, or a source is given twice.
    """
    said: dict[str, Any] = {}
    is_wanted = variables.truth("TLS")
    if is_wanted is not None:
        said["disabled"] = not is_wanted
    server_name = variables.text("TLS_SERVER_NAME")
    if server_name is not None:
        said["server_name"] = server_name
    for attribute, name in _SOURCES.items():
        path, data = (variables.find(f"TLS_{name.upper()}_{form}") for form in ("PATH", "DATA"))
        if path is not None and data is not None:
            raise EnvironmentConfigError(data.name, f"there is {path.name}, too; choose one of them")
        if path is not None:
            said[attribute] = Path(path.value)
        elif data is not None:
            said[attribute] = data.value
    return replace(tls or ClientConfigTLS(), **said) if said else tls


def _source_as_dict(source: DataSource) -> Mapping[str, str]:
    if isinstance(source, Path):
        return {"path": str(source)}
    return {"data": source if isinstance(source, str) else source.decode()}


def _read(source: DataSource | None) -> bytes | None:
    if isinstance(source, str):
        return source.encode()
    if not isinstance(source, Path):
        return source
    content = content_of(source)
    if content is None:
        raise EnvironmentConfigError(str(source), "the TLS configuration names it, but there is no such file")
    return content
