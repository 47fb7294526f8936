"""Programs that are told by their environment how to connect."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from actorflow.client import Client
from actorflow.envconfig import (
    ClientConfig,
    ClientConfigProfile,
    ClientConfigTLS,
    ClientConnectConfig,
    EnvironmentConfigError,
)
from actorflow.exceptions import UnsupportedOptionError
from actorflow.service import TLSConfig

FILE = """\
[profile.default]
address = "localhost:7233"
namespace = "shop"

[profile.cloud]
address = "shop.example.org:7233"
api_key = "secret"
codec = { endpoint = "http://codec" }

[profile.cloud.tls]
server_name = "example"
client_cert_path = "/certificates/mine.pem"
client_key_data = "key"

[profile.cloud.grpc_meta]
Team_Name = "shop"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(FILE, encoding="utf-8")
    return path


def loaded(profile: str | None = None, *, source: Any = FILE, **options: Any) -> ClientConfigProfile:
    options.setdefault("override_env_vars", {})
    return ClientConfigProfile.load(profile, config_source=source, **options)


def connecting(environment: dict[str, str], **options: Any) -> ClientConnectConfig:
    return ClientConfig.load_client_connect_config(override_env_vars=environment, **options)


async def test_a_ported_program_connects_as_its_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACTORFLOW_CONFIG_FILE", str(tmp_path / "config.toml"))
    monkeypatch.delenv("ACTORFLOW_ADDRESS", raising=False)
    (tmp_path / "config.toml").write_text('[profile.default]\nnamespace = "shop"\n', encoding="utf-8")
    config = ClientConfig.load_client_connect_config()
    assert config == {"namespace": "shop"}
    config.setdefault("target_host", "memory://")
    async with await Client.connect(**config) as client:
        assert client.namespace == "shop"


async def test_a_variable_may_name_a_journal_instead_of_a_server(tmp_path: Path) -> None:
    config = connecting({"ACTORFLOW_ADDRESS": f"sqlite:///{tmp_path}/j.db"}, disable_file=True)
    config.setdefault("target_host", "localhost:7233")
    async with await Client.connect(**config) as client:
        assert client.engine.name == str(tmp_path / "j.db")


def test_what_is_not_said_is_not_there() -> None:
    assert connecting({}, disable_file=True) == {}
    assert type(connecting({}, disable_file=True)) is dict


def test_the_default_profile_is_read_unless_another_is_named(file: Path) -> None:
    environment = {"TEMPORAL_CONFIG_FILE": str(file)}
    assert connecting(environment) == {"target_host": "localhost:7233", "namespace": "shop"}
    named = connecting({**environment, "TEMPORAL_PROFILE": "cloud", "TEMPORAL_TLS": "false"})
    assert named == {
        "target_host": "shop.example.org:7233",
        "api_key": "secret",
        "tls": False,
        "rpc_metadata": {"team-name": "shop"},
    }
    assert connecting({**environment, "TEMPORAL_PROFILE": "cloud"}, profile="default") == connecting(environment)
    assert connecting({}, config_file=str(file)) == connecting(environment)


def test_every_field_of_a_profile_is_read() -> None:
    assert loaded("cloud") == ClientConfigProfile(
        address="shop.example.org:7233",
        api_key="secret",
        tls=ClientConfigTLS(
            server_name="example", client_cert=Path("/certificates/mine.pem"), client_private_key="key"
        ),
        grpc_meta={"team-name": "shop"},
    )


def test_variables_go_before_the_file_and_ours_before_the_public_ones() -> None:
    environment = {
        "TEMPORAL_ADDRESS": "theirs:1",
        "ACTORFLOW_ADDRESS": "ours:1",
        "TEMPORAL_NAMESPACE": "theirs",
        "ACTORFLOW_NAMESPACE": "",
        "TEMPORAL_API_KEY": "other",
        "TEMPORAL_TLS_SERVER_NAME": "other",
        "TEMPORAL_TLS_SERVER_CA_CERT_PATH": "/ca.pem",
        "ACTORFLOW_TLS_CLIENT_KEY_PATH": "/key.pem",
        "TEMPORAL_GRPC_META_TEAM_NAME": "",
        "TEMPORAL_GRPC_META_A": "theirs",
        "ACTORFLOW_GRPC_META_A": "ours",
    }
    assert loaded("cloud", override_env_vars=environment) == ClientConfigProfile(
        address="ours:1",
        namespace="theirs",
        api_key="other",
        tls=ClientConfigTLS(
            server_name="other",
            server_root_ca_cert=Path("/ca.pem"),
            client_cert=Path("/certificates/mine.pem"),
            client_private_key=Path("/key.pem"),
        ),
        grpc_meta={"a": "ours"},
    )


