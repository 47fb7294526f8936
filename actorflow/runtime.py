"""What a process does beside its workflows: metrics over HTTP, and how much the engine says in its log.

Names and signatures follow the Temporal Python SDK. What can't be done here is refused by name.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import IntEnum
from ipaddress import ip_address
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Final, Self

from actorflow import observability
from actorflow.exceptions import BindAddressError, UnsupportedOptionError
from actorflow.metering import MetricMeter
from actorflow.observability.logs import EngineLog, LogForwardingConfig, level_of
from actorflow.observability.process import PROCESS

if TYPE_CHECKING:
    from actorflow.observability import MetricsServer

__all__ = [
    "LogForwardingConfig",
    "LoggingConfig",
    "MetricBuffer",
    "MetricBufferDurationFormat",
    "OpenTelemetryConfig",
    "OpenTelemetryMetricTemporality",
    "PrometheusConfig",
    "Runtime",
    "TelemetryConfig",
    "TelemetryFilter",
]

_PREFIXES: Final = (None, "temporal_", "actorflow_")
_BIND: Final = re.compile(r"(?:\[(?P<six>[^\]]*)\]|(?P<name>[^:\[\]/\s]+)):(?P<port>[0-9]{1,5})")
_PORT_MAX: Final = 65_535


@dataclass(frozen=True)
class TelemetryFilter:
    """From which level on something is logged: TRACE, DEBUG, INFO, WARN, ERROR or OFF.

    Attributes:
        core_level: of the engine.
        other_level: of the libraries of the public SDK's engine, of which there are none here.
    """

    core_level: str
    other_level: str

    def formatted(self) -> str:
        """As one text, which `LoggingConfig` takes, too."""
        return f"{self.other_level},actorflow={self.core_level}"


@dataclass(frozen=True)
class LoggingConfig:
    """What the engine logs: the loggers ``actorflow.engine``, ``.store``, ``.client``, ``.worker``, ``.observability``.

    Those of workflows and activities are the program's own and are left alone. `LoggingConfig.default` leaves all as
    they are.

    Attributes:
        filter: from which level on; also as a text such as ``"ERROR,temporal_sdk_core=INFO"``.
        forwarding: give what is logged to another logger.
    """

    filter: TelemetryFilter | str
    forwarding: LogForwardingConfig | None = None

    default: ClassVar[LoggingConfig]
    """Python's logging decides, as the program has set it up."""


LoggingConfig.default = LoggingConfig(TelemetryFilter(core_level="WARN", other_level="ERROR"))


class OpenTelemetryMetricTemporality(IntEnum):
    """Of `OpenTelemetryConfig`."""

    CUMULATIVE = 1
    DELTA = 2


@dataclass(frozen=True)
class OpenTelemetryConfig:
    """Metrics sent to a collector; so that ported modules can be imported, a `Runtime` refuses it by name."""

    url: str
    headers: Mapping[str, str] | None = None
    metric_periodicity: timedelta | None = None
    metric_temporality: OpenTelemetryMetricTemporality = OpenTelemetryMetricTemporality.CUMULATIVE
    durations_as_seconds: bool = False
    http: bool = False
    histogram_bucket_overrides: Mapping[str, Sequence[float]] | None = None


@dataclass(frozen=True)
class PrometheusConfig:
    """Metrics served over HTTP, on any path.

    Attributes:
        bind_address: where, such as ``0.0.0.0:9000``; port 0 takes any that is free, see `Runtime.metrics_address`.
        counters_total_suffix: accepted for ported programs; names of counters always end in ``_total``.
        unit_suffix: accepted for ported programs; names always end in their unit.
        durations_as_seconds: accepted for ported programs; durations always are in seconds.
        histogram_bucket_overrides: refused, the buckets are what they are.
    """

    bind_address: str
    counters_total_suffix: bool = False
    unit_suffix: bool = False
    durations_as_seconds: bool = False
    histogram_bucket_overrides: Mapping[str, Sequence[float]] | None = None


class MetricBufferDurationFormat(IntEnum):
    """Of `MetricBuffer`."""

    MILLISECONDS = 1
    SECONDS = 2


@dataclass(frozen=True)
class MetricBuffer:
    """Every single update of a metric; so that ported modules can be imported, a `Runtime` refuses it by name."""

    buffer_size: int
    duration_format: MetricBufferDurationFormat = MetricBufferDurationFormat.MILLISECONDS


@dataclass(frozen=True)
class TelemetryConfig:
    """What a `Runtime` tells the world.

    Attributes:
        logging: what the engine logs; None, like the default, leaves that to Python's logging.
        metrics: how metrics are seen: over HTTP.
        global_tags: labels of every series of actorflow and of the program on the page that is served.
        attach_service_name: accepted for ported programs.
        metric_prefix: accepted if it is the default; names begin with ``actorflow_``.
    """

    logging: LoggingConfig | None = LoggingConfig.default
    metrics: OpenTelemetryConfig | PrometheusConfig | MetricBuffer | None = None
    global_tags: Mapping[str, str] = field(default_factory=dict[str, str])
    attach_service_name: bool = True
    metric_prefix: str | None = None


