"""The words of a list filter, each with its position."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import Final

import msgspec

from actorflow.exceptions import ListFilterError

_TOKEN: Final = re.compile(
    r"""\s*(?:
        (?P<word>[^\W\d][\w.]*)
        |`(?P<quoted>(?:[^`]|``)*)`
        |(?P<text>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*")
        |(?P<number>[+-]?[0-9]+(?:\.[0-9]*)?)
        |(?P<symbol><=|>=|<>|!=|[=<>(),])
        |(?P<end>\Z)
    )""",
    re.VERBOSE | re.DOTALL,
)
_SPACE: Final = re.compile(r"\s*")
_ESCAPE: Final = re.compile(r"\\(.)|(''|\"\")", re.DOTALL)
_ESCAPES: Final = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a"}


class TokenKind(Enum):
    """What a token is; the values are for people."""

    WORD = "a word"
    QUOTED = "a column"
    TEXT = "text"
    NUMBER = "a number"
    SYMBOL = "a symbol"
    END = "the end"


_KINDS: Final = {
    "word": TokenKind.WORD,
    "quoted": TokenKind.QUOTED,
    "text": TokenKind.TEXT,
    "number": TokenKind.NUMBER,
    "symbol": TokenKind.SYMBOL,
    "end": TokenKind.END,
}


class Token(msgspec.Struct, frozen=True):
    """One word: ``text`` is its meaning (a string without its quotes), ``source`` how it was written."""

    kind: TokenKind
    text: str
    source: str
    position: int

    @property
    def keyword(self) -> str:
        """A bare word or a symbol, in capitals; empty for anything else."""
        return self.text.upper() if self.kind in (TokenKind.WORD, TokenKind.SYMBOL) else ""


def tokens_of(query: str) -> Iterator[Token]:
    """The words of a filter, read as they are asked for, and the end.

    Raises:
        ListFilterError: a quote that does not end, a lone surrogate, or a character that means nothing here.
    """
    _check_text(query)
    position = 0
    while True:
        found = _TOKEN.match(query, position)
        if found is None:
            raise _unreadable(query, position)
        yield (token := _token(found))
        if token.kind is TokenKind.END:
            return
        position = found.end()


def _token(found: re.Match[str]) -> Token:
    name = found.lastgroup
    assert name is not None
    text = found[name]
    position = found.start(name) - (name == "quoted")
    source = found.string[position : found.end()]
    if name == "text":
        text = _unescaped(text)
    elif name == "quoted":
        text = text.replace("``", "`")
    return Token(_KINDS[name], text, source, position)


def _check_text(query: str) -> None:
    try:
        query.encode()
    except UnicodeEncodeError as problem:
        raise ListFilterError(query, problem.start, "found a lone surrogate, which is not text", "text") from None


def _unescaped(quoted: str) -> str:
    quote = quoted[0]

    def meaning(found: re.Match[str]) -> str:
        if found[1] is not None:
            return _ESCAPES.get(found[1], found[1])
        return quote if found[2][0] == quote else found[2]

    return _ESCAPE.sub(meaning, quoted[1:-1])


def _unreadable(query: str, position: int) -> ListFilterError:
    start = _SPACE.match(query, position)
    position = start.end() if start else position
    character = query[position]
    if character in "'\"`":
        return ListFilterError(query, position, f"the quote {character} is not closed", "its other end")
    return ListFilterError(query, position, f"found {character!r}", "a column, an operator or a value")
