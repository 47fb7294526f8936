"""Arguments of calls: one, or several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from actorflow.workflow.activities import UNSET


def arguments_of(arg: Any, args: Sequence[Any]) -> Sequence[Any]:
    """One argument or several.

    Raises:
        ValueError: both were given.
        TypeError: ``args`` is a text, which would be as many arguments as it has characters.
    """
    if arg is UNSET:
        return several(args)
    if args:
        raise ValueError("give either one argument or args=[...], not both")
    return (arg,)


def several(args: Sequence[Any]) -> Sequence[Any]:
    """Several arguments; raises TypeError if they are a text."""
    if isinstance(args, str | bytes):
        raise TypeError(f"args must be a list of arguments, not {args!r}; pass [{args!r}]")
    return args
