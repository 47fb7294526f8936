"""Journals in one SQLite file, owned by one engine at a time."""

from actorflow.store.sqlite.file import file_identity
from actorflow.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore", "file_identity"]
