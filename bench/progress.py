"""Tells a person at a terminal what is being measured; silent for everybody else."""

from __future__ import annotations

from typing import TextIO


class Progress:
    """One line that is written over.

    Args:
        stream: where to; nothing is written unless it is a terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_shown = stream.isatty()
        self._topic = ""

    def begin(self, topic: str) -> None:
        """From now on it is about this."""
        self._topic = topic
        self.show("")

    def show(self, text: str) -> None:
        """Replace the line."""
        if self._is_shown:
            self._stream.write(f"\r\x1b[K{self._topic}  {text}"[:120])
            self._stream.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self._is_shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
