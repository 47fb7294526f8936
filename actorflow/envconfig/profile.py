"""A profile: one way to connect."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypedDict, cast

from actorflow.client import ClientConnectConfig
from actorflow.envconfig.fields import Fields
from actorflow.envconfig.file import profiles_in
from actorflow.envconfig.source import DataSource
from actorflow.envconfig.tls import (
    ClientConfigTLS,
    ClientConfigTLSDict,
    tls_from_dict,
    tls_from_file,
    tls_with,
)
from actorflow.envconfig.variables import Variables, header
from actorflow.exceptions import EnvironmentConfigError

DEFAULT_PROFILE: Final = "default"
_FIELDS: Final = ("address", "namespace", "api_key", "tls", "grpc_meta", "codec")


class ClientConfigProfileDict(TypedDict, total=False):
    """`ClientConfigProfile` as a dictionary."""

    address: str
    namespace: str
    api_key: str
    tls: ClientConfigTLSDict
    grpc_meta: Mapping[str, str]


@dataclass(frozen=True)
class ClientConfigProfile:
    """One way to connect.

    Attributes:
        address: as `Client.connect` takes it.
        namespace: whose executions.
        api_key: `Client.connect` refuses one by name.
        tls: the same, unless it is disabled.
        grpc_meta: accepted by `Client.connect`, which has nobody to send it to.
    """

    address: str | None = None
    namespace: str | None = None
    api_key: str | None = None
    tls: ClientConfigTLS | None = None
    grpc_meta: Mapping[str, str] = field(default_factory=dict[str, str])

    @staticmethod
    def from_dict(d: ClientConfigProfileDict) -> ClientConfigProfile:
        """From a dictionary.

        Raises:
            EnvironmentConfigError: a field is of another type, or none.
        """
        return profile_from_dict(Fields("the given dictionary", (), d, {}))

    def to_dict(self) -> ClientConfigProfileDict:
        """As a dictionary of what is set; `from_dict` reads it."""
        made: dict[str, Any] = {
            name: value for name in ("address", "namespace", "api_key") if (value := getattr(self, name)) is not None
        }
        if self.tls is not None:
            made["tls"] = self.tls.to_dict()
        if self.grpc_meta:
            made["grpc_meta"] = dict(self.grpc_meta)
        return cast("ClientConfigProfileDict", made)

    def to_client_connect_config(self) -> ClientConnectConfig:
        """Arguments of `Client.connect`: what is set, and nothing else.

        Raises:
            EnvironmentConfigError: a file of the TLS configuration can't be read.
        """
        config: ClientConnectConfig = {}
        if self.address is not None:
            config["target_host"] = self.address
        if self.namespace is not None:
            config["namespace"] = self.namespace
        if self.api_key is not None:
            config["api_key"] = self.api_key
        if self.tls is not None:
            config["tls"] = self.tls.to_connect_tls_config()
        if self.grpc_meta:
            config["rpc_metadata"] = dict(self.grpc_meta)
        return config

    @staticmethod
    def load(
        profile: str | None = None,
        *,
        config_source: DataSource | None = None,
        disable_file: bool = False,
        disable_env: bool = False,
        config_file_strict: bool = False,
        override_env_vars: Mapping[str, str] | None = None,
    ) -> ClientConfigProfile:
        """A profile of the file, with what variables say instead.

        Args:
            profile: its name; by default the one in ``ACTORFLOW_PROFILE``, else "default".
            config_source: the file, or what would be in it; by default the file in ``ACTORFLOW_CONFIG_FILE``, else the
                user's own.
            disable_file: read none.
            disable_env: read no variables, those that name the profile and the file included.
            config_file_strict: refuse fields nobody knows; else a line in the log tells of them.
            override_env_vars: read these variables instead of the process's.

        Raises:
            EnvironmentConfigError: the file or a variable can't be understood, the profile that was named is not there,
                or both are disabled.
        """
        if disable_file and disable_env:
            raise EnvironmentConfigError("disable_file and disable_env", "nothing is left to read; leave one out")
        variables = variables_of(override_env_vars, is_disabled=disable_env)
        named = profile or variables.text("PROFILE")
        found = ClientConfigProfile()
        if not disable_file:
            profiles = profiles_in(config_source, variables, is_strict=config_file_strict)
            fields = profiles.get(named or DEFAULT_PROFILE)
            if fields is not None:
                found = profile_from_file(fields, is_strict=config_file_strict)
            elif named:
                there = ", ".join(profiles) or "none"
                raise EnvironmentConfigError(f"profile {named!r}", f"there is no such profile; there are: {there}")
        return _with(variables, found)


def variables_of(override: Mapping[str, str] | None, *, is_disabled: bool = False) -> Variables:
    """The environment to read."""
    if is_disabled:
        return Variables({})
    return Variables(os.environ if override is None else override)


def profile_from_file(fields: Fields, *, is_strict: bool) -> ClientConfigProfile:
    """What a file says of a profile; raises EnvironmentConfigError."""
    fields.check_names(_FIELDS, is_strict=is_strict)
    fields.table("codec")  # of other programs; those in Python make their own
    tls = fields.table("tls")
    return _profile(fields, None if tls is None else tls_from_file(tls, is_strict=is_strict))


def profile_from_dict(fields: Fields) -> ClientConfigProfile:
    """What `ClientConfigProfile.to_dict` made; raises EnvironmentConfigError."""
    fields.check_names(ClientConfigProfileDict.__annotations__, is_strict=True)
    tls = fields.table("tls")
    return _profile(fields, None if tls is None else tls_from_dict(tls))


def _profile(fields: Fields, tls: ClientConfigTLS | None) -> ClientConfigProfile:
    metadata = fields.table("grpc_meta")
    names = () if metadata is None else metadata.names()
    return ClientConfigProfile(
        address=fields.text("address"),
        namespace=fields.text("namespace"),
        api_key=fields.text("api_key"),
        tls=tls,
        grpc_meta={header(name): text for name in names if metadata and (text := metadata.text(name)) is not None},
    )


def _with(variables: Variables, profile: ClientConfigProfile) -> ClientConfigProfile:
    metadata = {**profile.grpc_meta, **variables.metadata()}
    return ClientConfigProfile(
        address=variables.text("ADDRESS") or profile.address,
        namespace=variables.text("NAMESPACE") or profile.namespace,
        api_key=variables.text("API_KEY") or profile.api_key,
        tls=tls_with(variables, profile.tls),
        grpc_meta={name: value for name, value in metadata.items() if value},
    )
