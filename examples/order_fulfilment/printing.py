"""Prints what is reported: lines for people, or one JSON object per line for programs."""

from __future__ import annotations

import logging
from contextlib import suppress

import msgspec

from actorflow import workflow
from examples.order_fulfilment.reports import Report


class Printer:
    """Prints to stdout.

    Args:
        is_jsonl: one JSON object per line, with ``kind``, ``order`` and the facts of the report.
    """

    def __init__(self, *, is_jsonl: bool) -> None:
        self._is_jsonl = is_jsonl

    def tell(self, report: Report) -> None:
        """Print one report, at once."""
        # An order does not depend on whether anybody is still reading.
        with suppress(BrokenPipeError):
            print(_as_json(report) if self._is_jsonl else report.text, flush=True)


class _Listener(logging.Handler):
    """Hands on the reports that are logged."""

    def __init__(self, printer: Printer) -> None:
        super().__init__()
        self._printer = printer

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler.emit`."""
        report: object = getattr(record, "report", None)
        if isinstance(report, Report):
            self._printer.tell(report)


def listen_to_workflows(printer: Printer) -> None:
    """Print what workflows log: phases, rounds, problems."""
    logger = workflow.logger.base_logger
    logger.addHandler(_Listener(printer))
    logger.setLevel(logging.INFO)
    logger.propagate = False


def _as_json(report: Report) -> str:
    return msgspec.json.encode({"kind": report.kind, "order": report.order_id, **report.facts}).decode()
