"""What the engine logs: from which level on, and where it goes."""

from __future__ import annotations

import logging
from copy import copy
from dataclasses import dataclass
from typing import Final

from actorflow.exceptions import ActorflowError

LOGGERS: Final = tuple(f"actorflow.{part}" for part in ("client", "engine", "observability", "store", "worker"))
"""The engine's own. ``actorflow.workflow`` and ``actorflow.activity`` belong to programs."""

_LEVELS: Final = {
    "TRACE": logging.DEBUG,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
    "OFF": logging.CRITICAL + 1,
}


@dataclass(frozen=True)
class LogForwardingConfig:
    """Give what the engine logs to a logger.

    Attributes:
        logger: takes it, from its own level on.
        append_target_to_name: records are named after it and the logger they come from, else after it alone.
        prepend_target_on_message: messages begin with the logger they come from.
        overwrite_log_record_time: accepted for ported programs; records keep their time.
    """

    logger: logging.Logger
    append_target_to_name: bool = True
    prepend_target_on_message: bool = True
    overwrite_log_record_time: bool = True


class LogFilterError(ActorflowError, ValueError):
    """A text that should say from which level on something is logged."""

    def __init__(self, text: str, part: str) -> None:
        super().__init__(
            f"log filter {text!r}: {part!r} is not one of {', '.join(_LEVELS)}; write a level, or target=level, with "
            "commas between them"
        )
        self.text = text
        self.part = part


def level_of(text: str) -> int:
    """The level of the engine in a filter such as ``"ERROR,temporal_sdk_core=INFO"``: the one that lets through most
    of those that name a target of the engine, else the one that names none.

    Raises:
        LogFilterError: it is none.
    """
    own: list[int] = []
    others = logging.ERROR
    for part in text.split(","):
        target, separator, name = part.strip().rpartition("=")
        level = _LEVELS.get(name.strip().upper())
        if level is None:
            raise LogFilterError(text, part.strip())
        if target.startswith(("temporal", "actorflow")):
            own.append(level)
        elif not separator:
            others = level
    return min(own, default=others)


class EngineLog:
    """The engine's loggers, set up between `begin` and `end`; the last one that began counts.

    Args:
        level: from which level on; None leaves them as they are.
        forwarding: where to.

    Raises:
        ValueError: it would be forwarded to one of them.
    """

    def __init__(self, level: int | None, forwarding: LogForwardingConfig | None) -> None:
        if forwarding is not None and f"{forwarding.logger.name}.".startswith(tuple(f"{name}." for name in LOGGERS)):
            raise ValueError(
                f"what the engine logs can't be forwarded to {forwarding.logger.name!r}, which is where it comes from; "
                "choose a logger of your own"
            )
        self._level = level
        self._handler = None if forwarding is None else _Forwarding(forwarding)

    def begin(self) -> None:
        """Set the loggers up."""
        if self._level is None:
            return
        if not _active:
            _found.extend([(logger, logger.level, logger.propagate) for logger in map(logging.getLogger, LOGGERS)])
        _active.append(self)
        _apply()

    def end(self) -> None:
        """Leave them to those that are left, or as they were found; safe to call twice."""
        if self in _active:
            for logger, _, _ in _found:
                self.let_go(logger)
            _active.remove(self)
            _apply()

    def set_up(self, logger: logging.Logger, propagates: bool) -> None:
        """Make one of them this one's; ``propagates`` is how it was found."""
        logger.propagate = propagates and self._handler is None
        if self._level is not None:
            logger.setLevel(self._level)
        if self._handler is not None:
            logger.addHandler(self._handler)

    def let_go(self, logger: logging.Logger) -> None:
        """Another one counts now."""
        if self._handler is not None:
            logger.removeHandler(self._handler)


_active: Final[list[EngineLog]] = []
_found: Final[list[tuple[logging.Logger, int, bool]]] = []
"""Loggers are the process's: who has set them up, the newest last, and how they were before anybody did."""


def _apply() -> None:
    for logger, level, propagates in _found:
        for other in _active[:-1]:
            other.let_go(logger)
        if _active:
            _active[-1].set_up(logger, propagates)
        else:
            logger.setLevel(level)
            logger.propagate = propagates
    if not _active:
        _found.clear()


class _Forwarding(logging.Handler):
    def __init__(self, config: LogForwardingConfig) -> None:
        super().__init__()
        self._config = config

    def emit(self, record: logging.LogRecord) -> None:
        """Give a record of the same moment to the other logger."""
        logger = self._config.logger
        if not logger.isEnabledFor(record.levelno):
            return
        forwarded = copy(record)
        forwarded.name = f"{logger.name}-{record.name}" if self._config.append_target_to_name else logger.name
        if self._config.prepend_target_on_message:
            forwarded.msg, forwarded.args = f"[{record.name}] {record.getMessage()}", None
        logger.handle(forwarded)
