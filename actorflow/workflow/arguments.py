"""Arguments of calls: one, or several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class _Unset:
    def __repr__(self) -> str:
        return "<unset>"


UNSET = _Unset()
"""Stands for an argument that was not given, where None is one."""


def arguments_of(whom: str, arg: Any, args: Sequence[Any]) -> Sequence[Any]:
    """The arguments of a call, given as one or as several.

    Args:
        whom: is called, for error messages.
        arg: the one.
        args: the several.

    Raises:
        ValueError: both were given.
        TypeError: ``args`` is a text, which would be as many arguments as it has characters.
    """
    if arg is UNSET:
        return several(whom, args)
    if args:
        raise ValueError(f"{whom}: give either one argument or args=[...], not both")
    return (arg,)


def several(whom: str, args: Sequence[Any]) -> Sequence[Any]:
    """Several arguments; raises TypeError if they are a text."""
    if isinstance(args, str | bytes):
        raise TypeError(f"{whom}: args must be a list of arguments, not {args!r}; pass [{args!r}]")
    return args
