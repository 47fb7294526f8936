"""All profiles of a file, and the shortest way from the environment to a client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from actorflow.envconfig.fields import Fields
from actorflow.envconfig.file import profiles_in
from actorflow.envconfig.profile import (
    ClientConfigProfile,
    ClientConfigProfileDict,
    ClientConnectConfig,
    profile_from_dict,
    profile_from_file,
    variables_of,
)
from actorflow.envconfig.source import DataSource


@dataclass(frozen=True)
class ClientConfig:
    """Profiles by name."""

    profiles: Mapping[str, ClientConfigProfile]

    def to_dict(self) -> Mapping[str, ClientConfigProfileDict]:
        """As dictionaries by name of profile; `from_dict` reads them."""
        return {name: profile.to_dict() for name, profile in self.profiles.items()}

    @staticmethod
    def from_dict(d: Mapping[str, ClientConfigProfileDict]) -> ClientConfig:
        """From dictionaries by name of profile.

        Raises:
            EnvironmentConfigError: a field is of another type, or none.
        """
        given = Fields("the given dictionary", (), d, {})
        return ClientConfig({name: profile_from_dict(table) for name in d if (table := given.table(name)) is not None})

    @staticmethod
    def load(
        *,
        config_source: DataSource | None = None,
        disable_file: bool = False,
        config_file_strict: bool = False,
        override_env_vars: Mapping[str, str] | None = None,
    ) -> ClientConfig:
        """All profiles of the file, without what variables say instead; see `ClientConfigProfile.load`.

        Raises:
            EnvironmentConfigError: it can't be read or understood.
        """
        if disable_file:
            return ClientConfig({})
        variables = variables_of(override_env_vars)
        found = profiles_in(config_source, variables, is_strict=config_file_strict)
        return ClientConfig(
            {name: profile_from_file(fields, is_strict=config_file_strict) for name, fields in found.items()}
        )

    @staticmethod
    def load_client_connect_config(
        profile: str | None = None,
        *,
        config_file: str | None = None,
        disable_file: bool = False,
        disable_env: bool = False,
        config_file_strict: bool = False,
        override_env_vars: Mapping[str, str] | None = None,
    ) -> ClientConnectConfig:
        """Arguments of `Client.connect`, told by the environment.

        Args:
            profile: see `ClientConfigProfile.load`.
            config_file: the path of the file.
            disable_file: see `ClientConfigProfile.load`.
            disable_env: see `ClientConfigProfile.load`.
            config_file_strict: see `ClientConfigProfile.load`.
            override_env_vars: see `ClientConfigProfile.load`.

        Returns:
            A plain dictionary with what is set, to be completed: nothing says where to connect if nobody did.

        Raises:
            EnvironmentConfigError: see `ClientConfigProfile.load`.
        """
        return ClientConfigProfile.load(
            profile,
            config_source=None if config_file is None else Path(config_file),
            disable_file=disable_file,
            disable_env=disable_env,
            config_file_strict=config_file_strict,
            override_env_vars=override_env_vars,
        ).to_client_connect_config()
