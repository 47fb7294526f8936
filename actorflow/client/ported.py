"""Options of the public SDK's clients: those that mean nothing here are accepted, those that would mislead refused."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, Final, TypedDict

from actorflow.exceptions import UnsupportedOptionError
from actorflow.runtime import Runtime
from actorflow.service import HttpConnectProxyConfig, KeepAliveConfig, RetryConfig, TLSConfig


class ClientConnectConfig(TypedDict, total=False):
    """Arguments of `Client.connect`; a plain dictionary with what is set."""

    target_host: str
    namespace: str
    api_key: str
    tls: bool | TLSConfig
    rpc_metadata: Mapping[str, str | bytes]


class PortedConnectOptions(TypedDict, total=False):
    """What a ported program may give `Client.connect`.

    Accepted without effect, since a journal is opened and nobody is called over a network: ``retry_config``,
    ``keep_alive_config``, ``connect_timeout``, ``rpc_metadata``, ``lazy`` (the journal is opened at once), ``runtime``
    (its metrics and its logging began when it was made), ``dns_load_balancing_config``, ``grpc_compression``,
    ``payload_limits``, ``header_codec_behavior``. Refused unless they say "nothing": ``tls``, ``api_key`` and
    ``http_connect_proxy_config``, which protect a connection there is none of.
    """

    retry_config: RetryConfig | None
    keep_alive_config: KeepAliveConfig | None
    connect_timeout: timedelta | None
    rpc_metadata: Mapping[str, str | bytes]
    lazy: bool
    runtime: Runtime | None
    dns_load_balancing_config: Any
    grpc_compression: Any
    payload_limits: Any
    header_codec_behavior: Any
    tls: bool | TLSConfig | None
    api_key: str | None
    http_connect_proxy_config: HttpConnectProxyConfig | None


Refusal = tuple[str] | tuple[str, str]
"""Why an option is refused, and what to do instead, unless that is to leave it out."""

_REFUSED: Final[Mapping[str, Refusal]] = {
    "tls": ("a journal is a file of this machine, there is no connection to encrypt",),
    "api_key": ("a journal is a file of this machine, its permissions say who may open it",),
    "http_connect_proxy_config": ("a journal is a file of this machine, there is no connection",),
}


def check_ported(options: Mapping[str, Any]) -> None:
    """Refuse what can't be honoured of `PortedConnectOptions`; raises as `check_options`."""
    check_options("Client.connect", options, known=PortedConnectOptions.__annotations__, refused=_REFUSED)
    runtime = options.get("runtime")
    if runtime is not None and not isinstance(runtime, Runtime):
        raise TypeError(f"runtime of Client.connect must be a Runtime, not {type(runtime).__name__}")


def check_options(
    owner: str, options: Mapping[str, Any], *, known: Mapping[str, Any], refused: Mapping[str, Refusal]
) -> None:
    """Refuse what can't be honoured.

    Args:
        owner: of the options, for people.
        options: as they were given.
        known: those there are.
        refused: those that nobody would do.

    Raises:
        UnsupportedOptionError: an option says something that nobody would do.
        TypeError: there is no such option.
    """
    for name, value in options.items():
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise TypeError(f"{owner} has no option {name!r}{hint}")
        if name in refused and value:
            raise UnsupportedOptionError(f"{name} of {owner}", *refused[name])


def check_start(*, versioning_override: Any) -> None:
    """Refuse what can't be honoured of a start.

    Raises:
        UnsupportedOptionError: see above.
    """
    if versioning_override is not None:
        raise UnsupportedOptionError(
            "versioning_override", "runs go on with the code there is", "tell versions apart with workflow.patched"
        )


def check_schedule(**options: Any) -> None:
    """Refuse what schedules themselves don't have; raises as `check_start`."""
    for name, value in options.items():
        if value:
            raise UnsupportedOptionError(
                f"{name} of create_schedule",
                "a schedule has a memo and a note for itself",
                "give its action what the workflows it starts are to have",
            )


def check_fetch(*, wait_new_event: bool, next_page_token: bytes | None) -> None:
    """Refuse what can't be honoured when events are fetched; raises as `check_start`."""
    if wait_new_event:
        raise UnsupportedOptionError(
            "wait_new_event", "a history is read as it is", "await result() for the end, or fetch it again"
        )
    if next_page_token:
        raise UnsupportedOptionError("next_page_token", "a history is read at once, it has no pages")
