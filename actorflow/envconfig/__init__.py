"""How a program connects, told by its environment: variables, and a TOML file with profiles.

The shape is that of the public SDK: the file, its fields and the variables ``TEMPORAL_*``. Each variable is looked for
as ``ACTORFLOW_*`` first: ``CONFIG_FILE``, ``PROFILE``, ``ADDRESS``, ``NAMESPACE``, ``API_KEY``, ``TLS`` (true or
false), ``TLS_SERVER_NAME``, ``TLS_SERVER_CA_CERT_PATH``, ``TLS_CLIENT_CERT_PATH``, ``TLS_CLIENT_KEY_PATH`` (each of
the three also with ``_DATA`` instead of ``_PATH``) and ``GRPC_META_*``. Variables go before what the file says::

    config = ClientConfig.load_client_connect_config()
    config.setdefault("target_host", "localhost:7233")
    client = await Client.connect(**config)

`Client.connect` refuses an API key and TLS by name, since a journal is a file of this machine.
"""

from actorflow.envconfig.config import ClientConfig
from actorflow.envconfig.profile import (
    ClientConfigProfile,
    ClientConfigProfileDict,
    ClientConnectConfig,
)
from actorflow.envconfig.source import DataSource
from actorflow.envconfig.tls import ClientConfigTLS, ClientConfigTLSDict
from actorflow.exceptions import EnvironmentConfigError

__all__ = [
    "ClientConfig",
    "ClientConfigProfile",
    "ClientConfigProfileDict",
    "ClientConfigTLS",
    "ClientConfigTLSDict",
    "ClientConnectConfig",
    "DataSource",
    "EnvironmentConfigError",
]