def test_variables_can_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTORFLOW_ADDRESS", "ours:1")
    monkeypatch.setenv("ACTORFLOW_PROFILE", "cloud")
    assert ClientConfigProfile.load(config_source=FILE, disable_env=True).address == "localhost:7233"
    assert ClientConfigProfile.load(config_source=FILE, override_env_vars={}).address == "localhost:7233"
    assert ClientConfigProfile.load(config_source=FILE).address == "ours:1"


def test_the_file_can_be_left_out(file: Path) -> None:
    environment = {"TEMPORAL_CONFIG_FILE": str(file), "TEMPORAL_PROFILE": "cloud", "TEMPORAL_NAMESPACE": "n"}
    assert connecting(environment, disable_file=True) == {"namespace": "n"}
    assert ClientConfig.load(config_source=FILE, disable_file=True) == ClientConfig({})


def test_the_users_own_files_are_found(tmp_path: Path) -> None:
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert connecting(environment) == {}
    for folder, name in (("temporalio", "temporal"), ("actorflow", "actorflow")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{name}.toml").write_text(f'[profile.default]\naddress = "{name}"\n', encoding="utf-8")
        assert connecting(environment) == {"target_host": name}


def test_a_file_that_is_not_there_says_nothing_but_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "none.toml"
    assert connecting({"TEMPORAL_CONFIG_FILE": str(path), "TEMPORAL_NAMESPACE": "n"}) == {"namespace": "n"}
    [told] = caplog.messages
    assert told == f"there is no file {path}, which TEMPORAL_CONFIG_FILE names; nothing is read from it"


def test_a_configuration_goes_through_dictionaries_and_back() -> None:
    config = ClientConfig.load(config_source=FILE.encode(), override_env_vars={})
    assert config.to_dict() == {
        "default": {"address": "localhost:7233", "namespace": "shop"},
        "cloud": {
            "address": "shop.example.org:7233",
            "api_key": "secret",
            "tls": {
                "server_name": "example",
                "client_cert": {"path": "/certificates/mine.pem"},
                "client_key": {"data": "key"},
            },
            "grpc_meta": {"team-name": "shop"},
        },
    }
    assert ClientConfig.from_dict(config.to_dict()) == config
    assert ClientConfigProfile.from_dict(config.profiles["cloud"].to_dict()) == config.profiles["cloud"]
    disabled = ClientConfigTLS(disabled=True, server_root_ca_cert=b"ca")
    assert ClientConfigTLS.from_dict(disabled.to_dict()) == ClientConfigTLS(disabled=True, server_root_ca_cert="ca")
    assert ClientConfigTLS.from_dict(None) is None


def test_certificates_are_read_when_they_are_wanted(tmp_path: Path) -> None:
    (tmp_path / "mine.pem").write_bytes(b"certificate")
    tls = ClientConfigTLS(server_name="s", client_cert=tmp_path / "mine.pem", client_private_key="key")
    assert tls.to_connect_tls_config() == TLSConfig(domain="s", client_cert=b"certificate", client_private_key=b"key")
    assert ClientConfigTLS(disabled=True, client_cert=tmp_path / "none").to_connect_tls_config() is False
    with pytest.raises(EnvironmentConfigError, match="the TLS configuration names it"):
        ClientConfigTLS(client_cert=tmp_path / "none.pem").to_connect_tls_config()


@pytest.mark.parametrize("environment", [{"TEMPORAL_TLS": "true"}, {"TEMPORAL_API_KEY": "secret"}])
async def test_what_protects_a_connection_is_refused_when_connecting(environment: dict[str, str]) -> None:
    config = connecting(environment, disable_file=True)
    config.setdefault("target_host", "memory://")
    with pytest.raises(UnsupportedOptionError, match=next(iter(config))):
        await Client.connect(**config)


MISTAKES: dict[str, tuple[str, str, int | None, str]] = {
    "no TOML": ("\n[profile.default]\naddress = localhost\n", "", 3, "texts stand in quotes"),
    "a table without an end": ("[profile.default\n", "", 1, "tables in brackets"),
    "an address that is a number": ("[profile.default]\n\naddress = 7233\n", "profile.default.address", 3, "a text"),
    "a profile that is a text": ('profile.default = "x"\n', "profile.default", 1, "a table"),
    "profiles that are a text": ('profile = "x"\n', "profile", 1, "a table"),
    "TLS that is a text": ('[profile.default]\ntls = "on"\n', "profile.default.tls", 2, "a table"),
    "disabled in words": (
        '[profile.default]\n[profile.default.tls]\ndisabled = "yes"\n',
        "profile.default.tls.disabled",
        3,
        "true or false, not 'yes'",
    ),
    "disabled in words, inline": (
        '[profile.default]\ntls = { disabled = "yes" }\n',
        "profile.default.tls.disabled",
        2,
        "true or false",
    ),
    "two certificates": (
        '[profile.default.tls]\nclient_cert_path = "a"\nclient_cert_data = "b"\n',
        "profile.default.tls.client_cert_data",
        3,
        "choose one of them",
    ),
    "metadata that is a list": (
        '[profile.default.grpc_meta]\na = [\n  "x",\n]\n',
        "profile.default.grpc_meta.a",
        2,
        "a text",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_file_with_a_mistake_names_itself_the_line_the_field_and_the_remedy(tmp_path: Path, mistake: str) -> None:
    text, field, line, remedy = MISTAKES[mistake]
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(EnvironmentConfigError) as refused:
        loaded(source=path)
    assert (refused.value.source, refused.value.field, refused.value.line) == (str(path), field, line)
    assert str(refused.value).startswith(f"{path}, line {line}")
    assert remedy in str(refused.value)
    assert isinstance(refused.value, ValueError)
    assert isinstance(refused.value, RuntimeError)


UNKNOWN = {
    '[profile.default]\nadress = "x"\n': "line 2, profile.default.adress: there is no such field; did you mean 'addr",
    "[profiles.default]\n": "line 1, profiles: there is no such field; did you mean 'profile'",
    '[profile.default.tls]\nx = "y"\n': "line 2, profile.default.tls.x: there is no such field; there are disabled",
}


@pytest.mark.parametrize("text", UNKNOWN)
def test_unknown_fields_are_told_of_or_refused(text: str, caplog: pytest.LogCaptureFixture) -> None:
    loaded(source=text)
    [record] = caplog.records
    assert (record.name, record.levelno) == ("actorflow.client", logging.WARNING)
    assert UNKNOWN[text] in record.getMessage()
    with pytest.raises(EnvironmentConfigError) as refused:
        loaded(source=text, config_file_strict=True)
    assert UNKNOWN[text] in str(refused.value)


def test_every_known_field_is_accepted_by_the_strict() -> None:
    loaded("cloud", config_file_strict=True)
    loaded(source="[profile.default.tls]\ndisable_host_verification = true\n", config_file_strict=True)


@pytest.mark.parametrize("by_variable", [True, False])
def test_a_profile_that_was_named_has_to_be_there(by_variable: bool) -> None:
    environment = {"ACTORFLOW_PROFILE": "cluod"} if by_variable else {}
    with pytest.raises(
        EnvironmentConfigError, match="profile 'cluod': there is no such profile; there are: default, cl"
    ):
        loaded(None if by_variable else "cluod", override_env_vars=environment)
    assert loaded(source="") == ClientConfigProfile()


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentConfigError, match="Is a directory"):
        loaded(source=tmp_path)
    with pytest.raises(EnvironmentConfigError, match="that is no path"):
        loaded(source=Path("a\0b"))
    (tmp_path / "latin").write_bytes(b'[profile.default]\naddress = "\xe9"\n')
    with pytest.raises(EnvironmentConfigError, match="latin, line 2: it is not UTF-8"):
        loaded(source=tmp_path / "latin")


def test_variables_with_mistakes_name_themselves() -> None:
    with pytest.raises(EnvironmentConfigError, match="ACTORFLOW_TLS: it must be true or false, not 'maybe'"):
        loaded(override_env_vars={"ACTORFLOW_TLS": "maybe"})
    both = {"TEMPORAL_TLS_CLIENT_KEY_PATH": "/k", "ACTORFLOW_TLS_CLIENT_KEY_DATA": "k"}
    with pytest.raises(
        EnvironmentConfigError, match="ACTORFLOW_TLS_CLIENT_KEY_DATA: there is TEMPORAL_TLS_CLIENT_KEY_P"
    ):
        loaded(override_env_vars=both)


def test_nothing_can_be_read_if_all_is_disabled() -> None:
    with pytest.raises(EnvironmentConfigError, match="disable_file and disable_env"):
        ClientConfig.load_client_connect_config(disable_file=True, disable_env=True)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"address": 7}, "address: it must be a text"),
        ({"adress": "x"}, "did you mean 'address'"),
        ({"tls": {"client_cert": {}}}, r"tls\.client_cert: it must have either a path or data"),
        ({"tls": {"client_cert": {"path": "a", "data": "b"}}}, "either a path or data"),
    ],
)
def test_a_dictionary_with_a_mistake_is_refused(given: Any, why: str) -> None:
    with pytest.raises(EnvironmentConfigError, match=why):
        ClientConfigProfile.from_dict(given)
