"""Journals in one SQLite file, owned by one engine at a time, and seen by anybody."""

from actorflow.store.sqlite.file import file_identity
from actorflow.store.sqlite.ownership import owner_of
from actorflow.store.sqlite.read_only import ReadOnlyStore
from actorflow.store.sqlite.store import SqliteStore

__all__ = ["ReadOnlyStore", "SqliteStore", "file_identity", "owner_of"]
