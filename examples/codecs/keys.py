"""A ring of keys in a file: the current one encrypts, all of them decrypt."""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

KEY_BYTES = 32


class MissingKeyError(Exception):
    """A payload was encrypted with a key that is not in the ring."""


class KeyFile:
    """Keys by id, read again when one is missing: whoever puts it back need not restart anything.

    The file is readable for its owner only. In production the keys would come from a key server; this class is the
    only thing that would have to change.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._current = ""
        self._keys: dict[str, bytes] = {}

    def current(self) -> tuple[str, bytes]:
        """Id and bytes of the key to encrypt with, as the file says now."""
        self._read()
        return self._current, self._keys[self._current]

    def key(self, key_id: str) -> bytes:
        """The key of an id.

        Raises:
            MissingKeyError: nobody has it.
        """
        if key_id not in self._keys:
            self._read()
        try:
            return self._keys[key_id]
        except KeyError:
            raise MissingKeyError(f"the key {key_id!r} is not in {self.path}; put it back") from None

    def rotate(self, key_id: str) -> None:
        """Make a new key the current one. Old ones stay: what they have encrypted is still to be read."""
        held: dict[str, Any] = json.loads(self.path.read_text()) if self.path.exists() else {"keys": {}}
        held["keys"][key_id] = b64encode(os.urandom(KEY_BYTES)).decode()
        held["current"] = key_id
        self._write(held)

    def remove(self, key_id: str) -> str:
        """Take a key out of the ring; returns it, so that it can be put back."""
        held = json.loads(self.path.read_text())
        removed = held["keys"].pop(key_id)
        self._write(held)
        return removed

    def put_back(self, key_id: str, key: str) -> None:
        """The opposite of `remove`."""
        held = json.loads(self.path.read_text())
        held["keys"][key_id] = key
        self._write(held)

    def _read(self) -> None:
        held = json.loads(self.path.read_text())
        self._keys = {name: b64decode(key) for name, key in held["keys"].items()}
        self._current = held["current"]

    def _write(self, held: dict[str, Any]) -> None:
        new = self.path.with_suffix(".new")
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            json.dump(held, file)
        new.replace(self.path)
