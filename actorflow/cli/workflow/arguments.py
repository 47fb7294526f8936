"""Arguments of a signal: given as JSON, and encoded before anything is opened."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click

from actorflow.common import RawValue
from actorflow.converter import default, public_payload
from actorflow.exceptions import PayloadError

_SHOWN_MAX: Final = 60


def takes_input(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command take arguments as JSON; its function gets them, encoded, as ``arguments``."""

    @click.option(
        "--input", "-i", "inputs", multiple=True, metavar="JSON", help="An argument; - reads it from stdin. Repeatable."
    )
    @click.option(
        "--input-file",
        "files",
        multiple=True,
        metavar="PATH",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A file with an argument; those of --input come first. Repeatable.",
    )
    @wraps(function)
    def command(*args: Any, inputs: tuple[str, ...], files: tuple[Path, ...], **options: Any) -> Any:
        given = [_encoded(_read() if text == "-" else text, "--input") for text in inputs]
        from_files = [_encoded(path.read_bytes(), f"--input-file {path}") for path in files]
        return function(*args, arguments=[*given, *from_files], **options)

    return command


def _read() -> bytes:
    return sys.stdin.buffer.read()


def _encoded(text: str | bytes, source: str) -> RawValue:
    try:
        return RawValue(public_payload(default().values.encode_one(_decoded(text, source))))
    except PayloadError as problem:  # JSON says more than a journal can hold
        raise click.UsageError(f"{source}: {problem}") from problem


def _decoded(text: str | bytes, source: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as problem:
        shown = text[:_SHOWN_MAX] if isinstance(text, str) else text[:_SHOWN_MAX].decode(errors="replace")
        more = "…" if len(text) > _SHOWN_MAX else ""
        raise click.UsageError(
            f"{source}: {shown!r}{more} is not JSON ({problem}); a string needs quotes of its own: --input '\"text\"'"
        ) from problem


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")