class Runtime:
    """Metrics and logging of this process, begun when it is made. `close` ends them; else they last as long as the
    process. No client needs one: ``Client.connect(runtime=...)`` is accepted so that ported programs run.

    Args:
        telemetry: what the world is told.
        worker_heartbeat_interval: accepted for ported programs; there is no server to hear it.

    Raises:
        BindAddressError: the address of the metrics is none.
        PortUnavailableError: somebody else listens there, another runtime of this process for instance.
        UnsupportedOptionError: something that nobody would do.
        ValueError: an unknown level of logging.
    """

    _lock: ClassVar = threading.Lock()
    _default: ClassVar[Runtime | None] = None
    _is_default_prevented: ClassVar[bool] = False

    def __init__(
        self, *, telemetry: TelemetryConfig, worker_heartbeat_interval: timedelta | None = timedelta(minutes=1)
    ) -> None:
        _check_prefix(telemetry.metric_prefix)
        log = _engine_log(telemetry.logging)
        self._server = _served(telemetry)
        self._log = log
        self._log.begin()

    @classmethod
    def default(cls) -> Runtime:
        """The runtime of this process; made without metrics and logging of its own if none was set.

        Raises:
            RuntimeError: see `prevent_default`.
        """
        with cls._lock:
            if cls._default is None:
                if cls._is_default_prevented:
                    raise RuntimeError(
                        "there is no default runtime, and one must not be made: call Runtime.set_default"
                    )
                cls._default = cls(telemetry=TelemetryConfig())
            return cls._default

    @classmethod
    def prevent_default(cls) -> None:
        """From now on `default` makes none by itself.

        Raises:
            RuntimeError: there is one already.
        """
        with cls._lock:
            if cls._default is not None:
                raise RuntimeError("Runtime default already set; call prevent_default before anything asks for it")
            cls._is_default_prevented = True

    @classmethod
    def set_default(cls, runtime: Runtime, *, error_if_already_set: bool = True) -> None:
        """Make a runtime that of this process.

        Raises:
            RuntimeError: there is one already, and ``error_if_already_set``.
        """
        with cls._lock:
            if cls._default is not None and error_if_already_set:
                raise RuntimeError("Runtime default already set; pass error_if_already_set=False to replace it")
            cls._default = runtime

    @property
    def metric_meter(self) -> MetricMeter:
        """For metrics of the program, shown with those of actorflow wherever they are."""
        return MetricMeter(PROCESS.custom.record, {})

    @property
    def metrics_address(self) -> str | None:
        """Where metrics are served, as host and port; None if they are not."""
        if self._server is None:
            return None
        host = f"[{self._server.addr}]" if ":" in self._server.addr else self._server.addr
        return f"{host}:{self._server.port}"

    def close(self) -> None:
        """Serve no more, and log as before; safe to call twice."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        self._log.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _check_prefix(prefix: str | None) -> None:
    if prefix not in _PREFIXES:
        raise UnsupportedOptionError("metric_prefix of TelemetryConfig", "names of metrics begin with actorflow_")


def _engine_log(config: LoggingConfig | None) -> EngineLog:
    if config is None or config is LoggingConfig.default:
        return EngineLog(None, None)
    wanted = config.filter if isinstance(config.filter, str) else config.filter.formatted()
    return EngineLog(level_of(wanted), config.forwarding)


def _served(telemetry: TelemetryConfig) -> MetricsServer | None:
    match telemetry.metrics:
        case None:
            return None
        case OpenTelemetryConfig():
            raise UnsupportedOptionError(
                "OpenTelemetryConfig of TelemetryConfig",
                "metrics are for Prometheus, which OpenTelemetry's collector can scrape",
                "use PrometheusConfig",
            )
        case MetricBuffer():
            raise UnsupportedOptionError(
                "MetricBuffer of TelemetryConfig",
                "metrics are kept as sums, not as single updates",
                "use PrometheusConfig or actorflow.observability",
            )
        case PrometheusConfig(bind_address=address, histogram_bucket_overrides=buckets):
            if buckets:
                raise UnsupportedOptionError("histogram_bucket_overrides of PrometheusConfig", "buckets are fixed")
            host, port = _bind_address(address)
            return observability.start_http_server(port, host, labels=telemetry.global_tags)


def _bind_address(text: str) -> tuple[str, int]:
    parts = _BIND.fullmatch(text)
    if parts is None or int(parts["port"]) > _PORT_MAX or (parts["six"] is not None and not _is_ip(parts["six"])):
        raise BindAddressError(text)
    return parts["six"] or parts["name"], int(parts["port"])


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
